//! The periods of the wall clock that were already handled, so that nothing runs twice when the clock is set back.
//!
//! While the clock advances, the newest period grows. Each jump begins another, and periods that touch are merged. A
//! period that the clock skipped is not included: if it is set back later, that period is handled then.

use crate::config::Id;
use crate::supervisor::interface::later_by;
use jiff::Timestamp;
use std::collections::VecDeque;
use std::time::Duration;

/// How late an occurrence may be and still count as on time. Covers an upgrade, a restart of the daemon and a small
/// step of the clock.
pub(super) const LATE_TOLERANCE: Duration = Duration::from_secs(30);

/// Periods that are kept. Each jump of the clock and each time without power adds one.
const PERIODS_MAX: usize = 16;

/// Occurrences that were handled late, outside the periods.
const LATE_OCCURRENCES_MAX: usize = 64;

/// The handled periods.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ElapsedTime {
    /// Sorted and disjoint; a period excludes its begin and includes its end.
    periods: Vec<(Timestamp, Timestamp)>,
    /// The latest wall-clock time.
    position: Option<Timestamp>,
    handled_late: VecDeque<(Id, Timestamp)>,
}

impl ElapsedTime {
    /// Restores what was saved.
    pub fn restore(
        stretches: Vec<(Timestamp, Timestamp)>,
        position: Option<Timestamp>,
        caught_up: impl IntoIterator<Item = (Id, Timestamp)>,
    ) -> Self {
        let mut elapsed = Self {
            position,
            handled_late: caught_up.into_iter().collect(),
            ..Self::default()
        };
        for (from, to) in stretches.into_iter().filter(|(from, to)| from <= to) {
            elapsed.add(from, to);
        }
        elapsed
    }

    pub fn periods(&self) -> &[(Timestamp, Timestamp)] {
        &self.periods
    }

    /// The latest wall-clock time.
    pub fn position(&self) -> Option<Timestamp> {
        self.position
    }

    pub fn handled_late(&self) -> impl Iterator<Item = &(Id, Timestamp)> {
        self.handled_late.iter()
    }

    /// Whether an occurrence of a rule was handled.
    pub fn contains(&self, rule: &Id, at: Timestamp) -> bool {
        let after = self.periods.partition_point(|(_, to)| *to < at);
        let elapsed = self.periods.get(after).is_some_and(|(from, _)| *from < at);
        elapsed
            || self
                .handled_late
                .iter()
                .any(|(id, done)| done == &at && id == rule)
    }

    /// Records an occurrence that was handled and may lie outside the periods.
    pub fn record_late(&mut self, rule: &Id, at: Timestamp) {
        if self.handled_late.len() == LATE_OCCURRENCES_MAX {
            self.handled_late.pop_front();
        }
        self.handled_late.push_back((rule.clone(), at));
    }

    /// Sets the wall clock, which may have jumped.
    pub fn set_clock(&mut self, wall: Timestamp) {
        let from = match self.position {
            // A step this small skips nothing: its occurrences are on time.
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

    /// Advances the wall clock without a jump.
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
    fn a_period_that_was_handled_is_not_handled_again_and_a_skipped_one_is() {
        let mut elapsed = ElapsedTime::default();
        elapsed.set_clock(at(1000));
        assert!(!elapsed.contains(&rule(), at(1000)), "it begins here");
        elapsed.advance(at(2000));
        elapsed.set_clock(at(9000));
        elapsed.advance(at(9100));
        elapsed.set_clock(at(1500));
        elapsed.advance(at(3000));
        for (second, was) in [
            (1500, true),
            (2500, true),
            (3001, false),
            (8000, false),
            (9050, true),
        ] {
            assert_eq!(elapsed.contains(&rule(), at(second)), was, "{second}");
        }
        elapsed.advance(at(9500));
        assert_eq!(elapsed.periods(), [(at(1000), at(9500))]);
    }

    #[test]
    fn a_small_step_skips_nothing() {
        let mut elapsed = ElapsedTime::default();
        elapsed.set_clock(at(1000));
        elapsed.set_clock(at(1020));
        assert!(elapsed.contains(&rule(), at(1010)));
    }

    #[test]
    fn an_occurrence_that_was_handled_late_is_handled() {
        let mut elapsed = ElapsedTime::default();
        elapsed.set_clock(at(1000));
        elapsed.set_clock(at(5000));
        elapsed.record_late(&rule(), at(3000));
        assert!(elapsed.contains(&rule(), at(3000)));
        assert!(!elapsed.contains(&"other".parse().unwrap(), at(3000)));
    }

    #[test]
    fn endless_jumps_use_bounded_memory() {
        let mut elapsed = ElapsedTime::default();
        for jump in 0..1000 {
            elapsed.set_clock(at(jump * 1000));
        }
        assert_eq!(elapsed.periods().len(), PERIODS_MAX);
    }
}
