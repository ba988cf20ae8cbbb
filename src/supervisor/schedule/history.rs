//! The latest executions and their outcomes.

use crate::supervisor::interface::{ExecutionId, HistoryEntry, RuleOutcome};
use std::collections::VecDeque;

/// Entries that are kept: a busy day of a busy kiosk, in a few kilobytes.
const ENTRIES_MAX: usize = 64;

/// The longest detail, in bytes: messages of browsers may be long.
const DETAIL_MAX: usize = 300;

/// The newest entries, oldest first, each with its id.
#[derive(Debug, Default)]
pub(super) struct History {
    entries: VecDeque<(ExecutionId, HistoryEntry)>,
    next: ExecutionId,
}

impl History {
    /// An id without an entry.
    pub fn reserve(&mut self) -> ExecutionId {
        let id = self.next;
        self.next.0 += 1;
        id
    }

    /// Adds an entry and returns its id.
    pub fn add(&mut self, entry: HistoryEntry) -> ExecutionId {
        let id = self.reserve();
        if self.entries.len() == ENTRIES_MAX {
            self.entries.pop_front();
        }
        self.entries.push_back((id, entry));
        id
    }

    /// Sets the outcome of an entry. Returns the entry, unless it was dropped meanwhile.
    pub fn close(
        &mut self,
        id: ExecutionId,
        outcome: RuleOutcome,
        detail: Option<String>,
    ) -> Option<&HistoryEntry> {
        let place = self.entries.iter().position(|(other, _)| *other == id)?;
        let entry = &mut self.entries[place].1;
        entry.outcome = Some(outcome);
        entry.detail = detail.map(shorten);
        Some(entry)
    }

    /// Oldest first.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &HistoryEntry> {
        self.entries.iter().map(|(_, entry)| entry)
    }

    /// The id of the next entry.
    pub fn next(&self) -> ExecutionId {
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
