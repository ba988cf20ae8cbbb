//! The invariants under random sequences of all events.
//!
//! A small model plays the action runner, the disk, the clients and the clock. It knows which runs are live, what is on
//! the disk and which client waits for an answer. After every event it checks:
//!
//! 1. at most one live run a process, and none before the tree of the previous run is gone
//! 2. at most one display process runs, and a display is occupied by at most one process
//! 3. every command gets exactly one answer
//! 4. an edit is applied only after it is saved; a failed save changes nothing
//! 5. the loop cannot spin: the next timeout is in the future
//! 6. after `Exit` nothing is spawned, and shutdown ends within the sum of the stop timeouts
//! 7. a process is not started more often than its policy allows
//! 9. liveness: once events cease, what should run runs, and the screen is not dark while a display process could be
//!    on it (`clockwork` checks 8)
//! 10. what an operator has stopped is started by no crash, display, page, upgrade or death of the daemon
//!
//! They also hold when the daemon is killed: periodically the supervisor is replaced by another that knows only what
//! was saved, while the processes live on.

use crate::stage::change_process;
use ossuary::config::{Display, Document, Id, Loaded, Process, Restart, Rotation};
use ossuary::supervisor::process::restart::CLEAN_RUN;
use ossuary::supervisor::{
    Action, Backend, Boot, Command, Edit, Ending, Event, Failure, Memory, Output, PowerReport,
    ProcessStatus, Reason, Requester, RunId, Screen, Size, Source, State, Supervisor, Ticket,
};
use ossuary::supervisor::{PageCommand, PageCommandResult, PageObservation, Transition};
use ossuary::time::Moment;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

/// Events in all sequences.
const EVENTS: usize = 1_000_000;
/// Events in a sequence before the shutdown.
const SEQUENCE: usize = 2_000;
/// Events between two rests, after which liveness is checked.
const UNTIL_REST: usize = 100;
/// More than the longest back-off, a stop timeout, the readiness timeout and the wait for a missing display.
const REST: Duration = Duration::from_secs(180);

#[test]
fn the_invariants_hold_through_a_million_random_events() {
    let mut handled = 0;
    let mut seed = 1;
    while handled < EVENTS {
        let mut world = World::new(seed);
        for step in 1..=SEQUENCE {
            world.step();
            if step % UNTIL_REST == 0 {
                world.rest();
                world.check_liveness();
            }
        }
        world.shut_down();
        handled += world.handled;
        seed += 1;
    }
    assert!(seed > 100, "the sequences were too few: {seed}");
}

/// A process that crashes at once for a whole day is restarted as often as the policy says.
#[test]
fn a_day_of_crashes_causes_a_bounded_number_of_starts() {
    let mut world = World::new(0);
    world.only_crashes = true;
    let start = world.now;
    let day = Duration::from_secs(24 * 3600);
    world.crash_all();
    while world.now.since(start) < day {
        world.now = world
            .supervisor
            .poll_timeout()
            .expect("something is tried again");
        world.handle(Event::Tick);
        world.crash_all();
    }
    // Every 30 s, and the few quick ones at the beginning.
    let most = 24 * 60 * 2 + 6;
    for (id, starts) in &world.starts_in_all {
        assert!(*starts <= most, "{id} was started {starts} times");
        assert!(
            *starts >= most - 10,
            "{id} was given up after {starts} starts"
        );
    }
}

struct LiveRun {
    process: Rc<Process>,
    /// Whether `Spawned` or `SpawnFailed` was sent.
    executed: bool,
    main_alive: bool,
    began: Moment,
}

/// The request that the disk works on.
enum DiskRequest {
    Save(Rc<Document>),
    Load,
}

struct World {
    rng: fastrand::Rng,
    seed: u64,
    now: Moment,
    supervisor: Supervisor,
    live: BTreeMap<RunId, LiveRun>,
    /// What the next daemon will find.
    memories: BTreeMap<Id, Memory>,
    disk_request: Option<DiskRequest>,
    /// What is on the disk.
    saved: Rc<Document>,
    /// The content of the file, which an operator may have edited.
    file: Vec<u8>,
    displays: Vec<&'static str>,
    /// Screens that are to be switched or read, and those to be rotated.
    powers: VecDeque<Display>,
    turns: VecDeque<Display>,
    owed: BTreeSet<u64>,
    /// Starts (true) and stops that are not answered yet, by ticket.
    requests: BTreeMap<u64, (Id, bool)>,
    /// The latest start or stop of each process by a client, and its ticket.
    requested: BTreeMap<Id, (u64, bool)>,
    /// Processes that an operator has stopped, as long as no command or edit since may start one.
    stopped: BTreeSet<Id>,
    /// Processes whose latest run ended and must not be restarted by their policy.
    finished: BTreeSet<Id>,
    /// Page commands that are not answered yet.
    page_commands: Vec<(RunId, PageCommand, Requester)>,
    /// URLs whose servers are being probed.
    probes: Vec<String>,
    next_ticket: u64,
    last_run: u64,
    /// The latest starts of each process, to check that they are not too many.
    starts: BTreeMap<Id, VecDeque<Moment>>,
    starts_in_all: BTreeMap<Id, usize>,
    /// When starts were last not due to the policy.
    other_causes: VecDeque<Moment>,
    only_crashes: bool,
    /// The installed program is being checked.
    checking_program: bool,
    /// An upgrade was decided.
    upgrading: bool,
    left: bool,
    handled: usize,
}

