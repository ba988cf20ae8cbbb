//! Decides when a change that did not last is applied again: at growing intervals, and a limited number of times an
//! hour.

use crate::time::Moment;
use heapless::Deque;
use std::time::Duration;

/// Attempts an hour. A screen that switches back more often is controlled by another program, and every attempt makes
/// it blink.
pub(super) const ATTEMPTS_PER_HOUR: usize = 12;

const HOUR: Duration = Duration::from_secs(3600);

/// The pause after the first attempt; each further pause is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(5);

/// The longest pause: twelve attempts spread over an hour.
const MAX_PAUSE: Duration = Duration::from_secs(300);

/// The attempts of the last hour.
#[derive(Debug, Default)]
pub(super) struct Backoff(Deque<Moment, ATTEMPTS_PER_HOUR>);

impl Backoff {
    /// Starts over, for a new request.
    pub fn reset(&mut self) {
        self.0.clear();
    }

    /// Records an attempt.
    pub fn record(&mut self, now: Moment) {
        if self.0.is_full() {
            self.0.pop_front();
        }
        // This cannot fail: a full queue has just lost its oldest entry.
        let _ = self.0.push_back(now);
    }

    /// The number of attempts within the last hour.
    pub fn recent_attempts(&self, now: Moment) -> usize {
        self.0.iter().filter(|at| now.since(**at) < HOUR).count()
    }

    /// Whether the attempts of an hour are used up.
    pub fn is_exhausted(&self, now: Moment) -> bool {
        self.recent_attempts(now) >= ATTEMPTS_PER_HOUR
    }

    /// When the next attempt may be made.
    pub fn next_attempt(&self, now: Moment) -> Moment {
        let Some(last) = self.0.back() else {
            return now;
        };
        let number = self.recent_attempts(now);
        if number == 0 {
            return now;
        }
        let after_the_last = if number >= ATTEMPTS_PER_HOUR {
            self.0.front().map_or(now, |first| *first + HOUR)
        } else {
            let doubled = FIRST_PAUSE * (1 << (number - 1).min(16));
            *last + doubled.min(MAX_PAUSE)
        };
        after_the_last.max(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_made_ever_later_and_twelve_an_hour_at_most() {
        let begin = Moment::from_boot(Duration::from_secs(100));
        let mut now = begin;
        let mut attempts = Backoff::default();
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
