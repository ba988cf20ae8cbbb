//! A ring buffer of lines with a fixed size in bytes.
//!
//! Lines are stored in chunks. When the ring is full and a new chunk is needed, the oldest one is dropped and its memory
//! reused. Chunks start small and double in size, so a process with little output needs little memory. The number of a
//! line is not stored: it is that of the first line of its chunk plus its index.
//!
//! The complete lines of one read are stored as one entry with their newlines, so that a flood of output is not split
//! into lines unless the log is read. The header of an entry is a byte of flags, the time since the previous entry in
//! microseconds, and the length, both as LEB128: usually three bytes for the first line, and one for each further line.

use crate::time::Moment;
use memchr::{memchr, memchr_iter, memrchr};
use std::collections::VecDeque;
use std::time::Duration;

/// The maximal length of a line in bytes; a longer one is cut. Enough for any useful log line, and small enough that one
/// endless line does not fill the ring.
pub const LINE_MAX: usize = 8 * 1024;

/// The size of the first chunk: what a process with a few lines of output needs.
const CHUNK_MIN: usize = 512;

/// The size of the largest chunk. Smaller ones would be replaced too often; with larger ones too many lines would be
/// dropped at once.
const CHUNK_MAX: usize = 16 * 1024;

/// The least number of chunks of a full ring: dropping the oldest chunk frees at most this fraction.
const CHUNKS_MIN: usize = 8;

/// The largest header: flags, ten bytes of time and three of length.
const HEADER_MAX: usize = 1 + 10 + 3;

/// The header of an entry.
type Header = heapless::Vec<u8, HEADER_MAX>;

/// The smallest ring, in bytes.
const RING_MIN: usize = 1024;

/// The bits of the stream.
const STREAM: u8 = 0b11;

/// The bit that says a line was cut.
const CUT: u8 = 0b100;

/// The bit that says the entry has several lines, separated by newlines.
const SEVERAL: u8 = 0b1000;

/// The source of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A message of the daemon itself.
    Ossuary,
}

names!(Stream {
    Stdout = "stdout",
    Stderr = "stderr",
    Ossuary = "ossuary",
});

/// A line of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// The number; lines are numbered from 1 without gaps.
    pub seq: u64,
    /// When its end was read.
    pub time: Moment,
    /// The source.
    pub stream: Stream,
    /// The bytes, without the newline; not necessarily UTF-8.
    pub text: &'a [u8],
    /// Whether a part of the line is missing.
    pub cut: bool,
}

/// The ring buffer.
#[derive(Debug)]
pub(super) struct Ring {
    chunks: VecDeque<Chunk>,
    /// The sum of the capacities of all chunks.
    held: usize,
    capacity: usize,
    next_seq: u64,
}

#[derive(Debug)]
struct Chunk {
    bytes: Vec<u8>,
    first_seq: u64,
    lines: u32,
    /// When the first line was written, and the last, in microseconds since boot.
    first_time: u64,
    last_time: u64,
}

/// An entry: one line, or several separated by newlines.
#[derive(Clone, Copy)]
struct Text<'a> {
    micros: u64,
    flags: u8,
    bytes: &'a [u8],
}

