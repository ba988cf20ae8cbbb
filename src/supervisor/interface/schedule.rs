//! What the API publishes of the schedule: its rules, its history and its preview.

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

/// One execution of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The rule.
    pub rule: Id,
    /// The name of the rule.
    pub name: String,
    /// When it was due, if known.
    pub at: Option<Timestamp>,
    /// What was to happen.
    pub kind: EntryKind,
    /// The outcome; `None` while it is being carried out.
    pub outcome: Option<RuleOutcome>,
    /// More about the outcome.
    pub detail: Option<String>,
}

/// What was to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// The rule was due.
    Begin,
    /// The override was to end.
    End,
    /// A client requested it.
    Run,
}

/// The outcome of an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleOutcome {
    /// It was done.
    Done,
    /// It failed.
    Failed,
    /// There was nothing to do.
    Skipped,
    /// It was due while the daemon did not run.
    Missed,
}

names!(EntryKind {
    Begin = "begin",
    End = "end",
    Run = "run",
});

names!(RuleOutcome {
    Done = "done",
    Failed = "failed",
    Skipped = "skipped",
    Missed = "missed",
});

/// Whether a rule begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OccurrenceKind {
    /// It begins. Sorted before any end at the same instant, so that a rule that follows another leaves no gap.
    Begin,
    /// It ends.
    End,
}

names!(OccurrenceKind {
    Begin = "begin",
    End = "end",
});

/// What the schedule will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// The name of the zone.
    pub timezone: String,
    /// Whether the clock is trusted; until it is, none of this happens.
    pub clock_trusted: bool,
    /// In order of time.
    pub occurrences: Vec<Occurrence>,
    /// Rules that contradict each other.
    pub conflicts: Vec<Conflict>,
    /// Whether the span contains more occurrences.
    pub more: bool,
}

/// An occurrence that will happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// The rule.
    pub rule: Rc<Rule>,
    /// When it happens.
    pub at: LocalTime,
    /// Whether the rule begins or ends.
    pub kind: OccurrenceKind,
}

/// Two rules that set the same setting to different values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Their ids; the first one loses.
    pub rules: [Id; 2],
    /// When they begin to contradict each other.
    pub at: LocalTime,
    /// A sentence that describes it.
    pub text: String,
}

/// An instant in a zone, displayed to the second: `2026-11-27T08:00:00+01:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(with = "String", extend("format" = "date-time")))]
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
