//! A handle on one process, which never comes to mean another one.

#![allow(unsafe_code)]

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use smol::Async;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// A process of any parent. A PID may be reused once its process was reaped; this always means the same process.
#[derive(Debug)]
pub(in crate::sys) struct PidFd(OwnedFd);

impl PidFd {
    /// The process that has this PID now.
    ///
    /// # Errors
    /// There is none (`ESRCH`), or no descriptor is left.
    pub(in crate::sys) fn open(pid: i32) -> io::Result<Self> {
        // SAFETY: the call takes two integers and touches no memory.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just made this descriptor for us (close-on-exec), and nothing else has it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd as i32) }))
    }

    /// Sends a signal to exactly this process; gone is gone, and no error.
    pub(in crate::sys) fn signal(&self, signal: Signal) {
        let none: *const libc::siginfo_t = std::ptr::null();
        let fd = self.0.as_raw_fd();
        // SAFETY: the descriptor is open, and a null `siginfo` stands for that of kill(2).
        unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, signal as i32, none, 0) };
    }

    /// Whether the process has ended.
    pub(in crate::sys) fn has_ended(&self) -> bool {
        let mut fds = [PollFd::new(self.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }

    /// Resolves when the process has ended.
    pub(in crate::sys) async fn ended(&self) -> io::Result<()> {
        // Nothing reads it, so nothing can block.
        let watched = Async::new_nonblocking(self.as_fd())?;
        // Once woken this checks again. `readable` alone would ask the reactor, which reports an event of the round in
        // which it began to watch only after another round.
        let look = |_: &BorrowedFd<'_>| match self.has_ended() {
            true => Ok(()),
            false => Err(io::ErrorKind::WouldBlock.into()),
        };
        watched.read_with(look).await
    }

    /// A copy of the handle.
    pub(in crate::sys) fn copy(&self) -> io::Result<OwnedFd> {
        self.0.try_clone()
    }
}

/// One that was opened before, by an earlier daemon or by the kernel.
impl From<OwnedFd> for PidFd {
    fn from(fd: OwnedFd) -> Self {
        Self(fd)
    }
}

impl AsFd for PidFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
