//! Notices when the clock on the wall is set, when it becomes trusted, and when the system has another time zone.
//!
//! That it was set (a jump, but also the end of a suspend) the kernel reports by a timer that is cancelled then
//! (`TFD_TIMER_CANCEL_ON_SET`, timerfd_create(2)); that the time service has set it, by a file that appears
//! (inotify(7)). A trusted clock costs no wake-up. While it is not trusted it is looked at every [`DOUBT`]: that
//! a service disciplines it shows in `adjtimex` alone, which sends no event.

use super::clock;
use super::timezone;
use crate::config::Zone;
use crate::supervisor::{ClockReading, Event};
use crate::sys::inotify::Watches;
use crate::timeout::within;
use nix::sys::inotify::AddWatchFlags;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use smol::Async;
use smol::channel::Sender;
use smol::future::{self, FutureExt};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a clock is looked at that is not trusted.
const DOUBT: Duration = Duration::from_secs(10);

/// A time the timer never reaches: the year 2200. It is there to be cancelled.
const NEVER: Duration = Duration::from_secs(7_258_118_400);

/// The directories in which something appears: the last of them says that the time service has set the clock.
const PLACES: [&str; 3] = ["/run", "/run/systemd", "/run/systemd/timesync"];

/// What is looked for in them, and in `/etc`.
const NAMES: [&str; 4] = ["systemd", "timesync", "synchronized", "localtime"];

/// Watches the clock on the wall.
pub struct WallClock {
    /// Cancelled when the clock is set.
    timer: Async<TimerFd>,
    files: Option<Watches>,
    /// By which the next daemon of this start of the machine knows that the clock was trusted already: a kernel that was
    /// offline for hours says otherwise, and is hardly wrong.
    mark: PathBuf,
}

impl WallClock {
    /// Prepares to watch; [`WallClock::watch`] does.
    ///
    /// # Errors
    /// No descriptor left.
    pub fn new(run_dir: &Path) -> io::Result<Self> {
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        let timer = TimerFd::new(ClockId::CLOCK_REALTIME, flags)?;
        let files = Watches::new();
        if let Err(error) = &files {
            log::warn!("a clock that is set, and a zone that changes, are noticed late: {error}");
        }
        Ok(Self {
            timer: Async::new_nonblocking(timer)?,
            files: files.ok(),
            mark: run_dir.join("clock"),
        })
    }

    /// Both clocks, where the one on the wall is to be trusted.
    pub fn trusted(&self) -> Option<ClockReading> {
        let reading = read();
        let marked = std::fs::read_to_string(&self.mark);
        let was_trusted = marked.is_ok_and(|boot| boot == clock::boot_id());
        let trusted = clock::trusted() || was_trusted && clock::is_plausible(reading.wall);
        if trusted && !was_trusted {
            // Without it the next daemon checks again.
            let _ = std::fs::write(&self.mark, clock::boot_id());
        }
        trusted.then_some(reading)
    }

    /// Sends changes while the receiver exists. `reported` is what was sent already.
    pub async fn watch(self, reported: Option<ClockReading>, reports: Sender<Event>) {
        let mut trusts = reported.is_some();
        let mut zone = timezone::fingerprint();
        let mut was_set = false;
        loop {
            // Armed before the clock is read: nothing that happens in between gets lost.
            if let Err(error) = self.arm() {
                log::warn!("a jump of the clock is noticed late: {error}");
            }
            self.look_into_places(trusts);
            let reading = self.trusted();
            if was_set || reading.is_some() != trusts {
                trusts = reading.is_some();
                let event = Event::Clock {
                    reading: reading.unwrap_or_else(read),
                    trusted: trusts,
                };
                if reports.send(event).await.is_err() {
                    return;
                }
            }
            let now = timezone::fingerprint();
            if now != zone {
                zone = now;
                let found = timezone::find(Zone::Auto).await;
                let zone = Zone::Auto;
                if reports.send(Event::TimeZone { zone, found }).await.is_err() {
                    return;
                }
            }
            was_set = self.something(trusts).await;
        }
    }

    /// Waits until the clock may be another; true where it was set.
    async fn something(&self, trusts: bool) -> bool {
        let set = async {
            if self.timer.readable().await.is_err() {
                future::pending::<()>().await;
            }
            // It says that it was cancelled, which is known by now.
            let _ = self.timer.get_ref().wait();
            true
        };
        let appeared = async {
            match &self.files {
                Some(files) => self.until_named(files).await,
                None => future::pending().await,
            }
            false
        };
        let change = set.or(appeared);
        match trusts {
            true => change.await,
            false => within(DOUBT, change).await.unwrap_or(false),
        }
    }

    /// Waits until one of the files appears, goes or changes.
    async fn until_named(&self, files: &Watches) {
        loop {
            let Ok(events) = files.changes().await else {
                return future::pending().await;
            };
            let is_ours = |name: &std::ffi::OsString| NAMES.iter().any(|ours| name == ours);
            if events
                .iter()
                .any(|event| event.name.as_ref().is_some_and(is_ours))
            {
                return;
            }
        }
    }

    fn arm(&self) -> io::Result<()> {
        let never = Expiration::OneShot(TimeSpec::from_duration(NEVER));
        let flags =
            TimerSetTimeFlags::TFD_TIMER_ABSTIME | TimerSetTimeFlags::TFD_TIMER_CANCEL_ON_SET;
        Ok(self.timer.get_ref().set(never, flags)?)
    }

    /// Watches the directories there are; those of the time service only until it has set the clock.
    fn look_into_places(&self, trusts: bool) {
        let Some(files) = &self.files else { return };
        let flags = AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_ONLYDIR;
        // What is not there yet appears in the one above.
        let _ = files.add(Path::new("/etc"), flags);
        for place in PLACES {
            match files.add(Path::new(place), flags) {
                Ok(watch) if trusts => files.remove(watch),
                _ => {}
            }
        }
    }
}

fn read() -> ClockReading {
    let at = clock::now();
    let wall = clock::wall();
    ClockReading { at, wall }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smol::channel::bounded;

    #[test]
    fn a_clock_that_is_already_trusted_is_not_reported() {
        let dir = crate::sys::test::Dir::new("wall");
        std::fs::write(dir.path().join("clock"), clock::boot_id()).unwrap();
        let wall = WallClock::new(dir.path()).unwrap();
        let reported = wall.trusted();
        assert!(reported.is_some(), "the mark of this start says so");
        let (reports, events) = bounded(1);
        smol::block_on(async {
            let mut watching = Box::pin(wall.watch(reported, reports));
            assert!(smol::future::poll_once(watching.as_mut()).await.is_none());
        });
        assert!(events.try_recv().is_err());
    }

    #[test]
    fn a_clock_from_before_this_program_is_never_trusted() {
        assert!(!clock::is_plausible(jiff::Timestamp::UNIX_EPOCH));
        assert!(clock::is_plausible(clock::wall()));
    }
}
