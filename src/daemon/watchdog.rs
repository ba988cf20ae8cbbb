//! Feeds the watchdog of the service manager: from the loop, and only when it comes round.

use crate::sys::notify;
use crate::time::Moment;
use std::time::Duration;

/// When the watchdog wants to be fed. Where there is none, never: an idle kiosk sleeps.
pub struct Watchdog {
    interval: Option<Duration>,
    hungry_at: Option<Moment>,
}

impl Watchdog {
    /// What the service manager asked for.
    pub fn new(now: Moment) -> Self {
        let interval = notify::watchdog_interval();
        Self {
            interval,
            hungry_at: interval.map(|_| now),
        }
    }

    /// The loop has come round. Feeds where it is time to, and tells when to come round again,
    /// given when the loop itself wants to.
    pub fn feed(&mut self, now: Moment, timeout: Option<Moment>) -> Option<Moment> {
        let (Some(interval), Some(hungry_at)) = (self.interval, self.hungry_at) else {
            return timeout;
        };
        if now >= hungry_at {
            notify::feed_watchdog();
            self.hungry_at = Some(now + interval);
        }
        match (timeout, self.hungry_at) {
            (Some(timeout), Some(hungry_at)) => Some(timeout.min(hungry_at)),
            (timeout, hungry_at) => timeout.or(hungry_at),
        }
    }
}