const IDS: [&str; 6] = ["screen", "second", "player", "sync", "server", "extra"];

fn first_document() -> Value {
    json!({
        "version": 3,
        "processes": {
            "screen": {"type": "chromium", "url": "https://example.org/", "restart": "always"},
            "second": {"type": "chromium", "url": "https://example.org/2", "display": ":1", "restart": "always"},
            "player": {"command": "mpv film", "display": ":0", "restart": "always"},
            "sync": {"command": "sync", "restart": "always"},
            "server": {"command": "server", "restart": "always"},
            "extra": {"command": "extra", "restart": "always"}
        },
        "active_display_process": "screen",
        "displays": {":1": {"rotation": 90}},
        "behaviors": {
            "on_connection_regained": {"action": "restart"},
            "scheduled_refresh": {"enabled": true, "interval_minutes": 5}
        }
    })
}

impl World {
    fn new(seed: u64) -> World {
        let loaded = Loaded::from_bytes(first_document().to_string().as_bytes()).unwrap();
        let now = Moment::from_boot(Duration::from_secs(5));
        let saved = loaded.document.clone();
        let boot = Boot {
            loaded,
            source: Source::File,
            problems: Vec::new(),
            displays: vec![":0".parse().unwrap(), ":1".parse().unwrap()],
            memories: Vec::new(),
            next_run: 1,
            schedule: Default::default(),
        };
        let mut world = World {
            rng: fastrand::Rng::with_seed(seed),
            seed,
            now,
            supervisor: Supervisor::new(boot, now),
            live: BTreeMap::new(),
            memories: BTreeMap::new(),
            disk_request: None,
            file: saved.to_bytes(),
            saved,
            displays: vec![":0", ":1"],
            powers: VecDeque::new(),
            turns: VecDeque::new(),
            owed: BTreeSet::new(),
            requests: BTreeMap::new(),
            requested: BTreeMap::new(),
            stopped: BTreeSet::new(),
            finished: BTreeSet::new(),
            page_commands: Vec::new(),
            probes: Vec::new(),
            next_ticket: 1,
            last_run: 0,
            starts: BTreeMap::new(),
            starts_in_all: BTreeMap::new(),
            other_causes: VecDeque::new(),
            only_crashes: false,
            checking_program: false,
            upgrading: false,
            left: false,
            handled: 0,
        };
        world.watch();
        world
    }

    fn handle(&mut self, event: Event) {
        self.handled += 1;
        self.supervisor.handle(event, self.now);
        self.watch();
    }

