//! Runs blocking work, such as writes to a disk, outside the loop.
//!
//! Each background task has its own thread. A pool such as `blocking` keeps an idle thread that wakes twice a second;
//! background tasks are rare, and an idle kiosk must not wake.

use crate::time::Moment;
use smol::channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// The stack of a background task: enough for paths. File contents are on the heap, and nothing recurses.
const STACK: usize = 128 * 1024;

/// Runs `work` on its own thread, and resolves to its result. If no thread can be started, `work` runs on the loop's
/// thread and blocks it.
pub(super) async fn run<T, W>(work: W) -> T
where
    T: Send + 'static,
    W: FnOnce() -> T + Send + 'static,
{
    let (done, result) = channel::bounded(1);
    let work = Arc::new(Mutex::new(Some(work)));
    let shared = work.clone();
    let thread = thread::Builder::new()
        .name("background".to_owned())
        .stack_size(STACK)
        .spawn(move || {
            if let Some(work) = take(&shared) {
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

/// The running background tasks of one kind.
#[derive(Debug, Default)]
pub(super) struct TaskList {
    begun: Mutex<Vec<Moment>>,
}

impl TaskList {
    /// Registers a background task that begins now until the entry is dropped. The entry must move into the task: a caller that waits
    /// for it may give up earlier.
    pub(super) fn enter(self: &Arc<Self>, begun: Moment) -> Entry {
        self.begun().push(begun);
        Entry {
            list: self.clone(),
            begun,
        }
    }

    /// When the oldest running task began.
    pub(super) fn oldest(&self) -> Option<Moment> {
        self.begun().iter().min().copied()
    }

    fn begun(&self) -> MutexGuard<'_, Vec<Moment>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running background task in the list.
#[derive(Debug)]
pub(super) struct Entry {
    list: Arc<TaskList>,
    begun: Moment,
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut begun = self.list.begun();
        if let Some(place) = begun.iter().position(|begun| *begun == self.begun) {
            begun.swap_remove(place);
        }
    }
}

fn take<W>(work: &Mutex<Option<W>>) -> Option<W> {
    work.lock().unwrap_or_else(PoisonError::into_inner).take()
}
