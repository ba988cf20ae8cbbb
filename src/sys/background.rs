//! Work that may wait for a disk, done beside the loop.
//!
//! Each background task has a thread that ends with it. A pool would keep one waiting for the next, and wake
//! it twice a second to see whether there is one (`blocking` does); background tasks are rare, and an idle
//! kiosk sleeps.

use super::time::clock;
use crate::time::Moment;
use smol::channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// What a background task needs of the stack: paths, a file's content on the heap, no recursion.
const STACK: usize = 128 * 1024;

/// Runs `work` on a thread of its own, and resolves to what it returns. Where the system grants no
/// thread, the loop waits for it this once.
pub(super) async fn run<T, W>(work: W) -> T
where
    T: Send + 'static,
    W: FnOnce() -> T + Send + 'static,
{
    let (done, result) = channel::bounded(1);
    let work = Arc::new(Mutex::new(Some(work)));
    let theirs = work.clone();
    let thread = thread::Builder::new()
        .name("background".to_owned())
        .stack_size(STACK)
        .spawn(move || {
            if let Some(work) = take(&theirs) {
                // The receiver is gone after the task was abandoned.
                let _ = done.send_blocking(work());
            }
        });
    if let Err(error) = thread {
        log::warn!("cannot start a thread: {}", super::errno::words(&error));
        if let Some(work) = take(&work) {
            return work();
        }
    }
    result
        .recv()
        .await
        .expect("a background task ends with its result, or the program with it")
}

/// The background tasks of one kind that are under way.
#[derive(Debug, Default)]
pub(super) struct TaskList {
    begun: Mutex<Vec<Moment>>,
}

impl TaskList {
    /// A background task begins. It ends when the entry is dropped, so that goes where the work is done: a caller that
    /// waits for it may have given up long before.
    pub(super) fn enter(self: &Arc<Self>) -> Entry {
        let begun = clock::now();
        self.begun().push(begun);
        Entry {
            ledger: self.clone(),
            begun,
        }
    }

    /// Since when the oldest has been under way.
    pub(super) fn oldest(&self) -> Option<Moment> {
        self.begun().iter().min().copied()
    }

    fn begun(&self) -> MutexGuard<'_, Vec<Moment>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A background task that is under way.
#[derive(Debug)]
pub(super) struct Entry {
    ledger: Arc<TaskList>,
    begun: Moment,
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut begun = self.ledger.begun();
        if let Some(place) = begun.iter().position(|begun| *begun == self.begun) {
            begun.swap_remove(place);
        }
    }
}

fn take<W>(work: &Mutex<Option<W>>) -> Option<W> {
    work.lock().unwrap_or_else(PoisonError::into_inner).take()
}
