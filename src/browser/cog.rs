//! The driver of WPE's launcher. `cogctl` can open a URL and reload; every other command is refused.
//!
//! `cogctl` runs next to the run, as the same user and on the same session bus.

use super::driver::{Cancelled, Driver, DriverContext, Later, Program};
use crate::supervisor::Failure;
use crate::supervisor::{PageCommand, PageCommandResult, PageObservation};
use crate::timeout::within;
use std::rc::Rc;
use std::time::Duration;

/// How long `cogctl` may take: it makes one call over the bus.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Runs a helper command next to the run. Returns whether it exited with 0.
pub type RunHelper = Box<dyn Fn(Vec<String>) -> Later<'static, Result<bool, Failure>>>;

/// The driver of one cog.
pub struct Cog {
    context: Rc<DriverContext>,
    run_helper: RunHelper,
}

impl Cog {
    /// Drives a cog with the helper that `run_helper` runs.
    pub fn drive(run_helper: RunHelper, context: Rc<DriverContext>) -> Driver {
        Driver::new(
            Self {
                context: context.clone(),
                run_helper,
            },
            context,
        )
    }

    async fn cogctl(&self, words: &[&str]) -> Result<PageCommandResult, Failure> {
        let command = [&["cogctl"], words].concat();
        let command = command.into_iter().map(str::to_owned).collect();
        match within(TIMEOUT, (self.run_helper)(command)).await {
            Some(Ok(true)) => Ok(PageCommandResult::Done),
            Some(Ok(false)) => Err(Failure::system(
                "cogctl cannot reach the browser; it needs the browser's session bus",
            )),
            Some(Err(failure)) => Err(failure),
            None => Err(Failure::system("cogctl did not end in time")),
        }
    }
}

impl Program for Cog {
    fn run<'a>(
        &'a self,
        command: &'a PageCommand,
        _cancelled: &'a Cancelled,
    ) -> Later<'a, Result<PageCommandResult, Failure>> {
        Box::pin(async move {
            match command {
                PageCommand::Reload => self.cogctl(&["reload"]).await,
                PageCommand::Navigate { url, .. } | PageCommand::NewTab { url } => {
                    self.cogctl(&["open", url]).await
                }
                _ => Err(Failure::system(
                    "cog can reload and open a URL, nothing else",
                )),
            }
        })
    }

    fn watch(&self) -> Later<'_, ()> {
        Box::pin(self.context.report(PageObservation::NotObservable))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::browser::built_in_pages::Facts;
    use crate::supervisor::Transition;
    use crate::supervisor::{Event, Requester, RunId};
    use smol::LocalExecutor;
    use smol::channel::{Receiver, bounded};
    use smol::future::block_on;
    use std::cell::RefCell;

    /// A driven cog, and what it reports.
    struct Fixture {
        driver: Driver,
        events: Receiver<Event>,
        commands: Rc<RefCell<Vec<String>>>,
        executor: Rc<LocalExecutor<'static>>,
    }

    fn cog(reaches: bool) -> Fixture {
        let executor = Rc::new(LocalExecutor::new());
        let (sender, events) = bounded(16);
        let context = Rc::new(DriverContext {
            run: RunId(1),
            pointer: crate::browser::Pointer::Shown,
            executor: executor.clone(),
            events: sender,
            note: Box::new(|_| ()),
            facts: Box::new(Facts::default),
        });
        let commands = Rc::<RefCell<Vec<String>>>::default();
        let record = commands.clone();
        let run_helper: RunHelper = Box::new(move |command| {
            record.borrow_mut().push(command.join(" "));
            Box::pin(std::future::ready(Ok(reaches)))
        });
        Fixture {
            driver: Cog::drive(run_helper, context),
            events,
            commands,
            executor,
        }
    }

    #[test]
    fn commands_go_through_cogctl_and_others_are_refused() {
        let Fixture {
            driver,
            events,
            commands,
            executor,
        } = cog(true);
        let url = "http://x/".to_owned();
        let transition = Transition::Fade;
        assert!(driver.run(PageCommand::Reload, Requester::Daemon).is_none());
        assert!(
            driver
                .run(PageCommand::Navigate { url, transition }, Requester::Daemon)
                .is_none()
        );
        assert!(driver.run(PageCommand::Pause, Requester::Daemon).is_none());
        let mut answers = Vec::new();
        block_on(executor.run(async {
            while answers.len() < 3 {
                match events.recv().await.unwrap() {
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
    fn pending_commands_are_answered_when_the_run_ends() {
        let Fixture { driver, .. } = cog(true);
        driver.run(PageCommand::Reload, Requester::Daemon);
        driver.run(PageCommand::Pause, Requester::Daemon);
        assert_eq!(driver.end().count(), 2);
    }

    #[test]
    fn a_session_bus_without_the_browser_is_named_as_the_cause() {
        let Fixture {
            driver,
            events,
            executor,
            ..
        } = cog(false);
        driver.run(PageCommand::Reload, Requester::Daemon);
        let answer = block_on(executor.run(async {
            loop {
                if let Event::PageCommandDone { result, .. } = events.recv().await.unwrap() {
                    break result;
                }
            }
        }));
        assert!(answer.is_err_and(|why| why.message.contains("session bus")));
    }
}
