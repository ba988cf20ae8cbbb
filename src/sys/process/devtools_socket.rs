//! The socket over which a browser is driven: one end is ours, the other is its descriptors 3 and 4.
//!
//! A browser with a debugging pipe reads descriptor 3 and writes 4. One socket serves for both, so there
//! is one descriptor to keep when the run changes hands.

#![expect(unsafe_code)]

use nix::errno::Errno;
use nix::libc;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// Where the browser reads, and where it writes.
const PLACES: [RawFd; 2] = [3, 4];

/// The first descriptor that is out of the way of those two: what is put where it is already stays closed by exec.
pub(in crate::sys) const ABOVE: RawFd = 5;

/// In the child: puts its end where the browser looks for it. The daemon's descriptors there are not needed any more.
pub(in crate::sys) fn install(theirs: &OwnedFd) -> Result<(), Errno> {
    for place in PLACES {
        // SAFETY: takes two integers and touches no memory. The copy is not closed by exec.
        let put = unsafe { libc::dup2(theirs.as_raw_fd(), place) };
        Errno::result(put)?;
    }
    Ok(())
}
