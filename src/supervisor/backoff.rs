//! Limits how often something is retried.

use crate::time::{Backoff, Moment};
use heapless::Deque;
use std::time::Duration;

/// Attempts an hour. A screen that switches back more often is controlled by another program, and every attempt makes
/// it blink.
pub(super) const ATTEMPTS_PER_HOUR: usize = 12;

pub(super) const HOUR: Duration = Duration::from_secs(3600);

/// The pauses after attempts. The longest one spreads twelve of them over an hour.
const PAUSES: Backoff = Backoff {
    first: Duration::from_secs(5),
    longest: Duration::from_secs(300),
};

/// The latest times of something, oldest first; more than `N` are never needed.
#[derive(Clone, Debug, Default)]
pub(super) struct RecentTimes<const N: usize>(Deque<Moment, N>);

impl<const N: usize> RecentTimes<N> {
    /// Records a time, and forgets those before the window that ends with it.
    pub fn record(&mut self, now: Moment, window: Duration) {
        while self.0.is_full() || self.0.front().is_some_and(|at| now.since(*at) >= window) {
            self.0.pop_front();
        }
        self.0.push_back(now).expect("a place was freed above");
    }

    /// How many are within the window that ends now.
    pub fn count(&self, now: Moment, window: Duration) -> usize {
        self.0.iter().filter(|at| now.since(**at) < window).count()
    }

    /// When there are fewer than `N` within the window again; `None` if there are.
    pub fn full_until(&self, now: Moment, window: Duration) -> Option<Moment> {
        let first = self.0.front()?;
        (self.count(now, window) >= N).then(|| *first + window)
    }

    pub fn iter(&self) -> impl Iterator<Item = Moment> {
        self.0.iter().copied()
    }
}

impl<const N: usize> FromIterator<Moment> for RecentTimes<N> {
    fn from_iter<T: IntoIterator<Item = Moment>>(times: T) -> Self {
        let mut recent = Self::default();
        for at in times {
            recent.record(at, Duration::MAX);
        }
        recent
    }
}

/// Decides when a change that did not last is applied again: at growing intervals, and a limited number of times an
/// hour.
#[derive(Debug, Default)]
pub(super) struct LimitedBackoff(RecentTimes<ATTEMPTS_PER_HOUR>);

impl LimitedBackoff {
    /// Starts over, for a new request.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// Records an attempt.
    pub fn record(&mut self, now: Moment) {
        self.0.record(now, HOUR);
    }

    /// The number of attempts within the last hour.
    pub fn recent_attempts(&self, now: Moment) -> usize {
        self.0.count(now, HOUR)
    }

    /// Whether the attempts of an hour are used up.
    pub fn is_exhausted(&self, now: Moment) -> bool {
        self.0.full_until(now, HOUR).is_some()
    }

    /// When the next attempt may be made.
    pub fn next_attempt(&self, now: Moment) -> Moment {
        let next = match (self.0.full_until(now, HOUR), self.0.iter().last()) {
            (Some(next), _) => next,
            (None, Some(last)) if now.since(last) < HOUR => {
                last + PAUSES.after(self.recent_attempts(now) as u32)
            }
            _ => now,
        };
        next.max(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_made_ever_later_and_twelve_an_hour_at_most() {
        let begin = Moment::from_boot(Duration::from_secs(100));
        let mut now = begin;
        let mut attempts = LimitedBackoff::default();
        let mut made = Vec::new();
        while now.since(begin) < HOUR * 24 {
            now = attempts.next_attempt(now);
            attempts.record(now);
            made.push(now);
        }
        let pauses: Vec<u64> = made
            .windows(2)
            .map(|pair| pair[1].since(pair[0]).as_secs())
            .take(7)
            .collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 300]);
        for at in &made {
            let within = made
                .iter()
                .filter(|other| **other >= *at && other.since(*at) < HOUR);
            assert!(within.count() <= ATTEMPTS_PER_HOUR);
        }
    }
}
