//! What was done lately, and what came of it.

use crate::config::Id;
use jiff::Timestamp;
use std::collections::VecDeque;

/// Entries that are kept: a busy day of a busy kiosk, in some kilobytes.
const ENTRIES_MAX: usize = 64;

/// The longest detail, in bytes: a browser's words may be long.
const DETAIL_MAX: usize = 300;

/// What became of one occurrence of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The rule.
    pub rule: Id,
    /// What people call it.
    pub name: String,
    /// When it was due, where anybody can say.
    pub at: Option<Timestamp>,
    /// What was to happen.
    pub kind: EntryKind,
    /// What came of it; nothing while it is under way.
    pub outcome: Option<RuleOutcome>,
    /// Why, where there is something to say.
    pub detail: Option<String>,
}

/// What was to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// What the rule says.
    Begin,
    /// It was to be undone.
    End,
    /// Somebody has asked for it.
    Run,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleOutcome {
    /// It was done.
    Done,
    /// It could not be done.
    Failed,
    /// There was no need.
    Skipped,
    /// Its time was missed.
    Missed,
}

impl EntryKind {
    /// Every kind.
    pub const ALL: [EntryKind; 3] = [EntryKind::Begin, EntryKind::End, EntryKind::Run];

    /// Its name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            EntryKind::Begin => "begin",
            EntryKind::End => "end",
            EntryKind::Run => "run",
        }
    }
}

impl RuleOutcome {
    /// Every outcome.
    pub const ALL: [RuleOutcome; 4] = [
        RuleOutcome::Done,
        RuleOutcome::Failed,
        RuleOutcome::Skipped,
        RuleOutcome::Missed,
    ];

    /// Its name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            RuleOutcome::Done => "done",
            RuleOutcome::Failed => "failed",
            RuleOutcome::Skipped => "skipped",
            RuleOutcome::Missed => "missed",
        }
    }
}

/// The newest entries, oldest first, each with a number of its own.
#[derive(Debug, Default)]
pub(super) struct History {
    entries: VecDeque<(u64, HistoryEntry)>,
    next: u64,
}

impl History {
    /// Enters something, and names it.
    pub fn add(&mut self, entry: HistoryEntry) -> u64 {
        let number = self.next;
        self.next += 1;
        if self.entries.len() == ENTRIES_MAX {
            self.entries.pop_front();
        }
        self.entries.push_back((number, entry));
        number
    }

    /// Something came of an entry. Returns it, unless so much has happened meanwhile that it is gone.
    pub fn close(
        &mut self,
        number: u64,
        outcome: RuleOutcome,
        detail: Option<String>,
    ) -> Option<&HistoryEntry> {
        let place = self
            .entries
            .iter()
            .position(|(other, _)| *other == number)?;
        let entry = &mut self.entries[place].1;
        entry.outcome = Some(outcome);
        entry.detail = detail.map(shorten);
        Some(entry)
    }

    /// Oldest first.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &HistoryEntry> {
        self.entries.iter().map(|(_, entry)| entry)
    }

    /// The number of the next entry.
    pub fn next(&self) -> u64 {
        self.next
    }
}

fn shorten(mut text: String) -> String {
    if text.len() > DETAIL_MAX {
        let end = (0..=DETAIL_MAX)
            .rev()
            .find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
        text.push('…');
    }
    text
}
