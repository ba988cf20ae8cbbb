//! The copy of the last good configuration, written outside the loop after the client has its reply.

use crate::config::Document;
use crate::sys::storage::config_file::ConfigFile;
use smol::{LocalExecutor, Task};
use std::cell::RefCell;
use std::rc::Rc;

/// Writes the copy. One write at a time, then only the newest document: an older one never overwrites a newer one,
/// and a slow card never has a queue.
#[derive(Default)]
pub struct LastGoodConfig {
    next: Rc<RefCell<Option<Rc<Document>>>>,
    writing: Option<Task<()>>,
}

impl LastGoodConfig {
    /// Schedules a write of this document.
    pub fn keep(
        &mut self,
        document: Rc<Document>,
        store: &ConfigFile,
        executor: &LocalExecutor<'_>,
    ) {
        *self.next.borrow_mut() = Some(document);
        if self
            .writing
            .as_ref()
            .is_some_and(|task| !task.is_finished())
        {
            return;
        }
        let (next, store) = (self.next.clone(), store.clone());
        self.writing = Some(executor.spawn(async move {
            loop {
                let newest = next.borrow_mut().take();
                let Some(document) = newest else { break };
                store.keep_last_good(document.to_bytes()).await;
            }
        }));
    }

    /// Waits until the newest document is written.
    pub async fn finish(&mut self) {
        if let Some(writing) = self.writing.take() {
            writing.await;
        }
    }
}
