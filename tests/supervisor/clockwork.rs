//! Invariant 8 under random clock jumps, lost trust, power cuts, restarts and edits: no rule with a time runs before
//! the clock is trusted, none runs twice for an occurrence, and none is lost while its rule exists.
//!
//! The test computes independently when each rule is due: the zone is UTC, and a day has 24 hours.

use crate::stage::find_zone;
use jiff::{SignedDuration, Timestamp};
use ossuary::config::{Loaded, Section, Zone};
use ossuary::supervisor::{
    Action, Boot, ClockReading, Edit, EntryKind, Event, SavedSchedule, ScheduleBoot, Source,
    Supervisor, Ticket,
};
use ossuary::time::Moment;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

const SEQUENCES: u64 = 100;
const STEPS: usize = 200;

/// Seconds of the day, and whether the rule catches up.
const RULES: [(i64, bool); 5] = [
    (0, false),
    (8 * 3600, true),
    (8 * 3600, false),
    (12 * 3600 + 30 * 60, false),
    (23 * 3600 + 59 * 60 + 59, true),
];

const DAY: i64 = 86_400;

fn document(salt: u32) -> Value {
    let rules = RULES.iter().enumerate().map(|(number, (second, catch_up))| {
        let (hour, minute) = (second / 3600, second / 60 % 60);
        json!({
            "id": format!("r{number}"), "name": format!("Rule {number}, edition {salt}"), "catch_up": catch_up,
            "trigger": {"type": "time", "time": format!("{hour:02}:{minute:02}:{:02}", second % 60)},
            "action": {"type": "run_command", "command": format!("r{number}")},
        })
    });
    let rules: Vec<Value> = rules.collect();
    json!({"version": 3, "schedule": {"timezone": "UTC", "rules": rules}})
}

struct World {
    rng: fastrand::Rng,
    seed: u64,
    supervisor: Supervisor,
    document: Value,
    now: Moment,
    clock: ClockReading,
    trusted: bool,
    /// What is on the disk.
    saved_schedule: SavedSchedule,
    /// What ran: the rule, and the second it was due.
    done: BTreeSet<(usize, i64)>,
    /// What is on the disk as begun: it must not begin again.
    begun: BTreeSet<(usize, i64)>,
    /// The next write is interrupted by a power cut.
    is_doomed: bool,
    fell: bool,
}

impl World {
    fn new(seed: u64) -> World {
        let mut rng = fastrand::Rng::with_seed(seed);
        let now = Moment::from_boot(Duration::from_secs(60));
        let wall = Timestamp::from_second(1_780_000_000 + rng.i64(0..DAY)).unwrap();
        let clock = ClockReading { at: now, wall };
        let document = document(0);
        let supervisor = boot_at(&document, SavedSchedule::default(), now, Some(clock));
        let mut world = World {
            rng,
            seed,
            supervisor,
            document,
            now,
            clock,
            trusted: true,
            saved_schedule: SavedSchedule::default(),
            done: BTreeSet::new(),
            begun: BTreeSet::new(),
            is_doomed: false,
            fell: false,
        };
        world.perform();
        world
    }

    fn wall(&self) -> i64 {
        let by = SignedDuration::try_from(self.now.since(self.clock.at)).unwrap();
        (self.clock.wall + by).as_second()
    }

    fn handle(&mut self, event: Event) {
        self.supervisor.handle(event, self.now);
        self.perform();
    }

    fn perform(&mut self) {
        while let Some(action) = self.supervisor.poll_action() {
            let answer = match action {
                Action::SaveSchedule {
                    schedule: saved_schedule,
                } => {
                    let is_lost = self.is_doomed && self.rng.bool();
                    if !is_lost {
                        self.save(&saved_schedule.to_bytes());
                    }
                    if std::mem::take(&mut self.is_doomed) {
                        self.fell = true;
                        return;
                    }
                    Event::ScheduleSaved { result: Ok(()) }
                }
                Action::RunCommand { execution, command } => {
                    self.executed(&command);
                    Event::RuleDone {
                        execution,
                        result: Ok(None),
                    }
                }
                Action::Save { document, .. } => {
                    self.document = Value::Object(document.as_map().clone());
                    Event::Saved
                }
                _ => continue,
            };
            self.supervisor.handle(answer, self.now);
        }
        let timeout = self.supervisor.poll_timeout();
        assert!(
            timeout.is_none_or(|next| next > self.now),
            "the loop spins (seed {})",
            self.seed
        );
    }

    fn save(&mut self, bytes: &[u8]) {
        self.saved_schedule = SavedSchedule::from_bytes(bytes).unwrap();
        let written: Value = serde_json::from_slice(bytes).unwrap();
        for entry in written["record"].as_array().unwrap() {
            if entry["outcome"].is_null() {
                let at: Timestamp = entry["at"].as_str().unwrap().parse().unwrap();
                let rule = entry["rule"].as_str().unwrap()[1..].parse().unwrap();
                self.begun.insert((rule, at.as_second()));
            }
        }
    }

