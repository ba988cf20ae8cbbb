//! The log of one process: a ring buffer of lines, and a notification for its readers.

use super::flight_recorder::{FlightRecorder, RecordedRead};
use super::partial_line::{LineSink, PartialLine};
use super::ring::{Line, Ring, Stream};
use crate::config::Id;
use crate::time::Moment;
use event_listener::{Event, EventListener};
use std::cell::RefCell;
use std::rc::Rc;

/// The newest lines of one process, across its runs.
#[derive(Debug)]
pub struct Log {
    ring: RefCell<Ring>,
    changed: Event,
    /// The recorder for the next daemon, and the id of the process in it.
    recorded: Option<Box<(Rc<FlightRecorder>, Id)>>,
}

impl Log {
    /// An empty log of at most `bytes` bytes (at least 1 KiB).
    pub fn new(bytes: usize) -> Self {
        Self {
            ring: RefCell::new(Ring::new(bytes)),
            changed: Event::new(),
            recorded: None,
        }
    }

    /// An empty log whose reads are also recorded.
    pub(super) fn recorded(bytes: usize, recorder: Rc<FlightRecorder>, id: Id) -> Self {
        Self {
            recorded: Some(Box::new((recorder, id))),
            ..Self::new(bytes)
        }
    }

    /// A writer for one stream of a run, which makes lines from the raw reads.
    pub fn writer(self: &Rc<Self>, stream: Stream) -> Writer {
        self.resume(stream, PartialLine::default())
    }

    /// A writer for a stream of an adopted run, of whose next line an earlier daemon has read the beginning.
    pub fn resume(self: &Rc<Self>, stream: Stream, begun: PartialLine) -> Writer {
        Writer {
            log: self.clone(),
            stream,
            line: begun,
        }
    }

    /// Adds a message of the daemon itself.
    pub fn note(&self, text: &str, now: Moment) {
        let mut bytes = Vec::with_capacity(text.len() + 1);
        for line in text.lines() {
            bytes.extend_from_slice(line.as_bytes());
            bytes.push(b'\n');
        }
        self.write(
            Stream::Ossuary,
            &mut PartialLine::default(),
            &bytes,
            false,
            now,
        );
    }

    /// The number of the next line; that of the first line is 1.
    pub fn next_seq(&self) -> u64 {
        self.ring.borrow().next_seq()
    }

    /// The number of the oldest line; [`Log::next_seq`] if there is none.
    pub fn first_seq(&self) -> u64 {
        self.ring.borrow().first_seq()
    }

    /// Calls `each` with the lines after number `seq`, oldest first: at most `max_lines` lines and `max_bytes` bytes of
    /// text, but at least one line if there is one and `max_lines` is not 0. If the first number is above `seq + 1`, lines
    /// were lost. `each` must not write to this log.
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

