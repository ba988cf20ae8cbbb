//! Two years of occurrences in six zones, compared with an independent reference, which goes through the time minute
//! by minute and asks for the wall clock.

use crate::stage::{Stage, find_zone};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use ossuary::supervisor::{Action, ClockReading, Event, ScheduleBoot};
use ossuary::time::Moment;
use serde_json::{Value, json};
use std::time::Duration;

const ZONES: [&str; 6] = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Africa/Casablanca",
    "UTC",
];

/// Time, days, days by their numbers from Monday. Some are in the gaps and overlaps of these zones.
const RULES: [(&str, &[&str]); 9] = [
    ("00:00", &["*"]),
    ("00:15", &["sun", "mon"]),
    ("01:30", &["*"]),
    ("02:00", &["*"]),
    ("02:15", &["sun"]),
    ("02:30", &["*"]),
    ("03:00", &["sat", "sun"]),
    ("08:00", &["mon", "tue", "wed", "thu", "fri"]),
    ("23:59", &["*"]),
];

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn rules() -> Vec<Value> {
    let rules = RULES.iter().enumerate();
    let rule = |(number, (time, days)): (usize, &(&str, &[&str]))| {
        json!({
            "id": format!("r{number}"),
            "trigger": {"type": "time", "time": time, "days": days},
            "action": {"type": "run_command", "command": format!("r{number}")},
        })
    };
    rules.map(rule).collect()
}

/// What the supervisor runs, and when.
fn computed(zone: &str, from: Timestamp, to: Timestamp) -> Vec<(Timestamp, usize)> {
    let document = json!({"version": 3, "schedule": {"timezone": zone, "rules": rules()}});
    let now = Moment::from_boot(Duration::from_secs(100));
    let clock = ClockReading {
        at: now,
        wall: from,
    };
    let boot = ScheduleBoot {
        clock: Some(clock),
        ..ScheduleBoot::default()
    };
    let mut stage = Stage::boot(document, &[], boot, now);
    stage.perform();
    let span = Duration::try_from(to.duration_since(from)).unwrap();
    let end = now + span;
    let mut done = Vec::new();
    while let Some(next) = stage.supervisor.poll_timeout().filter(|next| *next <= end) {
        stage.now = next;
        stage.handle(Event::Tick);
        let wall = from + SignedDuration::try_from(next.since(now)).unwrap();
        for action in stage.actions.drain(..) {
            if let Action::RunCommand { command, .. } = action {
                done.push((wall, command[1..].parse().unwrap()));
            }
        }
    }
    done
}

/// When the wall clock first reaches each time; after a gap, everything in it is due at once.
fn expected(zone: &TimeZone, from: Timestamp, to: Timestamp) -> Vec<(Timestamp, usize)> {
    let minute = SignedDuration::from_mins(1);
    let number = |text: &str| text.parse::<i8>().unwrap();
    let times = RULES.map(|(time, _)| (number(&time[..2]), number(&time[3..])));
    let mut furthest: DateTime = zone.to_datetime(from);
    let mut now = from;
    let mut done = Vec::new();
    while now < to {
        now += minute;
        let shown = zone.to_datetime(now);
        let mut shown_first = furthest;
        let mut come = Vec::new();
        while shown_first < shown {
            shown_first += minute;
            let day = shown_first.weekday().to_monday_zero_offset() as usize;
            let name = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"][day];
            let time = (shown_first.hour(), shown_first.minute());
            for (number, (_, days)) in RULES.iter().enumerate() {
                if times[number] == time && (days.contains(&name) || days.contains(&"*")) {
                    come.push((now, number));
                }
            }
        }
        come.sort_unstable();
        done.extend(come);
        furthest = furthest.max(shown);
    }
    done
}

#[test]
fn every_occurrence_of_two_years_is_due_once_in_every_zone() {
    let (from, to) = (at("2026-01-01T00:00:00Z"), at("2028-01-01T00:00:00Z"));
    for name in ZONES {
        let zone = find_zone(name).unwrap();
        let supervisor = computed(name, from, to);
        let wall = expected(&zone, from, to);
        assert!(supervisor.len() > 4000, "{name}: {}", supervisor.len());
        for (did, was_due) in supervisor.iter().zip(&wall) {
            assert_eq!(did, was_due, "{name}: {}", zone.to_datetime(was_due.0));
        }
        assert_eq!(supervisor.len(), wall.len(), "{name}");
    }
}

#[test]
fn a_day_costs_one_wake_up_an_occurrence() {
    let document = json!({"version": 3, "schedule": {"timezone": "UTC", "rules": rules()}});
    let now = Moment::from_boot(Duration::from_secs(100));
    let clock = ClockReading {
        at: now,
        wall: at("2026-11-25T12:00:00Z"),
    };
    let boot = ScheduleBoot {
        clock: Some(clock),
        ..ScheduleBoot::default()
    };
    let mut stage = Stage::boot(document, &[], boot, now);
    stage.perform();
    let end = now + Duration::from_secs(24 * 3600);
    let mut woken = 0;
    while let Some(next) = stage.supervisor.poll_timeout().filter(|next| *next <= end) {
        stage.now = next;
        stage.handle(Event::Tick);
        woken += 1;
    }
    // 23:59, 00:00, 01:30, 02:00, 02:30 and 08:00 of a Thursday.
    assert_eq!(woken, 6);
    let writes = stage.actions.iter();
    let writes = writes.filter(|it| matches!(it, Action::SaveSchedule { .. }));
    assert_eq!(writes.count(), 6, "one write an occurrence");
}
