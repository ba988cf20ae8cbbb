//! Decides when to notify the watchdog of the service manager: only a healthy daemon does.
//!
//! ```text
//!   notified ── half of the limit ──▶ due: probe the listeners ──▶ all have answered ──▶ notified
//!                                                                  and the disk does not hang
//! ```
//!
//! The loop proves that it runs by calling this. Listeners prove that they serve clients by answering a probe since
//! the last notification. The disk hangs if a read or write of the configuration takes longer than the watchdog's
//! limit. Without a watchdog none of this happens: an idle kiosk sleeps.

use crate::time::Moment;
use std::fmt;
use std::time::Duration;

/// An unhealthy daemon is checked again after this fraction of the limit: often enough to notify in time once it has
/// recovered.
const CHECKS: u32 = 8;

/// The health of the daemon, as seen from the loop.
#[derive(Clone, Copy, Debug)]
pub struct LoopHealth {
    /// Every listener has answered the last probe.
    pub listeners_answer: bool,
    /// Since when a read or write of the configuration is under way, if one is.
    pub disk_busy_since: Option<Moment>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Wait,
    /// Probe the listeners.
    Ask,
    /// Notify the watchdog.
    Feed,
    /// Log, once, why it is not notified.
    Report(Hang),
}

/// What hangs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hang {
    /// The HTTP listeners.
    Listeners,
    /// The disk.
    Disk,
}

impl fmt::Display for Hang {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Hang::Listeners => "the API does not accept connections",
            Hang::Disk => "the disk does not answer",
        })
    }
}

/// The state of the watchdog.
#[derive(Debug)]
pub struct Watchdog {
    /// Without a notification for this long, the service manager kills the daemon.
    limit: Duration,
    due_at: Moment,
    /// When the listeners were probed since the last notification.
    asked_at: Option<Moment>,
    reported: Option<Hang>,
}

impl Watchdog {
    /// A watchdog with this limit.
    pub fn new(limit: Duration, now: Moment) -> Self {
        Self {
            limit,
            due_at: now,
            asked_at: None,
            reported: None,
        }
    }

    /// Decides what to do now, when the loop has run all pending actions.
    pub fn step(&mut self, now: Moment, signs: LoopHealth) -> Step {
        if now < self.due_at {
            return Step::Wait;
        }
        let Some(asked_at) = self.asked_at else {
            self.asked_at = Some(now);
            return Step::Ask;
        };
        let hang = if !signs.listeners_answer {
            // They have not had time to answer.
            if now < asked_at + self.check_interval() {
                return Step::Wait;
            }
            Hang::Listeners
        } else if signs
            .disk_busy_since
            .is_some_and(|since| now.since(since) > self.limit)
        {
            Hang::Disk
        } else {
            self.asked_at = None;
            self.reported = None;
            // Half of the limit, as sd_watchdog_enabled(3) recommends.
            self.due_at = now + self.limit / 2;
            return Step::Feed;
        };
        match self.reported.replace(hang) {
            Some(earlier) if earlier == hang => Step::Wait,
            _ => Step::Report(hang),
        }
    }

    /// When to call [`Watchdog::step`] again, if no event comes before.
    pub fn next_check(&self, now: Moment) -> Moment {
        match self.asked_at {
            Some(_) => now + self.check_interval(),
            None => self.due_at,
        }
    }

    fn check_interval(&self) -> Duration {
        self.limit / CHECKS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);
    const HEALTHY: LoopHealth = LoopHealth {
        listeners_answer: true,
        disk_busy_since: None,
    };

    fn at(seconds: u64) -> Moment {
        Moment::from_boot(Duration::from_secs(1_000 + seconds))
    }

    #[test]
    fn a_healthy_daemon_notifies_at_half_the_limit() {
        let mut watchdog = Watchdog::new(LIMIT, at(0));
        for round in 0..10 {
            let now = at(round * 15);
            assert_eq!(watchdog.step(now, HEALTHY), Step::Ask);
            assert_eq!(watchdog.step(now, HEALTHY), Step::Feed);
            assert_eq!(watchdog.next_check(now), at(round * 15 + 15));
            assert_eq!(watchdog.step(now, HEALTHY), Step::Wait);
        }
    }

