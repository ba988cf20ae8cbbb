//! Decides when a process that ended by itself is started again.
//!
//! At once after the first crash, then after 1, 2, 4, 8, 16 and at most 30 s. A run
//! that lasted a minute forgives all that was before it. More than five crashes
//! within fifteen minutes are a crash loop: still tried, at the longest delay.
//!
//! A process that ends in good order (and is to run always) did nothing wrong: it is started again at once, and with
//! the same delays only where it ends so quickly that it would keep the machine busy.

use crate::time::Moment;
use heapless::Deque;
use std::time::Duration;

/// A run this long forgives the crashes before it.
pub const FORGIVING_RUN: Duration = Duration::from_secs(60);
/// The longest wait between two tries: short enough that a server which comes
/// back is on the screen while the passer-by still stands there.
pub const LONGEST_DELAY: Duration = Duration::from_secs(30);
/// A run this long that ended in good order is followed by the next at once: a short film, shown again and
/// again. What ends sooner is about to spin.
pub const CLEAN_RUN: Duration = Duration::from_secs(5);
/// More crashes than this within [`LOOP_WINDOW`] are a crash loop.
pub const LOOP_CRASHES: usize = 5;
/// The span in which crashes are counted.
pub const LOOP_WINDOW: Duration = Duration::from_secs(15 * 60);

/// When to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartDecision {
    /// Now.
    Immediately,
    /// After this long.
    After(Duration),
    /// After the longest delay, and the operator should know.
    CrashLoop,
}

/// The crashes that count against a process.
#[derive(Clone, Debug, Default)]
pub struct CrashHistory {
    /// The latest crashes within the window, oldest first; one more than a crash loop needs is never kept.
    crashes: Deque<Moment, { LOOP_CRASHES + 1 }>,
    /// Crashes and quick ends since the last run that forgave them; beyond six the delay does not grow.
    streak: u32,
}

impl CrashHistory {
    /// Judges a run that crashed at `now` after living for `uptime`.
    pub fn record(&mut self, uptime: Duration, now: Moment) -> RestartDecision {
        if uptime >= FORGIVING_RUN {
            self.clear();
        }
        while self
            .crashes
            .front()
            .is_some_and(|crash| now.since(*crash) >= LOOP_WINDOW)
        {
            self.crashes.pop_front();
        }
        if self.crashes.is_full() {
            self.crashes.pop_front();
        }
        self.crashes
            .push_back(now)
            .expect("a place was freed above");
        let again = self.next_delay();
        if self.crashes.len() > LOOP_CRASHES {
            return RestartDecision::CrashLoop;
        }
        again
    }

    /// Judges a run that ended in good order after living for `uptime`. It is not among the crashes.
    pub fn record_clean_exit(&mut self, uptime: Duration) -> RestartDecision {
        if uptime >= FORGIVING_RUN {
            self.clear();
        } else if uptime >= CLEAN_RUN {
            self.streak = 0;
        }
        self.next_delay()
    }

    /// One more run has ended.
    fn next_delay(&mut self) -> RestartDecision {
        self.streak = self.streak.saturating_add(1);
        match self.streak {
            1 => RestartDecision::Immediately,
            // 2^(n-2) seconds; the exponent is capped where the longest delay is long passed.
            n => {
                RestartDecision::After(Duration::from_secs(1 << (n - 2).min(6)).min(LONGEST_DELAY))
            }
        }
    }

    /// The history that an earlier daemon has kept.
    pub(in crate::supervisor) fn restore(crashes: &[Moment], streak: u32) -> Self {
        let mut history = Self {
            crashes: Deque::new(),
            streak,
        };
        for crash in crashes {
            if history.crashes.is_full() {
                history.crashes.pop_front();
            }
            let _ = history.crashes.push_back(*crash);
        }
        history
    }

    /// The crashes that count, oldest first.
    pub(in crate::supervisor) fn crashes(&self) -> impl Iterator<Item = Moment> {
        self.crashes.iter().copied()
    }

    /// How many crashes and quick ends came one after the other.
    pub(in crate::supervisor) fn streak(&self) -> u32 {
        self.streak
    }

    /// Forgives everything: the operator started the process by hand, or changed it.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_boot(Duration::from_secs(seconds))
    }

    #[test]
    fn delays_double_and_the_sixth_crash_in_the_window_is_a_loop() {
        let mut history = CrashHistory::default();
        let short = Duration::from_secs(1);
        let verdicts: Vec<RestartDecision> = (0..7)
            .map(|n| history.record(short, at(100 + n * 10)))
            .collect();
        let after = |seconds| RestartDecision::After(Duration::from_secs(seconds));
        assert_eq!(
            verdicts,
            [
                RestartDecision::Immediately,
                after(1),
                after(2),
                after(4),
                after(8),
                RestartDecision::CrashLoop,
                RestartDecision::CrashLoop
            ]
        );
    }

    #[test]
    fn slow_crashes_reach_the_longest_delay_without_a_loop() {
        let mut history = CrashHistory::default();
        let verdicts: Vec<RestartDecision> = (0..9)
            .map(|n| history.record(Duration::from_secs(59), at(n * 200)))
            .collect();
        assert_eq!(verdicts[5], RestartDecision::After(Duration::from_secs(16)));
        assert_eq!(verdicts[6], RestartDecision::After(LONGEST_DELAY));
        assert_eq!(verdicts[8], RestartDecision::After(LONGEST_DELAY));
    }

    #[test]
    fn ends_in_good_order_are_no_crashes_and_delayed_only_while_they_are_quick() {
        let mut history = CrashHistory::default();
        let quick = Duration::from_secs(1);
        let verdicts: Vec<RestartDecision> =
            (0..9).map(|_| history.record_clean_exit(quick)).collect();
        assert_eq!(verdicts[0], RestartDecision::Immediately);
        assert_eq!(verdicts[2], RestartDecision::After(Duration::from_secs(2)));
        assert_eq!(verdicts[8], RestartDecision::After(LONGEST_DELAY));
        assert_eq!(history.crashes().count(), 0);
        assert_eq!(
            history.record_clean_exit(CLEAN_RUN),
            RestartDecision::Immediately
        );
        assert_eq!(
            history.record_clean_exit(CLEAN_RUN),
            RestartDecision::Immediately
        );
        assert_eq!(
            history.record(CLEAN_RUN, at(1)),
            RestartDecision::After(Duration::from_secs(1))
        );
    }

    #[test]
    fn a_minute_of_life_forgives() {
        let mut history = CrashHistory::default();
        for n in 0..6 {
            history.record(Duration::ZERO, at(n));
        }
        assert_eq!(
            history.record(FORGIVING_RUN, at(100)),
            RestartDecision::Immediately
        );
    }
}