    /// Takes all actions and checks the invariants.
    fn watch(&mut self) {
        while let Some(action) = self.supervisor.poll_action() {
            assert!(!self.left, "after Exit: {action:?} (seed {})", self.seed);
            match action {
                Action::Spawn { run, process } => self.watch_spawn(run, process),
                Action::Signal { run, .. } | Action::Kill { run } => {
                    assert!(self.live.contains_key(&run), "{run} is over");
                }
                Action::Save { document, .. } => {
                    assert!(self.disk_request.is_none(), "two requests to the disk");
                    self.disk_request = Some(DiskRequest::Save(document));
                }
                Action::Load => {
                    assert!(self.disk_request.is_none(), "two requests to the disk");
                    self.disk_request = Some(DiskRequest::Load);
                }
                Action::Reply { ticket, outcome } => {
                    assert!(self.owed.remove(&ticket.0), "{ticket:?} was answered twice");
                    if let Some((id, runs)) = self.requests.remove(&ticket.0)
                        && outcome.is_ok()
                        && self
                            .requested
                            .get(&id)
                            .is_none_or(|(last, _)| *last < ticket.0)
                    {
                        // An earlier edit may still be waiting for the disk.
                        if !runs && self.owed.is_empty() && self.disk_request.is_none() {
                            self.stopped.insert(id.clone());
                        }
                        self.requested.insert(id, (ticket.0, runs));
                    }
                }
                Action::Exit => {
                    assert!(self.live.is_empty(), "left with live runs");
                    assert!(self.owed.is_empty(), "left without an answer");
                    self.left = true;
                }
                Action::AwaitReady { run, .. } => assert!(self.live.contains_key(&run)),
                Action::ProbeServer { url } => {
                    assert!(url.starts_with("http"), "{url}");
                    self.probes.push(url);
                }
                Action::RunPageCommand {
                    run,
                    command,
                    requester,
                } => {
                    let run_state = self
                        .live
                        .get(&run)
                        .expect("an order for a run that is over");
                    assert!(run_state.executed && run_state.process.is_display());
                    self.page_commands.push((run, command, requester));
                }
                Action::CancelPageCommand { run, ticket } => {
                    let is_it = |(of, command, given): &(RunId, PageCommand, Requester)| {
                        let navigates = matches!(command, PageCommand::Navigate { .. });
                        (*of, *given, navigates) == (run, Requester::Client(ticket), true)
                    };
                    assert!(self.page_commands.iter().any(is_it), "nothing to withdraw");
                }
                Action::Remember { memory } => {
                    if self.rng.u32(0..16) == 0 {
                        // As it is read from the run directory.
                        let text = serde_json::to_string(&memory).unwrap();
                        assert_eq!(serde_json::from_str::<Memory>(&text).unwrap(), *memory);
                    }
                    self.memories.insert(memory.process.id.clone(), *memory);
                }
                Action::Forget { process } => {
                    self.memories.remove(&process);
                }
                Action::CheckProgram => self.checking_program = true,
                Action::Upgrade => {
                    assert!(
                        self.disk_request.is_none(),
                        "upgraded while the disk was busy"
                    );
                    assert!(self.live.values().all(|run_state| run_state.executed));
                    assert!(self.owed.is_empty(), "handed over without an answer");
                    self.upgrading = true;
                }
                // The recovery ladder has its own limit.
                Action::Note { text, .. } if text.ends_with("restarting the browser") => {
                    self.other_causes.push_back(self.now);
                }
                Action::FindTimeZone { .. } => {}
                // The power requests.
                Action::SaveSchedule { .. } => {
                    let kept = Event::ScheduleSaved { result: Ok(()) };
                    self.supervisor.handle(kept, self.now);
                }
                Action::RunCommand { .. } | Action::Reboot { .. } => {
                    panic!("there is no rule: {action:?}")
                }
                Action::SaveLastGood { .. } | Action::Note { .. } | Action::ConfigureLog { .. } => {
                }
                Action::SwitchPower { display, .. } | Action::ReadPower { display, .. } => {
                    self.powers.push_back(display);
                }
                Action::Rotate { display, .. } => self.turns.push_back(display),
            }
        }
        let timeout = self.supervisor.poll_timeout();
        assert!(timeout.is_none_or(|next| next > self.now), "the loop spins");

        let status = self.supervisor.status();
        let in_force = &status.configuration.document;
        assert!(
            Rc::ptr_eq(in_force, &self.saved) || **in_force == *self.saved,
            "what is in force is not what is on the disk (seed {})",
            self.seed
        );
        self.requested.retain(|id, _| status.process(id).is_some());
        for card in &status.processes {
            let id = &card.process.id;
            if !card.process.enabled || card.reason == Some(Reason::Removed) {
                self.requested.remove(id);
            }
            let gave_way = matches!(
                card.reason,
                Some(Reason::DisplacedBy(_) | Reason::DisplayTaken(_))
            );
            if gave_way && self.requested.get(id).is_some_and(|(_, runs)| *runs) {
                self.requested.remove(id);
            }
            let has_ended = matches!(
                card.reason,
                Some(Reason::Ended(_) | Reason::NotStarted(_) | Reason::NotReady(_))
            );
            if card.run.is_some() || !has_ended {
                self.finished.remove(id);
            } else if card.process.restart != Restart::Always {
                self.finished.insert(id.clone());
            }
            let run = self
                .live
                .iter()
                .find(|(_, run_state)| run_state.process.id == card.process.id);
            assert_eq!(
                card.run,
                run.map(|(run, _)| *run),
                "{card:?} seed {}",
                self.seed
            );
            let lives = !matches!(
                card.state,
                State::Stopped | State::Waiting | State::Backoff | State::Failed
            );
            assert_eq!(lives, run.is_some(), "{card:?} (seed {})", self.seed);
        }
    }

    /// Only requested events happen, for longer than the longest back-off.
    fn rest(&mut self) {
        let end = self.now + REST;
        for round in 0.. {
            assert!(round < 10_000, "never comes to rest: {}", self.states());
            self.answer_everything();
            match self.supervisor.poll_timeout() {
                Some(next) if next <= end => {
                    self.now = next;
                    self.handle(Event::Tick);
                }
                _ => break,
            }
        }
        self.now = end;
        self.handle(Event::Tick);
        self.answer_everything();
    }

