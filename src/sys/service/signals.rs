//! The signals the daemon is sent, as values that can be awaited.
//!
//! They are caught, not blocked: a child inherits what is blocked (the standard library does not reset it) and would
//! be deaf to SIGTERM, while what is caught is back at its default in it. The handler writes a byte to
//! a pipe and does nothing else (async-signal, which async-process brings along).

#![expect(unsafe_code)]

use async_signal::Signal;
use nix::errno::Errno;
use nix::libc::{self, c_int};
use nix::sys::signal::SigSet;
use smol::stream::StreamExt;
use std::io;

/// What has a handler in this process: what is a wish, the ends of children, and a stack that overflows (the
/// standard library's).
const CAUGHT: [c_int; 6] = [
    libc::SIGTERM,
    libc::SIGINT,
    libc::SIGHUP,
    libc::SIGCHLD,
    libc::SIGSEGV,
    libc::SIGBUS,
];

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignalRequest {
    /// SIGTERM or SIGINT: end everything and leave.
    Shutdown,
    /// SIGHUP: read the configuration again.
    Reload,
}

/// SIGTERM, SIGINT and SIGHUP.
#[derive(Debug)]
pub struct Signals {
    signals: async_signal::Signals,
}

impl Signals {
    /// Catches from here on. Signals that were blocked at the start are unblocked.
    ///
    /// # Errors
    /// No descriptor left.
    pub fn new() -> io::Result<Self> {
        SigSet::empty().thread_set_mask()?;
        let signals = [Signal::Term, Signal::Int, Signal::Hup];
        Ok(Self {
            signals: async_signal::Signals::new(signals)?,
        })
    }

    /// The next signal.
    ///
    /// # Errors
    /// The system's, in theory.
    pub async fn next(&mut self) -> io::Result<SignalRequest> {
        Ok(match next(&mut self.signals).await? {
            Signal::Hup => SignalRequest::Reload,
            _ => SignalRequest::Shutdown,
        })
    }
}

/// SIGCHLD: some child has ended. Several ends may come as one.
#[derive(Debug)]
pub(in crate::sys) struct ChildEnds {
    signals: async_signal::Signals,
}

impl ChildEnds {
    pub(in crate::sys) fn new() -> io::Result<Self> {
        reset_ignored();
        Ok(Self {
            signals: async_signal::Signals::new([Signal::Child])?,
        })
    }

    pub(in crate::sys) async fn next(&mut self) -> io::Result<()> {
        next(&mut self.signals).await.map(drop)
    }
}

/// In a child that is still in our memory: from here on it is sent signals as any other process, and dies of them. A
/// handler of the daemon would have taken them for its own. It allocates nothing and takes no lock.
pub(in crate::sys) fn afresh() -> Result<(), Errno> {
    // The standard library has this process ignore SIGPIPE, which a child would inherit.
    for number in CAUGHT.into_iter().chain([libc::SIGPIPE]) {
        reset(number);
    }
    SigSet::empty().thread_set_mask()
}

/// What is ignored where the daemon is started (by `nohup`, by a shell's `&`) would be ignored by everything that it
/// starts, so it is set back to its default. Not SIGPIPE: that is the standard library's, and is reset in each child.
/// What has a handler is not ignored, or will not be.
fn reset_ignored() {
    let others = (1..32).filter(|number| *number != libc::SIGPIPE && !CAUGHT.contains(number));
    others.for_each(reset);
}

/// Sets a signal back to its default; the number of one that cannot be caught is refused.
fn reset(number: c_int) {
    // SAFETY: the default of a signal runs no code of the daemon.
    unsafe { libc::signal(number, libc::SIG_DFL) };
}

async fn next(signals: &mut async_signal::Signals) -> io::Result<Signal> {
    let ended = || io::Error::other("the stream of signals has ended");
    signals.next().await.ok_or_else(ended)?
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::signal::{Signal, raise};
    use std::fs;

    #[test]
    fn no_handler_is_unknown_to_a_child() {
        smol::block_on(async {
            let _caught = (Signals::new().unwrap(), ChildEnds::new().unwrap());
            let status = fs::read_to_string("/proc/self/status").unwrap();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
            let caught = u64::from_str_radix(caught.unwrap().trim(), 16).unwrap();
            // Above are those that the C library sends to its own threads.
            let caught = (1..32).filter(|number| caught >> (number - 1) & 1 == 1);
            let mut known = CAUGHT.to_vec();
            known.sort_unstable();
            assert_eq!(caught.collect::<Vec<c_int>>(), known);
        });
    }

    #[test]
    fn signals_are_wishes() {
        smol::block_on(async {
            let mut signals = Signals::new().unwrap();
            raise(Signal::SIGHUP).unwrap();
            assert_eq!(signals.next().await.unwrap(), SignalRequest::Reload);
            raise(Signal::SIGTERM).unwrap();
            assert_eq!(signals.next().await.unwrap(), SignalRequest::Shutdown);
        });
    }
}
