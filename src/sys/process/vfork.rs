//! Spawns a child that executes a program.
//!
//! As with vfork(2), the child runs in the daemon's memory until it executes its program, and the spawning thread
//! sleeps until then. So nothing of the daemon is copied, however large it is, and what the child does before (enter a
//! cgroup, change its user) costs only the system calls. In return it must do nothing else: what it writes is written
//! in the daemon's memory, and a lock that another thread holds stays locked. Everything is prepared before, and the
//! child has its own stack.
//!
//! The child gets the descriptors below the few that it needs, and no copy of the others: a thousand processes have
//! three thousand of them, and copying and closing them for each child would take longer than everything else. So both
//! share one table until the child unshares it, if the kernel does that correctly.
//!
//! No signal handler of the daemon may run in the child. It starts with all signals blocked, and unblocks them only when
//! no handler is left ([`signals::afresh`]).

#![expect(unsafe_code)]

use super::child_setup::ChildSetup;
use super::devtools_socket;
use super::exec::Program;
use super::pidfd::PidFd;
use crate::sys::service::core_dump;
use crate::sys::service::signals;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc::{self, c_int, c_uint, c_void};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill};
use nix::sys::utsname::uname;
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, chdir, dup2_stderr, dup2_stdin, dup2_stdout, dup3, setsid};
use rustix::io::fcntl_dupfd_cloexec;
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

/// Spawns children; what all of them have in common.
#[derive(Debug)]
pub(in crate::sys) struct VforkSpawner {
    stack: Stack,
    null: File,
    /// Low descriptors that hold the outputs and the debugging socket of a child while it is spawned. In between they
    /// refer to `/dev/null`.
    places: [OwnedFd; 3],
    /// Whether a child shares the daemon's descriptor table until it unshares it. Otherwise it has a copy.
    shares: bool,
}

/// A child that executes its program.
#[derive(Debug)]
pub(in crate::sys) struct SpawnedChild {
    pub(in crate::sys) pid: u32,
    pub(in crate::sys) handle: PidFd,
}

impl VforkSpawner {
    /// Descriptors that the daemon was started with, other than the standard ones, are closed by exec from now on, so
    /// that children do not get them. (Before Linux 5.11 they do.)
    ///
    /// # Errors
    /// No memory or no descriptor is left.
    pub(in crate::sys) fn new() -> io::Result<Self> {
        let null = File::open("/dev/null")?;
        let low = |least| fcntl_dupfd_cloexec(&null, least);
        Ok(Self {
            stack: Stack::new()?,
            places: [low(0)?, low(0)?, low(devtools_socket::ABOVE)?],
            null,
            shares: close_range(3, libc::CLOSE_RANGE_CLOEXEC).is_ok() && leaves_out_well(),
        })
    }

    /// Spawns a child that leads its own session (and so process group), applies the setup and executes the program, with
    /// `/dev/null` as standard input, these pipes as outputs, and the debugging socket `control` if there is one.
    ///
    /// # Errors
    /// The child cannot be created or its program cannot be executed, or the kernel is older than Linux 5.2. Nothing is
    /// left of it.
    pub(in crate::sys) fn spawn(
        &mut self,
        program: &Program,
        setup: &ChildSetup,
        outputs: [&PipeWriter; 2],
        control: Option<&UnixStream>,
    ) -> io::Result<SpawnedChild> {
        let [stdout, stderr] = outputs.map(AsFd::as_fd);
        let ends = [Some(stdout), Some(stderr), control.map(AsFd::as_fd)];
        place(&mut self.places, ends);
        let arguments = ChildArguments {
            program,
            setup,
            null: &self.null,
            places: &self.places,
            is_driven: control.is_some(),
            shares: self.shares,
            failed: AtomicI32::new(0),
        };
        let spawned = arguments.spawn(&mut self.stack);
        // The memory is shared: a child that changes its user in it sets the daemon's flag to `fs.suid_dumpable` (proc(5)).
        let _ = core_dump::prevent();
        // From now on only the child has them: when it closes them, the daemon sees the end of the pipes.
        let null = self.null.as_fd();
        place(&mut self.places, ends.map(|end| end.and(Some(null))));
        spawned
    }
}

