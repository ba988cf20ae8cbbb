//! Gives birth to a child that executes a program.
//!
//! As with vfork(2), the child lives in our memory until it executes its program, and the thread that gave birth
//! to it sleeps until then. So nothing of the daemon is copied, however large it is, and what the child
//! does before (to enter a cgroup, to become another user) costs the system calls alone. In return it must
//! do nothing else: what it writes is written here, and a lock that another thread of ours holds is held.
//! Everything is prepared before, and the child has a stack of its own.
//!
//! Nor may a handler of ours run in it. It is born with all signals blocked, and opens itself to them only when no
//! handler is left ([`signals::afresh`]).

#![allow(unsafe_code)]

use super::pidfd::PidFd;
use super::program::Program;
use super::signals;
use super::steps::Steps;
use nix::errno::Errno;
use nix::libc::{self, c_int, c_void};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, chdir, dup2_stderr, dup2_stdin, dup2_stdout, setpgid};
use std::fs::File;
use std::io::{self, PipeWriter};
use std::os::fd::{FromRawFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};

/// As vfork(2) does, with a handle on the child.
const LIKE_VFORK: c_int = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;

/// No descriptor.
const NONE: c_int = -1;

/// Where children are born: what all births have in common.
#[derive(Debug)]
pub(super) struct Nursery {
    stack: Stack,
    null: File,
}

/// A child that executes its program.
#[derive(Debug)]
pub(super) struct Newborn {
    pub(super) pid: u32,
    pub(super) handle: PidFd,
}

impl Nursery {
    /// # Errors
    /// No memory or no descriptor is left.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            stack: Stack::new()?,
            null: File::open("/dev/null")?,
        })
    }

    /// A child that leads a process group of its own, takes these steps and executes this program, nothing at its
    /// standard input and these pipes at its outputs.
    ///
    /// # Errors
    /// It could not be born, or its program cannot be executed; a kernel before Linux 5.2. Nothing is left of it.
    pub(super) fn give_birth(
        &mut self,
        program: &Program,
        steps: &Steps,
        [stdout, stderr]: [&PipeWriter; 2],
    ) -> io::Result<Newborn> {
        let birth = Birth {
            program,
            steps,
            null: &self.null,
            stdout,
            stderr,
            failed: AtomicI32::new(0),
        };
        birth.happen(&mut self.stack)
    }
}

/// What a child needs of us until it executes its program.
struct Birth<'a> {
    program: &'a Program,
    steps: &'a Steps,
    null: &'a File,
    stdout: &'a PipeWriter,
    stderr: &'a PipeWriter,
    /// Where the child writes down why it does not live.
    failed: AtomicI32,
}

impl Birth<'_> {
    fn happen(&self, stack: &mut Stack) -> io::Result<Newborn> {
        let mut handle: c_int = NONE;
        let all = SigSet::all();
        let open = all.thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
        let us = ptr::from_ref(self).cast_mut().cast();
        // SAFETY: the stack is nobody else's and large enough; the child only reads what it is given, but for what is
        // atomic; we sleep until it needs none of it any more; and the handle is written before either goes on.
        let born = unsafe { libc::clone(live, stack.top(), LIKE_VFORK, us, &raw mut handle) };
        let handle = (handle != NONE).then(|| {
            // SAFETY: the kernel has just made this descriptor for us (close-on-exec), and nobody else has it.
            PidFd::from(unsafe { OwnedFd::from_raw_fd(handle) })
        });
        let failed = self.failed.load(Ordering::Relaxed);
        let newborn = match (Errno::result(born), handle, failed) {
            (Err(error), ..) => Err(error),
            (Ok(pid), Some(handle), 0) => Ok(Newborn {
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
        // Itself, in a group that has its number.
        setpgid(Pid::from_raw(0), Pid::from_raw(0))?;
        // The standard library sees to it that these three places are taken, so none is put where it is already.
        dup2_stdin(self.null)?;
        dup2_stdout(self.stdout)?;
        dup2_stderr(self.stderr)?;
        // As the daemon: a directory of the operator's choice need not be open to the account.
        chdir(self.program.cwd())?;
        self.steps.take()?;
        signals::afresh()?;
        Err(self.program.execute())
    }
}

/// Where the child begins. What it returns is its exit code, which nobody sees.
extern "C" fn live(birth: *mut c_void) -> c_int {
    // SAFETY: it was given by `happen`, which sleeps until we are done with it.
    let birth = unsafe { &*birth.cast::<Birth<'_>>() };
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