impl Ring {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            chunks: VecDeque::new(),
            held: 0,
            capacity: capacity.max(RING_MIN),
            next_seq: 1,
        }
    }

    pub(super) fn next_seq(&self) -> u64 {
        self.next_seq
    }

    pub(super) fn first_seq(&self) -> u64 {
        self.chunks
            .front()
            .map_or(self.next_seq, |chunk| chunk.first_seq)
    }

    /// The maximal length of a line in this ring: a small ring holds at least two lines.
    pub(super) fn line_max(&self) -> usize {
        LINE_MAX.min(self.capacity / 2 - HEADER_MAX)
    }

    /// Adds a line; one longer than [`Ring::line_max`] is cut.
    pub(super) fn push(&mut self, text: &[u8], time: Moment, stream: Stream, cut: bool) {
        let max = self.line_max();
        let (text, cut) = match text.get(..max) {
            Some(head) if text.len() > max => (head, true),
            _ => (text, cut),
        };
        let need = HEADER_MAX + text.len();
        let micros = micros(time);
        if self.room().is_none_or(|room| room < text.len()) {
            self.begin_chunk(need, micros);
        }
        self.put(text, 1, micros, stream as u8 | if cut { CUT } else { 0 });
    }

    /// Adds several lines, separated by newlines, with the same result as [`Ring::push`] for each.
    pub(super) fn push_lines(&mut self, mut text: &[u8], time: Moment, stream: Stream) {
        // A piece of at most this many bytes has no line that must be cut.
        let max = self.line_max();
        loop {
            let room = self.room().map(|room| room.min(max));
            let end = room.and_then(|room| match text.get(..=room) {
                Some(piece) => memrchr(b'\n', piece),
                None => Some(text.len()),
            });
            let end = match end {
                Some(end) => {
                    let piece = &text[..end];
                    let more = memchr_iter(b'\n', piece).count() as u32;
                    let flags = stream as u8 | if more > 0 { SEVERAL } else { 0 };
                    self.put(piece, 1 + more, micros(time), flags);
                    end
                }
                // The first line does not fit, or must be cut.
                None => {
                    let end = memchr(b'\n', text).unwrap_or(text.len());
                    self.push(&text[..end], time, stream, false);
                    end
                }
            };
            match text.get(end + 1..) {
                Some(rest) => text = rest,
                None => return,
            }
        }
    }

    /// The longest text that fits into the last chunk.
    fn room(&self) -> Option<usize> {
        let chunk = &self.chunks.back()?.bytes;
        (chunk.capacity() - chunk.len()).checked_sub(HEADER_MAX)
    }

    /// Adds lines to the last chunk, which must have room for them.
    fn put(&mut self, text: &[u8], lines: u32, micros: u64, flags: u8) {
        let chunk = self
            .chunks
            .back_mut()
            .expect("the caller has found room in a chunk");
        debug_assert_eq!(chunk.end_seq(), self.next_seq);
        self.next_seq += u64::from(lines);
        chunk.push(text, lines, micros, flags);
    }

    /// Sets the number of the next line. If that leaves a gap, the ring is emptied.
    pub(super) fn continue_at(&mut self, seq: u64) {
        if seq != self.next_seq {
            *self = Ring::new(self.capacity);
            self.next_seq = seq;
        }
    }

    /// Calls `each` with the lines after number `seq`, oldest first, at most `max_lines` lines and `max_bytes` bytes of
    /// text, but at least one line if there is one.
    pub(super) fn read_after(
        &self,
        seq: u64,
        max_lines: usize,
        max_bytes: usize,
        mut each: impl FnMut(Line<'_>),
    ) {
        let from = self
            .chunks
            .partition_point(|chunk| chunk.end_seq() <= seq.saturating_add(1));
        let mut bytes = 0;
        self.chunks
            .range(from..)
            .flat_map(Chunk::lines)
            .filter(|line| line.seq > seq)
            .take(max_lines)
            .take_while(|line| {
                let first = bytes == 0;
                bytes += line.text.len().max(1);
                first || bytes <= max_bytes
            })
            .for_each(&mut each);
    }

    /// Changes the capacity and keeps the newest lines that fit.
    pub(super) fn resize(&mut self, capacity: usize) {
        let capacity = capacity.max(RING_MIN);
        if capacity == self.capacity {
            return;
        }
        let mut resized = Ring::new(capacity);
        resized.next_seq = self.first_seq();
        for text in self.chunks.iter().flat_map(Chunk::texts) {
            let time = Moment::from_boot(Duration::from_micros(text.micros));
            match text.is_several() {
                true => resized.push_lines(text.bytes, time, text.stream()),
                false => resized.push(text.bytes, time, text.stream(), text.is_cut()),
            }
        }
        *self = resized;
    }

    /// The bytes of all chunks, for tests of the bound.
    #[cfg(test)]
    fn held(&self) -> usize {
        assert_eq!(
            self.held,
            self.chunks
                .iter()
                .map(|chunk| chunk.bytes.capacity())
                .sum::<usize>()
        );
        self.held
    }

    #[cold]
    fn begin_chunk(&mut self, need: usize, micros: u64) {
        let largest = (self.capacity / CHUNKS_MIN).min(CHUNK_MAX);
        // As large as all chunks so far: few chunks, little unused memory.
        let size = self.held.clamp(CHUNK_MIN.min(largest), largest).max(need);
        let mut spare = None;
        while self.held + size > self.capacity {
            let Some(oldest) = self.chunks.pop_front() else {
                break;
            };
            self.held -= oldest.bytes.capacity();
            spare = Some(oldest.bytes).filter(|bytes| bytes.capacity() == size);
        }
        let bytes = match spare {
            Some(mut bytes) => {
                bytes.clear();
                bytes
            }
            None => Vec::with_capacity(size),
        };
        self.held += bytes.capacity();
        self.chunks.push_back(Chunk {
            bytes,
            first_seq: self.next_seq,
            lines: 0,
            first_time: micros,
            last_time: micros,
        });
    }
}

