//! Runs the actions of the supervisor. An action that can fail answers with an event.

use super::drivers::Drivers;
use super::last_good_config::LastGoodConfig;
use super::welcome::Welcome;
use super::{launch, rule_actions, upgrade};
use crate::config::{Display, Id, Process};
use crate::http::CommandQueue;
use crate::logs::Logs;
use crate::supervisor::{Action, Event, Failure, RunId};
use crate::sys::display::attendant::Attendants;
use crate::sys::net::tcp_probe;
use crate::sys::process::children::Children;
use crate::sys::storage::config_file::ConfigFile;
use crate::sys::storage::log_file::LogFiles;
use crate::sys::storage::run_dir::RunDir;
use crate::sys::time::clock;
use crate::sys::time::timezone;
use crate::timeout::within;
use smol::channel::Sender;
use smol::{LocalExecutor, Task};
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

/// How long the last writes may take. A card that takes longer is about to fail, and the
/// service manager kills a daemon that does not exit.
const LAST_WRITES: Duration = Duration::from_secs(5);

/// Why the loop ends.
pub enum LoopEnd {
    /// All runs have ended; the daemon exits.
    Exit,
    /// Another version of the program takes over.
    Upgrade,
}

/// Runs actions, and owns the resources that they need.
pub struct ActionRunner {
    pub executor: Rc<LocalExecutor<'static>>,
    pub reports: Sender<Event>,
    pub children: Children,
    pub screens: Attendants,
    pub drivers: Drivers,
    pub welcome: Welcome,
    pub store: ConfigFile,
    pub logs: Rc<Logs>,
    pub files: LogFiles,
    pub commands: Rc<CommandQueue>,
    pub state_dir: PathBuf,
    pub run_dir: Rc<RunDir>,
    /// The installed program, at the path this one was started from.
    pub program: Result<PathBuf, Failure>,
    /// The daemon does not exit before the copy is written.
    pub last_good: LastGoodConfig,
    /// Writes the shutdown marker; the daemon does not exit before it is done.
    pub setting_marker: Option<Task<()>>,
    /// Immediate answers, which the supervisor handles before any other event.
    pub answers: VecDeque<Event>,
}

impl ActionRunner {
    /// Takes the next immediate answer.
    pub fn poll_answer(&mut self) -> Option<Event> {
        self.answers.pop_front()
    }

    /// Updates the drivers and the welcome page for an event, before the supervisor handles it.
    pub fn observe(&mut self, event: &Event) {
        if matches!(event, Event::Network { .. }) {
            self.welcome.write();
        }
        self.answers.extend(self.drivers.observe(event));
    }

