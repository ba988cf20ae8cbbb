//! The socket over which a browser is driven: one end is ours, the other is its descriptors 3 and 4.
//!
//! A browser that was told to be driven by a pipe reads 3 and writes 4. One socket serves for both, so there
//! is one descriptor to keep when the run changes hands.

#![allow(unsafe_code)]

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Where the browser reads, and where it writes.
const PLACES: [RawFd; 2] = [3, 4];

/// The first place that is out of the way of those two.
const ABOVE: RawFd = 5;

/// Both ends, until the program is executed.
pub(super) struct Control {
    ours: UnixStream,
    theirs: OwnedFd,
    /// Holds the two places in this process, so that nothing the standard library needs between
    /// fork and exec is there to be overwritten.
    _held: Vec<OwnedFd>,
}

impl Control {
    /// A new socket.
    pub(super) fn new() -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        let (mut held, mut theirs) = (Vec::new(), OwnedFd::from(theirs));
        while theirs.as_raw_fd() < ABOVE {
            let next = copy(&theirs)?;
            held.push(std::mem::replace(&mut theirs, next));
        }
        // The places may be free although ours are not: the lowest free one tells.
        loop {
            let lowest = copy(&theirs)?;
            if lowest.as_raw_fd() >= ABOVE {
                break;
            }
            held.push(lowest);
        }
        Ok(Self {
            ours,
            theirs,
            _held: held,
        })
    }

    /// Has the child find its end where it looks for it.
    pub(super) fn give_to(&self, command: &mut Command) {
        let theirs = self.theirs.as_raw_fd();
        let put = move || {
            for place in PLACES {
                // SAFETY: takes two integers and touches no memory of ours. The copy is not closed by exec.
                if unsafe { libc::dup2(theirs, place) } < 0 {
                    return Err(io::Error::last_os_error());
                }
            }
            Ok(())
        };
        // SAFETY: between fork and exec the closure makes two system calls. It neither allocates nor locks.
        unsafe { command.pre_exec(put) };
    }

    /// The program was executed: its end is its own.
    pub(super) fn into_ours(self) -> UnixStream {
        self.ours
    }
}

/// A copy of a descriptor at the lowest place that is free, closed by exec.
fn copy(fd: &OwnedFd) -> io::Result<OwnedFd> {
    let copy = fcntl(fd, FcntlArg::F_DUPFD_CLOEXEC(0))?;
    // SAFETY: it was made just now, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}