impl Chunk {
    fn end_seq(&self) -> u64 {
        self.first_seq + u64::from(self.lines)
    }

    fn push(&mut self, text: &[u8], lines: u32, micros: u64, flags: u8) {
        let mut head = Header::new();
        // The header has room for its largest content.
        let _ = head.push(flags);
        push_number(&mut head, micros.saturating_sub(self.last_time));
        push_number(&mut head, text.len() as u64);
        self.bytes.extend_from_slice(&head);
        self.bytes.extend_from_slice(text);
        self.last_time = micros.max(self.last_time);
        self.lines += lines;
    }

    fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        let lines = self.texts().flat_map(|text| {
            let mut rest = Some(text.bytes);
            std::iter::from_fn(move || {
                let bytes = rest.take()?;
                let end = memchr(b'\n', bytes).filter(|_| text.is_several());
                rest = end.map(|end| &bytes[end + 1..]);
                Some((text, &bytes[..end.unwrap_or(bytes.len())]))
            })
        });
        (self.first_seq..)
            .zip(lines)
            .map(|(seq, (text, bytes))| Line {
                seq,
                time: Moment::from_boot(Duration::from_micros(text.micros)),
                stream: text.stream(),
                text: bytes,
                cut: text.is_cut(),
            })
    }

    fn texts(&self) -> impl Iterator<Item = Text<'_>> {
        let mut rest = &self.bytes[..];
        let mut micros = self.first_time;
        std::iter::from_fn(move || {
            let (&flags, after) = rest.split_first()?;
            rest = after;
            micros += take_number(&mut rest);
            let length = take_number(&mut rest) as usize;
            let (bytes, after) = rest.split_at(length);
            rest = after;
            Some(Text {
                micros,
                flags,
                bytes,
            })
        })
    }
}

impl Text<'_> {
    fn stream(&self) -> Stream {
        match self.flags & STREAM {
            0 => Stream::Stdout,
            1 => Stream::Stderr,
            _ => Stream::Ossuary,
        }
    }

    fn is_cut(&self) -> bool {
        self.flags & CUT != 0
    }

    fn is_several(&self) -> bool {
        self.flags & SEVERAL != 0
    }
}

/// Microseconds since boot: 64 bits last half a million years.
fn micros(time: Moment) -> u64 {
    time.since_boot().as_micros() as u64
}

/// Appends a number as LEB128: seven bits a byte, the lowest first.
fn push_number(head: &mut Header, mut number: u64) {
    while number >= 0x80 {
        let _ = head.push(number as u8 | 0x80);
        number >>= 7;
    }
    let _ = head.push(number as u8);
}

