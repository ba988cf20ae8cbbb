//! What a child does between fork and exec.
//!
//! It runs in the daemon's memory ([`super::vfork`]), or after fork in a copy in which a lock may stay locked. So these
//! are only system calls: nothing is allocated, no lock is taken, and errors are bare numbers.

use super::account::{Account, Switch};
use crate::sys::service::rlimit;
use nix::errno::Errno;
use nix::sys::resource::{Resource, setrlimit};
use rustix::thread::{set_thread_gid, set_thread_groups, set_thread_uid};
use std::fs::File;

/// The prepared setup.
#[derive(Debug)]
pub(in crate::sys) struct ChildSetup {
    procs_file: Option<File>,
    switch: Option<Switch>,
    /// The soft and the hard limit on descriptors.
    limit: Option<(u64, u64)>,
}

impl ChildSetup {
    /// The setup for a child of this account, in the cgroup of `procs_file` (its `cgroup.procs`) if there is one.
    pub(in crate::sys) fn new(account: &Account, procs_file: Option<File>) -> Self {
        Self {
            procs_file,
            switch: account.switch.clone(),
            limit: rlimit::inherited(),
        }
    }

    /// In the child: enters its cgroup. It may still have its descriptors in common with the daemon.
    pub(in crate::sys) fn enter(&self) {
        if let Some(procs_file) = &self.procs_file {
            // 0 stands for the writing process. Its children start in there, too. A failure does not prevent the start:
            // the daemon checks afterwards whether it succeeded.
            let _ = nix::unistd::write(procs_file, b"0");
        }
    }

    /// In the child: applies the rest. Nothing after it needs the rights from before.
    pub(in crate::sys) fn apply(&self) -> Result<(), Errno> {
        if let Some(switch) = &self.switch {
            switch.apply()?;
        }
        if let Some((soft, hard)) = self.limit {
            setrlimit(Resource::RLIMIT_NOFILE, soft, hard)?;
        }
        Ok(())
    }
}

impl Switch {
    /// Changes the user, by bare system calls: those of the C library change every thread of the process, here the
    /// daemon's.
    fn apply(&self) -> Result<(), Errno> {
        set_thread_groups(&self.groups)
            .and_then(|()| set_thread_gid(self.gid))
            .and_then(|()| set_thread_uid(self.uid))
            .map_err(|error| Errno::from_raw(error.raw_os_error()))
    }
}
