//! The executions that wait, those whose results are awaited, and what of them is saved.

use crate::config::{Id, RuleAction};
use crate::supervisor::interface::saved_schedule::ChangedBy;
use crate::supervisor::interface::{EntryKind, ExecutionId, Outcome, Requester};
use crate::time::Moment;
use jiff::Timestamp;
use std::collections::{BTreeMap, VecDeque};

/// The queue of executions, and the commands whose results are awaited.
#[derive(Debug, Default)]
pub(super) struct ExecutionQueue {
    pub waiting: VecDeque<Execution>,
    pub running: BTreeMap<ExecutionId, Execution>,
    /// The execution that no other may overtake.
    pub blocked_by: Option<ExecutionId>,
    /// The pages that are being opened.
    pub pending_pages: BTreeMap<ExecutionId, PendingPage>,
    pub results: VecDeque<(ExecutionId, Outcome)>,
    pub saving: SaveState,
}

/// An occurrence that is being carried out.
#[derive(Debug)]
pub(super) struct Execution {
    /// Its history entry.
    pub id: ExecutionId,
    pub rule: Id,
    pub step: ExecutionStep,
    /// The client that waits for the outcome.
    pub client: Option<Requester>,
    /// Its begin must be saved before it runs.
    pub is_saved_first: bool,
    /// It occurs too often to be saved each time.
    pub is_frequent: bool,
    pub requested_by: ChangedBy,
}

/// What an execution does.
#[derive(Clone, Debug)]
pub(super) enum ExecutionStep {
    /// Runs an action without an end.
    Run(RuleAction),
    /// Begins an override.
    Begin(RuleAction),
    /// Ends an override, unless another change replaced it.
    End(Option<ChangedBy>),
}

/// A page that is being opened.
#[derive(Debug)]
pub(super) enum PendingPage {
    /// In the browser that runs; `None` for the configured page.
    Open(Id, Option<String>),
    /// By a restart of the browser.
    Restart,
}

/// The state of saving.
#[derive(Debug, Default)]
pub(super) struct SaveState {
    /// A save must precede the next execution.
    pub is_due: bool,
    /// A save must follow the next intents.
    pub is_requested: bool,
    /// The history entries below this number are being saved.
    pub in_flight: Option<ExecutionId>,
    /// Something changed since that save began.
    pub is_outdated: bool,
    /// The history entries below this number are saved, or could not be.
    pub saved_below: ExecutionId,
    /// The entries that could not be saved, and why.
    pub failed: Option<(std::ops::Range<ExecutionId>, String)>,
    pub last_save: Option<Moment>,
}

/// When an occurrence was due, and what caused it.
pub(super) struct Cause {
    pub at: Option<Timestamp>,
    pub kind: EntryKind,
    pub client: Option<Requester>,
}

impl ExecutionQueue {
    /// Who requested an execution.
    pub fn requested_by(&self, id: ExecutionId) -> ChangedBy {
        self.running
            .get(&id)
            .map_or(ChangedBy::Rule, |execution| execution.requested_by)
    }

    /// Who requested the change whose result has just arrived; `None` if it was no rule.
    pub fn changed_by(&self) -> Option<ChangedBy> {
        let mut results = self.results.iter();
        results.find_map(|(id, _)| Some(self.running.get(id)?.requested_by))
    }

    pub fn is_busy(&self) -> bool {
        !self.waiting.is_empty() || self.blocked_by.is_some() || self.saving.in_flight.is_some()
    }

    /// The result with this id says whether a page was opened.
    pub fn add_page(&mut self, id: ExecutionId, page: PendingPage) {
        self.pending_pages.insert(id, page);
    }

    /// The result of a command of the schedule.
    pub fn add_result(&mut self, id: ExecutionId, outcome: Outcome) {
        self.results.push_back((id, outcome));
    }

    /// Saves everything once all that is due is queued: a save contains the position of the clock, so it must contain
    /// everything up to there.
    pub fn save_soon(&mut self) {
        self.saving.is_due = true;
    }

    /// No other execution may overtake this one.
    pub fn block(&mut self, id: ExecutionId) {
        self.blocked_by = Some(id);
    }
}
