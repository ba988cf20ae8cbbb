//! When to feed the watchdog of the service manager: from the loop alone, and only a daemon that is well.
//!
//! ```text
//!   fed ── half of the limit ──▶ hungry: the doors are asked ──▶ all have answered ──▶ fed
//!                                                                and the disk does not hang
//! ```
//!
//! That the loop comes round is proven by its being here. That clients are served is proven by every door's
//! answer to a question that was asked since the last meal. A disk hangs when the configuration has been on
//! its way to or from it for longer than the service manager waits for a meal. Where there is no watchdog,
//! nothing of this happens: an idle kiosk sleeps.

use crate::time::Moment;
use std::fmt;
use std::time::Duration;

/// A daemon that is not well is looked at again after this part of the limit: often enough to be fed in time
/// once it has recovered.
const LOOKS: u32 = 8;

/// How the daemon fares, as seen from the loop.
#[derive(Clone, Copy, Debug)]
pub struct LoopHealth {
    /// Every door has answered what it was last asked.
    pub doors_answer: bool,
    /// Since when the disk has been busy with the configuration, if it is.
    pub disk_busy_since: Option<Moment>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Rest,
    /// Ask the doors whether they are alive.
    Ask,
    /// Feed the watchdog.
    Feed,
    /// Say why it is not fed. Once.
    Complain(Hang),
}

/// What hangs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hang {
    /// The HTTP side.
    Doors,
    /// The disk.
    Disk,
}

impl fmt::Display for Hang {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Hang::Doors => "the API takes no connections any more",
            Hang::Disk => "the disk does not answer",
        })
    }
}

/// A watchdog, and when it wants to be fed.
#[derive(Debug)]
pub struct Watchdog {
    /// Unfed for this long, it bites.
    limit: Duration,
    hungry_at: Moment,
    /// The doors were asked since the last meal.
    asked_at: Option<Moment>,
    complained: Option<Hang>,
}

impl Watchdog {
    /// One that bites a daemon which has not fed it for `limit`.
    pub fn new(limit: Duration, now: Moment) -> Self {
        Self {
            limit,
            hungry_at: now,
            asked_at: None,
            complained: None,
        }
    }

    /// The loop has come round, and has done everything there was to do.
    pub fn come_round(&mut self, now: Moment, signs: LoopHealth) -> Step {
        if now < self.hungry_at {
            return Step::Rest;
        }
        let Some(asked_at) = self.asked_at else {
            self.asked_at = Some(now);
            return Step::Ask;
        };
        let hang = if !signs.doors_answer {
            // They have not had their turn yet.
            if now < asked_at + self.patience() {
                return Step::Rest;
            }
            Hang::Doors
        } else if signs
            .disk_busy_since
            .is_some_and(|since| now.since(since) > self.limit)
        {
            Hang::Disk
        } else {
            self.asked_at = None;
            self.complained = None;
            // Half of what it waits, as sd_watchdog_enabled(3) recommends.
            self.hungry_at = now + self.limit / 2;
            return Step::Feed;
        };
        match self.complained.replace(hang) {
            Some(earlier) if earlier == hang => Step::Rest,
            _ => Step::Complain(hang),
        }
    }

    /// When the loop has to come round next, if nothing happens before.
    pub fn next_look(&self, now: Moment) -> Moment {
        match self.asked_at {
            Some(_) => now + self.patience(),
            None => self.hungry_at,
        }
    }

    fn patience(&self) -> Duration {
        self.limit / LOOKS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);
    const WELL: LoopHealth = LoopHealth {
        doors_answer: true,
        disk_busy_since: None,
    };

    fn at(seconds: u64) -> Moment {
        Moment::from_boot(Duration::from_secs(1_000 + seconds))
    }

    #[test]
    fn a_daemon_that_is_well_feeds_at_half_the_limit() {
        let mut watchdog = Watchdog::new(LIMIT, at(0));
        for round in 0..10 {
            let now = at(round * 15);
            assert_eq!(watchdog.come_round(now, WELL), Step::Ask);
            assert_eq!(watchdog.come_round(now, WELL), Step::Feed);
            assert_eq!(watchdog.next_look(now), at(round * 15 + 15));
            assert_eq!(watchdog.come_round(now, WELL), Step::Rest);
        }
    }

    #[test]
    fn a_disk_is_given_the_time_that_the_watchdog_gives() {
        let mut watchdog = Watchdog::new(LIMIT, at(0));
        let busy = LoopHealth {
            disk_busy_since: Some(at(0)),
            ..WELL
        };
        assert_eq!(watchdog.come_round(at(30), busy), Step::Ask);
        assert_eq!(watchdog.come_round(at(30), busy), Step::Feed);
        assert_eq!(watchdog.come_round(at(45), busy), Step::Ask);
        assert_eq!(
            watchdog.come_round(at(45), busy),
            Step::Complain(Hang::Disk)
        );
        assert_eq!(watchdog.come_round(at(49), busy), Step::Rest);
        assert_eq!(watchdog.come_round(at(53), WELL), Step::Feed);
    }

    #[test]
    fn doors_are_given_their_turn_before_anybody_complains() {
        let mut watchdog = Watchdog::new(LIMIT, at(0));
        let silent = LoopHealth {
            doors_answer: false,
            ..WELL
        };
        assert_eq!(watchdog.come_round(at(0), WELL), Step::Ask);
        assert_eq!(watchdog.come_round(at(1), silent), Step::Rest);
        assert_eq!(
            watchdog.come_round(at(4), silent),
            Step::Complain(Hang::Doors)
        );
        assert_eq!(watchdog.come_round(at(8), silent), Step::Rest);
        assert_eq!(watchdog.come_round(at(8), WELL), Step::Feed);
    }

    /// A loop that comes round now and then, doors that answer or not, a disk that hangs now and then.
    #[test]
    fn it_is_fed_by_a_daemon_that_is_well_and_by_no_other() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..2_000 {
            let start = at(random.u64(..1_000));
            let mut watchdog = Watchdog::new(LIMIT, start);
            let (mut now, mut fed_at) = (start, start);
            let mut signs = WELL;
            // Since the last meal: the doors were asked; since this moment all has been well.
            let (mut asked, mut well_since) = (false, Some(start));
            for _ in 0..200 {
                let step = watchdog.come_round(now, signs);
                let disk_hangs = signs
                    .disk_busy_since
                    .is_some_and(|since| now.since(since) > LIMIT);
                match step {
                    Step::Ask => {
                        assert!(!asked);
                        asked = true;
                        signs.doors_answer = random.u32(..8) > 0;
                    }
                    Step::Feed => {
                        assert!(asked && signs.doors_answer && !disk_hangs);
                        assert!(now.since(fed_at) >= LIMIT / 2 || fed_at == start);
                        (asked, fed_at) = (false, now);
                    }
                    Step::Complain(Hang::Doors) => assert!(!signs.doors_answer),
                    Step::Complain(Hang::Disk) => assert!(disk_hangs),
                    Step::Rest => {}
                }
                if !signs.doors_answer || disk_hangs {
                    well_since = None;
                } else {
                    well_since = well_since.or(Some(now));
                }
                let look = watchdog.next_look(now);
                assert!(look > now, "it spins");
                // Nobody is bitten who was well since the last meal and came round when told to.
                if let Some(since) = well_since {
                    assert!(now.since(since.max(fed_at)) < LIMIT, "bitten while well");
                }
                match random.u32(..6) {
                    // What was asked is answered, which wakes the loop.
                    0..3 if !signs.doors_answer => signs.doors_answer = true,
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
