//! A display process that shows something we cannot drive: another browser, a video player, a shell script.
//!
//! It is supervised like any other. What its page looks like nobody knows, and to reload it is to restart it.

use super::driver::{Driver, DriverContext, Later, Program, Withdrawn};
use crate::supervisor::Failure;
use crate::supervisor::page::{PageCommand, PageCommandResult, PageObservation};
use std::rc::Rc;

/// One such program.
pub struct Undriven {
    around: Rc<DriverContext>,
}

impl Undriven {
    /// Says once that nothing can be seen of it, and refuses whatever is asked of it.
    pub fn drive(around: Rc<DriverContext>) -> Driver {
        Driver::new(
            Self {
                around: around.clone(),
            },
            around,
        )
    }
}

impl Program for Undriven {
    fn obey<'a>(
        &'a self,
        order: &'a PageCommand,
        _withdrawn: &'a Withdrawn,
    ) -> Later<'a, Result<PageCommandResult, Failure>> {
        Box::pin(std::future::ready(match order {
            PageCommand::Reload => Ok(PageCommandResult::NeedsRestart),
            _ => Err(Failure::system(
                "the program it runs cannot be driven; only a browser of Chromium's kin can, started without a shell",
            )),
        }))
    }

    fn live(&self) -> Later<'_, ()> {
        Box::pin(self.around.saw(PageObservation::NotObservable))
    }
}
