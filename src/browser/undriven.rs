//! The driver of a display process that cannot be driven: another browser, a video player, a shell script.
//!
//! Its page cannot be observed, and a reload restarts it.

use super::driver::{Cancelled, Driver, DriverContext, Later, Program};
use crate::supervisor::Failure;
use crate::supervisor::{PageCommand, PageCommandResult, PageObservation};
use std::rc::Rc;

/// A program without a driver.
pub struct Undriven {
    context: Rc<DriverContext>,
}

impl Undriven {
    /// Reports once that the page cannot be observed, and refuses every other command.
    pub fn drive(context: Rc<DriverContext>) -> Driver {
        Driver::new(
            Self {
                context: context.clone(),
            },
            context,
        )
    }
}

impl Program for Undriven {
    fn run<'a>(
        &'a self,
        command: &'a PageCommand,
        _cancelled: &'a Cancelled,
    ) -> Later<'a, Result<PageCommandResult, Failure>> {
        Box::pin(std::future::ready(match command {
            PageCommand::Reload => Ok(PageCommandResult::NeedsRestart),
            _ => Err(Failure::system(
                "this program cannot be driven; only a Chromium-based browser that is started without a shell can",
            )),
        }))
    }

    fn watch(&self) -> Later<'_, ()> {
        Box::pin(self.context.report(PageObservation::NotObservable))
    }
}
