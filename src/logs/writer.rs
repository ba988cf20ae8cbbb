//! Makes lines of the raw reads of a pipe.

use super::log::Log;
use super::ring::{Ring, Stream};
use crate::time::Moment;
use memchr::{memchr, memchr_iter};
use std::rc::Rc;

/// Assembles the lines of one stream. Bytes are kept as they are; only newlines are taken out.
#[derive(Debug)]
pub struct Writer {
    log: Rc<Log>,
    stream: Stream,
    /// The beginning of a line whose end was not read yet; never longer than a line may be.
    partial: Vec<u8>,
    /// How much of it is recorded for the next daemon.
    recorded: usize,
    /// The line was too long, its head is in the log already, and the rest of it is passed over.
    skipping: bool,
}

impl Writer {
    pub(super) fn new(log: Rc<Log>, stream: Stream) -> Self {
        Self {
            log,
            stream,
            partial: Vec::new(),
            recorded: 0,
            skipping: false,
        }
    }

    pub(super) fn resume(log: Rc<Log>, stream: Stream, begun: Vec<u8>) -> Self {
        Self {
            recorded: begun.len(),
            partial: begun,
            ..Self::new(log, stream)
        }
    }

    /// Takes in what one read returned.
    pub fn append(&mut self, bytes: &[u8], now: Moment) {
        let log = self.log.clone();
        log.write(|ring| self.split(ring, bytes, now));
        if self.recorded < self.partial.len() {
            log.write_part(self.stream, &self.partial[self.recorded..], now);
            self.recorded = self.partial.len();
        }
    }

    /// The stream has ended: what stands without a newline is a line too.
    pub fn end(&mut self, now: Moment) {
        if !self.partial.is_empty() {
            let text = std::mem::take(&mut self.partial);
            self.recorded = 0;
            self.log
                .write(|ring| ring.push(&text, now, self.stream, false));
        }
        self.skipping = false;
    }

    fn split(&mut self, ring: &mut Ring, mut bytes: &[u8], now: Moment) {
        if self.skipping || !self.partial.is_empty() {
            let end = memchr(b'\n', bytes);
            self.continue_line(ring, &bytes[..end.unwrap_or(bytes.len())], now);
            let Some(end) = end else { return };
            if !self.skipping {
                ring.push(&self.partial, now, self.stream, false);
                self.end_partial();
            }
            self.skipping = false;
            bytes = &bytes[end + 1..];
        }
        let mut start = 0;
        for end in memchr_iter(b'\n', bytes) {
            ring.push(&bytes[start..end], now, self.stream, false);
            start = end + 1;
        }
        self.continue_line(ring, &bytes[start..], now);
    }

    /// Adds to the line that has no end yet. Once it is too long it goes into the log at
    /// once, so that a program that never ends its line is seen nevertheless.
    fn continue_line(&mut self, ring: &mut Ring, bytes: &[u8], now: Moment) {
        if self.skipping {
            return;
        }
        let room = ring.line_max().saturating_sub(self.partial.len());
        self.partial
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
        if bytes.len() > room {
            ring.push(&self.partial, now, self.stream, true);
            self.end_partial();
            self.skipping = true;
        }
    }

    fn end_partial(&mut self) {
        self.partial.clear();
        self.recorded = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::super::LINE_MAX;
    use super::*;

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
    fn lines_are_the_same_however_the_reads_fall() {
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
    fn binary_bytes_are_kept_as_they_are() {
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
    fn a_line_that_never_ends_is_seen_cut_before_its_end() {
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
    fn streams_do_not_mix_their_partial_lines() {
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
