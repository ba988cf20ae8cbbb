//! Gives birth to a child that executes a program.
//!
//! As with vfork(2), the child lives in our memory until it executes its program, and the thread that gave birth
//! to it sleeps until then. So nothing of the daemon is copied, however large it is, and what the child
//! does before (to enter a cgroup, to become another user) costs the system calls alone. In return it must
//! do nothing else: what it writes is written here, and a lock that another thread of ours holds is held.
//! Everything is prepared before, and the child has a stack of its own.
//!
//! Of our descriptors it is given those that lie below a few which it needs, and no copy of the others: with a thousand
//! processes to care for there are three thousand of them, and to copy them at a birth and close them at its end
//! would take longer than all the rest. So the two have one table until the child takes leave of it, where the kernel
//! does that well.
//!
//! Nor may a handler of ours run in it. It is born with all signals blocked, and opens itself to them only when no
//! handler is left ([`signals::afresh`]).

#![allow(unsafe_code)]

use super::child_setup::ChildSetup;
use super::devtools_socket;
use super::exec::Program;
use super::pidfd::PidFd;
use crate::sys::service::core_dump;
use crate::sys::service::signals;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc::{self, c_int, c_uint, c_void};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill};
use nix::sys::utsname::uname;
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, chdir, dup2_stderr, dup2_stdin, dup2_stdout, dup3, setsid};
use std::fs::File;
use std::io::{self, PipeWriter};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};

/// As vfork(2) does, with a handle on the child.
const LIKE_VFORK: c_int = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;

/// No descriptor.
const NONE: c_int = -1;

/// Where children are born: what all births have in common.
#[derive(Debug)]
pub(in crate::sys) struct VforkSpawner {
    stack: Stack,
    null: File,
    /// Where its outputs and the socket that it is driven over lie while a child is born: low among our
    /// descriptors. In between they lead nowhere.
    places: [OwnedFd; 3],
    /// Whether a child shares our table of descriptors until it takes leave of it, or has a copy of it.
    shares: bool,
}

/// A child that executes its program.
#[derive(Debug)]
pub(in crate::sys) struct SpawnedChild {
    pub(in crate::sys) pid: u32,
    pub(in crate::sys) handle: PidFd,
}

impl VforkSpawner {
    /// What the daemon was started with beside its standard ends is not for its children, and closed by exec from here
    /// on. (Where the kernel is older than Linux 5.11 they get it.)
    ///
    /// # Errors
    /// No memory or no descriptor is left.
    pub(in crate::sys) fn new() -> io::Result<Self> {
        let null = File::open("/dev/null")?;
        let low = |least| -> io::Result<OwnedFd> {
            let copy = fcntl(&null, FcntlArg::F_DUPFD_CLOEXEC(least))?;
            // SAFETY: it was made just now, and nobody else knows of it.
            Ok(unsafe { OwnedFd::from_raw_fd(copy) })
        };
        Ok(Self {
            stack: Stack::new()?,
            places: [low(0)?, low(0)?, low(devtools_socket::ABOVE)?],
            null,
            shares: close_range(3, libc::CLOSE_RANGE_CLOEXEC).is_ok() && leaves_out_well(),
        })
    }

    /// A child that leads a session (and so a process group) of its own, takes these steps and executes this program, nothing at its
    /// standard input, these pipes at its outputs, and driven over this socket, where there is one.
    ///
    /// # Errors
    /// It could not be born, or its program cannot be executed; a kernel before Linux 5.2. Nothing is left of it.
    pub(in crate::sys) fn spawn(
        &mut self,
        program: &Program,
        steps: &ChildSetup,
        outputs: [&PipeWriter; 2],
        control: Option<&UnixStream>,
    ) -> io::Result<SpawnedChild> {
        let [stdout, stderr] = outputs.map(AsFd::as_fd);
        let ends = [Some(stdout), Some(stderr), control.map(AsFd::as_fd)];
        place(&mut self.places, ends);
        let birth = ChildArguments {
            program,
            steps,
            null: &self.null,
            places: &self.places,
            is_driven: control.is_some(),
            shares: self.shares,
            failed: AtomicI32::new(0),
        };
        let born = birth.happen(&mut self.stack);
        // The memory is ours: a child that becomes another user in it sets our flag to `fs.suid_dumpable` (proc(5)).
        let _ = core_dump::prevent();
        // From here on they are the child's alone: when it closes them, we see their ends.
        let null = self.null.as_fd();
        place(&mut self.places, ends.map(|end| end.and(Some(null))));
        born
    }
}

