//! The time on the wall that was lived through already, so that nothing of it is done twice when the clock goes back.
//!
//! It is a handful of stretches. While the clock goes on the newest grows; each jump begins another, and where two
//! touch they become one. What was skipped by a jump forward was not lived: when that jump turns out to have been
//! a mistake and the clock comes back, it is lived after all.

use super::clock_reading::later_by;
use crate::config::Id;
use jiff::Timestamp;
use std::collections::VecDeque;
use std::time::Duration;

/// How late something may be and still count as done in time: a program that takes over, a restart of the daemon,
/// a step of the clock that was a little off.
pub(super) const LATE_TOLERANCE: Duration = Duration::from_secs(30);

/// Stretches that are remembered. Each jump of the clock and each time without power makes one.
const PERIODS_MAX: usize = 16;

/// Occurrences that were done late, in time that was not lived.
const LATE_OCCURRENCES_MAX: usize = 64;

/// The time that was lived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ElapsedTime {
    /// In order, apart from each other; an instant is in one where it is after its begin and not after its end.
    periods: Vec<(Timestamp, Timestamp)>,
    /// Where the clock was last.
    position: Option<Timestamp>,
    handled_late: VecDeque<(Id, Timestamp)>,
}

impl ElapsedTime {
    /// As it was written down.
    pub fn restore(
        stretches: Vec<(Timestamp, Timestamp)>,
        position: Option<Timestamp>,
        caught_up: impl IntoIterator<Item = (Id, Timestamp)>,
    ) -> Self {
        let mut lived = Self {
            position,
            handled_late: caught_up.into_iter().collect(),
            ..Self::default()
        };
        for (from, to) in stretches.into_iter().filter(|(from, to)| from <= to) {
            lived.add(from, to);
        }
        lived
    }

    /// What is to be written down.
    pub fn periods(&self) -> &[(Timestamp, Timestamp)] {
        &self.periods
    }

    /// Where the clock was last.
    pub fn position(&self) -> Option<Timestamp> {
        self.position
    }

    /// What was done late.
    pub fn handled_late(&self) -> impl Iterator<Item = &(Id, Timestamp)> {
        self.handled_late.iter()
    }

    /// Whether an occurrence of a rule is over and done with.
    pub fn contains(&self, rule: &Id, at: Timestamp) -> bool {
        let after = self.periods.partition_point(|(_, to)| *to < at);
        let lived = self.periods.get(after).is_some_and(|(from, _)| *from < at);
        lived
            || self
                .handled_late
                .iter()
                .any(|(id, done)| done == &at && id == rule)
    }

    /// An occurrence is done that may lie in time nobody lived.
    pub fn record_late(&mut self, rule: &Id, at: Timestamp) {
        if self.handled_late.len() == LATE_OCCURRENCES_MAX {
            self.handled_late.pop_front();
        }
        self.handled_late.push_back((rule.clone(), at));
    }

    /// The clock shows this now; it may have jumped.
    pub fn set_clock(&mut self, wall: Timestamp) {
        let from = match self.position {
            // What was skipped was done, none of it too late.
            Some(position) if position <= wall && later_by(wall, position) <= LATE_TOLERANCE => {
                position
            }
            _ => wall,
        };
        self.position = Some(wall);
        match self.periods.last_mut() {
            Some((begin, end)) if *begin <= from && from <= *end => *end = wall.max(*end),
            _ => self.add(from, wall),
        }
    }

    /// The clock goes on without a jump.
    pub fn advance(&mut self, wall: Timestamp) {
        let Some(from) = self.position.filter(|from| *from < wall) else {
            return;
        };
        self.position = Some(wall);
        match self.periods.last_mut() {
            Some((begin, end)) if *begin <= from && from <= *end => *end = wall.max(*end),
            _ => self.add(from, wall),
        }
    }

    fn add(&mut self, mut from: Timestamp, mut to: Timestamp) {
        self.periods.retain(|(begin, end)| {
            let apart = *end < from || to < *begin;
            if !apart {
                from = from.min(*begin);
                to = to.max(*end);
            }
            apart
        });
        let place = self.periods.partition_point(|(begin, _)| *begin < from);
        self.periods.insert(place, (from, to));
        if self.periods.len() > PERIODS_MAX {
            self.periods.remove(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn rule() -> Id {
        "rule".parse().unwrap()
    }

    #[test]
    fn what_was_lived_is_not_lived_again_and_what_was_skipped_is() {
        let mut lived = ElapsedTime::default();
        lived.set_clock(at(1000));
        assert!(!lived.contains(&rule(), at(1000)), "it begins here");
        lived.advance(at(2000));
        lived.set_clock(at(9000));
        lived.advance(at(9100));
        lived.set_clock(at(1500));
        lived.advance(at(3000));
        for (second, was) in [
            (1500, true),
            (2500, true),
            (3001, false),
            (8000, false),
            (9050, true),
        ] {
            assert_eq!(lived.contains(&rule(), at(second)), was, "{second}");
        }
        lived.advance(at(9500));
        assert_eq!(lived.periods(), [(at(1000), at(9500))]);
    }

    #[test]
    fn a_small_step_skips_nothing() {
        let mut lived = ElapsedTime::default();
        lived.set_clock(at(1000));
        lived.set_clock(at(1020));
        assert!(lived.contains(&rule(), at(1010)));
    }

    #[test]
    fn what_was_done_late_is_done() {
        let mut lived = ElapsedTime::default();
        lived.set_clock(at(1000));
        lived.set_clock(at(5000));
        lived.record_late(&rule(), at(3000));
        assert!(lived.contains(&rule(), at(3000)));
        assert!(!lived.contains(&"other".parse().unwrap(), at(3000)));
    }

    #[test]
    fn jumps_without_end_cost_a_bounded_memory() {
        let mut lived = ElapsedTime::default();
        for jump in 0..1000 {
            lived.set_clock(at(jump * 1000));
        }
        assert_eq!(lived.periods().len(), PERIODS_MAX);
    }
}
