//! The monotonic and the wall clock, read together, so that each can be computed from the other.

use crate::time::Moment;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// What the wall clock showed at a moment. It is valid until the wall clock is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockReading {
    /// The moment.
    pub at: Moment,
    /// The wall clock.
    pub wall: Timestamp,
}

impl ClockReading {
    /// The wall clock at another moment.
    pub(in crate::supervisor) fn wall(self, moment: Moment) -> Timestamp {
        let later = signed(moment.since(self.at));
        let earlier = signed(self.at.since(moment));
        let at = self.wall.checked_add(later);
        at.and_then(|at| at.checked_sub(earlier))
            .unwrap_or(self.wall)
    }

    /// The moment at which the wall clock shows this.
    pub(in crate::supervisor) fn moment(self, wall: Timestamp) -> Moment {
        let by = wall.duration_since(self.wall);
        match by.is_negative() {
            true => self.at - by.unsigned_abs(),
            false => self.at + by.unsigned_abs(),
        }
    }
}

/// How much later one instant is than another; zero if it is not later.
pub(in crate::supervisor) fn later_by(later: Timestamp, earlier: Timestamp) -> Duration {
    Duration::try_from(later.duration_since(earlier)).unwrap_or_default()
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}
