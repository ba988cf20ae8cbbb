//! The flight recorder: the newest lines of all processes, in memory that outlives the daemon.
//!
//! The rings die with the daemon, and what it has read from a pipe is in no pipe any more. So
//! every line is also written here, into a piece of memory that whoever made it hands to the
//! next daemon. It is a ring of bytes: when it is full, the oldest entries make way, whoever's they are.
//!
//! The daemon may be killed between any two instructions. So first the tail moves past what is
//! about to be overwritten, then the entry is written, and only then does the head move behind it:
//! what lies between tail and head is whole at any instant.

use super::ring::{Line, Stream};
use crate::config::Id;
use crate::time::Moment;
use std::cell::RefCell;
use std::fmt;
use std::sync::atomic::{Ordering, compiler_fence};
use std::time::Duration;

/// How much is kept for the next daemon, over all processes: the last thousand lines or so.
pub const RECORDER_BYTES: usize = 256 * 1024;

/// What the memory begins with, the version of this layout in the last byte.
const MAGIC: [u8; 8] = *b"OssLog\0\x01";

/// Magic, life, tail and head: where the entries begin.
const DATA: usize = 8 + 8 + 8 + 8;
const LIFE: usize = 8;
const TAIL: usize = 16;
const HEAD: usize = 24;

/// Length, kind, length of the id, number and time.
const ENTRY_HEAD: usize = 4 + 1 + 1 + 8 + 8;

/// Bits of the kind, beside the stream in the lowest two.
const CUT: u8 = 0b0100;
const PART: u8 = 0b1000;

/// Memory that outlives the daemon; a plain vector in tests.
pub trait Memory: AsMut<[u8]> + AsRef<[u8]> {}

impl<T: AsMut<[u8]> + AsRef<[u8]>> Memory for T {}

/// The recorder.
pub struct Recorder {
    memory: RefCell<Box<dyn Memory>>,
}

/// One entry as it is played back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whose.
    pub id: Id,
    /// Its number in the log of the process; 0 for a part.
    pub seq: u64,
    /// When its end was read.
    pub time: Moment,
    /// Where it came from.
    pub stream: Stream,
    /// The line was longer.
    pub cut: bool,
    /// No line but more of the beginning of one, whose end was not read yet.
    pub part: bool,
    /// The bytes.
    pub text: Vec<u8>,
}

impl Recorder {
    /// A recorder in this memory, which may hold what an earlier daemon has recorded. `life` names
    /// this daemon; where there is something already, its own name stays.
    pub fn new(memory: impl Memory + 'static, life: u64) -> Self {
        let this = Self {
            memory: RefCell::new(Box::new(memory)),
        };
        if !this.is_sound() {
            this.begin(life);
        }
        this
    }

    /// Names the daemon that began to number the lines.
    pub fn life(&self) -> u64 {
        number(self.memory.borrow().as_ref().as_ref(), LIFE)
    }

    /// Records a line.
    pub(super) fn line(&self, id: &Id, line: &Line<'_>) {
        let kind = line.stream as u8 | if line.cut { CUT } else { 0 };
        self.write(id, kind, line.seq, line.time, line.text);
    }

    /// Records more of the beginning of a line, whose end was not read yet.
    pub(super) fn part(&self, id: &Id, stream: Stream, text: &[u8], time: Moment) {
        self.write(id, stream as u8 | PART, 0, time, text);
    }

    /// Plays back what was recorded, oldest first, up to where it may be damaged: the gap shows in the numbers.
    pub fn play(&self, mut each: impl FnMut(Entry)) {
        let memory = self.memory.borrow();
        let memory: &[u8] = memory.as_ref().as_ref();
        let (mut at, head) = (number(memory, TAIL), number(memory, HEAD));
        while at < head {
            let Some((entry, length)) = entry(memory, at, head) else {
                return;
            };
            each(entry);
            at += length;
        }
    }

    #[cfg(test)]
    pub(super) fn copy(&self) -> Vec<u8> {
        self.memory.borrow().as_ref().as_ref().to_vec()
    }

    fn begin(&self, life: u64) {
        let mut memory = self.memory.borrow_mut();
        let memory: &mut [u8] = (**memory).as_mut();
        memory[..8].fill(0);
        set_number(memory, LIFE, life);
        set_number(memory, TAIL, 0);
        set_number(memory, HEAD, 0);
        compiler_fence(Ordering::SeqCst);
        memory[..8].copy_from_slice(&MAGIC);
    }

    fn is_sound(&self) -> bool {
        let memory = self.memory.borrow();
        let memory: &[u8] = memory.as_ref().as_ref();
        let (tail, head) = (number(memory, TAIL), number(memory, HEAD));
        memory.starts_with(&MAGIC) && tail <= head && head - tail <= (memory.len() - DATA) as u64
    }

