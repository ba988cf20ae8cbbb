//! The clocks: one that never jumps, one that people read, and whether the latter is to be trusted.

#![expect(unsafe_code)]

use crate::time::Moment;
use jiff::Timestamp;
use nix::libc;
use nix::time::{ClockId, clock_gettime};
use std::path::Path;
use std::time::Duration;

/// systemd-timesyncd and chrony's wait service leave this file once the clock was set.
const SYNCHRONIZED: &str = "/run/systemd/timesync/synchronized";

/// 2026-01-01: no clock that keeps time can show less.
const MADE: i64 = 1_767_225_600;

/// Now on the clock that neither jumps nor stops (`CLOCK_BOOTTIME`).
pub fn now() -> Moment {
    let time = clock_gettime(ClockId::CLOCK_BOOTTIME)
        .expect("CLOCK_BOOTTIME exists since Linux 2.6.39, and the address is valid");
    Moment::from_boot(Duration::from(time))
}

/// Names this boot of the machine; empty where the kernel does not say.
pub fn boot_id() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    text.map(|text| text.trim().to_owned()).unwrap_or_default()
}

/// Now as people count it. Worth only as much as [`trusted`] says.
pub fn wall() -> Timestamp {
    Timestamp::now()
}

/// When `moment` was (or will be) as people count it, by what the clock says now: a
/// moment before the clock was set is shown correctly once it is.
pub fn wall_at(moment: Moment) -> Timestamp {
    let now = now();
    let wall = wall();
    wall.checked_sub(now.since(moment))
        .and_then(|then| then.checked_add(moment.since(now)))
        .unwrap_or(wall)
}

/// Whether the wall clock can be relied upon: something disciplines it (the kernel's
/// `STA_UNSYNC` is cleared, as NTP daemons do), or the time service says that it was set,
/// or a hardware clock that keeps time without power set it at boot; and whether it can be right at all.
pub fn trusted() -> bool {
    is_plausible(wall()) && (disciplined() || Path::new(SYNCHRONIZED).exists() || set_by_hardware())
}

/// Whether the clock can be right at all: even if it counts as set, it is not before this program was made.
pub fn is_plausible(wall: Timestamp) -> bool {
    wall.as_second() >= MADE
}

fn disciplined() -> bool {
    // SAFETY: all bytes zero is a valid `timex`; `modes` 0 asks only to read.
    let mut timex: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live, writable `timex`, which the kernel fills.
    let state = unsafe { libc::adjtimex(&mut timex) };
    state >= 0 && timex.status & libc::STA_UNSYNC == 0
}

/// The kernel names the clock that it set itself by at boot (`hctosys`). It tries so with every
/// clock there is; one that lost its power yields a time before this program was made, and a Pi
/// without a battery has no such clock at all.
fn set_by_hardware() -> bool {
    let Ok(clocks) = std::fs::read_dir("/sys/class/rtc") else {
        return false;
    };
    clocks.flatten().any(|clock| {
        std::fs::read_to_string(clock.path().join("hctosys")).is_ok_and(|text| text.trim() == "1")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_shown_by_the_current_wall_clock() {
        let hour = Duration::from_secs(3600);
        let moment = now();
        assert!(wall_at(moment + hour) > wall_at(moment));
        assert!(wall_at(moment - Duration::from_millis(5)) < wall());
    }
}
