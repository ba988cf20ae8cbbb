//! What a child does before it executes its program, whoever gave birth to it.
//!
//! It may do so in the daemon's memory ([`super::vfork`]) or in a copy of that in which a lock may be held for ever
//! (after fork). So these are system calls and nothing else: nothing is allocated, no lock is taken, and
//! errors are bare numbers.

#![allow(unsafe_code)]

use super::account::{Account, Switch};
use crate::sys::service::rlimit;
use nix::errno::Errno;
use nix::libc;
use std::fs::File;

// Elsewhere those of these names are of a time when ids had 16 bits.
#[cfg(target_pointer_width = "64")]
use libc::{SYS_setgid, SYS_setgroups, SYS_setuid};
#[cfg(target_pointer_width = "32")]
use libc::{
    SYS_setgid32 as SYS_setgid, SYS_setgroups32 as SYS_setgroups, SYS_setuid32 as SYS_setuid,
};

/// All of it, prepared.
#[derive(Debug)]
pub(in crate::sys) struct ChildSetup {
    entrance: Option<File>,
    switch: Option<Switch>,
    limit: Option<libc::rlimit>,
}

impl ChildSetup {
    /// Those that make a child of the daemon one of this account, in the cgroup that `entrance` leads to (its
    /// `cgroup.procs`), where there is one.
    pub(in crate::sys) fn new(account: &Account, entrance: Option<File>) -> Self {
        Self {
            entrance,
            switch: account.switch.clone(),
            limit: rlimit::inherited(),
        }
    }

    /// In the child: enters its cgroup. It may still have its descriptors in common with the daemon.
    pub(in crate::sys) fn enter(&self) {
        if let Some(entrance) = &self.entrance {
            // 0 stands for whoever writes it. All it ever forks is born in there. That it cannot enter is no reason
            // to stay dark: whoever started it looks whether it did.
            let _ = nix::unistd::write(entrance, b"0");
        }
    }

    /// In the child: takes the rest. Nothing that it does afterwards needs rights that it had before.
    pub(in crate::sys) fn take(&self) -> Result<(), Errno> {
        if let Some(switch) = &self.switch {
            switch.take_on()?;
        }
        if let Some(limit) = &self.limit {
            // SAFETY: `limit` is a live `rlimit` that the call only reads.
            Errno::result(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, limit) })?;
        }
        Ok(())
    }
}

impl Switch {
    /// Becomes the user. By bare system calls: those of the C library have every thread of the process do it, and
    /// would take the daemon's for the child's.
    fn take_on(&self) -> Result<(), Errno> {
        let groups = self.groups.as_ptr();
        // SAFETY: the pointer and length are those of a live vector of group ids.
        Errno::result(unsafe { libc::syscall(SYS_setgroups, self.groups.len(), groups) })?;
        // SAFETY: takes an integer and touches no memory of ours.
        Errno::result(unsafe { libc::syscall(SYS_setgid, self.gid) })?;
        // SAFETY: takes an integer and touches no memory of ours.
        Errno::result(unsafe { libc::syscall(SYS_setuid, self.uid) })?;
        Ok(())
    }
}