/// Puts ends into their places.
fn place(places: &mut [OwnedFd; 3], ends: [Option<BorrowedFd<'_>>; 3]) {
    for (place, end) in places.iter_mut().zip(ends) {
        // To put one open descriptor in the place of another cannot fail.
        let _ = end.map(|end| dup3(end, place, OFlag::O_CLOEXEC));
    }
}

/// Does with all descriptors from this one on what `how` says (close_range(2)).
fn close_range(first: c_int, how: c_uint) -> Result<(), Errno> {
    // SAFETY: takes integers. Either they are closed by exec, or in a table that is nobody else's.
    let done = unsafe { libc::syscall(libc::SYS_close_range, first, c_uint::MAX, how) };
    Errno::result(done).map(drop)
}

/// Whether the kernel makes a table without the upper part of another one as it should. Up to Linux 6.10 the new one may
/// hold numbers for taken that are free (CVE-2024-45025), and a child then has room for no more than 64.
fn leaves_out_well() -> bool {
    let release = uname().ok().map(|us| us.release().to_os_string());
    release.is_some_and(|release| version(&release.to_string_lossy()) >= Some((6, 11)))
}

/// The first two numbers of `6.12.20-v8+`.
fn version(release: &str) -> Option<(u32, u32)> {
    let (major, rest) = release.split_once('.')?;
    let end = rest.find(|sign: char| !sign.is_ascii_digit());
    let minor = &rest[..end.unwrap_or(rest.len())];
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// What a child needs of us until it executes its program.
struct ChildArguments<'a> {
    program: &'a Program,
    steps: &'a ChildSetup,
    null: &'a File,
    places: &'a [OwnedFd; 3],
    is_driven: bool,
    shares: bool,
    /// Where the child writes down why it does not live.
    failed: AtomicI32,
}

impl ChildArguments<'_> {
    fn happen(&self, stack: &mut Stack) -> io::Result<SpawnedChild> {
        let mut handle: c_int = NONE;
        let all = SigSet::all();
        let open = all.thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
        let us = ptr::from_ref(self).cast_mut().cast();
        let their_handle = &raw mut handle;
        let mut clone = |kind| {
            // SAFETY: the stack is nobody else's and large enough; the child only reads what it is given, but for what
            // is atomic; we sleep until it needs none of it any more; and the handle is written before either goes on.
            Errno::result(unsafe { libc::clone(live, stack.top(), kind, us, their_handle) })
        };
        let born = match self.shares {
            // Emulators of a processor know no such child, and give it a copy.
            true => match clone(LIKE_VFORK | libc::CLONE_FILES) {
                Err(Errno::EINVAL) => clone(LIKE_VFORK),
                born => born,
            },
            false => clone(LIKE_VFORK),
        };
        // Without a child the number that was meant for its handle may be another's by now.
        let handle = (born.is_ok() && handle != NONE).then(|| {
            // SAFETY: the kernel has just made this descriptor for us (close-on-exec), and nobody else has it.
            PidFd::from(unsafe { OwnedFd::from_raw_fd(handle) })
        });
        let failed = self.failed.load(Ordering::Relaxed);
        let newborn = match (born, handle, failed) {
            (Err(error), ..) => Err(error),
            (Ok(pid), Some(handle), 0) => Ok(SpawnedChild {
                pid: pid as u32,
                handle,
            }),
            (Ok(pid), handle, failed) => {
                let pid = Pid::from_raw(pid);
                // It is ending by itself, but where the kernel knows of no handles and has passed over the word.
                let _ = kill(pid, Signal::SIGKILL);
                // Nobody else waits for it. No signal disturbs us.
                let _ = waitpid(pid, None);
                Err(handle.map_or(Errno::ENOSYS, |_| Errno::from_raw(failed)))
            }
        };
        open.thread_set_mask()?;
        Ok(newborn?)
    }

    /// In the child: what leads to its program; returns only if there is no way.
    fn live(&self) -> Result<(), Errno> {
        self.steps.enter();
        if self.shares {
            self.close_inherited()?;
        }
        setsid()?;
        // The standard library sees to it that these three places are taken, so none is put where it is already.
        dup2_stdin(self.null)?;
        let [stdout, stderr, control] = self.places;
        dup2_stdout(stdout)?;
        dup2_stderr(stderr)?;
        // As the daemon: a directory of the operator's choice need not be open to the account.
        chdir(self.program.cwd())?;
        if self.is_driven {
            devtools_socket::put(control)?;
        }
        self.steps.take()?;
        signals::afresh()?;
        Err(self.program.execute())
    }

    /// In the child: from here on it has a table of descriptors of its own, in which there are none above those it
    /// needs. What it was given of others is closed when it executes its program.
    fn close_inherited(&self) -> Result<(), Errno> {
        let places = self.places.iter().map(AsRawFd::as_raw_fd);
        let last = places.fold(self.null.as_raw_fd(), Ord::max);
        close_range(last + 1, libc::CLOSE_RANGE_UNSHARE)
    }
}