    fn write(&self, id: &Id, kind: u8, seq: u64, time: Moment, text: &[u8]) {
        let mut memory = self.memory.borrow_mut();
        let memory: &mut [u8] = (**memory).as_mut();
        let name = id.as_str().as_bytes();
        let length = ENTRY_HEAD + name.len() + text.len();
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

        let mut start = [0; ENTRY_HEAD];
        start[..4].copy_from_slice(&(length as u32).to_le_bytes());
        start[4] = kind;
        start[5] = name.len() as u8;
        start[6..14].copy_from_slice(&seq.to_le_bytes());
        let micros = time.since_boot().as_micros() as u64;
        start[14..].copy_from_slice(&micros.to_le_bytes());
        let mut at = head;
        for piece in [&start[..], name, text] {
            put(memory, at, piece);
            at += piece.len() as u64;
        }
        compiler_fence(Ordering::SeqCst);
        set_number(memory, HEAD, at);
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}

/// The entry at `at`, and how long it is.
fn entry(memory: &[u8], at: u64, head: u64) -> Option<(Entry, u64)> {
    let length = u64::from(u32::from_le_bytes(bytes(memory, at)));
    let [kind, name_length]: [u8; 2] = bytes(memory, at + 4);
    let seq = u64::from_le_bytes(bytes(memory, at + 6));
    let micros = u64::from_le_bytes(bytes(memory, at + 14));
    let text_at = ENTRY_HEAD as u64 + u64::from(name_length);
    if length < text_at || length > head - at {
        return None;
    }
    let name = take(memory, at + ENTRY_HEAD as u64, usize::from(name_length));
    let entry = Entry {
        id: str::from_utf8(&name).ok()?.parse().ok()?,
        seq,
        time: Moment::from_boot(Duration::from_micros(micros)),
        stream: match kind & 0b11 {
            0 => Stream::Stdout,
            1 => Stream::Stderr,
            _ => Stream::Ossuary,
        },
        cut: kind & CUT != 0,
        part: kind & PART != 0,
        text: take(memory, at + text_at, (length - text_at) as usize),
    };
    Some((entry, length))
}

/// Where the byte number `at` of all that was ever recorded lies.
fn place(memory: &[u8], at: u64) -> usize {
    DATA + (at % (memory.len() - DATA) as u64) as usize
}

fn put(memory: &mut [u8], at: u64, piece: &[u8]) {
    let start = place(memory, at);
    let first = piece.len().min(memory.len() - start);
    memory[start..start + first].copy_from_slice(&piece[..first]);
    memory[DATA..DATA + piece.len() - first].copy_from_slice(&piece[first..]);
}

fn take(memory: &[u8], at: u64, length: usize) -> Vec<u8> {
    let start = place(memory, at);
    let first = length.min(memory.len() - start);
    let mut piece = memory[start..start + first].to_vec();
    piece.extend_from_slice(&memory[DATA..DATA + length - first]);
    piece
}

fn bytes<const N: usize>(memory: &[u8], at: u64) -> [u8; N] {
    let mut bytes = [0; N];
    for (offset, byte) in (at..).zip(&mut bytes) {
        *byte = memory[place(memory, offset)];
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
    use super::*;
    use std::collections::VecDeque;

    fn played(recorder: &Recorder) -> Vec<Entry> {
        let mut entries = Vec::new();
        recorder.play(|entry| entries.push(entry));
        entries
    }

    #[test]
    fn what_is_played_back_is_the_newest_of_what_was_recorded() {
        for seed in 0..500 {
            let mut random = fastrand::Rng::with_seed(seed);
            let size = DATA + random.usize(200..3_000);
            let mut recorder = Recorder::new(vec![0; size], 7);
            let mut model: VecDeque<Entry> = VecDeque::new();
            for seq in 1..random.u64(2..200) {
                let entry = Entry {
                    id: ["a", "sync", "kiosk-display"][random.usize(..3)]
                        .parse()
                        .unwrap(),
                    seq,
                    time: Moment::from_boot(Duration::from_micros(seq * 5)),
                    stream: [Stream::Stdout, Stream::Stderr, Stream::Ossuary][random.usize(..3)],
                    cut: random.bool(),
                    part: false,
                    text: (0..random.usize(..150)).map(|_| random.u8(..)).collect(),
                };
                recorder.line(
                    &entry.id,
                    &Line {
                        seq,
                        time: entry.time,
                        stream: entry.stream,
                        text: &entry.text,
                        cut: entry.cut,
                    },
                );
                model.push_back(entry);
                if random.u8(..20) == 0 {
                    // The daemon dies; the next one finds the memory.
                    let memory = recorder.copy();
                    recorder = Recorder::new(memory, 8);
                    assert_eq!(recorder.life(), 7);
                }
            }
            let entries = played(&recorder);
            let newest = model.len() - entries.len();
            assert_eq!(entries, model.range(newest..).cloned().collect::<Vec<_>>());
            let all: usize = model
                .iter()
                .map(|e| ENTRY_HEAD + e.id.as_str().len() + e.text.len())
                .sum();
            assert!(
                newest == 0 || all > size - DATA,
                "seed {seed}: dropped without need"
            );
        }
    }

    #[test]
    fn memory_of_anything_else_begins_anew() {
        let recorder = Recorder::new(vec![0xa5; 1000], 3);
        assert_eq!((recorder.life(), played(&recorder)), (3, vec![]));
        let id: Id = "a".parse().unwrap();
        recorder.part(&id, Stream::Stderr, b"half a li", Moment::default());
        let entries = played(&recorder);
        assert!(entries[0].part && entries[0].text == b"half a li");
    }

    #[test]
    fn damage_loses_lines_but_harms_nobody() {
        for seed in 0..2_000 {
            let mut random = fastrand::Rng::with_seed(seed);
            let recorder = Recorder::new(vec![0; 600], 1);
            let id: Id = "a".parse().unwrap();
            for seq in 1..30 {
                let text = vec![b'x'; random.usize(..60)];
                let (time, stream) = (Moment::default(), Stream::Stdout);
                recorder.line(
                    &id,
                    &Line {
                        seq,
                        time,
                        stream,
                        text: &text,
                        cut: false,
                    },
                );
            }
            let mut memory = recorder.copy();
            for _ in 0..random.usize(1..20) {
                let place = random.usize(..memory.len());
                memory[place] = random.u8(..);
            }
            played(&Recorder::new(memory, 2));
        }
    }
}
