//! Memory that outlives the daemon: it is behind a descriptor, and the process that inherits it sees the same bytes.

#![expect(unsafe_code)]

use nix::libc;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::ftruncate;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::null_mut;
use std::slice;

/// New memory (memfd_create(2)), all zero, and the descriptor it is behind. Pages that are never touched cost nothing.
/// It stays mapped until the process ends.
///
/// # Errors
/// No descriptor or no memory left.
pub fn create(length: usize) -> io::Result<(&'static mut [u8], OwnedFd)> {
    let fd = memfd_create("ossuary", MFdFlags::MFD_CLOEXEC)?;
    ftruncate(&fd, length as i64)?;
    Ok((map(&fd, length)?, fd))
}

/// The memory behind a descriptor, if it is that long.
///
/// # Errors
/// It is something else.
pub fn open(fd: &OwnedFd, length: usize) -> io::Result<&'static mut [u8]> {
    let is = File::from(fd.try_clone()?).metadata()?.len();
    if is != length as u64 {
        return Err(io::ErrorKind::InvalidData.into());
    }
    map(fd, length)
}

fn map(fd: &OwnedFd, length: usize) -> io::Result<&'static mut [u8]> {
    let (access, sharing) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
    // SAFETY: a new mapping at a place of the kernel's choice; no existing memory is touched.
    let start = unsafe { libc::mmap(null_mut(), length, access, sharing, fd.as_raw_fd(), 0) };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the mapping is `length` bytes long, never removed, and this is the only reference into it. No other process
    // writes to it: the service manager only keeps the descriptor, and the next daemon maps it when this one is gone.
    Ok(unsafe { slice::from_raw_parts_mut(start.cast(), length) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_wrote_the_next_one_finds() {
        let (memory, fd) = create(10_000).unwrap();
        memory[9_999] = 7;
        assert_eq!(open(&fd, 10_000).unwrap()[9_998..], [0, 7]);
        assert!(open(&fd, 10_001).is_err());
    }
}
