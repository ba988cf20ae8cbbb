//! The flight recorder: the newest output of all processes, in memory that outlives the daemon.
//!
//! The ring buffers are lost when the daemon dies, and what it has read is no longer in the pipes. So each read is also
//! copied here, into memory that the next daemon inherits and replays. The memory is a ring buffer of bytes: when it is
//! full, the oldest reads are overwritten, of any process.
//!
//! The daemon may be killed between any two instructions. So a write first moves the tail past what it overwrites, then
//! writes the entry, and then moves the head: between tail and head there are only complete entries at any time.

use super::partial_line::LineState;
use super::ring::Stream;
use crate::config::Id;
use crate::time::Moment;
use std::cell::RefCell;
use std::fmt;
use std::sync::atomic::{Ordering, compiler_fence};
use std::time::Duration;

/// The size of the memory, for all processes: about the last thousand lines.
pub const RECORDER_BYTES: usize = 256 * 1024;

/// The first bytes of the memory; the last one is the version of the layout.
const MAGIC: [u8; 8] = *b"OssLog\0\x02";

/// The offset of the entries, after magic, `life`, tail and head.
const DATA: usize = 8 + 8 + 8 + 8;
const LIFE: usize = 8;
const TAIL: usize = 16;
const HEAD: usize = 24;

/// The header of an entry: its length, kind, length of the id, maximal length of a line, number and time.
const ENTRY_HEAD: usize = 4 + 1 + 1 + 2 + 8 + 8;

/// Bits of the kind; the lowest two are the stream.
const OPEN: u8 = 0b0000_0100;
const CUT: u8 = 0b0000_1000;
const END: u8 = 0b0001_0000;

/// Memory that outlives the daemon; a plain vector in tests.
pub trait Memory: AsMut<[u8]> + AsRef<[u8]> {}

impl<T: AsMut<[u8]> + AsRef<[u8]>> Memory for T {}

/// The recorder.
pub struct FlightRecorder {
    memory: RefCell<Box<dyn Memory>>,
}

/// The bytes of one read, and what is needed to make the same lines from them again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordedRead<'a> {
    /// The number of the line that it completes first.
    pub seq: u64,
    /// When it was read.
    pub time: Moment,
    /// The stream.
    pub stream: Stream,
    /// What was read of its first line before.
    pub line_state: LineState,
    /// The maximal length of a line in bytes.
    pub line_max: usize,
    /// Whether the stream ended after it.
    pub end: bool,
    /// The bytes.
    pub bytes: &'a [u8],
}

impl FlightRecorder {
    /// A recorder in this memory, which may contain what an earlier daemon has recorded. `life` identifies this daemon; it
    /// is not changed in memory that is valid.
    pub fn new(memory: impl Memory + 'static, life: u64) -> Self {
        let this = Self {
            memory: RefCell::new(Box::new(memory)),
        };
        if !this.is_valid() {
            this.initialize(life);
        }
        this.truncate_at_damage();
        this
    }

    /// Identifies the daemon that started the numbering of the lines.
    pub fn life(&self) -> u64 {
        number(self.memory.borrow().as_ref().as_ref(), LIFE)
    }

    /// Replays what was recorded, oldest first, up to the first damaged entry. A gap shows in the numbers.
    pub fn replay(&self, mut each: impl FnMut(&Id, RecordedRead<'_>)) {
        let memory = self.memory.borrow();
        let memory: &[u8] = memory.as_ref().as_ref();
        let (mut at, head) = (number(memory, TAIL), number(memory, HEAD));
        let mut bytes = Vec::new();
        while at < head {
            let Some((id, read, length)) = read_entry(memory, at, head, &mut bytes) else {
                return;
            };
            each(&id, read);
            at += length;
        }
    }

    #[cfg(test)]
    pub(super) fn copy(&self) -> Vec<u8> {
        self.memory.borrow().as_ref().as_ref().to_vec()
    }

    fn initialize(&self, life: u64) {
        let mut memory = self.memory.borrow_mut();
        let memory: &mut [u8] = (**memory).as_mut();
        memory[..8].fill(0);
        set_number(memory, LIFE, life);
        set_number(memory, TAIL, 0);
        set_number(memory, HEAD, 0);
        compiler_fence(Ordering::SeqCst);
        memory[..8].copy_from_slice(&MAGIC);
    }

    fn is_valid(&self) -> bool {
        let memory = self.memory.borrow();
        let memory: &[u8] = memory.as_ref().as_ref();
        let (tail, head) = (number(memory, TAIL), number(memory, HEAD));
        memory.starts_with(&MAGIC) && tail <= head && head - tail <= (memory.len() - DATA) as u64
    }

    /// Drops everything from the first damaged entry on: [`Self::write`] trusts the lengths between tail and head, and a
    /// length of zero would make it loop forever, in every daemon that inherits the memory.
    fn truncate_at_damage(&self) {
        let mut memory = self.memory.borrow_mut();
        let memory: &mut [u8] = (**memory).as_mut();
        let (mut at, head) = (number(memory, TAIL), number(memory, HEAD));
        let mut bytes = Vec::new();
        while at < head
            && let Some((_, _, length)) = read_entry(memory, at, head, &mut bytes)
        {
            at += length;
        }
        set_number(memory, HEAD, at);
    }

    /// Records a read.
    pub(super) fn write(&self, id: &Id, read: &RecordedRead<'_>) {
        let mut memory = self.memory.borrow_mut();
        let memory: &mut [u8] = (**memory).as_mut();
        let name = id.as_str().as_bytes();
        let length = ENTRY_HEAD + name.len() + read.bytes.len();
        let room = memory.len() - DATA;
        if length > room {
            return;
        }
        let head = number(memory, HEAD);
        let mut tail = number(memory, TAIL);
        while head - tail + length as u64 > room as u64 {
            tail += u64::from(u32::from_le_bytes(bytes(memory, tail)));
        }
        set_number(memory, TAIL, tail);
        compiler_fence(Ordering::SeqCst);

        let before = match read.line_state {
            LineState::Empty => 0,
            LineState::Partial => OPEN,
            LineState::Cut => CUT,
        };
        let mut start = [0; ENTRY_HEAD];
        start[..4].copy_from_slice(&(length as u32).to_le_bytes());
        start[4] = read.stream as u8 | before | if read.end { END } else { 0 };
        start[5] = name.len() as u8;
        start[6..8].copy_from_slice(&(read.line_max as u16).to_le_bytes());
        start[8..16].copy_from_slice(&read.seq.to_le_bytes());
        let micros = read.time.since_boot().as_micros() as u64;
        start[16..].copy_from_slice(&micros.to_le_bytes());
        let mut at = head;
        for piece in [&start[..], name, read.bytes] {
            write_wrapping(memory, at, piece);
            at += piece.len() as u64;
        }
        compiler_fence(Ordering::SeqCst);
        set_number(memory, HEAD, at);
    }
}

impl fmt::Debug for FlightRecorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlightRecorder").finish_non_exhaustive()
    }
}

