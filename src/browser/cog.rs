//! Drives WPE's launcher by `cogctl`, which knows two things we need: to open an address and to reload.
//!
//! It is executed beside the run, as the same user and on the same session bus. What it cannot do it says.

use super::driver::{Driver, DriverContext, Later, Program, Withdrawn};
use crate::supervisor::Failure;
use crate::supervisor::page::{PageCommand, PageCommandResult, PageObservation};
use smol::Timer;
use smol::future::or;
use std::rc::Rc;
use std::time::Duration;

/// How long `cogctl` may take: it asks over the bus and leaves.
const PATIENCE: Duration = Duration::from_secs(5);

/// Executes a command beside the run, and tells whether it left with 0.
pub type RunBeside = Box<dyn Fn(Vec<String>) -> Later<'static, Result<bool, Failure>>>;

/// One cog.
pub struct Cog {
    around: Rc<DriverContext>,
    run_beside: RunBeside,
}

impl Cog {
    /// Drives a cog by the program that `run_beside` executes.
    pub fn drive(run_beside: RunBeside, around: Rc<DriverContext>) -> Driver {
        Driver::new(
            Self {
                around: around.clone(),
                run_beside,
            },
            around,
        )
    }

    async fn control(&self, words: &[&str]) -> Result<PageCommandResult, Failure> {
        let command = [&["cogctl"], words].concat();
        let command = command.into_iter().map(str::to_owned).collect();
        let done = (self.run_beside)(command);
        let late = async {
            Timer::after(PATIENCE).await;
            Err(Failure::system("cogctl does not come to an end"))
        };
        match or(done, late).await {
            Ok(true) => Ok(PageCommandResult::Done),
            Ok(false) => Err(Failure::system(
                "cogctl does not reach the browser; it needs the browser's session bus",
            )),
            Err(failure) => Err(failure),
        }
    }
}

impl Program for Cog {
    fn obey<'a>(
        &'a self,
        order: &'a PageCommand,
        _withdrawn: &'a Withdrawn,
    ) -> Later<'a, Result<PageCommandResult, Failure>> {
        Box::pin(async move {
            match order {
                PageCommand::Reload => self.control(&["reload"]).await,
                PageCommand::Navigate { url, .. } | PageCommand::NewTab { url } => {
                    self.control(&["open", url]).await
                }
                _ => Err(Failure::system(
                    "cog can be told to reload and to open an address, and nothing else",
                )),
            }
        })
    }

    fn live(&self) -> Later<'_, ()> {
        Box::pin(self.around.saw(PageObservation::NotObservable))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::browser::built_in_pages::Facts;
    use crate::supervisor::page::Transition;
    use crate::supervisor::{Event, RunId};
    use smol::LocalExecutor;
    use smol::channel::{Receiver, bounded};
    use smol::future::block_on;
    use std::cell::RefCell;

    /// A cog that is driven, and what becomes of it.
    struct Stage {
        driver: Driver,
        told: Receiver<Event>,
        commands: Rc<RefCell<Vec<String>>>,
        executor: Rc<LocalExecutor<'static>>,
    }

    fn cog(reaches: bool) -> Stage {
        let executor = Rc::new(LocalExecutor::new());
        let (events, told) = bounded(16);
        let around = Rc::new(DriverContext {
            run: RunId(1),
            pointer: crate::browser::Pointer::Shown,
            executor: executor.clone(),
            events,
            note: Box::new(|_| ()),
            facts: Box::new(Facts::default),
        });
        let commands = Rc::<RefCell<Vec<String>>>::default();
        let record = commands.clone();
        let run_beside: RunBeside = Box::new(move |command| {
            record.borrow_mut().push(command.join(" "));
            Box::pin(std::future::ready(Ok(reaches)))
        });
        Stage {
            driver: Cog::drive(run_beside, around),
            told,
            commands,
            executor,
        }
    }

    #[test]
    fn it_is_told_by_cogctl_and_says_what_it_cannot_do() {
        let Stage {
            driver,
            told,
            commands,
            executor,
        } = cog(true);
        let url = "http://x/".to_owned();
        let transition = Transition::Fade;
        assert!(driver.steer(PageCommand::Reload, None).is_none());
        assert!(
            driver
                .steer(PageCommand::Navigate { url, transition }, None)
                .is_none()
        );
        assert!(driver.steer(PageCommand::Pause, None).is_none());
        let mut answers = Vec::new();
        block_on(executor.run(async {
            while answers.len() < 3 {
                match told.recv().await.unwrap() {
                    Event::PageCommandDone { result, .. } => answers.push(result),
                    other => assert!(matches!(
                        other,
                        Event::PageObserved {
                            observation: PageObservation::NotObservable,
                            ..
                        }
                    )),
                }
            }
        }));
        assert_eq!(
            *commands.borrow(),
            ["cogctl reload", "cogctl open http://x/"]
        );
        assert_eq!(
            answers[..2],
            [Ok(PageCommandResult::Done), Ok(PageCommandResult::Done)]
        );
        assert!(
            answers[2]
                .as_ref()
                .is_err_and(|why| why.message.contains("nothing else"))
        );
    }

    #[test]
    fn what_was_not_answered_is_owed_when_the_run_ends() {
        let Stage { driver, .. } = cog(true);
        driver.steer(PageCommand::Reload, None);
        driver.steer(PageCommand::Pause, None);
        assert_eq!(driver.end().count(), 2);
    }

    #[test]
    fn a_bus_that_does_not_lead_to_the_browser_is_named() {
        let Stage {
            driver,
            told,
            executor,
            ..
        } = cog(false);
        driver.steer(PageCommand::Reload, None);
        let answer = block_on(executor.run(async {
            loop {
                if let Event::PageCommandDone { result, .. } = told.recv().await.unwrap() {
                    break result;
                }
            }
        }));
        assert!(answer.is_err_and(|why| why.message.contains("session bus")));
    }
}