    #[test]
    fn a_disk_may_take_as_long_as_the_watchdog_limit() {
        let mut watchdog = Watchdog::new(LIMIT, at(0));
        let busy = LoopHealth {
            disk_busy_since: Some(at(0)),
            ..HEALTHY
        };
        assert_eq!(watchdog.step(at(30), busy), Step::Ask);
        assert_eq!(watchdog.step(at(30), busy), Step::Feed);
        assert_eq!(watchdog.step(at(45), busy), Step::Ask);
        assert_eq!(watchdog.step(at(45), busy), Step::Report(Hang::Disk));
        assert_eq!(watchdog.step(at(49), busy), Step::Wait);
        assert_eq!(watchdog.step(at(53), HEALTHY), Step::Feed);
    }

    #[test]
    fn listeners_get_time_to_answer_before_they_count_as_hanging() {
        let mut watchdog = Watchdog::new(LIMIT, at(0));
        let silent = LoopHealth {
            listeners_answer: false,
            ..HEALTHY
        };
        assert_eq!(watchdog.step(at(0), HEALTHY), Step::Ask);
        assert_eq!(watchdog.step(at(1), silent), Step::Wait);
        assert_eq!(watchdog.step(at(4), silent), Step::Report(Hang::Listeners));
        assert_eq!(watchdog.step(at(8), silent), Step::Wait);
        assert_eq!(watchdog.step(at(8), HEALTHY), Step::Feed);
    }

    /// Random delays of the loop, listeners that answer or not, a disk that hangs at times.
    #[test]
    fn a_healthy_daemon_notifies_in_time_and_an_unhealthy_one_never() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..2_000 {
            let start = at(random.u64(..1_000));
            let mut watchdog = Watchdog::new(LIMIT, start);
            let (mut now, mut notified_at) = (start, start);
            let mut signs = HEALTHY;
            // Since the last notification: whether listeners were probed, and since when all is healthy.
            let (mut probed, mut healthy_since) = (false, Some(start));
            for _ in 0..200 {
                let step = watchdog.step(now, signs);
                let disk_hangs = signs
                    .disk_busy_since
                    .is_some_and(|since| now.since(since) > LIMIT);
                match step {
                    Step::Ask => {
                        assert!(!probed);
                        probed = true;
                        signs.listeners_answer = random.u32(..8) > 0;
                    }
                    Step::Feed => {
                        assert!(probed && signs.listeners_answer && !disk_hangs);
                        assert!(now.since(notified_at) >= LIMIT / 2 || notified_at == start);
                        (probed, notified_at) = (false, now);
                    }
                    Step::Report(Hang::Listeners) => assert!(!signs.listeners_answer),
                    Step::Report(Hang::Disk) => assert!(disk_hangs),
                    Step::Wait => {}
                }
                if !signs.listeners_answer || disk_hangs {
                    healthy_since = None;
                } else {
                    healthy_since = healthy_since.or(Some(now));
                }
                let look = watchdog.next_check(now);
                assert!(look > now, "it spins");
                // A daemon that was healthy since the last notification and checked on time is not killed.
                if let Some(since) = healthy_since {
                    assert!(
                        now.since(since.max(notified_at)) < LIMIT,
                        "killed while healthy"
                    );
                }
                match random.u32(..6) {
                    // The probe is answered, which wakes the loop.
                    0..3 if !signs.listeners_answer => signs.listeners_answer = true,
                    0..2 => now = now + (look.since(now) / random.u32(1..5)),
                    2 => {
                        let idle = signs.disk_busy_since.is_none();
                        signs.disk_busy_since = idle.then_some(now);
                    }
                    _ => now = look,
                }
            }
        }
    }
}