/// Reads the entry at `at`, with its bytes in `into`, and its length; `None` if it is damaged.
fn read_entry<'a>(
    memory: &[u8],
    at: u64,
    head: u64,
    into: &'a mut Vec<u8>,
) -> Option<(Id, RecordedRead<'a>, u64)> {
    let length = u64::from(u32::from_le_bytes(bytes(memory, at)));
    let [kind, name_length]: [u8; 2] = bytes(memory, at + 4);
    let line_max = u16::from_le_bytes(bytes(memory, at + 6));
    let seq = u64::from_le_bytes(bytes(memory, at + 8));
    let micros = u64::from_le_bytes(bytes(memory, at + 16));
    let bytes_at = ENTRY_HEAD as u64 + u64::from(name_length);
    // No log reaches such numbers.
    let is_number = seq > 0 && seq < u64::MAX / 2;
    if length < bytes_at || length > head - at || !is_number {
        return None;
    }
    read_wrapping(
        memory,
        at + ENTRY_HEAD as u64,
        usize::from(name_length),
        into,
    );
    let id = str::from_utf8(into).ok()?.parse().ok()?;
    read_wrapping(memory, at + bytes_at, (length - bytes_at) as usize, into);
    let read = RecordedRead {
        seq,
        time: Moment::from_boot(Duration::from_micros(micros)),
        stream: match kind & 0b11 {
            0 => Stream::Stdout,
            1 => Stream::Stderr,
            _ => Stream::Ossuary,
        },
        line_state: match (kind & OPEN != 0, kind & CUT != 0) {
            (true, _) => LineState::Partial,
            (false, true) => LineState::Cut,
            (false, false) => LineState::Empty,
        },
        line_max: usize::from(line_max),
        end: kind & END != 0,
        bytes: into,
    };
    Some((id, read, length))
}

/// The offset in memory of position `at`, counted over everything that was ever recorded.
fn offset_of(memory: &[u8], at: u64) -> usize {
    DATA + (at % (memory.len() - DATA) as u64) as usize
}

fn write_wrapping(memory: &mut [u8], at: u64, piece: &[u8]) {
    let start = offset_of(memory, at);
    let first = piece.len().min(memory.len() - start);
    memory[start..start + first].copy_from_slice(&piece[..first]);
    memory[DATA..DATA + piece.len() - first].copy_from_slice(&piece[first..]);
}

fn read_wrapping(memory: &[u8], at: u64, length: usize, into: &mut Vec<u8>) {
    let start = offset_of(memory, at);
    let first = length.min(memory.len() - start);
    into.clear();
    into.extend_from_slice(&memory[start..start + first]);
    into.extend_from_slice(&memory[DATA..DATA + length - first]);
}

fn bytes<const N: usize>(memory: &[u8], at: u64) -> [u8; N] {
    let mut bytes = [0; N];
    for (offset, byte) in (at..).zip(&mut bytes) {
        *byte = memory[offset_of(memory, offset)];
    }
    bytes
}

fn number(memory: &[u8], at: usize) -> u64 {
    let bytes = memory[at..at + 8].try_into();
    u64::from_le_bytes(bytes.expect("the slice is eight bytes long"))
}

