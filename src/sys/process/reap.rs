//! Reaps ended children that nothing else waits for.

#![allow(unsafe_code)]

use crate::supervisor::Ending;
use nix::libc;
use std::mem::zeroed;

/// A child that has ended and was not reaped yet; it stays so. Always the same one until it is reaped.
/// (By hand, because nix refuses to name a process that a real-time signal has killed.)
pub(in crate::sys) fn peek() -> Option<i32> {
    let info = wait(libc::P_ALL, 0, libc::WNOWAIT)?;
    // SAFETY: waitid has filled the fields of a child's end.
    Some(unsafe { info.si_pid() })
}

/// Reaps this child if it has ended; true if so.
pub(in crate::sys) fn reap(pid: i32) -> bool {
    wait(libc::P_PID, pid, 0).is_some()
}

/// Reaps this child, which has ended, and returns how; `None` if it is not a child of the daemon.
pub(in crate::sys) fn ending(pid: i32) -> Option<Ending> {
    let info = wait(libc::P_PID, pid, 0)?;
    // SAFETY: waitid has filled the fields of a child's end.
    let status = unsafe { info.si_status() };
    Some(match info.si_code {
        libc::CLD_EXITED => Ending::Code(status),
        _ => Ending::Signal(status),
    })
}

fn wait(which: libc::idtype_t, pid: i32, flags: libc::c_int) -> Option<libc::siginfo_t> {
    // SAFETY: all bytes zero is a valid `siginfo_t`.
    let mut info: libc::siginfo_t = unsafe { zeroed() };
    let flags = libc::WEXITED | libc::WNOHANG | flags;
    // SAFETY: the pointer is to a live, writable `siginfo_t`, which the kernel fills.
    let result = unsafe { libc::waitid(which, pid as libc::id_t, &mut info, flags) };
    if result < 0 {
        return None;
    }
    // SAFETY: waitid has filled the fields of a child's end, or left the zeroes where there was none.
    let pid = unsafe { info.si_pid() };
    (pid != 0).then_some(info)
}
