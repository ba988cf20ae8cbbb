//! The incomplete line of a stream.

use super::ring::{Ring, Stream};
use crate::time::Moment;
use memchr::{memchr, memrchr};

/// What was read of a line so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineState {
    /// Nothing: the next read starts a line.
    #[default]
    Empty,
    /// Its beginning.
    Partial,
    /// The line was too long: its beginning is in the log already, and the rest is skipped.
    Cut,
}

/// Makes lines from reads. Bytes are kept unchanged; only newlines are removed.
#[derive(Debug, Default)]
pub struct PartialLine {
    state: LineState,
    /// At most as long as a line may be.
    text: Vec<u8>,
    /// Whether the beginning was lost with an earlier daemon.
    lost_beginning: bool,
}

/// The ring for the lines of a read, and what all these lines have in common.
pub(super) struct LineSink<'r> {
    pub(super) ring: &'r mut Ring,
    pub(super) stream: Stream,
    /// When it was read.
    pub(super) time: Moment,
    /// The maximal length of a line in bytes.
    pub(super) line_max: usize,
}

impl PartialLine {
    pub(super) fn state(&self) -> LineState {
        self.state
    }

    /// Sets the state before a recorded read. If it differs from the current one, the beginning of the line was lost.
    pub(super) fn resume(&mut self, before: LineState) {
        if self.state != before || before == LineState::Empty {
            self.reset();
            self.state = before;
            self.lost_beginning = before == LineState::Partial;
        }
    }

    /// Adds what one read returned.
    pub(super) fn append(&mut self, mut bytes: &[u8], place: &mut LineSink<'_>) {
        if self.state != LineState::Empty {
            let end = memchr(b'\n', bytes);
            self.extend(&bytes[..end.unwrap_or(bytes.len())], place);
            let Some(end) = end else { return };
            self.end(place);
            bytes = &bytes[end + 1..];
        }
        if let Some(last) = memrchr(b'\n', bytes) {
            place
                .ring
                .push_lines(&bytes[..last], place.time, place.stream);
            bytes = &bytes[last + 1..];
        }
        self.extend(bytes, place);
    }

    /// Ends the line.
    pub(super) fn end(&mut self, place: &mut LineSink<'_>) {
        if self.state == LineState::Partial {
            place.push(&self.text, self.lost_beginning);
        }
        self.reset();
    }

    /// Adds bytes to the line. A line that is too long is added to the log immediately, so that the output of a program
    /// that never ends its line is visible.
    fn extend(&mut self, bytes: &[u8], place: &mut LineSink<'_>) {
        if self.state == LineState::Cut || bytes.is_empty() {
            return;
        }
        let room = place.line_max.saturating_sub(self.text.len());
        self.text.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.state = LineState::Partial;
        if bytes.len() > room {
            place.push(&self.text, true);
            self.reset();
            self.state = LineState::Cut;
        }
    }

    fn reset(&mut self) {
        self.state = LineState::Empty;
        self.text.clear();
        self.lost_beginning = false;
    }
}

impl LineSink<'_> {
    fn push(&mut self, text: &[u8], cut: bool) {
        self.ring.push(text, self.time, self.stream, cut);
    }
}
