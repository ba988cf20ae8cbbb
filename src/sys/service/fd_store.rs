//! Descriptors that outlive the daemon.
//!
//! While it is dead, the service manager keeps them in its store and hands them to the next daemon
//! (sd_pid_notify_with_fds(3)). In an upgrade the program hands them to itself through exec(3). Either way they
//! arrive as sd_listen_fds(3) describes, each with a name:
//!
//! | name | what |
//! |---|---|
//! | `<id>.<run>.pid` | the main process of a run, as a pidfd |
//! | `<id>.<run>.out`, `.err` | what it prints |
//! | `<id>.<run>.notify` | where it says that it is ready |
//! | `<id>.<run>.control` | where its browser is driven |
//! | `log` | the newest lines of all processes |
//! | `door.<n>` | where clients knock |

#![expect(unsafe_code)]

use super::rlimit;
use crate::sys::errno::words;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::unistd::dup2_raw;
use rustix::io::fcntl_dupfd_cloexec;
use sd_notify::NotifyState;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// The first descriptor that is handed over (`SD_LISTEN_FDS_START`).
const FIRST: RawFd = 3;

/// Below this are the descriptors that a daemon opens when it starts, some twenty.
const LOW: RawFd = 64;

/// Informs a program that executed itself what it was before. Valid together with `LISTEN_PID`: a daemon that was
/// started by one of an older version may have inherited it.
pub(in crate::sys) const UPGRADED_FROM: &str = "OSSUARY_UPGRADED_FROM";

/// The process that the handed-over descriptors are for (sd_listen_fds(3)).
const LISTEN_PID: &str = "LISTEN_PID";

/// What the daemon before this one has left.
#[derive(Debug, Default)]
pub struct InheritedDescriptors {
    found: BTreeMap<String, OwnedFd>,
}

impl InheritedDescriptors {
    /// Takes what was handed to this process. Once, and before anything else is opened.
    pub fn receive() -> Self {
        let mut found = BTreeMap::new();
        match sd_notify::listen_fds_with_names() {
            Ok(fds) => {
                for (fd, name) in fds {
                    // SAFETY: the protocol says that this descriptor is ours, and this is called once.
                    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
                    found.insert(name, taken(fd));
                }
            }
            Err(error) => log::warn!("cannot take over what was kept: {}", words(&error)),
        }
        Self { found }
    }

    /// Whether there was a daemon before this one, whose processes live on.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The descriptor of this name, if it is there.
    pub fn take(&mut self, name: &str) -> Option<OwnedFd> {
        self.found.remove(name)
    }

    /// All descriptors whose names begin so.
    pub fn take_all(&mut self, start: &str) -> Vec<OwnedFd> {
        let names: Vec<String> = self.found.keys().cloned().collect();
        let wanted = names.into_iter().filter(|name| name.starts_with(start));
        wanted.filter_map(|name| self.found.remove(&name)).collect()
    }

    /// Closes what was not taken, in the store as well.
    pub fn forget_the_rest(self) {
        self.found.keys().for_each(|name| forget(name));
    }
}

/// An inherited descriptor, closed by exec as all others. One that lies low makes room for those that
/// children are born with (`sys::process::vfork`).
fn taken(fd: OwnedFd) -> OwnedFd {
    if fd.as_raw_fd() < LOW
        && let Ok(copy) = fcntl_dupfd_cloexec(&fd, LOW)
    {
        return copy;
    }
    let _ = fcntl(&fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC));
    fd
}

/// Whether an fd store keeps descriptors while the daemon is dead.
pub fn is_kept() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some()
}

/// The version that was upgraded from, in a program that has just taken over in place.
pub fn upgraded_from() -> Option<String> {
    let listener = std::env::var(LISTEN_PID).ok()?;
    let is_for_us = listener == std::process::id().to_string();
    std::env::var(UPGRADED_FROM).ok().filter(|_| is_for_us)
}

