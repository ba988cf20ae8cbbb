//! Reaps ended children that nothing else waits for.

#![expect(unsafe_code)]

use crate::supervisor::Ending;
use nix::libc;
use rustix::process::{Pid, WaitId, WaitIdOptions, WaitIdStatus, waitid};
use std::mem::zeroed;

/// A child that has ended and was not reaped yet; it stays so. Always the same one until it is reaped.
/// (By hand, because nix refuses to name a process that a real-time signal has killed, and rustix names none.)
pub(in crate::sys) fn peek() -> Option<i32> {
    // SAFETY: all bytes zero is a valid `siginfo_t`.
    let mut info: libc::siginfo_t = unsafe { zeroed() };
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: the pointer is to a live, writable `siginfo_t`, which the kernel fills.
    let result = unsafe { libc::waitid(libc::P_ALL, 0, &mut info, flags) };
    // SAFETY: waitid has filled the fields of a child's end, or left the zeroes where there was none.
    let pid = unsafe { info.si_pid() };
    (result == 0 && pid != 0).then_some(pid)
}

/// Reaps this child if it has ended; true if so.
pub(in crate::sys) fn reap(pid: i32) -> bool {
    wait(pid).is_some()
}

/// Reaps this child, which has ended, and returns how; `None` if it is not a child of the daemon.
pub(in crate::sys) fn ending(pid: i32) -> Option<Ending> {
    let status = wait(pid)?;
    let code = status.exit_status().map(Ending::Code);
    code.or_else(|| status.terminating_signal().map(Ending::Signal))
}

fn wait(pid: i32) -> Option<WaitIdStatus> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    waitid(WaitId::Pid(Pid::from_raw(pid)?), options).ok()?
}