    /// Calls `each` with the newest `lines` lines, oldest first. `each` must not write to this log.
    pub fn tail(&self, lines: usize, each: impl FnMut(Line<'_>)) {
        let ring = self.ring.borrow();
        let seq = ring
            .next_seq()
            .saturating_sub(1)
            .saturating_sub(lines as u64);
        ring.read_after(seq, lines, usize::MAX, each);
    }

    /// Resolves when a line is added after this call. Call it before reading, so that no line in between is missed.
    pub fn changed(&self) -> EventListener {
        self.changed.listen()
    }

    /// Changes the capacity; the newest lines are kept.
    pub(super) fn resize(&self, bytes: usize) {
        self.ring.borrow_mut().resize(bytes);
    }

    /// Adds the lines of a recorded read. If reads before it are missing, the log starts with it.
    pub(super) fn restore(&self, line: &mut PartialLine, read: &RecordedRead<'_>) {
        let mut ring = self.ring.borrow_mut();
        ring.continue_at(read.seq);
        line.resume(read.line_state);
        read.append_to(line, &mut ring);
    }

    /// Records a read and adds its lines; notifies the readers if there are any.
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

/// Makes lines from the raw reads of one stream, and adds them to a log.
#[derive(Debug)]
pub struct Writer {
    log: Rc<Log>,
    stream: Stream,
    line: PartialLine,
}

impl Writer {
    /// Adds what one read returned.
    pub fn append(&mut self, bytes: &[u8], now: Moment) {
        self.log
            .write(self.stream, &mut self.line, bytes, false, now);
    }

    /// Ends the stream; what follows the last newline is a line, too.
    pub fn end(&mut self, now: Moment) {
        self.log.write(self.stream, &mut self.line, &[], true, now);
    }
}

impl RecordedRead<'_> {
    /// Adds its lines to the ring.
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
    use super::super::{LINE_MAX, Logs};
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
    fn a_reader_is_notified_of_complete_lines_only() {
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
    fn an_empty_log_is_small() {
        assert!(size_of::<Log>() <= 96, "{}", size_of::<Log>());
    }

    fn lines(log: &Log) -> Vec<(Vec<u8>, bool)> {
        let mut lines = Vec::new();
        log.tail(usize::MAX, |line| {
            lines.push((line.text.to_vec(), line.cut))
        });
        lines
    }

    fn fed(reads: &[&[u8]]) -> Vec<(Vec<u8>, bool)> {
        let log = Rc::new(Log::new(256 * 1024));
        let mut writer = log.writer(Stream::Stdout);
        for read in reads {
            writer.append(read, Moment::default());
        }
        writer.end(Moment::default());
        lines(&log)
    }

    #[test]
    fn lines_do_not_depend_on_the_sizes_of_the_reads() {
        let mut text = Vec::new();
        for number in 0..60_u32 {
            let length = [
                0,
                1,
                7,
                90,
                3000,
                LINE_MAX - 1,
                LINE_MAX,
                LINE_MAX + 1,
                20_000,
            ][number as usize % 9];
            text.extend(
                (0..length)
                    .map(|place| (place as u32 * 31 + number) as u8)
                    .filter(|byte| *byte != b'\n'),
            );
            text.extend(vec![b'x'; length - length / 256]);
            text.push(b'\n');
        }
        text.extend_from_slice(b"no newline at the end");
        let model: Vec<(Vec<u8>, bool)> = text
            .split(|byte| *byte == b'\n')
            .map(|line| {
                (
                    line[..line.len().min(LINE_MAX)].to_vec(),
                    line.len() > LINE_MAX,
                )
            })
            .collect();
        for size in [
            1,
            2,
            3,
            100,
            4096,
            LINE_MAX,
            LINE_MAX + 1,
            65_536,
            text.len(),
        ] {
            let log = Rc::new(Log::new(4 << 20));
            let mut writer = log.writer(Stream::Stdout);
            for read in text.chunks(size) {
                writer.append(read, Moment::default());
            }
            writer.end(Moment::default());
            assert_eq!(lines(&log), model, "reads of {size} bytes");
        }
    }

    #[test]
    fn binary_bytes_are_kept_unchanged() {
        assert_eq!(
            fed(&[b"\0\xff\x1b[0m\r\n\n\xfe"]),
            [
                (b"\0\xff\x1b[0m\r".to_vec(), false),
                (Vec::new(), false),
                (b"\xfe".to_vec(), false)
            ]
        );
    }

    #[test]
    fn a_line_that_is_too_long_is_added_before_its_end() {
        let log = Rc::new(Log::new(256 * 1024));
        let mut writer = log.writer(Stream::Stdout);
        for _ in 0..100 {
            writer.append(&[b'x'; 1000], Moment::default());
        }
        assert_eq!(lines(&log), [(vec![b'x'; LINE_MAX], true)]);
        writer.append(b"\nnext\n", Moment::default());
        assert_eq!(lines(&log)[1], (b"next".to_vec(), false));
    }

    #[test]
    fn the_partial_lines_of_streams_are_separate() {
        let log = Rc::new(Log::new(4096));
        let mut out = log.writer(Stream::Stdout);
        let mut err = log.writer(Stream::Stderr);
        out.append(b"o", Moment::default());
        err.append(b"e", Moment::default());
        out.append(b"ut\n", Moment::default());
        err.append(b"rr\n", Moment::default());
        assert_eq!(
            lines(&log),
            [(b"out".to_vec(), false), (b"err".to_vec(), false)]
        );
    }
}
