//! The promises of the house, kept through random sequences of everything that can happen.
//!
//! A small world plays the hands, the disk, the clients and the clock: it knows only which
//! runs live, what is on the disk and who waits for an answer. After every event it holds
//! the mind to its promises:
//!
//! 1. at most one live run a process, and no new one before the old one's tree is gone
//! 2. at most one display process runs, and a display has at most one holder
//! 3. every request gets exactly one answer
//! 4. a change is in force only once it is durable; a failed save changes nothing
//! 5. the loop cannot spin: the next timeout is in the future
//! 6. after `Exit` nothing is spawned, and shutdown ends within the sum of the grace times
//! 7. a process is not started more often than its policy allows
//! 9. liveness: once events cease, what should run runs, and the screen is not dark while a display process could be
//!    on it (8 is held by `rules`)
//!
//! They hold through the death of the daemon, too: now and then the mind is replaced by another that
//! knows only what was to be remembered, while the processes live on.

use ossuary::config::{Display, Document, Id, Loaded, Process, Restart, Rotation};
use ossuary::supervisor::page::{PageCommand, PageCommandResult, PageObservation, Transition};
use ossuary::supervisor::process::restart::CLEAN_RUN;
use ossuary::supervisor::{
    Action, Backend, Boot, Command, Ending, Event, Failure, Memory, Output, PowerReport,
    ProcessStatus, Reason, RunId, Screen, Size, Source, State, Supervisor, Ticket,
};
use ossuary::time::Moment;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

/// Events in all, over all sequences.
const EVENTS: usize = 1_000_000;
/// Events of one sequence before the kiosk is shut down.
const SEQUENCE: usize = 2_000;
/// Events until everything is given the time to come to rest, and what should run by then is looked for.
const UNTIL_REST: usize = 100;
/// More than the longest back-off, a grace period, the wait for readiness and the wait for a missing display.
const REST: Duration = Duration::from_secs(180);

#[test]
fn the_promises_hold_through_a_million_random_events() {
    let mut handled = 0;
    let mut seed = 1;
    while handled < EVENTS {
        let mut world = World::new(seed);
        for step in 1..=SEQUENCE {
            world.step();
            if step % UNTIL_REST == 0 {
                world.come_to_rest();
                world.check_liveness();
            }
        }
        world.shut_down();
        handled += world.handled;
        seed += 1;
    }
    assert!(seed > 100, "the sequences were too few: {seed}");
}