    /// Runs one action. Breaks if the loop is to end.
    pub fn run(&mut self, action: Action) -> ControlFlow<LoopEnd> {
        log::debug!("{action:?}");
        match action {
            Action::Spawn { run, process } => {
                let answer = self.spawn(run, &process);
                self.answers.push_back(answer);
            }
            Action::AwaitReady { run, process } => {
                let probe = launch::probe(&process);
                self.children.await_ready(run, &process.ready, probe);
            }
            Action::Signal { run, signal } => self.children.signal(run, signal),
            Action::Kill { run } => self.children.kill(run),
            Action::RunPageCommand {
                run,
                command: order,
                requester,
            } => {
                let answer = self.drivers.run_command(run, order, requester);
                self.answers.extend(answer);
            }
            Action::CancelPageCommand { run, ticket } => self.drivers.cancel(run, ticket),
            Action::ProbeServer { url } => {
                self.report(async move {
                    let reachable = tcp_probe::server(&url).await;
                    Event::ServerProbed { url, reachable }
                });
            }
            Action::Save { document, keep_old } => {
                let store = self.store.clone();
                self.report(async move {
                    match store.save(document.to_bytes(), keep_old).await {
                        Ok(()) => Event::Saved,
                        Err(failure) => Event::SaveFailed { failure },
                    }
                });
            }
            Action::Load => {
                let store = self.store.clone();
                self.report(async move {
                    Event::Read {
                        bytes: store.load().await,
                    }
                });
            }
            Action::SaveLastGood { document } => {
                self.last_good.keep(document, &self.store, &self.executor);
            }
            Action::Reply { ticket, outcome } => self.commands.reply(ticket, outcome),
            Action::Note { process, text } => self.note(&process, &text),
            Action::ConfigureLog { process, log } => {
                let ring = self.logs.ensure(&process, log.memory_kib as usize * 1024);
                self.files.keep(&process, &ring, log.persist);
            }
            Action::Remember { memory } => {
                if let Err(failure) = self.run_dir.remember(&memory) {
                    log::warn!("{failure}");
                }
            }
            Action::Forget { process } => {
                self.run_dir.forget(&process);
                if let Some(ring) = self.logs.get(&process) {
                    self.files.keep(&process, &ring, None);
                }
                self.logs.remove(&process);
            }
            Action::SwitchPower {
                display,
                connector,
                on,
            } => self.switch(display, connector, Some(on)),
            Action::ReadPower { display, connector } => self.switch(display, connector, None),
            Action::Rotate { display, rotation } => {
                let turning = self.screens.clone().turn(display.clone(), rotation);
                self.report(async move {
                    Event::Rotated {
                        display,
                        result: turning.await,
                    }
                });
            }
            Action::FindTimeZone { zone } => self.report(async move {
                let found = timezone::find(zone.clone()).await;
                if let Err(failure) = &found {
                    log::warn!("schedule: {failure}");
                }
                Event::TimeZone { zone, found }
            }),
            Action::SaveSchedule { schedule: kept } => {
                let store = self.store.clone();
                self.report(async move {
                    let result = store.keep_schedule(kept.to_bytes()).await;
                    Event::ScheduleSaved { result }
                });
            }
            Action::RunCommand { execution, command } => {
                let children = self.children.clone();
                self.report(async move {
                    let result = rule_actions::run(&children, &command).await;
                    Event::RuleDone { execution, result }
                });
            }
            Action::Reboot { execution } => {
                let children = self.children.clone();
                self.report(async move {
                    let result = rule_actions::reboot(&children).await;
                    Event::RuleDone { execution, result }
                });
            }
            Action::CheckProgram => {
                let children = self.children.clone();
                let program = self.program.clone();
                self.report(async move {
                    Event::ProgramChecked {
                        result: upgrade::check(&children, program).await,
                    }
                });
            }
            Action::Upgrade => return ControlFlow::Break(LoopEnd::Upgrade),
            Action::Exit => return ControlFlow::Break(LoopEnd::Exit),
        }
        ControlFlow::Continue(())
    }

    /// Finishes what is being written, unless the disk hangs.
    pub async fn finish(&mut self) {
        let writing = async {
            self.files.finish().await;
            self.last_good.finish().await;
            if let Some(marking) = self.setting_marker.take() {
                marking.await;
            }
        };
        let _ = within(LAST_WRITES, writing).await;
    }

    fn spawn(&mut self, run: RunId, process: &Process) -> Event {
        let log = self
            .logs
            .ensure(&process.id, process.log.memory_kib as usize * 1024);
        let started = launch::launch(process, &self.state_dir).and_then(|(launch, driven)| {
            let pid = self.children.spawn(run, &process.id, &launch, &log)?;
            Ok((pid, driven))
        });
        match started {
            Ok((pid, driven)) => {
                self.drivers.begin(run, process, driven);
                Event::Spawned { run, pid }
            }
            Err(failure) => Event::SpawnFailed { run, failure },
        }
    }

    fn switch(&self, display: Display, connector: Option<String>, on: Option<bool>) {
        let switching = self.screens.clone().switch(display.clone(), connector, on);
        self.report(async move {
            Event::Power {
                display,
                report: switching.await,
            }
        });
    }

    fn note(&self, process: &Id, text: &str) {
        log::info!("{process}: {text}");
        if let Some(log) = self.logs.get(process) {
            log.note(text, clock::now());
        }
    }

    /// Runs a task outside the loop and reports the event that it returns.
    fn report(&self, task: impl Future<Output = Event> + 'static) {
        let reports = self.reports.clone();
        let task = async move {
            // Sending fails only after the loop has ended.
            let _ = reports.send(task.await).await;
        };
        self.executor.spawn(task).detach();
    }
}
