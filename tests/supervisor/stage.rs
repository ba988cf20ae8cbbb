//! A stage for scenarios: the supervisor, a clock, and an action runner that succeeds at once.

use jiff::tz::TimeZone;
use ossuary::config::{Display, Id, Loaded, Process};
use ossuary::supervisor::{
    Action, Backend, Boot, Command, Edit, Ending, Event, Failure, KeepOld, Outcome, PowerReport,
    ProcessStatus, Requester, RunId, SavedSchedule, ScheduleBoot, Source, State, Supervisor,
    Ticket,
};
use ossuary::supervisor::{PageCommand, PageCommandResult};
use ossuary::time::Moment;
use serde_json::Value;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

/// The supervisor and its actions.
pub struct Stage {
    pub supervisor: Supervisor,
    pub now: Moment,
    /// All actions, in order; `seen` is the number that a test has read.
    pub actions: Vec<Action>,
    /// The runs that were executed and not yet reported as ended.
    pub live: BTreeMap<RunId, Rc<Process>>,
    pub replies: BTreeMap<u64, Outcome>,
    pub next_ticket: u64,
    next_pid: u32,
    /// Whether programs can be executed.
    pub exec_works: bool,
    /// Whether saves are answered at once, and how.
    pub disk: DiskBehavior,
    /// The state of the schedule that was last saved.
    pub saved_schedule: Option<SavedSchedule>,
    /// Whether the pages of rules can be loaded.
    pub pages_load: bool,
    /// Pages that can never be loaded.
    pub unreachable_pages: Vec<String>,
    /// The screens, and whether they are on. One that is not listed cannot be switched.
    pub screens: BTreeMap<Display, bool>,
}

#[derive(Clone, Copy, PartialEq)]
pub enum DiskBehavior {
    Works,
    Full,
    Silent,
}

pub fn id(text: &str) -> Id {
    text.parse().unwrap()
}

/// An edit of fields of a process.
pub fn change_process(id: Id, fields: serde_json::Map<String, Value>) -> Edit {
    Edit::Change {
        id,
        fields,
        if_match: None,
    }
}

pub fn load(document: Value) -> Loaded {
    Loaded::from_bytes(document.to_string().as_bytes()).unwrap()
}

/// A time zone of this machine.
pub fn find_zone(name: &str) -> Result<TimeZone, Failure> {
    let name = if name == "auto" { "UTC" } else { name };
    let read = std::fs::read(format!("/usr/share/zoneinfo/{name}"));
    let read = read.map_err(|error| Failure::system(error.to_string()));
    read.map(|bytes| TimeZone::tzif(name, &bytes).unwrap())
}

impl Stage {
    pub fn new(document: Value) -> Stage {
        Stage::with_displays(document, &[":0", ":1"])
    }

    /// A supervisor with this configuration, and a disk that behaves like this.
    pub fn with_disk(document: Value, disk: DiskBehavior) -> Stage {
        let mut stage = Stage::begin(document, &[":0", ":1"]);
        stage.disk = disk;
        stage.perform();
        stage
    }

    pub fn with_displays(document: Value, displays: &[&str]) -> Stage {
        let mut stage = Stage::begin(document, displays);
        stage.perform();
        stage
    }

    fn begin(document: Value, displays: &[&str]) -> Stage {
        let now = Moment::from_boot(Duration::from_secs(10));
        Stage::boot(document, displays, ScheduleBoot::default(), now)
    }

    /// A supervisor with this clock and schedule. Its actions are to be performed.
    pub fn boot(document: Value, displays: &[&str], schedule: ScheduleBoot, now: Moment) -> Stage {
        let boot = Boot {
            loaded: load(document),
            source: Source::File,
            problems: Vec::new(),
            displays: displays.iter().map(|name| name.parse().unwrap()).collect(),
            memories: Vec::new(),
            next_run: 1,
            schedule,
        };
        Stage {
            supervisor: Supervisor::new(boot, now),
            now,
            actions: Vec::new(),
            live: BTreeMap::new(),
            replies: BTreeMap::new(),
            next_ticket: 1,
            next_pid: 1000,
            exec_works: true,
            disk: DiskBehavior::Works,
            saved_schedule: None,
            pages_load: true,
            unreachable_pages: Vec::new(),
            screens: BTreeMap::new(),
        }
    }

    /// Handles an event and performs the actions that follow.
    pub fn handle(&mut self, event: Event) {
        self.supervisor.handle(event, self.now);
        self.perform();
    }