    /// Every program starts, becomes ready and stops when asked to; the disk, the pages and the screens work.
    fn answer_everything(&mut self) {
        for round in 0.. {
            assert!(round < 10_000, "never comes to rest: {}", self.states());
            self.other_causes.push_back(self.now);
            if std::mem::take(&mut self.upgrading) {
                // An upgrade that was decided before.
                self.replace_daemon();
            } else if let Some(run) = self.pick_run(|run_state| !run_state.executed) {
                self.live.get_mut(&run).unwrap().executed = true;
                let pid = 1000 + run.0 as u32;
                self.handle(Event::Spawned { run, pid });
            } else if let Some((run, ends)) = self.next_starting_or_stopping() {
                match ends {
                    true => self.end_run(run),
                    false => self.handle(Event::Ready { run }),
                }
            } else if let Some(disk_request) = self.disk_request.take() {
                match disk_request {
                    DiskRequest::Save(document) => {
                        self.file = document.to_bytes();
                        self.saved = document;
                        self.handle(Event::Saved);
                    }
                    DiskRequest::Load => self.read_file(),
                }
            } else if let Some((run, command, requester)) = self.page_commands.pop() {
                let looks = matches!(command, PageCommand::Observe);
                let result = Ok(PageCommandResult::Done);
                self.handle(Event::PageCommandDone {
                    run,
                    command,
                    requester,
                    result,
                });
                if looks && self.live.contains_key(&run) {
                    let (url, title) = ("http://page/".to_owned(), String::new());
                    let sight = PageObservation::Painted { url, title };
                    self.handle(Event::PageObserved {
                        run,
                        observation: sight,
                    });
                }
            } else if let Some(url) = self.probes.pop() {
                let reachable = true;
                self.handle(Event::ServerProbed { url, reachable });
            } else if std::mem::take(&mut self.checking_program) {
                let result = Err(Failure::system("it does not work"));
                self.handle(Event::ProgramChecked { result });
            } else if let Some(display) = self.powers.pop_front() {
                let report = PowerReport {
                    backend: Some(Backend::Dpms),
                    actual: Some(true),
                    failure: None,
                };
                self.handle(Event::Power { display, report });
            } else if let Some(display) = self.turns.pop_front() {
                let result = Ok(());
                self.handle(Event::Rotated { display, result });
            } else {
                break;
            }
        }
    }

    /// The state of each process, for a message.
    fn states(&self) -> String {
        let lines = self.supervisor.status().processes.iter().map(|card| {
            let (process, state) = (&card.process, card.state);
            let (id, kind, display) = (&process.id, process.kind, &process.display);
            let (needs, reason) = (&process.depends_on, &card.reason);
            format!("{id} ({kind:?} on {display:?}, needs {needs:?}): {state:?}, {reason:?}")
        });
        format!(
            "seed {}: {}",
            self.seed,
            lines.collect::<Vec<_>>().join("; ")
        )
    }

    fn next_starting_or_stopping(&self) -> Option<(RunId, bool)> {
        let status = self.supervisor.status();
        status.processes.iter().find_map(|card| match card.state {
            State::Starting => Some((card.run?, false)),
            State::Stopping => Some((card.run?, true)),
            _ => None,
        })
    }

    /// Every process that should run does, and a screen is dark only on purpose or if nothing can be shown.
    fn check_liveness(&self) {
        let status = self.supervisor.status().clone();
        let cards: Vec<_> = (status.processes.iter().map(|card| &**card))
            .filter(|card| card.process.enabled)
            .collect();
        let seed = || self.states();
        let exclude = |a: &Process, b: &Process| {
            a.id != b.id
                && ((a.is_display() && b.is_display())
                    || (a.display.is_some() && a.display == b.display))
        };
        let exists = |process: &Process| {
            let display = process.display.as_ref().map(ToString::to_string);
            display.is_none_or(|display| self.displays.contains(&display.as_str()))
        };
        let requested = |process: &Process| self.requested.get(&process.id).map(|(_, runs)| *runs);
        let ended = |card: &ProcessStatus| self.finished.contains(&card.process.id);
        let is_needed_first = |process: &Process| {
            process.depends_on.iter().any(|id| {
                let other = status.process(id);
                !other.is_some_and(|other| {
                    other.state == State::Running
                        || other.reason == Some(Reason::Ended(Ending::Code(0)))
                })
            })
        };
        let runs = |process: &Process| status.process(&process.id).unwrap().run.is_some();
        // Whether it could run as far as the system is concerned.
        let could_run = |card: &ProcessStatus| {
            let process = &card.process;
            requested(process) != Some(false)
                && !ended(card)
                && exists(process)
                && !is_needed_first(process)
        };
        let starts =
            |card: &ProcessStatus| requested(&card.process) == Some(true) || card.process.autostart;

        for card in &cards {
            let settled = matches!(
                card.state,
                State::Running | State::Stopped | State::Failed | State::Waiting
            );
            assert!(
                settled,
                "{} does not come to rest: {}",
                card.process.id,
                seed()
            );
            if card.state == State::Running || !starts(card) || !could_run(card) {
                continue;
            }
            let rivals = || {
                cards
                    .iter()
                    .filter(|other| exclude(&other.process, &card.process))
            };
            // Its place may also be taken by a process that waits for something.
            let place_is_taken =
                rivals().any(|other| runs(&other.process) || other.state == State::Waiting);
            let is_empty_by_choice =
                rivals().any(|other| requested(&other.process) == Some(false) || ended(other));
            // The screen is checked below; it belongs to the active process even while that waits.
            assert!(
                place_is_taken || is_empty_by_choice || card.process.is_display(),
                "{} should run: {}",
                card.process.id,
                seed()
            );
        }

        let browsers = || {
            cards
                .iter()
                .copied()
                .filter(|card| card.process.is_display())
        };
        if browsers().any(|card| runs(&card.process)) {
            return;
        }
        let is_active = |card: &&ProcessStatus| {
            Some(&card.process.id) == status.active_display.as_ref()
                && (card.process.autostart || requested(&card.process) == Some(true))
        };
        let first = browsers().find(is_active);
        let Some(first) = first.or_else(|| browsers().find(|card| card.process.autostart)) else {
            return;
        };
        let is_taken = |card: &ProcessStatus| {
            let mut rivals = cards
                .iter()
                .filter(|other| exclude(&other.process, &card.process));
            rivals.any(|other| runs(&other.process))
        };
        // An operator has replaced it by a process that may wait for something.
        let is_replaced = cards.iter().any(|other| {
            (other.state == State::Waiting || other.run.is_some())
                && !other.process.is_display()
                && exclude(&other.process, &first.process)
        });
        assert!(
            !could_run(first) || is_replaced,
            "the screen is dark, and not by choice of {}: {}",
            first.process.id,
            seed()
        );
        // It is shown, or the screen is dark on purpose.
        let is_unwanted = requested(&first.process) == Some(false) || ended(first);
        if exists(&first.process) || is_unwanted || is_replaced {
            return;
        }
        for card in browsers().filter(|card| card.process.autostart) {
            assert!(
                !could_run(card) || is_taken(card),
                "the screen is dark; {} could be shown: {}",
                card.process.id,
                seed()
            );
        }
    }

