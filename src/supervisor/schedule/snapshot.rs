//! What the API publishes of the schedule.

use super::history::{HistoryEntry, RuleOutcome};
use crate::config::{Id, Rule};
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use serde::{Serialize, Serializer};
use std::fmt;
use std::rc::Rc;

/// The schedule in a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScheduleStatus {
    /// Whether the schedule is enabled.
    pub enabled: bool,
    /// The name of the zone; `auto` for a system zone without a name.
    pub timezone: String,
    /// Whether the clock is trusted; until it is, no rule with a time runs.
    pub clock_trusted: bool,
    /// Why the zone is not known.
    pub problem: Option<String>,
    /// In the order of the file; invalid disabled rules come last.
    pub rules: Vec<RuleStatus>,
    /// The latest executions, newest first.
    pub record: Rc<[(HistoryEntry, Option<LocalTime>)]>,
}

/// The status of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleStatus {
    /// The rule's id.
    pub id: Id,
    /// The rule, if it is valid.
    pub rule: Option<Rc<Rule>>,
    /// When it is due next, if known.
    pub next: Option<LocalTime>,
    /// It has a time and waits for a trusted clock.
    pub waits_for_clock: bool,
    /// Its override is active.
    pub active: bool,
    /// Its latest execution.
    pub last: Option<Rc<LastExecution>>,
}

/// The latest execution of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastExecution {
    /// When it was due, if known.
    pub at: Option<LocalTime>,
    /// The outcome.
    pub outcome: RuleOutcome,
    /// More about the outcome.
    pub detail: Option<String>,
}

/// An instant in a zone, displayed to the second: `2026-11-27T08:00:00+01:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime {
    at: Timestamp,
    offset: Offset,
}

impl LocalTime {
    /// An instant in this zone.
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
