//! The socket over which a browser is driven: one end is ours, the other is its descriptors 3 and 4.
//!
//! A browser that was told to be driven by a pipe reads 3 and writes 4. One socket serves for both, so there
//! is one descriptor to keep when the run changes hands.

#![allow(unsafe_code)]

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

/// Where the browser reads, and where it writes.
const PLACES: [RawFd; 2] = [3, 4];

/// The first place that is out of the way of those two.
const ABOVE: RawFd = 5;

/// The browser's end, until its program is executed.
#[derive(Debug)]
pub(super) struct Theirs(OwnedFd);

/// A new socket: our end, and the browser's.
///
/// # Errors
/// No descriptor left.
pub(super) fn pair() -> io::Result<(UnixStream, Theirs)> {
    let (ours, theirs) = UnixStream::pair()?;
    // What is put where it is already stays closed by exec.
    let theirs = fcntl(&theirs, FcntlArg::F_DUPFD_CLOEXEC(ABOVE))?;
    // SAFETY: it was made just now, and nobody else knows of it.
    Ok((ours, Theirs(unsafe { OwnedFd::from_raw_fd(theirs) })))
}

impl Theirs {
    /// In the child: puts it where the browser looks for it. Whatever was there of ours is not needed any more.
    pub(super) fn put(&self) -> Result<(), Errno> {
        for place in PLACES {
            // SAFETY: takes two integers and touches no memory of ours. The copy is not closed by exec.
            let put = unsafe { libc::dup2(self.0.as_raw_fd(), place) };
            Errno::result(put)?;
        }
        Ok(())
    }
}