/// Has the service manager keep a descriptor, also when its other end is gone: the last words may still be in it.
pub fn keep(name: &str, fd: impl AsFd) {
    if !is_kept() {
        return;
    }
    let states = [
        NotifyState::FdStore,
        NotifyState::FdName(name),
        NotifyState::Custom("FDPOLL=0"),
    ];
    if let Err(error) = sd_notify::notify_with_fds(&states, &[fd.as_fd()]) {
        let why = words(&error);
        log::warn!("the service manager cannot keep {name}: {why}");
    }
}

/// Has the service manager let go of a descriptor.
pub fn forget(name: &str) {
    if !is_kept() {
        return;
    }
    let states = [NotifyState::FdStoreRemove, NotifyState::FdName(name)];
    if let Err(error) = sd_notify::notify(&states) {
        let why = words(&error);
        log::warn!("the service manager cannot let go of {name}: {why}");
    }
}

/// Executes `program`, or this program again if that is impossible, children and these descriptors kept. Returns only if
/// both are.
pub fn execute(program: &Path, arguments: &[OsString], hand: Vec<(String, OwnedFd)>) -> io::Error {
    let (names, fds): (Vec<String>, Vec<OwnedFd>) = hand.into_iter().unzip();
    match in_a_row(fds) {
        Ok(count) => {
            rlimit::give_back_own();
            let become_it = |program: &Path| {
                Command::new(program)
                    .args(arguments)
                    .env(LISTEN_PID, std::process::id().to_string())
                    .env("LISTEN_FDS", count.to_string())
                    .env("LISTEN_FDNAMES", names.join(":"))
                    .env(UPGRADED_FROM, env!("CARGO_PKG_VERSION"))
                    .exec()
            };
            let error = become_it(program);
            // It was tried a moment ago. What runs now is still there, even if its file is not.
            become_it(Path::new("/proc/self/exe"));
            error
        }
        Err(error) => error,
    }
}

/// Puts descriptors where the next program looks for them, in this order; returns how many.
fn in_a_row(fds: Vec<OwnedFd>) -> io::Result<usize> {
    let end = FIRST + fds.len() as RawFd;
    // Out of the way first: a place may be taken by one that is still to be moved.
    let moved = fds
        .iter()
        .map(|fd| fcntl_dupfd_cloexec(fd, end))
        .collect::<Result<Vec<OwnedFd>, _>>()?;
    for (place, fd) in (FIRST..end).zip(&moved) {
        // SAFETY: the descriptor at this place is not used any more; the program ends here.
        let there = unsafe { dup2_raw(fd, place) }?;
        // It is the next program's.
        std::mem::forget(there);
    }
    std::mem::forget(fds);
    Ok(moved.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_put_in_a_row_in_their_order() {
        // In a process of its own, because it overwrites descriptors from 3 on.
        const INSIDE: &str = "OSSUARY_TEST_IN_A_ROW";
        if std::env::var_os(INSIDE).is_none() {
            let name = "sys::handover::tests::descriptors_are_put_in_a_row_in_their_order";
            let output = Command::new(std::env::current_exe().unwrap())
                .args([name, "--exact", "--test-threads=1"])
                .env(INSIDE, "")
                .output()
                .unwrap();
            assert!(output.status.success(), "{output:?}");
            return;
        }
        let fds: Vec<OwnedFd> = (0..20)
            .map(|_| std::fs::File::open("/dev/null").unwrap().into())
            .collect();
        let text = std::env::temp_dir().join(format!("ossuary-row-{}", std::process::id()));
        std::fs::write(&text, "x").unwrap();
        let mut fds = fds;
        fds.insert(7, std::fs::File::open(&text).unwrap().into());
        in_a_row(fds).unwrap();
        let there = std::fs::read_link(format!("/proc/self/fd/{}", FIRST + 7)).unwrap();
        std::fs::remove_file(&text).unwrap();
        assert_eq!(there, text);
    }
}
