//! The descriptors by which the next daemon follows a run: after a crash it gets them from the service manager's store,
//! after an upgrade from the program that it replaces.

use super::pidfd::PidFd;
use crate::config::Id;
use crate::supervisor::{RunId, SavedRun};
use crate::sys::cgroup::Cgroups;
use crate::sys::procfs::Stat;
use crate::sys::service::fd_store::{self, InheritedDescriptors};
use std::io;
use std::os::fd::OwnedFd;

/// What a run is followed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The pidfd of its main process.
    Main,
    /// Our end of its standard output.
    Stdout,
    /// Our end of its standard error.
    Stderr,
    /// The socket by which it reports that it is ready.
    Notify,
    /// Our end of the socket over which a browser is driven.
    Control,
}

impl Part {
    const ALL: [Self; 5] = [
        Self::Main,
        Self::Stdout,
        Self::Stderr,
        Self::Notify,
        Self::Control,
    ];

    /// The name in the store. An earlier daemon's are read: they stay.
    fn name(self, id: &Id, run: RunId) -> String {
        let part = match self {
            Self::Main => "pid",
            Self::Stdout => "out",
            Self::Stderr => "err",
            Self::Notify => "notify",
            Self::Control => "control",
        };
        format!("{id}.{run}.{part}")
    }
}

/// A run whose processes live on, and by what to follow it.
pub struct InheritedRun {
    pub(super) main: PidFd,
    /// Its main process has ended while no daemon lived, and another process has reaped it.
    pub(super) ended: bool,
    pub(super) out: OwnedFd,
    pub(super) err: OwnedFd,
    pub(super) notify: Option<OwnedFd>,
    pub(super) control: Option<OwnedFd>,
}

impl InheritedRun {
    /// The run of a process, if it can be followed from here on: everything was handed over, and its tree
    /// can be distinguished from others, because it has a cgroup or is a child.
    pub fn find(
        id: &Id,
        running: &SavedRun,
        cgroups: &Cgroups,
        from: &mut InheritedDescriptors,
    ) -> Option<Self> {
        let [main, out, err, notify, control] =
            Part::ALL.map(|part| from.take(&part.name(id, running.run)));
        let main = PidFd::from(main?);
        let us = std::process::id() as i32;
        let is_child = Stat::of(running.pid as i32).is_some_and(|stat| stat.parent == us);
        let ended = !is_child && main.has_ended();
        let is_known = is_child || ended || cgroups.holds(id, running.run, running.pid);
        is_known.then_some(Self {
            main,
            ended,
            out: out?,
            err: err?,
            notify,
            control,
        })
    }
}

/// Copies of the descriptors of a run, by name. One that cannot be copied is missing.
pub(super) fn copies(
    id: &Id,
    run: RunId,
    parts: impl IntoIterator<Item = (Part, io::Result<OwnedFd>)>,
) -> Vec<(String, OwnedFd)> {
    parts
        .into_iter()
        .filter_map(|(part, copy)| match copy {
            Ok(copy) => Some((part.name(id, run), copy)),
            Err(error) => {
                log::warn!("{id} run {run} cannot be handed over: {error}");
                None
            }
        })
        .collect()
}

/// Removes the descriptors of a run that is over from the store.
pub(super) fn forget(id: &Id, run: RunId) {
    if fd_store::is_kept() {
        for part in Part::ALL {
            fd_store::forget(&part.name(id, run));
        }
    }
}