    fn watch_spawn(&mut self, run: RunId, process: Rc<Process>) {
        let seed = self.seed;
        assert!(
            !self.stopped.contains(&process.id),
            "{} was stopped by an operator (seed {seed})",
            process.id
        );
        for (other_run, other) in &self.live {
            let other = &other.process;
            assert_ne!(
                other.id, process.id,
                "{other_run} still lives (seed {seed})"
            );
            assert!(
                !(other.is_display() && process.is_display()),
                "two browsers (seed {seed})"
            );
            assert!(
                process.display.is_none() || process.display != other.display,
                "two on one display (seed {seed})"
            );
        }
        if let Some(display) = &process.display {
            assert!(self.displays.contains(&display.to_string().as_str()));
        }
        assert!(run.0 > self.last_run, "run {run} began twice (seed {seed})");
        self.last_run = run.0;
        *self.starts_in_all.entry(process.id.clone()).or_default() += 1;
        self.watch_start_rate(&process);
        self.live.insert(
            run,
            LiveRun {
                process,
                executed: false,
                main_alive: true,
                began: self.now,
            },
        );
    }

    /// Within half a minute: the first start, and those after 0, 1, 2, 4, 8 and 16 s. A run of a minute, and every
    /// cause other than the policy, allows as many again.
    fn watch_start_rate(&mut self, process: &Process) {
        let window = Duration::from_secs(30);
        let starts = self.starts.entry(process.id.clone()).or_default();
        starts.push_back(self.now);
        while starts
            .front()
            .is_some_and(|start| self.now.since(*start) > window)
        {
            starts.pop_front();
        }
        while self
            .other_causes
            .front()
            .is_some_and(|at| self.now.since(*at) > 2 * window)
        {
            self.other_causes.pop_front();
        }
        let allowed = 7 * (1 + self.other_causes.len());
        assert!(
            starts.len() <= allowed,
            "{} was started {} times in 30 s (seed {})",
            process.id,
            starts.len(),
            self.seed
        );
    }

    fn step(&mut self) {
        match self.rng.u32(0..110) {
            0..15 => self.execute_one(),
            15..35 => self.exit_one(),
            35..45 => self.make_one_ready(),
            45..70 => self.advance_time(),
            70..85 => self.send_command(),
            85..92 => self.answer_disk(),
            92..95 => self.answer_screens(),
            95..97 => self.plug_displays(),
            97..98 => self.edit_file(),
            98..108 => self.observe_page(),
            108 => match self.rng.u32(0..3) {
                0 => self.replace_daemon(),
                _ => {
                    self.other_causes.push_back(self.now);
                    self.handle(Event::Reload);
                }
            },
            _ => self.send_late_events(),
        }
        if !self.page_commands.is_empty() && self.rng.bool() {
            self.answer_page_command();
        }
        if let Some(url) = self.probes.pop() {
            let reachable = self.rng.u32(0..4) != 0;
            self.other_causes.push_back(self.now);
            self.handle(Event::ServerProbed { url, reachable });
        }
        if self.rng.u32(0..200) == 0 {
            let connected = self.rng.bool();
            self.handle(Event::Network { connected });
        }
        if self.checking_program && self.rng.bool() {
            self.checking_program = false;
            let failed = Failure::system("it does not work");
            let result = if self.rng.bool() { Ok(()) } else { Err(failed) };
            self.handle(Event::ProgramChecked { result });
        }
        if std::mem::take(&mut self.upgrading) {
            self.replace_daemon();
        }
    }

