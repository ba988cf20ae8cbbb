//! Remembers what the processes printed: one fixed ring in memory for each.
//!
//! Whoever reads a pipe feeds a [`Writer`] with the raw bytes; whoever shows a
//! log asks it for lines by their number. Both live on one thread, and neither
//! ever waits for the other: a writer overwrites the oldest lines, and a reader
//! sees by the numbers what it has missed.

mod log;
mod recorder;
mod ring;
mod writer;

pub use log::Log;
pub use recorder::{RECORDER_BYTES, Recorder};
pub use ring::{LINE_MAX, Line, Stream};
pub use writer::Writer;

use crate::config::Id;
use recorder::Entry;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// How large a log is until its size is known.
const SIZE: usize = 256 * 1024;

/// The logs of all processes.
#[derive(Debug, Default)]
pub struct Book {
    logs: RefCell<BTreeMap<Id, Rc<Log>>>,
    /// Where lines are kept for the next daemon.
    recorder: Option<Rc<Recorder>>,
    /// Lines that an earlier daemon has read the beginning of.
    begun: RefCell<BTreeMap<(Id, Stream), Vec<u8>>>,
}

impl Book {
    /// No logs yet.
    pub fn new() -> Rc<Book> {
        Rc::default()
    }

    /// The logs as an earlier daemon has recorded them; what is new is recorded as well.
    pub fn recorded(recorder: Rc<Recorder>) -> Rc<Book> {
        let book = Book {
            recorder: Some(recorder.clone()),
            ..Book::default()
        };
        recorder.play(|entry| book.restore(entry));
        Rc::new(book)
    }

    /// Keeps a log of at most `bytes` bytes for a process. One that exists is
    /// resized: the newest lines stay, and the numbers go on.
    pub fn keep(&self, id: &Id, bytes: usize) -> Rc<Log> {
        let mut logs = self.logs.borrow_mut();
        if let Some(log) = logs.get(id) {
            log.resize(bytes);
            return log.clone();
        }
        let log = Rc::new(match &self.recorder {
            Some(recorder) => Log::recorded(bytes, recorder.clone(), id.clone()),
            None => Log::new(bytes),
        });
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

    /// The beginning of a line that an earlier daemon has read from a stream that is still open. Once.
    pub fn take_begun(&self, id: &Id, stream: Stream) -> Vec<u8> {
        let begun = self.begun.borrow_mut().remove(&(id.clone(), stream));
        begun.unwrap_or_default()
    }

    fn restore(&self, entry: Entry) {
        let mut begun = self.begun.borrow_mut();
        if entry.part {
            begun
                .entry((entry.id, entry.stream))
                .or_default()
                .extend(entry.text);
            return;
        }
        let log = self.get(&entry.id);
        log.unwrap_or_else(|| self.keep(&entry.id, SIZE))
            .restore(&Line {
                seq: entry.seq,
                time: entry.time,
                stream: entry.stream,
                text: &entry.text,
                cut: entry.cut,
            });
        begun.remove(&(entry.id, entry.stream));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Moment;
    use std::time::Duration;

    /// A daemon reads, dies and is followed by the next, again and again: whoever looks at the log sees nothing of it.
    #[test]
    fn a_log_goes_on_where_the_daemon_before_has_ended() {
        for seed in 0..300 {
            let mut random = fastrand::Rng::with_seed(seed);
            let id: Id = "sync".parse().unwrap();
            let memory = Rc::new(RefCell::new(vec![0; RECORDER_BYTES]));
            let text: Vec<u8> = (0..400)
                .flat_map(|n| format!("line {n} {}\n", "x".repeat(n % 90)).into_bytes())
                .collect();
            let mut rest = &text[..];
            let mut now = Moment::default();
            while !rest.is_empty() {
                let copy = memory.borrow().clone();
                let recorder = Rc::new(Recorder::new(copy, seed));
                let book = Book::recorded(recorder.clone());
                let log = book.keep(&id, SIZE);
                let mut writer = log.resume(Stream::Stdout, book.take_begun(&id, Stream::Stdout));
                for _ in 0..random.usize(..20) {
                    let (piece, after) = rest.split_at(random.usize(..=rest.len().min(300)));
                    now = now + Duration::from_millis(3);
                    writer.append(piece, now);
                    rest = after;
                }
                memory.replace(recorder.copy());
            }
            let book = Book::recorded(Rc::new(Recorder::new(memory.take(), 0)));
            let (mut seen, mut numbers) = (Vec::new(), Vec::new());
            let log = book.get(&id).expect("there are lines");
            log.tail(usize::MAX, |line| {
                seen.extend_from_slice(line.text);
                seen.push(b'\n');
                numbers.push(line.seq);
            });
            assert!(seen == text, "seed {seed}");
            assert_eq!(numbers, (1..=400).collect::<Vec<_>>());
        }
    }
}
