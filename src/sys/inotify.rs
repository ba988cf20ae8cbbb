//! Watches files and directories for changes (inotify(7)).

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};
use smol::Async;
use std::io;
use std::path::Path;

/// A set of watches behind one descriptor.
#[derive(Debug)]
pub(super) struct Watches(Async<Inotify>);

impl Watches {
    /// An empty set.
    ///
    /// # Errors
    /// The system grants no more of them (`fs.inotify.max_user_instances`).
    pub fn new() -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        Ok(Self(Async::new_nonblocking(inotify)?))
    }

    /// Watches a path. For a path that is watched already it returns the same watch.
    ///
    /// # Errors
    /// The path does not exist or is not of the kind that `flags` ask for, or there are too many watches.
    pub fn add(&self, path: &Path, flags: AddWatchFlags) -> nix::Result<WatchDescriptor> {
        self.0.get_ref().add_watch(path, flags)
    }

    /// Removes a watch. One whose file is gone needs no removal.
    pub fn remove(&self, watch: WatchDescriptor) {
        let _ = self.0.get_ref().rm_watch(watch);
    }

    /// Waits for changes and returns them.
    ///
    /// # Errors
    /// The descriptor cannot be read.
    pub async fn changes(&self) -> io::Result<Vec<InotifyEvent>> {
        (self.0)
            .read_with(|inotify| Ok(inotify.read_events()?))
            .await
    }
}
