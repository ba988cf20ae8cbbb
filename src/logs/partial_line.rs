//! The line of a stream whose end was not read yet.

use super::ring::{Ring, Stream};
use crate::time::Moment;
use memchr::{memchr, memrchr};

/// What there is of a line before the next read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Before {
    /// Nothing: the next read begins a line.
    #[default]
    Nothing,
    /// Its beginning.
    Open,
    /// It was too long, its head is in the log already, and the rest of it is passed over.
    Cut,
}

/// Makes lines of reads. Bytes are kept as they are; only newlines are taken out.
#[derive(Debug, Default)]
pub struct OpenLine {
    before: Before,
    /// Never longer than a line may be.
    text: Vec<u8>,
    /// Nobody knows any more how it began.
    is_headless: bool,
}

/// Where the lines of a read go.
pub(super) struct Place<'r> {
    pub(super) ring: &'r mut Ring,
    pub(super) stream: Stream,
    /// When it was read.
    pub(super) time: Moment,
    /// How long a line may be, in bytes.
    pub(super) line_max: usize,
}

impl OpenLine {
    pub(super) fn before(&self) -> Before {
        self.before
    }

    /// Takes it that there was this much of the line, whatever is known of it.
    pub(super) fn resume(&mut self, before: Before) {
        if self.before != before || before == Before::Nothing {
            self.begin_anew();
            self.before = before;
            self.is_headless = before == Before::Open;
        }
    }

    /// Takes in what one read returned.
    pub(super) fn take(&mut self, mut bytes: &[u8], place: &mut Place<'_>) {
        if self.before != Before::Nothing {
            let end = memchr(b'\n', bytes);
            self.go_on(&bytes[..end.unwrap_or(bytes.len())], place);
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
        self.go_on(bytes, place);
    }

    /// Here is its end: what stands there is a line.
    pub(super) fn end(&mut self, place: &mut Place<'_>) {
        if self.before == Before::Open {
            place.push(&self.text, self.is_headless);
        }
        self.begin_anew();
    }

    /// Adds to it. Once it is too long it goes into the log at once, so that a program that never ends its line is
    /// seen nevertheless.
    fn go_on(&mut self, bytes: &[u8], place: &mut Place<'_>) {
        if self.before == Before::Cut || bytes.is_empty() {
            return;
        }
        let room = place.line_max.saturating_sub(self.text.len());
        self.text.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.before = Before::Open;
        if bytes.len() > room {
            place.push(&self.text, true);
            self.begin_anew();
            self.before = Before::Cut;
        }
    }

    fn begin_anew(&mut self) {
        self.before = Before::Nothing;
        self.text.clear();
        self.is_headless = false;
    }
}

impl Place<'_> {
    fn push(&mut self, text: &[u8], cut: bool) {
        self.ring.push(text, self.time, self.stream, cut);
    }
}
