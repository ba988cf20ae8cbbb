//! Decides when a process that exited is restarted.
//!
//! At once after the first crash, then after 1, 2, 4, 8, 16 and at most 30 s. A run of a minute resets this. More
//! than five crashes within fifteen minutes are a crash loop: the process is still restarted, after the longest
//! delay.
//!
//! A clean exit is not a crash. A process with `restart: always` that exits cleanly is restarted at once, and with
//! the delays above only if its runs are so short that they would keep the machine busy.

use crate::supervisor::backoff::RecentTimes;
use crate::time::{Backoff, Moment};
use std::time::Duration;

/// A run of this length resets the crash history.
pub const FORGIVING_RUN: Duration = Duration::from_secs(60);
/// The longest delay: short enough that a page whose server is back is shown soon.
pub const LONGEST_DELAY: Duration = Duration::from_secs(30);
/// A run of this length that exited cleanly is restarted at once, for example a short film in a loop. A shorter one
/// may be a busy loop.
pub const CLEAN_RUN: Duration = Duration::from_secs(5);
/// More crashes than this within [`LOOP_WINDOW`] are a crash loop.
pub const LOOP_CRASHES: usize = 5;
/// The period in which crashes are counted.
pub const LOOP_WINDOW: Duration = Duration::from_secs(15 * 60);

/// The delays from the second crash on.
const DELAYS: Backoff = Backoff {
    first: Duration::from_secs(1),
    longest: LONGEST_DELAY,
};

/// When to restart a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartDecision {
    /// At once.
    Immediately,
    /// After this delay.
    After(Duration),
    /// After the longest delay, and report a crash loop.
    CrashLoop,
}

/// The crashes that count against a process.
#[derive(Clone, Debug, Default)]
pub struct CrashHistory {
    /// The latest crashes within the window, oldest first. One more than makes a crash loop is enough.
    crashes: RecentTimes<{ LOOP_CRASHES + 1 }>,
    /// Crashes and short clean runs since the history was reset.
    streak: u32,
}

impl CrashHistory {
    /// Records a run that crashed at `now` after `uptime`.
    pub fn record(&mut self, uptime: Duration, now: Moment) -> RestartDecision {
        if uptime >= FORGIVING_RUN {
            self.clear();
        }
        self.crashes.record(now, LOOP_WINDOW);
        let again = self.next_delay();
        if self.crashes.count(now, LOOP_WINDOW) > LOOP_CRASHES {
            return RestartDecision::CrashLoop;
        }
        again
    }

    /// Records a run that exited cleanly after `uptime`, which is not a crash.
    pub fn record_clean_exit(&mut self, uptime: Duration) -> RestartDecision {
        if uptime >= FORGIVING_RUN {
            self.clear();
        } else if uptime >= CLEAN_RUN {
            self.streak = 0;
        }
        self.next_delay()
    }

    /// Counts one more run.
    fn next_delay(&mut self) -> RestartDecision {
        self.streak = self.streak.saturating_add(1);
        match self.streak {
            1 => RestartDecision::Immediately,
            n => RestartDecision::After(DELAYS.after(n - 1)),
        }
    }

    /// Restores the history that an earlier daemon saved.
    pub(in crate::supervisor) fn restore(crashes: &[Moment], streak: u32) -> Self {
        Self {
            crashes: crashes.iter().copied().collect(),
            streak,
        }
    }

    /// The crashes that count, oldest first.
    pub(in crate::supervisor) fn crashes(&self) -> impl Iterator<Item = Moment> {
        self.crashes.iter()
    }

    /// The number of consecutive crashes and short clean runs.
    pub(in crate::supervisor) fn streak(&self) -> u32 {
        self.streak
    }

    /// Resets the history: an operator started or changed the process.
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
    fn clean_exits_are_not_crashes_and_delayed_only_if_runs_are_short() {
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
    fn a_run_of_a_minute_resets_the_history() {
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
