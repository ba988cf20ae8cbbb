//! Both clocks, read together: from then on each can be told by the other.

use crate::time::Moment;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// What the clock on the wall showed at a moment. Until somebody sets it, it goes like the one that never jumps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockReading {
    /// The moment.
    pub at: Moment,
    /// What the wall showed.
    pub wall: Timestamp,
}

impl ClockReading {
    /// What the wall shows at another moment.
    pub(in crate::supervisor) fn wall(self, moment: Moment) -> Timestamp {
        let later = signed(moment.since(self.at));
        let earlier = signed(self.at.since(moment));
        let at = self.wall.checked_add(later);
        at.and_then(|at| at.checked_sub(earlier))
            .unwrap_or(self.wall)
    }

    /// When the wall shows this.
    pub(in crate::supervisor) fn moment(self, wall: Timestamp) -> Moment {
        let by = wall.duration_since(self.wall);
        match by.is_negative() {
            true => self.at - by.unsigned_abs(),
            false => self.at + by.unsigned_abs(),
        }
    }
}

/// How much later one instant is than another; nothing where it is not.
pub(super) fn later_by(later: Timestamp, earlier: Timestamp) -> Duration {
    Duration::try_from(later.duration_since(earlier)).unwrap_or_default()
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}
