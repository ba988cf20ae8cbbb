//! Promise 8, kept through random jumps of the clock, lost trust, power cuts, restarts and edits: no rule with a time is
//! done before the clock is trusted, none twice for one occurrence, and none is lost that it was there for.
//!
//! The world knows when each rule is due without asking anybody: the zone is UTC, and a day has 24 hours.

use crate::stage::find_zone;
use jiff::{SignedDuration, Timestamp};
use ossuary::config::{Loaded, Section, Zone};
use ossuary::supervisor::{
    Action, Boot, ClockReading, Command, EntryKind, Event, SavedSchedule, ScheduleBoot, Source,
    Supervisor, Ticket,
};
use ossuary::time::Moment;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

const SEQUENCES: u64 = 100;
const STEPS: usize = 200;

/// Seconds of the day, and whether it catches up.
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
    mind: Supervisor,
    document: Value,
    now: Moment,
    clock: ClockReading,
    trusted: bool,
    /// What is on the disk.
    kept: SavedSchedule,
    /// What was done: the rule, and the second it was due.
    done: BTreeSet<(usize, i64)>,
    /// What is on the disk as begun: whatever becomes of it, it is not begun again.
    begun: BTreeSet<(usize, i64)>,
    /// The power goes with the next write.
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
        let mind = birth(&document, SavedSchedule::default(), now, Some(clock));
        let mut world = World {
            rng,
            seed,
            mind,
            document,
            now,
            clock,
            trusted: true,
            kept: SavedSchedule::default(),
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
        self.mind.handle(event, self.now);
        self.perform();
    }

    fn perform(&mut self) {
        while let Some(action) = self.mind.poll_action() {
            let answer = match action {
                Action::SaveSchedule { schedule: kept } => {
                    let is_lost = self.is_doomed && self.rng.bool();
                    if !is_lost {
                        self.write_down(&kept.to_bytes());
                    }
                    if std::mem::take(&mut self.is_doomed) {
                        self.fell = true;
                        return;
                    }
                    Event::ScheduleSaved { result: Ok(()) }
                }
                Action::RunCommand { number, command } => {
                    self.see(&command);
                    Event::RuleDone {
                        number,
                        result: Ok(None),
                    }
                }
                Action::Save { document, .. } => {
                    self.document = Value::Object(document.as_map().clone());
                    Event::Saved
                }
                _ => continue,
            };
            self.mind.handle(answer, self.now);
        }
        let timeout = self.mind.poll_timeout();
        assert!(
            timeout.is_none_or(|next| next > self.now),
            "the loop spins (seed {})",
            self.seed
        );
    }

    fn write_down(&mut self, bytes: &[u8]) {
        self.kept = SavedSchedule::from_bytes(bytes).unwrap();
        let written: Value = serde_json::from_slice(bytes).unwrap();
        for entry in written["record"].as_array().unwrap() {
            if entry["outcome"].is_null() {
                let at: Timestamp = entry["at"].as_str().unwrap().parse().unwrap();
                let rule = entry["rule"].as_str().unwrap()[1..].parse().unwrap();
                self.begun.insert((rule, at.as_second()));
            }
        }
    }

    /// A command is executed.
    fn see(&mut self, command: &str) {
        let seed = self.seed;
        assert!(
            self.trusted,
            "{command} before the clock is trusted (seed {seed})"
        );
        let record = self.mind.status().schedule.record.clone();
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

    /// The daemon is gone, and another begins: after a power cut, or as it was killed.
    fn fall(&mut self) {
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
        self.mind = birth(&self.document, self.kept.clone(), self.now, clock);
        self.perform();
    }

    /// Time passes, with a tick whenever the mind asks for one; what comes due is done.
    fn let_time_pass(&mut self) {
        let (from, trusted) = (self.wall(), self.trusted);
        let end = self.now + Duration::from_secs(self.rng.u64(1..30 * 3600));
        while let Some(next) = self.mind.poll_timeout().filter(|next| *next <= end) {
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

    fn set_the_clock(&mut self) {
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

    /// Somebody gives every rule another name: they are the same rules.
    fn edit(&mut self) {
        let salt = self.rng.u32(..);
        let request = Command::ReplaceSection {
            section: Section::Schedule,
            value: document(salt)["schedule"].clone(),
            if_match: None,
        };
        self.handle(Event::Command {
            ticket: Ticket(u64::from(salt)),
            command: request,
        });
    }

    fn step(&mut self) {
        match self.rng.u32(0..20) {
            0 | 1 => self.fell = true,
            2 => self.is_doomed = true,
            3..6 => self.set_the_clock(),
            6 => self.edit(),
            _ => self.let_time_pass(),
        }
        while self.fell {
            self.fall();
        }
    }
}

/// The instants of a time of day after one and up to another.
fn due(second: i64, from: i64, to: i64) -> impl Iterator<Item = i64> {
    let first = (from - second).div_euclid(DAY) + 1;
    (first..)
        .map(move |day| day * DAY + second)
        .take_while(move |at| *at <= to)
}

fn birth(
    document: &Value,
    kept: SavedSchedule,
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
            saved: kept,
            boot: String::new(),
            clock,
            zone: Some((Zone::Named("UTC".into()), find_zone("UTC"))),
        },
    };
    Supervisor::new(boot, now)
}

#[test]
fn no_occurrence_is_early_twice_or_lost_whatever_the_clock_does() {
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
