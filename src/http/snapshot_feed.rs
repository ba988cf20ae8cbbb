//! The newest snapshot, and a notification for those who wait for the next.

use crate::supervisor::Snapshot;
use event_listener::Event;
use std::cell::RefCell;
use std::rc::Rc;

/// Where the loop publishes the newest [`Snapshot`].
#[derive(Debug)]
pub struct SnapshotFeed {
    current: RefCell<Rc<Snapshot>>,
    changed: Event,
}

impl SnapshotFeed {
    /// A feed that begins with this snapshot.
    pub fn new(status: Rc<Snapshot>) -> Self {
        Self {
            current: RefCell::new(status),
            changed: Event::new(),
        }
    }

    /// Publishes a snapshot. The loop calls this after every event and before it waits, so a client sees the effect of
    /// its command once it has the reply. Only a new generation wakes waiters.
    pub fn publish(&self, status: &Rc<Snapshot>) {
        if self.current.borrow().generation != status.generation {
            self.current.replace(status.clone());
            self.changed.notify(usize::MAX);
        }
    }

    /// The newest snapshot.
    pub fn current(&self) -> Rc<Snapshot> {
        self.current.borrow().clone()
    }

    /// The newest snapshot, once its generation is not this one. A slow client may miss snapshots in between.
    pub async fn changed(&self, generation: u64) -> Rc<Snapshot> {
        loop {
            let changed = self.changed.listen();
            let current = self.current();
            if current.generation != generation {
                return current;
            }
            changed.await;
        }
    }
}