    /// A rule's command is executed.
    fn executed(&mut self, command: &str) {
        let seed = self.seed;
        assert!(
            self.trusted,
            "{command} before the clock is trusted (seed {seed})"
        );
        let record = self.supervisor.status().schedule.record.clone();
        let mut open = record.iter().rev().filter(|(entry, _)| {
            entry.rule.as_str() == command
                && entry.outcome.is_none()
                && entry.detail.is_none()
                && entry.kind == EntryKind::Begin
        });
        let at = open
            .next()
            .and_then(|(entry, _)| entry.at)
            .unwrap()
            .as_second();
        let rule: usize = command[1..].parse().unwrap();
        assert_eq!(at.rem_euclid(DAY), RULES[rule].0, "seed {seed}");
        let late = self.wall() - at;
        assert!(late >= 0, "{command} {late} s early (seed {seed})");
        assert!(
            late <= 30 || RULES[rule].1,
            "{command} {late} s late (seed {seed})"
        );
        assert!(
            self.done.insert((rule, at)),
            "{command} twice for {at} (seed {seed})"
        );
    }

    /// The daemon ends by a power cut or is killed, and another starts.
    fn end_daemon(&mut self) {
        self.fell = false;
        self.is_doomed = false;
        let gap = match self.rng.u32(0..3) {
            0 => self.rng.i64(1..25),
            1 => self.rng.i64(1..DAY),
            _ => self.rng.i64(1..5 * DAY),
        };
        let wall = Timestamp::from_second(self.wall() + gap).unwrap();
        self.now = Moment::from_boot(Duration::from_secs(30));
        self.clock = ClockReading { at: self.now, wall };
        self.trusted = self.rng.u32(0..3) > 0;
        let clock = self.trusted.then_some(self.clock);
        self.supervisor = boot_at(&self.document, self.saved_schedule.clone(), self.now, clock);
        self.perform();
    }

    /// Advances the time, with a tick at each requested time; what becomes due runs.
    fn advance_time(&mut self) {
        let (from, trusted) = (self.wall(), self.trusted);
        let end = self.now + Duration::from_secs(self.rng.u64(1..30 * 3600));
        while let Some(next) = self.supervisor.poll_timeout().filter(|next| *next <= end) {
            self.now = next;
            self.handle(Event::Tick);
            if self.fell {
                return;
            }
        }
        self.now = end;
        if !trusted {
            return;
        }
        for (number, (second, _)) in RULES.iter().enumerate() {
            for at in due(*second, from, self.wall()) {
                let seed = self.seed;
                let it = (number, at);
                assert!(
                    self.done.contains(&it) || self.begun.contains(&it),
                    "r{number} lost {at} (seed {seed})"
                );
            }
        }
    }

    fn set_clock(&mut self) {
        let by = match self.rng.u32(0..4) {
            0 => self.rng.i64(-20..20),
            1 => self.rng.i64(-7200..7200),
            _ => self.rng.i64(-3 * DAY..3 * DAY),
        };
        let wall = Timestamp::from_second(self.wall() + by).unwrap();
        self.clock = ClockReading { at: self.now, wall };
        self.trusted = self.rng.u32(0..5) > 0;
        self.handle(Event::Clock {
            reading: self.clock,
            trusted: self.trusted,
        });
    }

    /// Renames every rule; they remain the same rules.
    fn edit(&mut self) {
        let salt = self.rng.u32(..);
        let request = Edit::ReplaceSection {
            section: Section::Schedule,
            value: document(salt)["schedule"].clone(),
            if_match: None,
        };
        self.handle(Event::Command {
            ticket: Ticket(u64::from(salt)),
            command: request.into(),
        });
    }

    fn step(&mut self) {
        match self.rng.u32(0..20) {
            0 | 1 => self.fell = true,
            2 => self.is_doomed = true,
            3..6 => self.set_clock(),
            6 => self.edit(),
            _ => self.advance_time(),
        }
        while self.fell {
            self.end_daemon();
        }
    }
}

/// The times of a second of the day in a half-open span.
fn due(second: i64, from: i64, to: i64) -> impl Iterator<Item = i64> {
    let first = (from - second).div_euclid(DAY) + 1;
    (first..)
        .map(move |day| day * DAY + second)
        .take_while(move |at| *at <= to)
}

fn boot_at(
    document: &Value,
    saved_schedule: SavedSchedule,
    now: Moment,
    clock: Option<ClockReading>,
) -> Supervisor {
    let loaded = Loaded::from_bytes(document.to_string().as_bytes()).unwrap();
    let boot = Boot {
        loaded,
        source: Source::File,
        problems: Vec::new(),
        displays: Vec::new(),
        memories: Vec::new(),
        next_run: 1,
        schedule: ScheduleBoot {
            saved: saved_schedule,
            boot: String::new(),
            clock,
            zone: Some((Zone::Named("UTC".into()), find_zone("UTC"))),
        },
    };
    Supervisor::new(boot, now)
}

#[test]
fn no_occurrence_is_early_twice_or_lost_for_any_clock() {
    let mut done = 0;
    for seed in 1..=SEQUENCES {
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            world.step();
        }
        done += world.done.len();
    }
    assert!(done > 10_000, "the world was idle: {done}");
}