/// Where the child begins. What it returns is its exit code, which nobody sees.
extern "C" fn live(birth: *mut c_void) -> c_int {
    // SAFETY: it was given by `happen`, which sleeps until we are done with it.
    let birth = unsafe { &*birth.cast::<ChildArguments<'_>>() };
    if let Err(error) = birth.live() {
        birth.failed.store(error as i32, Ordering::Relaxed);
    }
    127
}

/// The stack of children until they execute their programs, one after another.
#[derive(Debug)]
struct Stack(*mut c_void);

impl Stack {
    /// A child needs a few hundred bytes; only what is touched costs memory.
    const SIZE: usize = 64 * 1024;

    /// Below it there is nothing, so that one that overflows dies of it instead of writing elsewhere: a page
    /// of the largest kind there is on aarch64.
    const GUARD: usize = 64 * 1024;

    fn new() -> io::Result<Self> {
        let size = Self::GUARD + Self::SIZE;
        let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK;
        // SAFETY: a new mapping wherever the kernel likes touches nothing that is there.
        let start = unsafe { libc::mmap(ptr::null_mut(), size, libc::PROT_NONE, kind, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let stack = Self(start);
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: the mapping is ours and new, and this is the upper part of it.
        let opened = unsafe { libc::mprotect(stack.bottom(), Self::SIZE, access) };
        Errno::result(opened)?;
        Ok(stack)
    }

    fn bottom(&self) -> *mut c_void {
        self.0.wrapping_byte_add(Self::GUARD)
    }

    /// Where it begins: it grows down.
    fn top(&mut self) -> *mut c_void {
        self.bottom().wrapping_byte_add(Self::SIZE)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and no child is on it: each has left it before we woke up.
        unsafe { libc::munmap(self.0, Self::GUARD + Self::SIZE) };
    }
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn a_kernel_is_known_by_its_first_two_numbers() {
        assert_eq!(version("6.12.20-v8+"), Some((6, 12)));
        assert_eq!(version("6.6.31+rpt-rpi-v8"), Some((6, 6)));
        assert_eq!(version("7.0-rc1"), Some((7, 0)));
        assert_eq!(version("5.2"), Some((5, 2)));
        assert!(version("unheard of") < Some((0, 0)));
    }
}
