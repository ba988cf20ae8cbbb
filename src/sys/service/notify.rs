//! Reports the state of the daemon to the service manager. Without one, nothing happens.

use sd_notify::NotifyState;
use std::time::Duration;

/// Whether there is a service manager.
pub fn is_heard() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some()
}

/// The daemon serves; `status` is what `systemctl status` shows.
pub fn ready(status: &str) {
    send(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The configuration is being read again, or another program takes over; [`ready`] must follow.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => send(&[NotifyState::Reloading, now]),
        Err(error) => log::warn!("cannot read the clock for the service manager: {error}"),
    }
}

/// Everything is being ended; `status` as above.
pub fn stopping(status: &str) {
    send(&[NotifyState::Stopping, NotifyState::Status(status)]);
}

/// A line for `systemctl status`.
pub fn status(text: &str) {
    send(&[NotifyState::Status(text)]);
}

/// The main loop makes progress. To be called from the loop and from nowhere else.
pub fn feed_watchdog() {
    send(&[NotifyState::Watchdog]);
}

/// How long the watchdog waits to be fed; `None` where there is none.
pub fn watchdog_limit() -> Option<Duration> {
    sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero())
}

fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        log::warn!("cannot notify the service manager: {error}");
    }
}