    /// The daemon is killed, and the next one starts.
    fn replace_daemon(&mut self) {
        match self.disk_request.take() {
            Some(DiskRequest::Save(document)) if self.rng.bool() => self.saved = document,
            _ => {}
        }
        self.file = self.saved.to_bytes();
        self.owed.clear();
        self.requests.clear();
        self.page_commands.clear();
        self.probes.clear();
        self.checking_program = false;
        // A program that was about to be executed is unknown to the next daemon: it is killed.
        self.live.retain(|_, run_state| run_state.executed);
        for (run, run_state) in &self.live {
            let memory = &self.memories[&run_state.process.id];
            let known = memory.running().map(|running| running.run);
            assert_eq!(known, Some(*run), "seed {}", self.seed);
        }
        for memory in self.memories.values_mut() {
            let Some(run) = memory.running().map(|running| running.run) else {
                continue;
            };
            // A run that is gone, or whose descriptors were lost.
            if !self.live.contains_key(&run) || self.rng.u32(0..10) == 0 {
                self.live.remove(&run);
                memory.lose_run();
                self.other_causes.push_back(self.now);
            }
        }
        self.now = self.now + Duration::from_millis(self.rng.u64(1..5_000));
        let loaded = Loaded::from_bytes(&self.file).unwrap();
        self.saved = loaded.document.clone();
        let present = self.displays.iter().map(|name| name.parse().unwrap());
        let boot = Boot {
            loaded,
            source: Source::File,
            problems: Vec::new(),
            displays: present.collect(),
            memories: self.memories.values().cloned().collect(),
            next_run: self.last_run + 1,
            schedule: Default::default(),
        };
        self.supervisor = Supervisor::new(boot, self.now);
        self.watch();
    }

    fn pick_run(&mut self, which: impl Fn(&LiveRun) -> bool) -> Option<RunId> {
        let runs: Vec<RunId> = self
            .live
            .iter()
            .filter(|(_, run_state)| which(run_state))
            .map(|(run, _)| *run)
            .collect();
        self.rng.choice(runs)
    }

    fn execute_one(&mut self) {
        let Some(run) = self.pick_run(|run_state| !run_state.executed) else {
            return;
        };
        if self.rng.u32(0..10) == 0 {
            self.live.remove(&run);
            let failure = Failure::system("cannot run it: no such file or directory");
            return self.handle(Event::SpawnFailed { run, failure });
        }
        self.live.get_mut(&run).unwrap().executed = true;
        let pid = 1000 + run.0 as u32;
        self.handle(Event::Spawned { run, pid });
    }

    fn exit_one(&mut self) {
        let Some(run) = self.pick_run(|run_state| run_state.executed) else {
            return;
        };
        let run_state = self.live.get_mut(&run).unwrap();
        let lived = self.now.since(run_state.began);
        if !run_state.main_alive {
            self.live.remove(&run);
            return self.handle(Event::TreeGone { run });
        }
        let tree_left = self.rng.u32(0..4) == 0;
        if tree_left {
            run_state.main_alive = false;
        } else {
            self.live.remove(&run);
        }
        let ending = match self.rng.u32(0..5) {
            0 => Ending::Code(0),
            1 => Ending::Code(3),
            2 => Ending::Unknown,
            3 => Ending::OutOfMemory,
            _ => Ending::Signal(9),
        };
        if ending == Ending::Code(0) && lived >= CLEAN_RUN {
            self.other_causes.push_back(self.now);
        }
        self.handle(Event::Exited {
            run,
            ending,
            tree_left,
        });
    }

    /// A driver observes something at random.
    fn observe_page(&mut self) {
        let any = |run_state: &LiveRun| run_state.executed && run_state.process.is_display();
        let Some(run) = self.pick_run(any) else {
            return;
        };
        let (url, title) = ("http://page/".to_owned(), String::new());
        let error = "net::ERR_FAILED".to_owned();
        let sight = match self.rng.u32(0..8) {
            0 => PageObservation::Loading { url },
            1 => PageObservation::Painted { url, title },
            2 => PageObservation::Blank { url, title },
            3 => PageObservation::Crashed,
            4 => PageObservation::NotLoaded { url, error },
            5 => PageObservation::Unresponsive,
            6 => PageObservation::BrowserUnresponsive,
            _ => PageObservation::NotObservable,
        };
        self.handle(Event::PageObserved {
            run,
            observation: sight,
        });
    }

    /// A driver answers, perhaps long after its run.
    fn answer_page_command(&mut self) {
        let which = self.rng.usize(..self.page_commands.len());
        let (run, command, requester) = self.page_commands.swap_remove(which);
        let result = match self.rng.u32(0..4) {
            0 => Err(Failure::system("the page does not answer")),
            1 => Ok(PageCommandResult::NeedsRestart),
            _ => Ok(PageCommandResult::Done),
        };
        self.other_causes.push_back(self.now);
        self.handle(Event::PageCommandDone {
            run,
            command,
            requester,
            result,
        });
    }

    fn make_one_ready(&mut self) {
        if let Some(run) = self.pick_run(|run_state| run_state.executed && run_state.main_alive) {
            self.handle(Event::Ready { run });
        }
    }

    fn advance_time(&mut self) {
        let next = self.supervisor.poll_timeout();
        let by = Duration::from_millis(self.rng.u64(1..40_000));
        match next {
            Some(next) if next <= self.now + by => {
                self.now = next;
                self.handle(Event::Tick);
            }
            _ => self.now = self.now + by,
        }
    }

