//! The output of the processes: one ring buffer of lines in memory for each.
//!
//! A [`Writer`] takes the raw bytes of a pipe; readers ask a [`Log`] for lines by number. Neither waits for the other: a
//! writer overwrites the oldest lines, and a reader sees by the numbers which it has missed.

mod flight_recorder;
mod log;
mod partial_line;
mod ring;

pub use flight_recorder::{FlightRecorder, RECORDER_BYTES};
pub use log::{Log, Writer};
pub use ring::{LINE_MAX, Line, Stream};

use crate::config::Id;
use flight_recorder::RecordedRead;
use partial_line::PartialLine;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The size of a log before the configuration is known.
const SIZE: usize = 256 * 1024;

/// The logs of all processes.
#[derive(Debug, Default)]
pub struct Logs {
    logs: RefCell<BTreeMap<Id, Rc<Log>>>,
    /// The recorder for the next daemon.
    recorder: Option<Rc<FlightRecorder>>,
    /// Incomplete lines of which an earlier daemon has read the beginning.
    partial_lines: RefCell<BTreeMap<(Id, Stream), PartialLine>>,
}

impl Logs {
    /// No logs yet.
    pub fn new() -> Rc<Logs> {
        Rc::default()
    }

    /// The logs that an earlier daemon has recorded; they continue to be recorded.
    pub fn recorded(recorder: Rc<FlightRecorder>) -> Rc<Logs> {
        let logs = Logs {
            recorder: Some(recorder.clone()),
            ..Logs::default()
        };
        recorder.replay(|id, read| logs.restore(id, &read));
        Rc::new(logs)
    }

    /// The log of a process, with a capacity of `bytes` bytes. An existing log is resized and keeps its newest lines; a
    /// missing one is created.
    pub fn ensure(&self, id: &Id, bytes: usize) -> Rc<Log> {
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

    /// Removes the log of a process. Existing references stay valid.
    pub fn remove(&self, id: &Id) {
        self.logs.borrow_mut().remove(id);
    }

    /// The log of a process.
    pub fn get(&self, id: &Id) -> Option<Rc<Log>> {
        self.logs.borrow().get(id).cloned()
    }

    /// Takes the incomplete line of a stream that an earlier daemon has read and that is still open.
    pub fn take_partial_line(&self, id: &Id, stream: Stream) -> PartialLine {
        let begun = self
            .partial_lines
            .borrow_mut()
            .remove(&(id.clone(), stream));
        begun.unwrap_or_default()
    }

    fn restore(&self, id: &Id, read: &RecordedRead<'_>) {
        let log = self.get(id).unwrap_or_else(|| self.ensure(id, SIZE));
        let mut begun = self.partial_lines.borrow_mut();
        log.restore(begun.entry((id.clone(), read.stream)).or_default(), read);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Moment;
    use std::time::Duration;

    type Shown = (u64, Stream, Vec<u8>, bool);

    fn shown(log: &Log) -> Vec<Shown> {
        let mut lines = Vec::new();
        log.tail(usize::MAX, |line| {
            lines.push((line.seq, line.stream, line.text.to_vec(), line.cut));
        });
        lines
    }

    /// One daemon after another reads and dies; the log is the same as that of a single daemon.
    #[test]
    fn a_log_continues_after_the_death_of_the_daemon() {
        const STREAMS: [Stream; 2] = [Stream::Stdout, Stream::Stderr];
        for seed in 0..1_000 {
            let mut random = fastrand::Rng::with_seed(seed);
            let id: Id = "sync".parse().unwrap();
            // A small memory overwrites the oldest reads. A line that loses its beginning may lose its number after
            // another death.
            let small = random.bool();
            let mut memory = vec![0; if small { 3_000 } else { RECORDER_BYTES }];
            // In some logs lines are cut early.
            let size = [16 * 1024, SIZE, 1024][random.usize(..if small { 2 } else { 3 })];
            let longest = [90, if small { 1_500 } else { 12_000 }][random.usize(..2)];
            let undying = Rc::new(Log::new(size));
            let mut model = STREAMS.map(|stream| undying.writer(stream));
            let mut now = Moment::default();
            // A large memory holds everything.
            let (lives, reads) = match (small, longest) {
                (true, _) => (1, 200),
                (false, 90) => (12, 20),
                (false, _) => (12, 3),
            };
            for _ in 0..lives {
                let recorder = Rc::new(FlightRecorder::new(memory, seed));
                let logs = Logs::recorded(recorder.clone());
                let log = logs.ensure(&id, size);
                let mut writers =
                    STREAMS.map(|stream| log.resume(stream, logs.take_partial_line(&id, stream)));
                for _ in 0..random.usize(..reads) {
                    now = now + Duration::from_millis(3);
                    let which = random.usize(..2);
                    if random.u8(..10) == 0 {
                        for writer in [&mut writers[which], &mut model[which]] {
                            writer.end(now);
                        }
                        writers[which] = log.writer(STREAMS[which]);
                        model[which] = undying.writer(STREAMS[which]);
                        continue;
                    }
                    let mut bytes = vec![b'x'; random.usize(..=longest)];
                    for _ in 0..random.usize(usize::from(small)..4).min(bytes.len()) {
                        let place = random.usize(..bytes.len());
                        bytes[place] = b'\n';
                    }
                    writers[which].append(&bytes, now);
                    model[which].append(&bytes, now);
                }
                memory = recorder.copy();
            }
            let logs = Logs::recorded(Rc::new(FlightRecorder::new(memory, 0)));
            let log = logs.ensure(&id, size);
            let (mut seen, mut wanted) = (shown(&log), shown(&undying));
            if small {
                // The first line of each stream may have lost its beginning.
                for stream in STREAMS {
                    let Some(headless) = seen.iter_mut().find(|line| line.1 == stream) else {
                        continue;
                    };
                    if let Some(whole) = wanted.iter().find(|line| line.0 == headless.0) {
                        assert!(whole.2.ends_with(&headless.2), "seed {seed}");
                        headless.clone_from(whole);
                    }
                }
            } else if size == SIZE {
                assert_eq!(seen.len(), wanted.len(), "seed {seed}");
            }
            // The boundaries of the chunks may differ, and so may the oldest line.
            let newest = seen.len().min(wanted.len());
            seen.drain(..seen.len() - newest);
            wanted.drain(..wanted.len() - newest);
            assert!(seen == wanted, "seed {seed}");
            assert!(small || log.next_seq() == undying.next_seq());
        }
    }
}
