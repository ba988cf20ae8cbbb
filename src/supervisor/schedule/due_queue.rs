//! What is due next: each rule stands in here once for its next beginning and once for its end.

use crate::time::Moment;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// What is to happen to a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OccurrenceKind {
    /// It is done. Before any end of the same instant: a rule that follows another leaves no gap in which what is
    /// beneath is seen.
    Begin,
    /// It is undone.
    End,
}

/// Something due on the wall; of one instant in the order of the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Due {
    pub at: Timestamp,
    pub kind: OccurrenceKind,
    pub rule: usize,
}

/// The queue.
#[derive(Debug, Default)]
pub(super) struct DueQueue {
    times: BTreeSet<Due>,
    intervals: BTreeSet<(Moment, usize)>,
}

impl DueQueue {
    pub fn clear_times(&mut self) {
        self.times.clear();
    }

    pub fn clear_intervals(&mut self) {
        self.intervals.clear();
    }

    pub fn add_time(&mut self, at: Timestamp, turn: OccurrenceKind, rule: usize) {
        self.times.insert(Due {
            at,
            kind: turn,
            rule,
        });
    }

    pub fn add_interval(&mut self, at: Moment, rule: usize) {
        self.intervals.insert((at, rule));
    }

    /// Takes out the first that is due.
    pub fn take_due(&mut self, wall: Timestamp) -> Option<Due> {
        self.times.first().filter(|due| due.at <= wall)?;
        self.times.pop_first()
    }

    /// Takes out the first interval that is over.
    pub fn take_interval(&mut self, now: Moment) -> Option<(Moment, usize)> {
        self.intervals.first().filter(|(at, _)| *at <= now)?;
        self.intervals.pop_first()
    }

    /// The next on the wall.
    pub fn first_time(&self) -> Option<Timestamp> {
        self.times.first().map(|due| due.at)
    }

    /// The next interval that is over.
    pub fn first_interval(&self) -> Option<Moment> {
        self.intervals.first().map(|(at, _)| *at)
    }
}
