//! A handle on one process, which never comes to mean another one.

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use rustix::process::{Pid, PidfdFlags, Signal as NamedSignal, pidfd_open, pidfd_send_signal};
use smol::Async;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A process of any parent. A PID may be reused once its process was reaped; this always means the same process.
#[derive(Debug)]
pub(in crate::sys) struct PidFd(OwnedFd);

impl PidFd {
    /// The process that has this PID now.
    ///
    /// # Errors
    /// There is none (`ESRCH`), or no descriptor is left.
    pub(in crate::sys) fn open(pid: i32) -> io::Result<Self> {
        let pid = Pid::from_raw(pid).ok_or(io::ErrorKind::NotFound)?;
        Ok(Self(pidfd_open(pid, PidfdFlags::empty())?))
    }

    /// Sends a signal to exactly this process; gone is gone, and no error.
    pub(in crate::sys) fn signal(&self, signal: Signal) {
        let signal = NamedSignal::from_named_raw(signal as i32);
        let _ = signal.map(|signal| pidfd_send_signal(&self.0, signal));
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