    pub fn perform(&mut self) {
        while let Some(action) = self.supervisor.poll_action() {
            let answer = match &action {
                Action::Spawn { run, process } if self.exec_works => {
                    self.live.insert(*run, process.clone());
                    self.next_pid += 1;
                    Some(Event::Spawned {
                        run: *run,
                        pid: self.next_pid,
                    })
                }
                Action::Spawn { run, .. } => Some(Event::SpawnFailed {
                    run: *run,
                    failure: Failure::system("cannot run it: no such file or directory"),
                }),
                Action::Save { .. } => match self.disk {
                    DiskBehavior::Works => Some(Event::Saved),
                    DiskBehavior::Full => Some(Event::SaveFailed {
                        failure: Failure::system("cannot write config.json: no space left"),
                    }),
                    DiskBehavior::Silent => None,
                },
                Action::FindTimeZone { zone } => Some(Event::TimeZone {
                    zone: zone.clone(),
                    found: find_zone(zone.as_str()),
                }),
                Action::SaveSchedule {
                    schedule: saved_schedule,
                } => match self.disk {
                    DiskBehavior::Works => {
                        self.saved_schedule = Some((**saved_schedule).clone());
                        Some(Event::ScheduleSaved { result: Ok(()) })
                    }
                    DiskBehavior::Full => Some(Event::ScheduleSaved {
                        result: Err(Failure::system("cannot write schedule.json: no space left")),
                    }),
                    DiskBehavior::Silent => None,
                },
                Action::RunCommand { execution, command } => Some(Event::RuleDone {
                    execution: *execution,
                    result: match command.as_str() {
                        "false" => Err(Failure::system("the command failed: exit status: 1")),
                        _ => Ok(None),
                    },
                }),
                // Page commands of rules; tests answer those of clients.
                Action::RunPageCommand {
                    run,
                    command,
                    requester: requester @ Requester::Schedule(_),
                } => Some(Event::PageCommandDone {
                    run: *run,
                    command: command.clone(),
                    requester: *requester,
                    result: match command {
                        PageCommand::Navigate { url, .. }
                            if self.unreachable_pages.contains(url) =>
                        {
                            Err(Failure::system("it cannot be loaded"))
                        }
                        _ if !self.pages_load => Err(Failure::system("it cannot be loaded")),
                        _ => Ok(PageCommandResult::Done),
                    },
                }),
                Action::SwitchPower { display, on, .. } if self.screens.contains_key(display) => {
                    self.screens.insert(display.clone(), *on);
                    Some(self.report_power(display))
                }
                Action::ReadPower { display, .. } if self.screens.contains_key(display) => {
                    Some(self.report_power(display))
                }
                Action::Reply { ticket, outcome } => {
                    let twice = self.replies.insert(ticket.0, outcome.clone());
                    assert!(twice.is_none(), "{ticket:?} was answered twice");
                    None
                }
                _ => None,
            };
            self.actions.push(action);
            if let Some(event) = answer {
                self.supervisor.handle(event, self.now);
            }
        }
        let next = self.supervisor.poll_timeout();
        assert!(next.is_none_or(|next| next > self.now), "the loop spins");
    }

    fn report_power(&self, display: &Display) -> Event {
        let report = PowerReport {
            backend: Some(Backend::Dpms),
            actual: self.screens.get(display).copied(),
            failure: None,
        };
        Event::Power {
            display: display.clone(),
            report,
        }
    }

    /// A client sends a command; returns the answer if it came at once.
    pub fn ask(&mut self, command: impl Into<Command>) -> Option<Outcome> {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.handle(Event::Command {
            ticket: Ticket(ticket),
            command: command.into(),
        });
        self.replies.get(&ticket).cloned()
    }

    /// Advances the time, with a tick at each requested time.
    pub fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(next) = self.supervisor.poll_timeout().filter(|next| *next <= end) {
            self.now = next;
            self.handle(Event::Tick);
        }
        self.now = end;
    }

    pub fn pass_seconds(&mut self, seconds: u64) {
        self.pass(Duration::from_secs(seconds));
    }

    /// The live run of this process.
    pub fn run(&self, name: &str) -> RunId {
        *self
            .live
            .iter()
            .find(|(_, process)| process.id.as_str() == name)
            .unwrap_or_else(|| panic!("{name} has no live run"))
            .0
    }

    /// The main process of this process's run exits with its whole tree.
    pub fn exit(&mut self, name: &str, ending: Ending) {
        let run = self.run(name);
        self.live.remove(&run);
        self.handle(Event::Exited {
            run,
            ending,
            tree_left: false,
        });
    }

    pub fn status(&self, name: &str) -> Rc<ProcessStatus> {
        self.supervisor.status().process(&id(name)).unwrap().clone()
    }

    pub fn state(&self, name: &str) -> State {
        self.status(name).state
    }

    pub fn reason(&self, name: &str) -> String {
        let status = self.status(name);
        status
            .reason
            .as_ref()
            .map(|reason| reason.to_string())
            .unwrap_or_default()
    }

    /// The actions for this process since the last call, as words.
    pub fn taken_actions(&mut self) -> Vec<String> {
        self.actions
            .drain(..)
            .filter_map(|action| match action {
                Action::Spawn { process, .. } => Some(format!("spawn {}", process.id)),
                Action::Signal { signal, .. } => Some(format!("signal {signal:?}")),
                Action::Kill { .. } => Some("kill".into()),
                Action::Save { keep_old: None, .. } => Some("save".into()),
                Action::Save {
                    keep_old: Some(KeepOld::Version(version)),
                    ..
                } => Some(format!("save, keeping version {version}")),
                Action::Save {
                    keep_old: Some(KeepOld::Broken),
                    ..
                } => Some("save, keeping the broken file".into()),
                Action::Exit => Some("exit".into()),
                _ => None,
            })
            .collect()
    }
}
