//! What the operator is shown of the schedule.

use super::history::{HistoryEntry, RuleOutcome};
use crate::config::{Id, Rule};
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use serde::{Serialize, Serializer};
use std::fmt;
use std::rc::Rc;

/// The schedule in a picture of the kiosk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScheduleStatus {
    /// Whether any of it is done.
    pub enabled: bool,
    /// The zone its times are read in, by name; `auto` where it is the system's and that has none.
    pub timezone: String,
    /// Whether the clock is trusted: until it is, no rule with a time is done.
    pub clock_trusted: bool,
    /// Why no rule with a time can be done, where the reason is the zone.
    pub problem: Option<String>,
    /// In the order of the file; those that could not be done if they were switched on come last.
    pub rules: Vec<RuleStatus>,
    /// What was done lately, newest first.
    pub record: Rc<[(HistoryEntry, Option<LocalTime>)]>,
}

/// One rule and how it fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleStatus {
    /// Its id.
    pub id: Id,
    /// The rule itself, where it can be done.
    pub rule: Option<Rc<Rule>>,
    /// When it is done next, where that is known.
    pub next: Option<LocalTime>,
    /// It has a time, and the clock is not trusted yet. Every other rule runs without a clock.
    pub waits_for_clock: bool,
    /// It has an end, and is in force.
    pub active: bool,
    /// What came of it last.
    pub last: Option<Rc<LastExecution>>,
}

/// What came of a rule last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastExecution {
    /// When it was due, where anybody can say.
    pub at: Option<LocalTime>,
    /// What came of it.
    pub outcome: RuleOutcome,
    /// Why, where there is something to say.
    pub detail: Option<String>,
}

/// An instant as it is told in a zone, to the second: `2026-11-27T08:00:00+01:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime {
    at: Timestamp,
    offset: Offset,
}

impl LocalTime {
    /// In this zone.
    pub fn new(at: Timestamp, zone: &TimeZone) -> Self {
        Self {
            at,
            offset: zone.to_offset(at),
        }
    }

    /// The instant.
    pub fn instant(self) -> Timestamp {
        self.at
    }
}

impl fmt::Display for LocalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0}", self.at.display_with_offset(self.offset))
    }
}

impl Serialize for LocalTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
