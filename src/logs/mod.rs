//! Remembers what the processes printed: one fixed ring in memory for each.
//!
//! Whoever reads a pipe feeds a [`Writer`] with the raw bytes; whoever shows a
//! log asks it for lines by their number. Both live on one thread, and neither
//! ever waits for the other: a writer overwrites the oldest lines, and a reader
//! sees by the numbers what it has missed.

mod log;
mod ring;
mod writer;

pub use log::Log;
pub use ring::{LINE_MAX, Line, Stream};
pub use writer::Writer;

use crate::config::Id;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The logs of all processes.
#[derive(Debug, Default)]
pub struct Book {
    logs: RefCell<BTreeMap<Id, Rc<Log>>>,
}

impl Book {
    /// No logs yet.
    pub fn new() -> Rc<Book> {
        Rc::default()
    }

    /// Keeps a log of at most `bytes` bytes for a process. One that exists is
    /// resized: the newest lines stay, and the numbers go on.
    pub fn keep(&self, id: &Id, bytes: usize) -> Rc<Log> {
        let mut logs = self.logs.borrow_mut();
        if let Some(log) = logs.get(id) {
            log.resize(bytes);
            return log.clone();
        }
        let log = Rc::new(Log::new(bytes));
        logs.insert(id.clone(), log.clone());
        log
    }

    /// Forgets the log of a process. Whoever still holds it may go on using it.
    pub fn drop_log(&self, id: &Id) {
        self.logs.borrow_mut().remove(id);
    }

    /// The log of a process.
    pub fn get(&self, id: &Id) -> Option<Rc<Log>> {
        self.logs.borrow().get(id).cloned()
    }
}
