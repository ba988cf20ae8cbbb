//! Converts moments of the monotonic clock to wall-clock time.

use crate::time::Moment;
use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, Serializer};
use std::cell::Cell;
use std::fmt;
use std::time::Duration;

/// Both clocks, read together.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// The monotonic clock.
    pub mono: Moment,
    /// The wall clock, right or not.
    pub wall: Timestamp,
}

/// The smallest step of the wall clock that counts as setting it; less is an adjustment.
const CLOCK_SET_MIN: SignedDuration = SignedDuration::from_secs(1);

/// The time of the boot by the wall clock.
///
/// It is kept until the wall clock is set, so that a moment is always written the same way although two clocks are
/// never read at exactly the same time.
#[derive(Debug, Default)]
pub struct WallTime(Cell<Option<Timestamp>>);

impl WallTime {
    /// The boot time by the current wall clock.
    pub fn of(&self, now: Now) -> BootTime {
        let since_boot = signed(now.mono.since_boot());
        let boot = (now.wall.checked_sub(since_boot)).unwrap_or(Timestamp::UNIX_EPOCH);
        match self.0.get() {
            Some(kept) if kept.duration_since(boot).abs() < CLOCK_SET_MIN => BootTime(kept),
            _ => {
                self.0.set(Some(boot));
                BootTime(boot)
            }
        }
    }
}

/// When the machine booted.
#[derive(Clone, Copy, Debug)]
pub struct BootTime(Timestamp);

impl BootTime {
    /// This moment on the wall clock.
    pub fn at(self, moment: Moment) -> Wallclock {
        let at = self.0.checked_add(signed(moment.since_boot()));
        Wallclock(at.unwrap_or(Timestamp::MAX))
    }
}

/// A wall-clock time, written as RFC 3339 in UTC with milliseconds: `2026-11-23T08:00:00.000Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(with = "String", extend("format" = "date-time")))]
pub struct Wallclock(Timestamp);

impl fmt::Display for Wallclock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.0)
    }
}

impl Serialize for Wallclock {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(since_boot: Duration, wall: &str) -> Now {
        Now {
            mono: Moment::from_boot(since_boot),
            wall: wall.parse().expect("a time"),
        }
    }

    #[test]
    fn a_moment_is_written_the_same_until_the_clock_is_set() {
        let wall = WallTime::default();
        let second = |count| Duration::from_secs(count);
        let moment = Moment::from_boot(second(40));
        let written = |now| wall.of(now).at(moment).to_string();
        let first = written(now(second(60), "2026-11-23T08:00:00Z"));
        assert_eq!(first, "2026-11-23T07:59:40.000Z");
        assert_eq!(written(now(second(61), "2026-11-23T08:00:01.0004Z")), first);
        assert_eq!(
            written(now(second(62), "2026-11-23T09:00:02Z")),
            "2026-11-23T08:59:40.000Z"
        );
    }

    #[test]
    fn out_of_range_times_are_clamped() {
        let wall = WallTime::default();
        let boot = wall.of(now(Duration::MAX, "-009999-06-02T00:00:00Z"));
        let _ = boot.at(Moment::from_boot(Duration::MAX)).to_string();
    }
}
