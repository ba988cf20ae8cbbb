//! The log of one process: its ring, and a bell for those who follow it.

use super::flight_recorder::{FlightRecorder, RecordedRead};
use super::partial_line::{LineSink, PartialLine};
use super::ring::{Line, Ring, Stream};
use super::writer::Writer;
use crate::config::Id;
use crate::time::Moment;
use event_listener::{Event, EventListener};
use std::cell::RefCell;
use std::rc::Rc;

/// The newest lines of one process. They carry on across its restarts.
#[derive(Debug)]
pub struct Log {
    ring: RefCell<Ring>,
    changed: Event,
    /// Where what is read is kept for the next daemon, and under which name.
    recorded: Option<Box<(Rc<FlightRecorder>, Id)>>,
}

impl Log {
    /// An empty log that will hold at most `bytes` bytes (1 KiB at least).
    pub fn new(bytes: usize) -> Self {
        Self {
            ring: RefCell::new(Ring::new(bytes)),
            changed: Event::new(),
            recorded: None,
        }
    }

    /// An empty log whose reads are recorded for the next daemon as well.
    pub(super) fn recorded(bytes: usize, recorder: Rc<FlightRecorder>, id: Id) -> Self {
        Self {
            recorded: Some(Box::new((recorder, id))),
            ..Self::new(bytes)
        }
    }

    /// Assembles the lines of one stream of one run from the raw reads of its pipe.
    pub fn writer(self: &Rc<Self>, stream: Stream) -> Writer {
        self.resume(stream, PartialLine::default())
    }

    /// Assembles the lines of a stream whose next line has `begun` already, as an earlier daemon has read.
    pub fn resume(self: &Rc<Self>, stream: Stream, begun: PartialLine) -> Writer {
        Writer::new(self.clone(), stream, begun)
    }

    /// Adds a note of the daemon itself, a line for each of its lines.
    pub fn note(&self, text: &str, now: Moment) {
        let mut bytes = Vec::with_capacity(text.len() + 1);
        for line in text.lines() {
            bytes.extend_from_slice(line.as_bytes());
            bytes.push(b'\n');
        }
        self.append(Stream::Ossuary, &mut PartialLine::default(), &bytes, now);
    }

    /// The number the next line will get; the first line is 1.
    pub fn next_seq(&self) -> u64 {
        self.ring.borrow().next_seq()
    }

    /// The number of the oldest line still held; [`Log::next_seq`] when there is none.
    pub fn first_seq(&self) -> u64 {
        self.ring.borrow().first_seq()
    }

    /// Shows the lines after number `seq`, oldest first: at most `max_lines`, and at
    /// most `max_bytes` of text, but always one if there is one and a line is wanted. A first
    /// number above `seq + 1` tells that lines were lost. `each` must not write to this log.
    pub fn read_after(
        &self,
        seq: u64,
        max_lines: usize,
        max_bytes: usize,
        each: impl FnMut(Line<'_>),
    ) {
        self.ring
            .borrow()
            .read_after(seq, max_lines, max_bytes, each);
    }

    /// Shows the newest `lines` lines, oldest first. `each` must not write to this log.
    pub fn tail(&self, lines: usize, each: impl FnMut(Line<'_>)) {
        let ring = self.ring.borrow();
        let seq = ring
            .next_seq()
            .saturating_sub(1)
            .saturating_sub(lines as u64);
        ring.read_after(seq, lines, usize::MAX, each);
    }

    /// Resolves once a line was added after this call. Ask before reading, or a
    /// line that comes in between goes unnoticed.
    pub fn changed(&self) -> EventListener {
        self.changed.listen()
    }

    /// Changes the bound; the newest lines stay.
    pub(super) fn resize(&self, bytes: usize) {
        self.ring.borrow_mut().resize(bytes);
    }

    /// Takes in what was read of a stream, whose next line is `line`.
    pub(super) fn append(&self, stream: Stream, line: &mut PartialLine, bytes: &[u8], now: Moment) {
        self.write(stream, line, bytes, false, now);
    }

    /// The stream has ended.
    pub(super) fn end(&self, stream: Stream, line: &mut PartialLine, now: Moment) {
        self.write(stream, line, &[], true, now);
    }

    /// Makes the lines that an earlier daemon has made of a read. Where reads are missing before it, the log begins
    /// with it.
    pub(super) fn restore(&self, line: &mut PartialLine, read: &RecordedRead<'_>) {
        let mut ring = self.ring.borrow_mut();
        ring.continue_at(read.seq);
        line.resume(read.line_state);
        read.append_to(line, &mut ring);
    }

    /// Records, makes lines, and rings the bell once if there are any.
    fn write(&self, stream: Stream, line: &mut PartialLine, bytes: &[u8], end: bool, time: Moment) {
        let mut ring = self.ring.borrow_mut();
        let read = RecordedRead {
            seq: ring.next_seq(),
            time,
            stream,
            line_state: line.state(),
            line_max: ring.line_max(),
            end,
            bytes,
        };
        if let Some((recorder, id)) = self.recorded.as_deref() {
            recorder.write(id, &read);
        }
        read.append_to(line, &mut ring);
        if ring.next_seq() != read.seq {
            self.changed.notify(usize::MAX);
        }
    }
}

impl RecordedRead<'_> {
    /// Puts its lines where they belong.
    fn append_to(&self, line: &mut PartialLine, ring: &mut Ring) {
        let mut place = LineSink {
            ring,
            stream: self.stream,
            time: self.time,
            line_max: self.line_max,
        };
        line.append(self.bytes, &mut place);
        if self.end {
            line.end(&mut place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Logs;
    use super::*;
    use crate::config::Id;

    fn texts(read: impl FnOnce(&mut dyn FnMut(Line<'_>))) -> Vec<String> {
        let mut lines = Vec::new();
        read(&mut |line| lines.push(String::from_utf8_lossy(line.text).into_owned()));
        lines
    }

    #[test]
    fn the_tail_is_the_newest_lines_oldest_first() {
        let log = Log::new(4096);
        log.note("one\ntwo\nthree", Moment::default());
        assert_eq!(texts(|each| log.tail(2, each)), ["two", "three"]);
        assert_eq!(texts(|each| log.tail(9, each)), ["one", "two", "three"]);
        assert_eq!(texts(|each| log.tail(0, each)), Vec::<String>::new());
    }

    #[test]
    fn a_follower_is_woken_by_a_line_and_by_nothing_else() {
        let log = Rc::new(Log::new(4096));
        let mut changed = log.changed();
        let mut writer = log.writer(Stream::Stdout);
        writer.append(b"half a line", Moment::default());
        assert!(smol::block_on(smol::future::poll_once(&mut changed)).is_none());
        writer.append(b"\n", Moment::default());
        smol::block_on(changed);
    }

    #[test]
    fn a_log_keeps_its_newest_lines_and_its_numbers_when_it_is_resized() {
        let logs = Logs::new();
        let id: Id = "sync".parse().expect("an id");
        let log = logs.ensure(&id, 64 * 1024);
        for number in 1..=1000 {
            log.note(&format!("line {number}"), Moment::default());
        }
        logs.ensure(&id, 2048);
        assert!(log.first_seq() > 1);
        assert_eq!(log.next_seq(), 1001);
        assert_eq!(texts(|each| log.tail(1, each)), ["line 1000"]);
        logs.remove(&id);
        assert!(logs.get(&id).is_none());
    }

    #[test]
    fn a_process_that_prints_nothing_costs_next_to_nothing() {
        assert!(size_of::<Log>() <= 96, "{}", size_of::<Log>());
    }
}