    fn send_command(&mut self) {
        let id: Id = self.rng.choice(IDS).unwrap().parse().unwrap();
        let request = match self.rng.u32(0..19) {
            0..3 => Command::Start(id),
            3..5 => Command::Stop(id),
            5..7 => Command::Restart(id),
            7..10 => change_process(id, self.some_fields()).into(),
            10 => Edit::Delete { id, force: false }.into(),
            11 => {
                let mut fields = self.some_fields();
                fields.insert("id".into(), json!(id.as_str()));
                fields.entry("command").or_insert(json!("made"));
                Edit::Create(fields).into()
            }
            12 => Edit::ReplaceConfig {
                document: first_document(),
                if_match: self.rng.bool().then(|| vec![self.saved.etag()]),
            }
            .into(),
            13 => Command::Upgrade,
            17 => Command::SwitchPower {
                display: self.some_display(),
                on: self.rng.bool(),
            },
            14 => Command::ReloadPage(id),
            15 => Command::Screenshot { id, width: None },
            16 => Command::Navigate {
                id,
                url: self
                    .rng
                    .choice(["https://example.org/3", "no address"])
                    .unwrap()
                    .into(),
                transition: Transition::Cut,
            },
            _ => Command::Reload,
        };
        self.other_causes.push_back(self.now);
        self.next_ticket += 1;
        self.owed.insert(self.next_ticket);
        let ticket = Ticket(self.next_ticket);
        if let Command::Start(_) | Command::Restart(_) | Command::Edit(_) | Command::Reload =
            &request
        {
            self.stopped.clear();
        }
        match &request {
            Command::Start(id) | Command::Restart(id) => {
                self.requests.insert(ticket.0, (id.clone(), true));
            }
            Command::Stop(id) => {
                self.requests.insert(ticket.0, (id.clone(), false));
            }
            _ => {}
        }
        self.handle(Event::Command {
            ticket,
            command: request,
        });
        if self.owed.contains(&ticket.0) && self.rng.u32(0..8) == 0 {
            self.handle(Event::CommandWithdrawn { ticket });
        }
    }

    fn some_fields(&mut self) -> Map<String, Value> {
        let mut fields = Map::new();
        let number = self.rng.u32(0..1000);
        let (key, value) = match self.rng.u32(0..10) {
            0 => ("name", json!(format!("Name {number}"))),
            1 => ("command", json!(format!("program {number}"))),
            2 => ("enabled", json!(self.rng.bool())),
            3 => ("autostart", json!(self.rng.bool())),
            4 => (
                "display",
                self.rng
                    .choice([json!(":0"), json!(":1"), json!(null)])
                    .unwrap(),
            ),
            5 => (
                "restart",
                json!(self.rng.choice(["never", "on_crash", "always"])),
            ),
            6 => ("depends_on", json!([self.rng.choice(IDS).unwrap()])),
            7 => (
                "ready",
                json!({"type": "notify", "timeout_seconds": 1 + number % 40}),
            ),
            8 => ("type", json!(self.rng.choice(["custom", "chromium"]))),
            _ => ("nonsense", json!(number)),
        };
        fields.insert(key.into(), value);
        fields
    }

    fn answer_disk(&mut self) {
        match self.disk_request.take() {
            None => {}
            Some(DiskRequest::Save(_)) if self.rng.u32(0..4) == 0 => {
                let failure = Failure::system("cannot write config.json: no space left on device");
                self.handle(Event::SaveFailed { failure });
            }
            Some(DiskRequest::Save(document)) => {
                self.other_causes.push_back(self.now);
                self.file = document.to_bytes();
                self.saved = document;
                self.handle(Event::Saved);
            }
            Some(DiskRequest::Load) => {
                self.other_causes.push_back(self.now);
                self.read_file();
            }
        }
    }

    fn read_file(&mut self) {
        let bytes = self.file.clone();
        if let Ok(loaded) = Loaded::from_bytes(&bytes)
            && !bytes.is_empty()
        {
            self.saved = loaded.document;
        }
        self.handle(Event::Read { bytes: Ok(bytes) });
    }

    fn some_display(&mut self) -> Display {
        self.rng
            .choice([":0", ":1", ":2"])
            .unwrap()
            .parse()
            .unwrap()
    }

    /// Screens that follow requests, those that do not, and unrequested reports.
    fn answer_screens(&mut self) {
        let requests = match self.rng.u32(0..6) {
            0 => Some(self.some_display()),
            _ => self.powers.pop_front(),
        };
        if let Some(display) = requests {
            let report = PowerReport {
                backend: (self.rng.u32(0..4) > 0).then_some(Backend::Dpms),
                actual: self.rng.choice([None, Some(true), Some(false)]).unwrap(),
                failure: (self.rng.u32(0..4) == 0).then(|| Failure::system("no cable")),
            };
            self.handle(Event::Power { display, report });
        }
        if let Some(display) = self.turns.pop_front() {
            if self.rng.bool() {
                self.show_screen(display.clone());
            }
            let result = match self.rng.bool() {
                true => Ok(()),
                false => Err(Failure::system("it is screwed to the wall")),
            };
            self.handle(Event::Rotated { display, result });
        }
    }

