//! The mark by which the next daemon knows how this one has ended.
//!
//! While a daemon runs, `running` stands in the state directory, and names the boot of the machine;
//! at an orderly end it is renamed to `ended`. One durable write a start and nothing in between: an SD
//! card wears out.

use super::atomic_file;
use crate::supervisor::{Failure, MarkerState, Traces};
use crate::sys::background;
use crate::sys::service::fd_store;
use crate::sys::time::clock::boot_id;
use std::fs;
use std::path::{Path, PathBuf};

const RUNNING: &str = "running";
const ENDED: &str = "ended";

/// In the run directory: what the service manager said of the end of the service before this one. Its unit
/// writes it down at each end.
const LAST_RESULT: &str = "last-result";

/// Reports how the machine was started (linux/watchdog.h).
const BOOT_STATUS: &str = "/sys/class/watchdog/watchdog0/bootstatus";

/// "Card previously reset the CPU" (`WDIOF_CARDRESET`).
const CARD_RESET: u32 = 0x20;

/// The mark of this daemon.
#[derive(Clone, Debug)]
pub struct ShutdownMarker {
    dir: PathBuf,
    last_result: PathBuf,
}

impl ShutdownMarker {
    /// The mark in `state_dir`. Nothing is written yet.
    pub fn new(state_dir: &Path, run_dir: &Path) -> Self {
        Self {
            dir: state_dir.to_owned(),
            last_result: run_dir.join(LAST_RESULT),
        }
    }

    /// What the daemon before this one has left. To be called before [`ShutdownMarker::set`].
    pub fn traces(&self) -> Traces {
        let mark = match (self.read(RUNNING), self.read(ENDED)) {
            (Some(boot), _) => MarkerState::Running(boot),
            (None, Some(boot)) => MarkerState::Ended(boot),
            (None, None) => MarkerState::Nothing,
        };
        Traces {
            upgraded_from: fd_store::upgraded_from(),
            marker: mark,
            boot: boot_id(),
            service_result: text(&self.last_result),
            reset_by_watchdog: text(Path::new(BOOT_STATUS)).is_some_and(|status| is_reset(&status)),
        }
    }

    /// Says durably that a daemon runs. A card that refuses is no reason not to run.
    pub async fn set(self) {
        let set = background::run(move || {
            let boot = boot_id();
            if self.read(RUNNING).as_ref() == Some(&boot) {
                return Ok(());
            }
            atomic_file::write(&self.dir.join(RUNNING), boot.as_bytes())
        });
        if let Err(failure) = set.await {
            let Failure { message, .. } = failure;
            log::warn!("the next daemon cannot report how this one ends: {message}");
        }
    }

    /// Records that this daemon ended cleanly. Not synced: a power cut right after it is reported
    /// as what it was.
    pub fn end(&self) {
        let _ = fs::rename(self.dir.join(RUNNING), self.dir.join(ENDED));
    }

    fn read(&self, name: &str) -> Option<String> {
        text(&self.dir.join(name))
    }
}

fn text(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned())
}

fn is_reset(status: &str) -> bool {
    let (digits, radix) = match status.strip_prefix("0x") {
        Some(digits) => (digits, 16),
        None => (status, 10),
    };
    u32::from_str_radix(digits, radix).is_ok_and(|status| status & CARD_RESET != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::test::Dir;
    use smol::block_on;

    #[test]
    fn each_end_leaves_its_mark() {
        let dir = Dir::new("mark");
        let (state, run) = (dir.path().join("state"), dir.path().join("run"));
        fs::create_dir_all(&run).unwrap();
        let marker = ShutdownMarker::new(&state, &run);
        assert_eq!(marker.traces().marker, MarkerState::Nothing);
        block_on(marker.clone().set());
        assert_eq!(marker.traces().marker, MarkerState::Running(boot_id()));
        marker.end();
        assert_eq!(marker.traces().marker, MarkerState::Ended(boot_id()));
        block_on(marker.clone().set());
        assert_eq!(marker.traces().marker, MarkerState::Running(boot_id()));
        fs::write(run.join(LAST_RESULT), "watchdog\n").unwrap();
        let traces = marker.traces();
        assert_eq!(traces.service_result.as_deref(), Some("watchdog"));
    }

    #[test]
    fn the_status_of_the_hardware_watchdog_is_a_number() {
        for (status, reset) in [
            ("0", false),
            ("32", true),
            ("33", true),
            ("0x20", true),
            ("0x1", false),
            ("", false),
            ("no", false),
        ] {
            assert_eq!(is_reset(status), reset, "{status}");
        }
    }

    #[test]
    fn a_mark_that_cannot_be_written_is_no_failure() {
        let dir = Dir::new("mark-refused");
        fs::write(dir.path().join("state"), "a file").unwrap();
        let marker = ShutdownMarker::new(&dir.path().join("state"), dir.path());
        block_on(marker.clone().set());
        marker.end();
        assert_eq!(marker.traces().marker, MarkerState::Nothing);
    }
}