/// Duplicates descriptors to their places.
fn place(places: &mut [OwnedFd; 3], ends: [Option<BorrowedFd<'_>>; 3]) {
    for (place, end) in places.iter_mut().zip(ends) {
        // Replacing an open descriptor by another cannot fail.
        let _ = end.map(|end| dup3(end, place, OFlag::O_CLOEXEC));
    }
}

/// Applies close_range(2) to all descriptors from this one on.
fn close_range(first: c_int, how: c_uint) -> Result<(), Errno> {
    // SAFETY: takes integers. Either they are closed by exec, or in a table that only the child has.
    let done = unsafe { libc::syscall(libc::SYS_close_range, first, c_uint::MAX, how) };
    Errno::result(done).map(drop)
}

/// Whether the kernel correctly unshares a table without its upper part. Up to Linux 6.10 the new table may treat free
/// numbers as used (CVE-2024-45025), and a child then has room for no more than 64.
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

/// What a child reads in the daemon's memory until it executes its program.
struct ChildArguments<'a> {
    program: &'a Program,
    setup: &'a ChildSetup,
    null: &'a File,
    places: &'a [OwnedFd; 3],
    is_driven: bool,
    shares: bool,
    /// The error that the child stores if it fails.
    failed: AtomicI32,
}

impl ChildArguments<'_> {
    fn spawn(&self, stack: &mut Stack) -> io::Result<SpawnedChild> {
        let mut handle: c_int = NONE;
        let all = SigSet::all();
        let open = all.thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
        let this = ptr::from_ref(self).cast_mut().cast();
        let child_handle = &raw mut handle;
        let mut clone = |kind| {
            // SAFETY: only the child uses the stack, which is large enough; it only reads its arguments, except the atomic
            // one; this thread sleeps until the child needs none of them; and the handle is written before either continues.
            Errno::result(unsafe { libc::clone(child_main, stack.top(), kind, this, child_handle) })
        };
        let spawned = match self.shares {
            // Emulators of a processor do not support this flag: there the child gets a copy.
            true => match clone(LIKE_VFORK | libc::CLONE_FILES) {
                Err(Errno::EINVAL) => clone(LIKE_VFORK),
                spawned => spawned,
            },
            false => clone(LIKE_VFORK),
        };
        // Without a child the number may belong to another descriptor by now.
        let handle = (spawned.is_ok() && handle != NONE).then(|| {
            // SAFETY: the kernel has just created this descriptor (close-on-exec), and nothing else uses it.
            PidFd::from(unsafe { OwnedFd::from_raw_fd(handle) })
        });
        let failed = self.failed.load(Ordering::Relaxed);
        let child = match (spawned, handle, failed) {
            (Err(error), ..) => Err(error),
            (Ok(pid), Some(handle), 0) => Ok(SpawnedChild {
                pid: pid as u32,
                handle,
            }),
            (Ok(pid), handle, failed) => {
                let pid = Pid::from_raw(pid);
                // It ends anyway, unless the kernel ignored the flag for the handle.
                let _ = kill(pid, Signal::SIGKILL);
                // Nothing else waits for it. All signals are blocked.
                let _ = waitpid(pid, None);
                Err(handle.map_or(Errno::ENOSYS, |_| Errno::from_raw(failed)))
            }
        };
        open.thread_set_mask()?;
        Ok(child?)
    }

    /// In the child: executes the program. Returns only after a failure.
    fn execute(&self) -> Result<(), Errno> {
        self.setup.enter();
        if self.shares {
            self.close_inherited()?;
        }
        setsid()?;
        // The standard library ensures that descriptors 0 to 2 are open, so none of these is one of them already.
        dup2_stdin(self.null)?;
        let [stdout, stderr, control] = self.places;
        dup2_stdout(stdout)?;
        dup2_stderr(stderr)?;
        // Before the change of the account, which may have no access to the configured directory.
        chdir(self.program.cwd())?;
        if self.is_driven {
            devtools_socket::install(control)?;
        }
        self.setup.apply()?;
        signals::afresh()?;
        Err(self.program.execute())
    }

    /// In the child: unshares the descriptor table, without the descriptors above those that it needs. The rest is closed
    /// when it executes its program.
    fn close_inherited(&self) -> Result<(), Errno> {
        let places = self.places.iter().map(AsRawFd::as_raw_fd);
        let last = places.fold(self.null.as_raw_fd(), Ord::max);
        close_range(last + 1, libc::CLOSE_RANGE_UNSHARE)
    }
}

/// The entry point of the child. Returns its exit code, which nothing reads.
extern "C" fn child_main(arguments: *mut c_void) -> c_int {
    // SAFETY: `spawn` passed it, and sleeps until the child has finished with it.
    let arguments = unsafe { &*arguments.cast::<ChildArguments<'_>>() };
    if let Err(error) = arguments.execute() {
        arguments.failed.store(error as i32, Ordering::Relaxed);
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
