//! A stage for scenarios: the mind, a clock in the hand, and hands that do what they are told at once.

use jiff::tz::TimeZone;
use ossuary::config::{Display, Id, Loaded, Process};
use ossuary::supervisor::page::{PageCommand, PageCommandResult};
use ossuary::supervisor::{
    Action, Backend, Boot, Command, Ending, Event, Failure, KeepOld, Outcome, PowerReport,
    ProcessStatus, RunId, SavedSchedule, ScheduleBoot, Source, State, Supervisor, Ticket,
};
use ossuary::time::Moment;
use serde_json::Value;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

/// The mind, and everything it has asked for.
pub struct Stage {
    pub mind: Supervisor,
    pub now: Moment,
    /// Everything the mind wanted, in order; `seen` marks what a test has looked at.
    pub actions: Vec<Action>,
    /// The runs that were executed and not yet reported as ended.
    pub live: BTreeMap<RunId, Rc<Process>>,
    pub replies: BTreeMap<u64, Outcome>,
    pub next_ticket: u64,
    next_pid: u32,
    /// Whether programs can be executed.
    pub exec_works: bool,
    /// Whether saves are answered at once, and how.
    pub disk: DiskMood,
    /// What was written down of the schedule last.
    pub kept: Option<SavedSchedule>,
    /// Whether pages that rules ask for can be shown.
    pub pages_load: bool,
    /// Pages that cannot be loaded even then.
    pub dead_pages: Vec<String>,
    /// The screens, and whether they are on. One that is not listed cannot be switched.
    pub screens: BTreeMap<Display, bool>,
}

#[derive(Clone, Copy, PartialEq)]
pub enum DiskMood {
    Works,
    Full,
    Silent,
}

pub fn id(text: &str) -> Id {
    text.parse().unwrap()
}

pub fn load(document: Value) -> Loaded {
    Loaded::from_bytes(document.to_string().as_bytes()).unwrap()
}

/// A zone of this machine.
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

    /// A mind with this configuration, whose disk is in a mood.
    pub fn with_disk(document: Value, disk: DiskMood) -> Stage {
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

    /// A mind that begins with what is known of the clock and the schedule. Its actions are to be performed.
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
            mind: Supervisor::new(boot, now),
            now,
            actions: Vec::new(),
            live: BTreeMap::new(),
            replies: BTreeMap::new(),
            next_ticket: 1,
            next_pid: 1000,
            exec_works: true,
            disk: DiskMood::Works,
            kept: None,
            pages_load: true,
            dead_pages: Vec::new(),
            screens: BTreeMap::new(),
        }
    }

    /// Lets something happen, and does what the mind wants then.
    pub fn handle(&mut self, event: Event) {
        self.mind.handle(event, self.now);
        self.perform();
    }

    pub fn perform(&mut self) {
        while let Some(action) = self.mind.poll_action() {
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
                    DiskMood::Works => Some(Event::Saved),
                    DiskMood::Full => Some(Event::SaveFailed {
                        failure: Failure::system("cannot write config.json: no space left"),
                    }),
                    DiskMood::Silent => None,
                },
                Action::FindTimeZone { zone } => Some(Event::TimeZone {
                    zone: zone.clone(),
                    found: find_zone(zone.as_str()),
                }),
                Action::SaveSchedule { schedule: kept } => match self.disk {
                    DiskMood::Works => {
                        self.kept = Some((**kept).clone());
                        Some(Event::ScheduleSaved { result: Ok(()) })
                    }
                    DiskMood::Full => Some(Event::ScheduleSaved {
                        result: Err(Failure::system("cannot write schedule.json: no space left")),
                    }),
                    DiskMood::Silent => None,
                },
                Action::RunCommand { number, command } => Some(Event::RuleDone {
                    number: *number,
                    result: match command.as_str() {
                        "false" => Err(Failure::system("the command failed: exit status: 1")),
                        _ => Ok(None),
                    },
                }),
                // What rules ask of pages; clients are answered by their tests.
                Action::RunPageCommand {
                    run,
                    command: order,
                    ticket: Some(ticket),
                } if ticket.0 >= 1 << 63 => Some(Event::PageCommandDone {
                    run: *run,
                    command: order.clone(),
                    ticket: Some(*ticket),
                    result: match order {
                        PageCommand::Navigate { url, .. } if self.dead_pages.contains(url) => {
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
                self.mind.handle(event, self.now);
            }
        }
        let next = self.mind.poll_timeout();
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

    /// A client asks; the answer, if it came at once.
    pub fn ask(&mut self, request: Command) -> Option<Outcome> {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.handle(Event::Command {
            ticket: Ticket(ticket),
            command: request,
        });
        self.replies.get(&ticket).cloned()
    }

    /// Lets time pass, with a tick at each moment the mind asks for.
    pub fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(next) = self.mind.poll_timeout().filter(|next| *next <= end) {
            self.now = next;
            self.handle(Event::Tick);
        }
        self.now = end;
    }

    pub fn pass_seconds(&mut self, seconds: u64) {
        self.pass(Duration::from_secs(seconds));
    }

    /// The run of this process that is live.
    pub fn run(&self, name: &str) -> RunId {
        *self
            .live
            .iter()
            .find(|(_, process)| process.id.as_str() == name)
            .unwrap_or_else(|| panic!("{name} has no live run"))
            .0
    }

    /// The main process of this process's run ends, and leaves nothing behind.
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
        self.mind.status().process(&id(name)).unwrap().clone()
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

    /// What the mind wanted of this process since the last look, as words.
    pub fn look(&mut self) -> Vec<String> {
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
