//! What a child does between fork and exec.
//!
//! It runs in the daemon's memory ([`super::vfork`]), or after fork in a copy in which a lock may stay locked. So these
//! are only system calls: nothing is allocated, no lock is taken, and errors are bare numbers.

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

/// The prepared setup.
#[derive(Debug)]
pub(in crate::sys) struct ChildSetup {
    entrance: Option<File>,
    switch: Option<Switch>,
    limit: Option<libc::rlimit>,
}

impl ChildSetup {
    /// The setup for a child of this account, in the cgroup of `entrance` (its `cgroup.procs`) if there is one.
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
            // 0 stands for the writing process. Its children start in there, too. A failure does not prevent the start:
            // the daemon checks afterwards whether it succeeded.
            let _ = nix::unistd::write(entrance, b"0");
        }
    }

    /// In the child: applies the rest. Nothing after it needs the rights from before.
    pub(in crate::sys) fn apply(&self) -> Result<(), Errno> {
        if let Some(switch) = &self.switch {
            switch.apply()?;
        }
        if let Some(limit) = &self.limit {
            // SAFETY: `limit` is a live `rlimit` that the call only reads.
            Errno::result(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, limit) })?;
        }
        Ok(())
    }
}

impl Switch {
    /// Changes the user, by bare system calls: those of the C library change every thread of the process, here the
    /// daemon's.
    fn apply(&self) -> Result<(), Errno> {
        let groups = self.groups.as_ptr();
        // SAFETY: the pointer and length are those of a live vector of group ids.
        Errno::result(unsafe { libc::syscall(SYS_setgroups, self.groups.len(), groups) })?;
        // SAFETY: takes an integer and touches no memory.
        Errno::result(unsafe { libc::syscall(SYS_setgid, self.gid) })?;
        // SAFETY: takes an integer and touches no memory.
        Errno::result(unsafe { libc::syscall(SYS_setuid, self.uid) })?;
        Ok(())
    }
}