/// A process that crashes at once for a whole day is tried as often as the policy says, and not once more.
#[test]
fn a_day_of_crashes_costs_a_bounded_number_of_starts() {
    let mut world = World::new(0);
    world.only_crashes = true;
    let start = world.now;
    let day = Duration::from_secs(24 * 3600);
    world.crash_everything();
    while world.now.since(start) < day {
        world.now = world.mind.poll_timeout().expect("something is tried again");
        world.handle(Event::Tick);
        world.crash_everything();
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

struct Life {
    process: Rc<Process>,
    /// Whether `Spawned` or `SpawnFailed` was said.
    executed: bool,
    main_alive: bool,
    began: Moment,
}

/// What the disk was asked to do.
enum Errand {
    Save(Rc<Document>),
    Load,
}

struct World {
    rng: fastrand::Rng,
    seed: u64,
    now: Moment,
    mind: Supervisor,
    live: BTreeMap<RunId, Life>,
    /// What the next daemon will find.
    memories: BTreeMap<Id, Memory>,
    errand: Option<Errand>,
    /// What is on the disk.
    durable: Rc<Document>,
    /// What stands in the file, where an operator may have edited it.
    file: Vec<u8>,
    displays: Vec<&'static str>,
    /// Screens that somebody is to switch or to look at, and those that are to be turned.
    powers: VecDeque<Display>,
    turns: VecDeque<Display>,
    owed: BTreeSet<u64>,
    /// Starts (true) and stops that are not answered yet, by ticket.
    asked: BTreeMap<u64, (Id, bool)>,
    /// The latest start or stop by hand of each process, and its ticket.
    by_hand: BTreeMap<Id, (u64, bool)>,
    /// Processes whose latest run ended when their policy did not want another.
    finished: BTreeSet<Id>,
    /// Orders to drivers that are not answered yet.
    steered: Vec<(RunId, PageCommand, Option<Ticket>)>,
    /// Addresses whose servers are being tried.
    tried: Vec<String>,
    next_ticket: u64,
    last_run: u64,
    /// The latest starts of each process, to see that they are not too many.
    starts: BTreeMap<Id, VecDeque<Moment>>,
    starts_in_all: BTreeMap<Id, usize>,
    /// When a start was last due to something other than the policy.
    pardons: VecDeque<Moment>,
    only_crashes: bool,
    /// The installed program is being tried.
    trying: bool,
    /// Another program goes on.
    handing_over: bool,
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
        let durable = loaded.document.clone();
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
            mind: Supervisor::new(boot, now),
            live: BTreeMap::new(),
            memories: BTreeMap::new(),
            errand: None,
            file: durable.to_bytes(),
            durable,
            displays: vec![":0", ":1"],
            powers: VecDeque::new(),
            turns: VecDeque::new(),
            owed: BTreeSet::new(),
            asked: BTreeMap::new(),
            by_hand: BTreeMap::new(),
            finished: BTreeSet::new(),
            steered: Vec::new(),
            tried: Vec::new(),
            next_ticket: 1,
            last_run: 0,
            starts: BTreeMap::new(),
            starts_in_all: BTreeMap::new(),
            pardons: VecDeque::new(),
            only_crashes: false,
            trying: false,
            handing_over: false,
            left: false,
            handled: 0,
        };
        world.watch();
        world
    }

    fn handle(&mut self, event: Event) {
        self.handled += 1;
        self.mind.handle(event, self.now);
        self.watch();
    }

    /// Takes what the mind wants, and holds it to its promises.
    fn watch(&mut self) {
        while let Some(action) = self.mind.poll_action() {
            assert!(!self.left, "after Exit: {action:?} (seed {})", self.seed);
            match action {
                Action::Spawn { run, process } => self.watch_spawn(run, process),
                Action::Signal { run, .. } | Action::Kill { run } => {
                    assert!(self.live.contains_key(&run), "{run} is over");
                }
                Action::Save { document, .. } => {
                    assert!(self.errand.is_none(), "two errands for the disk");
                    self.errand = Some(Errand::Save(document));
                }
                Action::Load => {
                    assert!(self.errand.is_none(), "two errands for the disk");
                    self.errand = Some(Errand::Load);
                }
                Action::Reply { ticket, outcome } => {
                    assert!(self.owed.remove(&ticket.0), "{ticket:?} was answered twice");
                    if let Some((id, runs)) = self.asked.remove(&ticket.0)
                        && outcome.is_ok()
                        && self
                            .by_hand
                            .get(&id)
                            .is_none_or(|(last, _)| *last < ticket.0)
                    {
                        self.by_hand.insert(id, (ticket.0, runs));
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
                    self.tried.push(url);
                }
                Action::RunPageCommand {
                    run,
                    command: order,
                    ticket,
                } => {
                    let life = self
                        .live
                        .get(&run)
                        .expect("an order for a run that is over");
                    assert!(life.executed && life.process.is_display());
                    self.steered.push((run, order, ticket));
                }
                Action::CancelPageCommand { run, ticket } => {
                    let is_it = |(of, order, given): &(RunId, PageCommand, Option<Ticket>)| {
                        let navigates = matches!(order, PageCommand::Navigate { .. });
                        (*of, *given, navigates) == (run, Some(ticket), true)
                    };
                    assert!(self.steered.iter().any(is_it), "nothing to withdraw");
                }
                Action::Remember { memory } => {
                    if self.rng.u32(0..16) == 0 {
                        // As it would come back from the run directory.
                        let text = serde_json::to_string(&memory).unwrap();
                        assert_eq!(serde_json::from_str::<Memory>(&text).unwrap(), *memory);
                    }
                    self.memories.insert(memory.process.id.clone(), *memory);
                }
                Action::Forget { process } => {
                    self.memories.remove(&process);
                }
                Action::CheckProgram => self.trying = true,
                Action::Upgrade => {
                    assert!(
                        self.errand.is_none(),
                        "handed over with an errand under way"
                    );
                    assert!(self.live.values().all(|life| life.executed));
                    assert!(self.owed.is_empty(), "handed over without an answer");
                    self.handing_over = true;
                }
                // The ladder of the page is climbed by a rule of its own.
                Action::Note { text, .. } if text.ends_with("restarting the browser") => {
                    self.pardons.push_back(self.now);
                }
                Action::FindTimeZone { .. } => {}
                // What was asked of the screens.
                Action::SaveSchedule { .. } => {
                    let kept = Event::ScheduleSaved { result: Ok(()) };
                    self.mind.handle(kept, self.now);
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
        let timeout = self.mind.poll_timeout();
        assert!(timeout.is_none_or(|next| next > self.now), "the loop spins");

        let status = self.mind.status();
        let in_force = &status.configuration.document;
        assert!(
            Rc::ptr_eq(in_force, &self.durable) || **in_force == *self.durable,
            "what is in force is not what is on the disk (seed {})",
            self.seed
        );
        self.by_hand.retain(|id, _| status.process(id).is_some());
        for card in &status.processes {
            let id = &card.process.id;
            if !card.process.enabled || card.reason == Some(Reason::Removed) {
                self.by_hand.remove(id);
            }
            let gave_way = matches!(
                card.reason,
                Some(Reason::DisplacedBy(_) | Reason::DisplayTaken(_))
            );
            if gave_way && self.by_hand.get(id).is_some_and(|(_, runs)| *runs) {
                self.by_hand.remove(id);
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
                .find(|(_, life)| life.process.id == card.process.id);
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

    /// Nothing happens any more but what was asked for, for as long as the longest back-off and then some.
    fn come_to_rest(&mut self) {
        let end = self.now + REST;
        for round in 0.. {
            assert!(round < 10_000, "never comes to rest: {}", self.in_short());
            self.do_what_was_asked();
            match self.mind.poll_timeout() {
                Some(next) if next <= end => {
                    self.now = next;
                    self.handle(Event::Tick);
                }
                _ => break,
            }
        }
        self.now = end;
        self.handle(Event::Tick);
        self.do_what_was_asked();
    }

    /// Every program starts, gets ready and ends when asked to; the disk, the pages and the screens work.
    fn do_what_was_asked(&mut self) {
        for round in 0.. {
            assert!(round < 10_000, "never comes to rest: {}", self.in_short());
            self.pardons.push_back(self.now);
            if std::mem::take(&mut self.handing_over) {
                // An upgrade that was decided before.
                self.die();
            } else if let Some(run) = self.pick_run(|life| !life.executed) {
                self.live.get_mut(&run).unwrap().executed = true;
                let pid = 1000 + run.0 as u32;
                self.handle(Event::Spawned { run, pid });
            } else if let Some((run, ends)) = self.next_starting_or_stopping() {
                match ends {
                    true => self.end_run(run),
                    false => self.handle(Event::Ready { run }),
                }
            } else if let Some(errand) = self.errand.take() {
                match errand {
                    Errand::Save(document) => {
                        self.file = document.to_bytes();
                        self.durable = document;
                        self.handle(Event::Saved);
                    }
                    Errand::Load => self.read_the_file(),
                }
            } else if let Some((run, order, ticket)) = self.steered.pop() {
                let looks = matches!(order, PageCommand::Observe);
                let result = Ok(PageCommandResult::Done);
                self.handle(Event::PageCommandDone {
                    run,
                    command: order,
                    ticket,
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
            } else if let Some(url) = self.tried.pop() {
                let reachable = true;
                self.handle(Event::ServerProbed { url, reachable });
            } else if std::mem::take(&mut self.trying) {
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
    fn in_short(&self) -> String {
        let lines = self.mind.status().processes.iter().map(|card| {
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
        let status = self.mind.status();
        status.processes.iter().find_map(|card| match card.state {
            State::Starting => Some((card.run?, false)),
            State::Stopping => Some((card.run?, true)),
            _ => None,
        })
    }

    /// What should run does, and a screen is dark only on purpose or where nothing can be shown.
    fn check_liveness(&self) {
        let status = self.mind.status().clone();
        let cards: Vec<_> = (status.processes.iter().map(|card| &**card))
            .filter(|card| card.process.enabled)
            .collect();
        let seed = || self.in_short();
        let exclude = |a: &Process, b: &Process| {
            a.id != b.id
                && ((a.is_display() && b.is_display())
                    || (a.display.is_some() && a.display == b.display))
        };
        let exists = |process: &Process| {
            let display = process.display.as_ref().map(ToString::to_string);
            display.is_none_or(|display| self.displays.contains(&display.as_str()))
        };
        let by_hand = |process: &Process| self.by_hand.get(&process.id).map(|(_, runs)| *runs);
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
        // Whether nothing but the kiosk itself keeps it from running.
        let could_run = |card: &ProcessStatus| {
            let process = &card.process;
            by_hand(process) != Some(false)
                && !ended(card)
                && exists(process)
                && !is_needed_first(process)
        };
        let starts =
            |card: &ProcessStatus| by_hand(&card.process) == Some(true) || card.process.autostart;

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
            // It is also another's while that one waits for something.
            let place_is_taken =
                rivals().any(|other| runs(&other.process) || other.state == State::Waiting);
            let is_empty_by_choice =
                rivals().any(|other| by_hand(&other.process) == Some(false) || ended(other));
            // The screen is looked at below; it is the active one's, even where that one waits.
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
                && (card.process.autostart || by_hand(&card.process) == Some(true))
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
        // An operator has put something else in its place, which may wait for what it needs.
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
        // It is there already, or dark on purpose.
        let is_unwanted = by_hand(&first.process) == Some(false) || ended(first);
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
            Life {
                process,
                executed: false,
                main_alive: true,
                began: self.now,
            },
        );
    }

    /// Within half a minute: the first start, and those after 0, 1, 2, 4, 8 and 16 s. A run of a
    /// minute, and everything that is not the policy's doing, pays for as many again.
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
            .pardons
            .front()
            .is_some_and(|at| self.now.since(*at) > 2 * window)
        {
            self.pardons.pop_front();
        }
        let allowed = 7 * (1 + self.pardons.len());
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
            0..15 => self.execute_something(),
            15..35 => self.end_something(),
            35..45 => self.get_something_ready(),
            45..70 => self.let_time_pass(),
            70..85 => self.ask_for_something(),
            85..92 => self.answer_from_disk(),
            92..95 => self.answer_from_screens(),
            95..97 => self.plug_displays(),
            97..98 => self.edit_by_hand(),
            98..108 => self.look_at_the_page(),
            108 => match self.rng.u32(0..3) {
                0 => self.die(),
                _ => {
                    self.pardons.push_back(self.now);
                    self.handle(Event::Reload);
                }
            },
            _ => self.bring_late_news(),
        }
        if !self.steered.is_empty() && self.rng.bool() {
            self.obey_something();
        }
        if let Some(url) = self.tried.pop() {
            let reachable = self.rng.u32(0..4) != 0;
            self.pardons.push_back(self.now);
            self.handle(Event::ServerProbed { url, reachable });
        }
        if self.rng.u32(0..200) == 0 {
            let connected = self.rng.bool();
            self.handle(Event::Network { connected });
        }
        if self.trying && self.rng.bool() {
            self.trying = false;
            let failed = Failure::system("it does not work");
            let result = if self.rng.bool() { Ok(()) } else { Err(failed) };
            self.handle(Event::ProgramChecked { result });
        }
        if std::mem::take(&mut self.handing_over) {
            self.die();
        }
    }

    /// The daemon is killed, and the next one is born.
    fn die(&mut self) {
        match self.errand.take() {
            Some(Errand::Save(document)) if self.rng.bool() => self.durable = document,
            _ => {}
        }
        self.file = self.durable.to_bytes();
        self.owed.clear();
        self.asked.clear();
        self.steered.clear();
        self.tried.clear();
        self.trying = false;
        // Nobody knows of a program that was about to be executed: it is killed.
        self.live.retain(|_, life| life.executed);
        for (run, life) in &self.live {
            let memory = &self.memories[&life.process.id];
            let known = memory.running().map(|running| running.run);
            assert_eq!(known, Some(*run), "seed {}", self.seed);
        }
        for memory in self.memories.values_mut() {
            let Some(run) = memory.running().map(|running| running.run) else {
                continue;
            };
            // A run that is not there any more, or whose descriptors have got lost.
            if !self.live.contains_key(&run) || self.rng.u32(0..10) == 0 {
                self.live.remove(&run);
                memory.lose_run();
                self.pardons.push_back(self.now);
            }
        }
        self.now = self.now + Duration::from_millis(self.rng.u64(1..5_000));
        let loaded = Loaded::from_bytes(&self.file).unwrap();
        self.durable = loaded.document.clone();
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
        self.mind = Supervisor::new(boot, self.now);
        self.watch();
    }

    fn pick_run(&mut self, which: impl Fn(&Life) -> bool) -> Option<RunId> {
        let runs: Vec<RunId> = self
            .live
            .iter()
            .filter(|(_, life)| which(life))
            .map(|(run, _)| *run)
            .collect();
        self.rng.choice(runs)
    }

    fn execute_something(&mut self) {
        let Some(run) = self.pick_run(|life| !life.executed) else {
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

    fn end_something(&mut self) {
        let Some(run) = self.pick_run(|life| life.executed) else {
            return;
        };
        let life = self.live.get_mut(&run).unwrap();
        let lived = self.now.since(life.began);
        if !life.main_alive {
            self.live.remove(&run);
            return self.handle(Event::TreeGone { run });
        }
        let tree_left = self.rng.u32(0..4) == 0;
        if tree_left {
            life.main_alive = false;
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
            self.pardons.push_back(self.now);
        }
        self.handle(Event::Exited {
            run,
            ending,
            tree_left,
        });
    }

    /// A page shows, or fails to show, whatever it likes.
    fn look_at_the_page(&mut self) {
        let any = |life: &Life| life.executed && life.process.is_display();
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
    fn obey_something(&mut self) {
        let which = self.rng.usize(..self.steered.len());
        let (run, order, ticket) = self.steered.swap_remove(which);
        let result = match self.rng.u32(0..4) {
            0 => Err(Failure::system("the page does not answer")),
            1 => Ok(PageCommandResult::NeedsRestart),
            _ => Ok(PageCommandResult::Done),
        };
        self.pardons.push_back(self.now);
        self.handle(Event::PageCommandDone {
            run,
            command: order,
            ticket,
            result,
        });
    }

    fn get_something_ready(&mut self) {
        if let Some(run) = self.pick_run(|life| life.executed && life.main_alive) {
            self.handle(Event::Ready { run });
        }
    }

    fn let_time_pass(&mut self) {
        let next = self.mind.poll_timeout();
        let by = Duration::from_millis(self.rng.u64(1..40_000));
        match next {
            Some(next) if next <= self.now + by => {
                self.now = next;
                self.handle(Event::Tick);
            }
            _ => self.now = self.now + by,
        }
    }

    fn ask_for_something(&mut self) {
        let id: Id = self.rng.choice(IDS).unwrap().parse().unwrap();
        let request = match self.rng.u32(0..19) {
            0..3 => Command::Start(id),
            3..5 => Command::Stop(id),
            5..7 => Command::Restart(id),
            7..10 => Command::Change(id, self.some_fields()),
            10 => Command::Delete(id),
            11 => {
                let mut fields = self.some_fields();
                fields.insert("id".into(), json!(id.as_str()));
                fields.entry("command").or_insert(json!("made"));
                Command::Create(fields)
            }
            12 => Command::ReplaceConfig {
                document: first_document(),
                if_match: self.rng.bool().then(|| vec![self.durable.etag()]),
            },
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
        self.pardons.push_back(self.now);
        self.next_ticket += 1;
        self.owed.insert(self.next_ticket);
        let ticket = Ticket(self.next_ticket);
        match &request {
            Command::Start(id) | Command::Restart(id) => {
                self.asked.insert(ticket.0, (id.clone(), true));
            }
            Command::Stop(id) => {
                self.asked.insert(ticket.0, (id.clone(), false));
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

    fn answer_from_disk(&mut self) {
        match self.errand.take() {
            None => {}
            Some(Errand::Save(_)) if self.rng.u32(0..4) == 0 => {
                let failure = Failure::system("cannot write config.json: no space left on device");
                self.handle(Event::SaveFailed { failure });
            }
            Some(Errand::Save(document)) => {
                self.pardons.push_back(self.now);
                self.file = document.to_bytes();
                self.durable = document;
                self.handle(Event::Saved);
            }
            Some(Errand::Load) => {
                self.pardons.push_back(self.now);
                self.read_the_file();
            }
        }
    }

    fn read_the_file(&mut self) {
        let bytes = self.file.clone();
        if let Ok(loaded) = Loaded::from_bytes(&bytes)
            && !bytes.is_empty()
        {
            self.durable = loaded.document;
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

    /// Screens that do as they are told, those that do not, and news that nobody asked for.
    fn answer_from_screens(&mut self) {
        let asked = match self.rng.u32(0..6) {
            0 => Some(self.some_display()),
            _ => self.powers.pop_front(),
        };
        if let Some(display) = asked {
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

    fn edit_by_hand(&mut self) {
        self.file = match self.rng.u32(0..4) {
            0 => b"{ not json".to_vec(),
            // It is emptied or gone: what is in force stays.
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

    /// News of runs that are long over, or never were.
    fn bring_late_news(&mut self) {
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

    fn crash_everything(&mut self) {
        while let Some((run, life)) = self.live.iter().next() {
            let (run, executed) = (*run, life.executed);
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
            if self.mind.poll_timeout().is_some_and(|next| next > self.now) && self.live.is_empty()
            {
                break;
            }
        }
    }

    /// Programs that ignore every polite word still end within the sum of the grace times.
    fn shut_down(&mut self) {
        let begin = self.now;
        let grace: Duration = self
            .live
            .values()
            .map(|life| life.process.stop_timeout)
            .sum();
        self.handle(Event::Shutdown);
        while !self.left {
            self.execute_what_was_begun();
            match self.mind.poll_timeout() {
                Some(next) => {
                    self.now = next;
                    self.handle(Event::Tick);
                }
                None => self.end_the_killed(),
            }
            self.end_the_overdue();
            let limit = grace + Duration::from_secs(11);
            assert!(
                self.now.since(begin) <= limit,
                "shutdown takes too long (seed {})",
                self.seed
            );
        }
    }

    fn execute_what_was_begun(&mut self) {
        while let Some(run) = self.pick_run(|life| !life.executed) {
            self.live.get_mut(&run).unwrap().executed = true;
            self.handle(Event::Spawned { run, pid: 78 });
        }
    }

    fn end_the_overdue(&mut self) {
        let status = self.mind.status().clone();
        for card in &status.processes {
            let overdue = card.state == State::Stopping
                && self.now.since(card.since) >= card.process.stop_timeout;
            if let (true, Some(run)) = (overdue, card.run) {
                self.end_run(run);
            }
        }
    }

    fn end_the_killed(&mut self) {
        let runs: Vec<RunId> = self.live.keys().copied().collect();
        for run in runs {
            self.end_run(run);
        }
    }

    fn end_run(&mut self, run: RunId) {
        let Some(life) = self.live.remove(&run) else {
            return;
        };
        self.handle(if life.main_alive {
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

/// A policy that is not `always` gives up only for its own reasons.
#[test]
fn nothing_that_may_be_restarted_is_forgotten() {
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