    fn show_screen(&mut self, display: Display) {
        let output = Output {
            name: "HDMI-A-1".into(),
            rotation: self.rng.choice(Rotation::ALL),
            monitor: None,
        };
        let screen = Screen {
            size: Size {
                width: 1920,
                height: 1080,
            },
            outputs: vec![output],
        };
        let screen = (self.rng.u32(0..4) > 0).then_some(screen);
        self.handle(Event::Screen { display, screen });
    }

    fn edit_file(&mut self) {
        self.stopped.clear();
        self.file = match self.rng.u32(0..4) {
            0 => b"{ not json".to_vec(),
            // It is emptied or gone: the running configuration stays.
            3 => Vec::new(),
            1 => first_document().to_string().into_bytes(),
            _ => {
                let mut document = first_document();
                let gone = self
                    .rng
                    .choice(["second", "player", "sync", "extra"])
                    .unwrap();
                document["processes"].as_object_mut().unwrap().remove(gone);
                document.to_string().into_bytes()
            }
        };
    }

    fn plug_displays(&mut self) {
        self.displays = match self.rng.u32(0..4) {
            0 => vec![],
            1 => vec![":0"],
            2 => vec![":1"],
            _ => vec![":0", ":1"],
        };
        let present = self
            .displays
            .iter()
            .map(|name| name.parse().unwrap())
            .collect();
        if self.rng.bool() {
            let display = self.some_display();
            self.show_screen(display);
        }
        self.handle(Event::Displays { present });
    }

    /// Events of runs that are over, or never existed.
    fn send_late_events(&mut self) {
        let run = RunId(self.rng.u64(1..2000));
        if self.live.contains_key(&run) {
            return;
        }
        let ending = Ending::Code(1);
        let late = match self.rng.u32(0..3) {
            0 => Event::Exited {
                run,
                ending,
                tree_left: false,
            },
            1 => Event::TreeGone { run },
            _ => Event::Ready { run },
        };
        self.handle(late);
    }

    fn crash_all(&mut self) {
        while let Some((run, run_state)) = self.live.iter().next() {
            let (run, executed) = (*run, run_state.executed);
            if !executed {
                self.live.get_mut(&run).unwrap().executed = true;
                self.handle(Event::Spawned { run, pid: 77 });
            }
            self.live.remove(&run);
            let ending = Ending::Signal(11);
            self.handle(Event::Exited {
                run,
                ending,
                tree_left: false,
            });
            if self
                .supervisor
                .poll_timeout()
                .is_some_and(|next| next > self.now)
                && self.live.is_empty()
            {
                break;
            }
        }
    }

    /// Programs that ignore the stop signal still end within the sum of the stop timeouts.
    fn shut_down(&mut self) {
        let begin = self.now;
        let grace: Duration = self
            .live
            .values()
            .map(|run_state| run_state.process.stop_timeout)
            .sum();
        self.handle(Event::Shutdown);
        while !self.left {
            self.execute_started();
            match self.supervisor.poll_timeout() {
                Some(next) => {
                    self.now = next;
                    self.handle(Event::Tick);
                }
                None => self.end_killed(),
            }
            self.end_overdue();
            let limit = grace + Duration::from_secs(11);
            assert!(
                self.now.since(begin) <= limit,
                "shutdown takes too long (seed {})",
                self.seed
            );
        }
    }

    fn execute_started(&mut self) {
        while let Some(run) = self.pick_run(|run_state| !run_state.executed) {
            self.live.get_mut(&run).unwrap().executed = true;
            self.handle(Event::Spawned { run, pid: 78 });
        }
    }

    fn end_overdue(&mut self) {
        let status = self.supervisor.status().clone();
        for card in &status.processes {
            let overdue = card.state == State::Stopping
                && self.now.since(card.since) >= card.process.stop_timeout;
            if let (true, Some(run)) = (overdue, card.run) {
                self.end_run(run);
            }
        }
    }

    fn end_killed(&mut self) {
        let runs: Vec<RunId> = self.live.keys().copied().collect();
        for run in runs {
            self.end_run(run);
        }
    }

    fn end_run(&mut self, run: RunId) {
        let Some(run_state) = self.live.remove(&run) else {
            return;
        };
        self.handle(if run_state.main_alive {
            let ending = Ending::Signal(9);
            Event::Exited {
                run,
                ending,
                tree_left: false,
            }
        } else {
            Event::TreeGone { run }
        });
    }
}

/// A policy other than `always` gives up only for its own reasons.
#[test]
fn every_process_that_may_be_restarted_is() {
    for (restart, ending, again) in [
        (Restart::Always, Ending::Code(0), true),
        (Restart::OnCrash, Ending::Code(1), true),
        (Restart::OnCrash, Ending::Code(0), false),
        (Restart::Never, Ending::Signal(9), false),
    ] {
        let word = match restart {
            Restart::Never => "never",
            Restart::OnCrash => "on_crash",
            Restart::Always => "always",
        };
        let document =
            json!({"version": 3, "processes": {"it": {"command": "it", "restart": word}}});
        let mut stage = crate::stage::Stage::new(document);
        stage.exit("it", ending);
        assert_eq!(stage.live.len() == 1, again, "{restart:?} after {ending}");
    }
}
