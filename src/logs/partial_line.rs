//! The line of a stream whose end was not read yet.

use super::ring::{Ring, Stream};
use crate::time::Moment;
use memchr::{memchr, memrchr};

/// What there is of a line before the next read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineState {
    /// Nothing: the next read begins a line.
    #[default]
    Empty,
    /// Its beginning.
    Partial,
    /// It was too long, its head is in the log already, and the rest of it is passed over.
    Cut,
}

/// Makes lines of reads. Bytes are kept as they are; only newlines are taken out.
#[derive(Debug, Default)]
pub struct PartialLine {
    state: LineState,
    /// Never longer than a line may be.
    text: Vec<u8>,
    /// Nobody knows any more how it began.
    lost_beginning: bool,
}

/// Where the lines of a read go.
pub(super) struct LineSink<'r> {
    pub(super) ring: &'r mut Ring,
    pub(super) stream: Stream,
    /// When it was read.
    pub(super) time: Moment,
    /// How long a line may be, in bytes.
    pub(super) line_max: usize,
}

impl PartialLine {
    pub(super) fn state(&self) -> LineState {
        self.state
    }

    /// Takes it that there was this much of the line, whatever is known of it.
    pub(super) fn resume(&mut self, before: LineState) {
        if self.state != before || before == LineState::Empty {
            self.reset();
            self.state = before;
            self.lost_beginning = before == LineState::Partial;
        }
    }

    /// Takes in what one read returned.
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

    /// Here is its end: what stands there is a line.
    pub(super) fn end(&mut self, place: &mut LineSink<'_>) {
        if self.state == LineState::Partial {
            place.push(&self.text, self.lost_beginning);
        }
        self.reset();
    }

    /// Adds to it. Once it is too long it goes into the log at once, so that a program that never ends its line is
    /// seen nevertheless.
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
