//! Memory that outlives the daemon: it is behind a descriptor, and the process that inherits it sees the same bytes.

#![expect(unsafe_code)]

use nix::libc;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::ftruncate;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::{NonNull, null_mut};
use std::slice;

/// A piece of memory (memfd_create(2)), all zero at first. Pages that were never touched cost nothing.
#[derive(Debug)]
pub struct Shared {
    start: NonNull<u8>,
    length: usize,
}

impl Shared {
    /// New memory, and the descriptor it is behind.
    ///
    /// # Errors
    /// No descriptor or no memory left.
    pub fn new(length: usize) -> io::Result<(Self, OwnedFd)> {
        let fd = memfd_create("ossuary", MFdFlags::MFD_CLOEXEC)?;
        ftruncate(&fd, length as i64)?;
        Ok((Self::map(&fd, length)?, fd))
    }

    /// The memory behind a descriptor, if it is that long.
    ///
    /// # Errors
    /// It is something else.
    pub fn open(fd: &OwnedFd, length: usize) -> io::Result<Self> {
        let is = File::from(fd.try_clone()?).metadata()?.len();
        if is != length as u64 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Self::map(fd, length)
    }

    fn map(fd: &OwnedFd, length: usize) -> io::Result<Self> {
        let (access, sharing) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
        // SAFETY: a new mapping at a place of the kernel's choice; no existing memory is touched.
        let start = unsafe { libc::mmap(null_mut(), length, access, sharing, fd.as_raw_fd(), 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, length })
    }
}

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the mapping is `length` bytes long and lives as long as `self`. No other process writes to it: the
        // service manager only keeps the descriptor, and the next daemon maps it when this one is gone.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }
}

impl AsMut<[u8]> for Shared {
    fn as_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and `&mut self` makes this the only slice.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.length) }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `map`, and no slice of it outlives `self`.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.length) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_wrote_the_next_one_finds() {
        let (mut memory, fd) = Shared::new(10_000).unwrap();
        memory.as_mut()[9_999] = 7;
        drop(memory);
        assert_eq!(Shared::open(&fd, 10_000).unwrap().as_ref()[9_998..], [0, 7]);
        assert!(Shared::open(&fd, 10_001).is_err());
    }
}