fn set_number(memory: &mut [u8], at: usize, number: u64) {
    memory[at..at + 8].copy_from_slice(&number.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::super::LINE_MAX;
    use super::*;
    use std::collections::VecDeque;
    use std::rc::Rc;

    /// A read that owns its bytes.
    #[derive(Clone, Debug, PartialEq, Eq)]
    struct Owned(Id, RecordedRead<'static>, Vec<u8>);

    impl Owned {
        fn of(id: &Id, read: RecordedRead<'_>) -> Self {
            let head = RecordedRead { bytes: &[], ..read };
            Self(id.clone(), head, read.bytes.to_vec())
        }

        fn write_to(&self, recorder: &FlightRecorder) {
            let Self(id, head, bytes) = self;
            recorder.write(id, &RecordedRead { bytes, ..*head });
        }
    }

    fn played(recorder: &FlightRecorder) -> Vec<Owned> {
        let mut reads = Vec::new();
        recorder.replay(|id, read| reads.push(Owned::of(id, read)));
        reads
    }

    fn of_any_kind(random: &mut fastrand::Rng, seq: u64) -> Owned {
        let id = ["a", "sync", "kiosk-display"][random.usize(..3)];
        let head = RecordedRead {
            seq,
            time: Moment::from_boot(Duration::from_micros(seq * 5)),
            stream: [Stream::Stdout, Stream::Stderr, Stream::Ossuary][random.usize(..3)],
            line_state: [LineState::Empty, LineState::Partial, LineState::Cut][random.usize(..3)],
            line_max: random.usize(..=LINE_MAX),
            end: random.bool(),
            bytes: &[],
        };
        let bytes = (0..random.usize(..150)).map(|_| random.u8(..)).collect();
        Owned(id.parse().unwrap(), head, bytes)
    }

    #[test]
    fn the_newest_reads_are_replayed() {
        for seed in 0..500 {
            let mut random = fastrand::Rng::with_seed(seed);
            let size = DATA + random.usize(200..3_000);
            let mut recorder = FlightRecorder::new(vec![0; size], 7);
            let mut model: VecDeque<Owned> = VecDeque::new();
            for seq in 1..random.u64(2..200) {
                let read = of_any_kind(&mut random, seq);
                read.write_to(&recorder);
                model.push_back(read);
                if random.u8(..20) == 0 {
                    // The daemon dies; the next one finds the memory.
                    let memory = recorder.copy();
                    recorder = FlightRecorder::new(memory, 8);
                    assert_eq!(recorder.life(), 7);
                }
            }
            let reads = played(&recorder);
            let newest = model.len() - reads.len();
            assert_eq!(reads, model.range(newest..).cloned().collect::<Vec<_>>());
            let all: usize = model
                .iter()
                .map(|Owned(id, _, bytes)| ENTRY_HEAD + id.as_str().len() + bytes.len())
                .sum();
            assert!(
                newest == 0 || all > size - DATA,
                "seed {seed}: dropped without need"
            );
        }
    }

    #[test]
    fn memory_with_other_content_is_initialized() {
        let recorder = FlightRecorder::new(vec![0xa5; 1000], 3);
        assert_eq!((recorder.life(), played(&recorder)), (3, vec![]));
        let read = of_any_kind(&mut fastrand::Rng::with_seed(1), 1);
        read.write_to(&recorder);
        assert_eq!(played(&recorder), [read]);
    }

    #[test]
    fn damaged_memory_loses_lines_but_does_not_panic() {
        for seed in 0..2_000 {
            let mut random = fastrand::Rng::with_seed(seed);
            let recorder = FlightRecorder::new(vec![0; 600], 1);
            for seq in 1..30 {
                of_any_kind(&mut random, seq).write_to(&recorder);
            }
            let mut memory = recorder.copy();
            for _ in 0..random.usize(1..20) {
                let place = random.usize(..memory.len());
                memory[place] = random.u8(..);
            }
            super::super::Logs::recorded(Rc::new(FlightRecorder::new(memory, 2)));
        }
    }

    #[test]
    fn a_recorder_in_damaged_memory_continues_to_record() {
        for seed in 0..2_000 {
            let mut random = fastrand::Rng::with_seed(seed);
            let recorder = FlightRecorder::new(vec![0; 600], 1);
            for seq in 1..30 {
                of_any_kind(&mut random, seq).write_to(&recorder);
            }
            let mut memory = recorder.copy();
            match seed {
                // The length of the oldest entry, which the next write adds to the tail.
                0 => {
                    let oldest = offset_of(&memory, number(&memory, TAIL));
                    memory[oldest] = 0;
                }
                _ => {
                    for _ in 0..random.usize(1..20) {
                        let place = random.usize(..memory.len());
                        memory[place] = random.u8(..);
                    }
                }
            }
            let recorder = FlightRecorder::new(memory, 2);
            let mut newest = None;
            for seq in 1_000..1_030 {
                let read = of_any_kind(&mut random, seq);
                read.write_to(&recorder);
                newest = Some(read);
            }
            assert_eq!(played(&recorder).last(), newest.as_ref(), "seed {seed}");
        }
    }
}
