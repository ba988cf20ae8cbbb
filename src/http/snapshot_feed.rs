//! The newest picture of the kiosk, and a bell for those who wait for the next.

use crate::supervisor::Snapshot;
use event_listener::Event;
use std::cell::RefCell;
use std::rc::Rc;

/// Where the loop hangs up the newest [`Status`].
#[derive(Debug)]
pub struct SnapshotFeed {
    current: RefCell<Rc<Snapshot>>,
    changed: Event,
}

impl SnapshotFeed {
    /// A feed that begins with this picture.
    pub fn new(status: Rc<Snapshot>) -> Self {
        Self {
            current: RefCell::new(status),
            changed: Event::new(),
        }
    }

    /// Hangs up a picture. The loop calls this after every event and before it rests, so a
    /// client that was given an answer sees its effect; only a new generation wakes anybody.
    pub fn publish(&self, status: &Rc<Snapshot>) {
        if self.current.borrow().generation != status.generation {
            self.current.replace(status.clone());
            self.changed.notify(usize::MAX);
        }
    }

    /// The newest picture.
    pub fn current(&self) -> Rc<Snapshot> {
        self.current.borrow().clone()
    }

    /// The newest picture, as soon as it is of another generation than this.
    /// Whoever is late sees the newest one, not each of those between.
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
