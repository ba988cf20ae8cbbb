//! Adds the output of one stream of one run to a log.

use super::log::Log;
use super::partial_line::PartialLine;
use super::ring::Stream;
use crate::time::Moment;
use std::rc::Rc;

/// Makes lines from the raw reads of one stream.
#[derive(Debug)]
pub struct Writer {
    log: Rc<Log>,
    stream: Stream,
    line: PartialLine,
}

impl Writer {
    pub(super) fn new(log: Rc<Log>, stream: Stream, line: PartialLine) -> Self {
        Self { log, stream, line }
    }

    /// Adds what one read returned.
    pub fn append(&mut self, bytes: &[u8], now: Moment) {
        self.log.append(self.stream, &mut self.line, bytes, now);
    }

    /// Ends the stream; what follows the last newline is a line, too.
    pub fn end(&mut self, now: Moment) {
        self.log.end(self.stream, &mut self.line, now);
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
