//! What is due next: the next begin and the end of each rule.

use crate::supervisor::interface::OccurrenceKind;
use crate::time::Moment;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// A due time of the wall clock. At the same instant the order of the rules decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Due {
    pub at: Timestamp,
    pub kind: OccurrenceKind,
    pub rule: usize,
}

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

    /// Removes and returns the first entry that is due.
    pub fn take_due(&mut self, wall: Timestamp) -> Option<Due> {
        self.times.first().filter(|due| due.at <= wall)?;
        self.times.pop_first()
    }

    /// Removes and returns the first interval that is over.
    pub fn take_interval(&mut self, now: Moment) -> Option<(Moment, usize)> {
        self.intervals.first().filter(|(at, _)| *at <= now)?;
        self.intervals.pop_first()
    }

    /// The next wall-clock time.
    pub fn first_time(&self) -> Option<Timestamp> {
        self.times.first().map(|due| due.at)
    }

    /// The end of the next interval.
    pub fn first_interval(&self) -> Option<Moment> {
        self.intervals.first().map(|(at, _)| *at)
    }
}
