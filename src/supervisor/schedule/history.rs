//! What was done lately, and what came of it.

use crate::config::Id;
use jiff::Timestamp;
use std::collections::VecDeque;

/// Entries that are kept: a busy day of a busy kiosk, in some kilobytes.
const ENTRIES: usize = 64;

/// The longest detail, in bytes: a browser's words may be long.
const DETAIL: usize = 300;

/// What became of one occurrence of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The rule.
    pub rule: Id,
    /// What people call it.
    pub name: String,
    /// When it was due, where anybody can say.
    pub at: Option<Timestamp>,
    /// What was to happen.
    pub kind: Kind,
    /// What came of it; nothing while it is under way.
    pub outcome: Option<Outcome>,
    /// Why, where there is something to say.
    pub detail: Option<String>,
}

/// What was to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What the rule says.
    Begin,
    /// It was to be undone.
    End,
    /// Somebody has asked for it.
    Run,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Done,
    /// It could not be done.
    Failed,
    /// There was no need.
    Skipped,
    /// Its time was missed.
    Missed,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 3] = [Kind::Begin, Kind::End, Kind::Run];

    /// Its name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Begin => "begin",
            Kind::End => "end",
            Kind::Run => "run",
        }
    }
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Outcome; 4] = [
        Outcome::Done,
        Outcome::Failed,
        Outcome::Skipped,
        Outcome::Missed,
    ];

    /// Its name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Outcome::Done => "done",
            Outcome::Failed => "failed",
            Outcome::Skipped => "skipped",
            Outcome::Missed => "missed",
        }
    }
}

/// The newest entries, oldest first, each with a number of its own.
#[derive(Debug, Default)]
pub(super) struct History {
    entries: VecDeque<(u64, Entry)>,
    next: u64,
}

impl History {
    /// Enters something, and names it.
    pub fn enter(&mut self, entry: Entry) -> u64 {
        let number = self.next;
        self.next += 1;
        if self.entries.len() == ENTRIES {
            self.entries.pop_front();
        }
        self.entries.push_back((number, entry));
        number
    }

    /// Something came of an entry. Returns it, unless so much has happened meanwhile that it is gone.
    pub fn close(
        &mut self,
        number: u64,
        outcome: Outcome,
        detail: Option<String>,
    ) -> Option<&Entry> {
        let place = self
            .entries
            .iter()
            .position(|(other, _)| *other == number)?;
        let entry = &mut self.entries[place].1;
        entry.outcome = Some(outcome);
        entry.detail = detail.map(shortened);
        Some(entry)
    }

    /// Oldest first.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.iter().map(|(_, entry)| entry)
    }

    /// The number of the next entry.
    pub fn next(&self) -> u64 {
        self.next
    }
}

fn shortened(mut text: String) -> String {
    if text.len() > DETAIL {
        let end = (0..=DETAIL).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
        text.push('…');
    }
    text
}
