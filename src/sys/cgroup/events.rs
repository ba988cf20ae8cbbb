//! Notices that nothing lives in a cgroup any more.
//!
//! The end of a child comes as SIGCHLD. What is not a child of the daemon (the service manager has inherited it from
//! a daemon that was killed, or a subreaper of its own has) dies without a word; but its cgroup says so.

use super::Cgroup;
use crate::supervisor::RunId;
use crate::sys::inotify::Watches;
use nix::sys::inotify::{AddWatchFlags, WatchDescriptor};
use smol::future;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

/// Watches the cgroups of runs whose main process has ended: one descriptor for all.
#[derive(Debug)]
pub(in crate::sys) struct Watch {
    watches: Watches,
    watched: RefCell<BTreeMap<RunId, WatchDescriptor>>,
}

impl Watch {
    /// # Errors
    /// The system grants no more watches (`fs.inotify.max_user_instances`).
    pub(in crate::sys) fn new() -> io::Result<Rc<Self>> {
        Ok(Rc::new(Self {
            watches: Watches::new()?,
            watched: RefCell::default(),
        }))
    }

    /// From now on [`Watch::changed`] reports the cgroup of this run.
    pub(in crate::sys) fn begin(&self, run: RunId, cgroup: &Cgroup) {
        let mut watched = self.watched.borrow_mut();
        if watched.contains_key(&run) {
            return;
        }
        match (self.watches).add(&cgroup.events(), AddWatchFlags::IN_MODIFY) {
            Ok(watch) => drop(watched.insert(run, watch)),
            Err(error) => log::warn!("cannot watch the end of run {run}: {error}"),
        }
    }

    /// No longer. (The kernel keeps the watch of a file whose cgroup was removed until it is removed.)
    pub(in crate::sys) fn end(&self, run: RunId) {
        if let Some(watch) = self.watched.borrow_mut().remove(&run) {
            self.watches.remove(watch);
        }
    }

    /// Resolves when the first or last process of a watched cgroup has come or gone.
    pub(in crate::sys) async fn changed(&self) {
        if let Err(error) = self.watches.changes().await {
            log::error!("ends of processes that are not children are no longer noticed: {error}");
            future::pending().await
        }
    }
}