/// Reads a number that [`push_number`] has written.
fn take_number(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    let mut shift = 0;
    loop {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return number;
        }
        shift += 7;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::from_boot(Duration::from_millis(millis))
    }

    /// A small random number generator (splitmix64).
    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: u64) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (z ^ (z >> 31)) % bound
        }

        /// A random line without this byte: most are short, some empty, some longer than a line may be.
        fn text(&mut self, without: u8) -> Vec<u8> {
            let length = match self.below(10) {
                0 => self.below(12_000),
                1 => 0,
                _ => self.below(200),
            };
            let mut text: Vec<u8> = (0..length).map(|_| self.below(256) as u8).collect();
            text.retain(|byte| *byte != without);
            text
        }
    }

    type Owned = (u64, Moment, Stream, Vec<u8>, bool);

    fn owned(line: Line<'_>) -> Owned {
        (
            line.seq,
            line.time,
            line.stream,
            line.text.to_vec(),
            line.cut,
        )
    }

    fn all(ring: &Ring) -> Vec<Owned> {
        let mut lines = Vec::new();
        ring.read_after(0, usize::MAX, usize::MAX, |line| lines.push(owned(line)));
        lines
    }

    #[test]
    fn an_empty_ring_holds_no_memory() {
        let ring = Ring::new(256 * 1024);
        assert_eq!(ring.held(), 0);
        assert_eq!((ring.first_seq(), ring.next_seq()), (1, 1));
        assert!(size_of::<Ring>() <= 64);
    }

    #[test]
    fn a_ring_agrees_with_a_list_of_lines() {
        for seed in 0..6_000 {
            let mut random = Random(seed);
            let mut capacity = 1024 << random.below(7);
            let mut ring = Ring::new(capacity);
            let mut model: Vec<Owned> = Vec::new();
            let mut now = 0;
            let mut first_when_resized = 1;
            for _ in 0..random.below(120) {
                if random.below(40) == 0 {
                    capacity = 1024 << random.below(7);
                    let before = ring.first_seq();
                    ring.resize(capacity);
                    assert!(ring.first_seq() >= before, "seed {seed}");
                    first_when_resized = ring.first_seq();
                    // Lines that are too long for the new capacity are cut.
                    let max = ring.line_max();
                    for line in &mut model {
                        line.4 |= line.3.len() > max;
                        line.3.truncate(max);
                    }
                }
                now += match random.below(4) {
                    0 => random.below(100_000_000),
                    1 => random.below(2_000),
                    _ => 0,
                };
                let stream =
                    [Stream::Stdout, Stream::Stderr, Stream::Ossuary][random.below(3) as usize];
                let (lines, cut) = match random.below(3) {
                    0 => {
                        let lines: Vec<_> = (0..1 + random.below(40))
                            .map(|_| random.text(b'\n'))
                            .collect();
                        ring.push_lines(&lines.join(&b'\n'), at(now), stream);
                        (lines, false)
                    }
                    _ => {
                        let (text, cut) = (random.text(b' '), random.below(20) == 0);
                        ring.push(&text, at(now), stream, cut);
                        (vec![text], cut)
                    }
                };
                let max = ring.line_max();
                for mut text in lines {
                    let cut = cut || text.len() > max;
                    text.truncate(max);
                    model.push((model.len() as u64 + 1, at(now), stream, text, cut));
                }
                assert!(ring.held() <= capacity, "seed {seed}");
                assert_eq!(ring.next_seq(), model.len() as u64 + 1, "seed {seed}");
            }
            let lines = all(&ring);
            let first = ring.first_seq() as usize - 1;
            assert_eq!(lines, model[first..], "seed {seed}");
            // Nothing is dropped without need: the free part of a full ring is at most one chunk.
            if ring.first_seq() > first_when_resized {
                let chunk = (capacity / CHUNKS_MIN).max(HEADER_MAX + ring.line_max());
                assert!(ring.held() + chunk > capacity, "seed {seed}");
            }
            // Reading a part gives the same lines.
            let after = random.below(model.len() as u64 + 3);
            let (max_lines, max_bytes) = (random.below(20) as usize, random.below(3_000) as usize);
            let mut piece = Vec::new();
            ring.read_after(after, max_lines, max_bytes, |line| piece.push(owned(line)));
            let expected: Vec<_> = lines
                .into_iter()
                .filter(|line| line.0 > after)
                .take(piece.len())
                .collect();
            assert_eq!(piece, expected, "seed {seed}");
            assert!(piece.len() <= max_lines, "seed {seed}");
        }
    }

    #[test]
    fn a_full_ring_keeps_most_of_its_bytes_in_use() {
        let mut ring = Ring::new(256 * 1024);
        for number in 0..100_000_u64 {
            ring.push(&[b'x'; 97], at(number), Stream::Stdout, false);
        }
        assert!(ring.held() <= 256 * 1024);
        let text: usize = all(&ring).iter().map(|line| line.3.len()).sum();
        assert!(text > 220 * 1024, "{text}");
    }

    #[test]
    fn a_full_ring_that_is_enlarged_loses_nothing() {
        for line in ["", "x", "four", "a line as programs print them"] {
            let mut ring = Ring::new(64 * 1024);
            for number in 0..1000 {
                ring.push_lines(
                    [line; 100].join("\n").as_bytes(),
                    at(number),
                    Stream::Stdout,
                );
            }
            let before = all(&ring);
            assert!(before[0].0 > 1);
            ring.resize(80 * 1024);
            assert_eq!(all(&ring), before, "{line:?}");
        }
    }

    #[test]
    fn times_never_decrease() {
        let mut ring = Ring::new(1024);
        ring.push(b"a", at(5), Stream::Stdout, false);
        ring.push(b"b", at(3), Stream::Stdout, false);
        assert_eq!(all(&ring)[1].1, at(5));
    }
}
