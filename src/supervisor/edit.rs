//! The configuration in effect and its edits.
//!
//! Edits wait in a short queue: one save, or one reading of the file, at a time. An edit is applied and answered once it
//! is saved; a failed save changes nothing.

use super::interface::{
    Action, ConfigurationStatus, Done, Edit, Failure, FailureKind, KeepOld, Outcome, Refusal,
    Requester, Source,
};
use super::process::processes::Processes;
use crate::config::{Etag, Id, Loaded, Problem};
use crate::time::Moment;
use heapless::Deque;
use std::collections::VecDeque;
use std::time::Duration;

/// How many edits may wait. Each holds a document of up to 256 KiB, and a queue this long already means that the card
/// is failing.
const QUEUE_LENGTH: usize = 8;

/// How long a save may take once everything else has ended in shutdown.
const DISK_TIMEOUT: Duration = Duration::from_secs(10);

type Actions = VecDeque<Action>;

/// The configuration in effect, the save in progress, and the edits that wait for it.
#[derive(Debug)]
pub(super) struct Configuration {
    pub loaded: Loaded,
    source: Source,
    /// The problems of the file.
    problems: Vec<Problem>,
    /// The file was changed by another program and not read since.
    pub file_differs: bool,
    busy: Busy,
    queue: Deque<(Requester, QueuedEdit), QUEUE_LENGTH>,
    /// What the next save must keep of the file. Reset only by a successful save: a full disk must not cost the
    /// operator the old file.
    keep_old: Option<KeepOld>,
    /// In shutdown: when the save in progress is given up.
    give_up_at: Option<Moment>,
}

#[derive(Debug, Default)]
enum Busy {
    #[default]
    Idle,
    Saving(Box<PendingChange>),
    Reading(Requester),
}

/// What waits for the disk.
#[derive(Debug)]
pub(super) enum QueuedEdit {
    Edit(Edit),
    /// Start a display process and make it the active one.
    Switch(Switch),
    /// Read the file.
    Reload,
}

/// A configuration to apply, and what follows.
#[derive(Debug)]
pub(super) struct PendingChange {
    pub next: Loaded,
    pub end: EditEnd,
}

/// How an edit ends: a process is started, and the requester is answered.
#[derive(Debug)]
pub(super) struct EditEnd {
    pub requester: Requester,
    /// The answer, unless a process is started.
    pub outcome: Outcome,
    /// The display process to switch to.
    pub start: Option<Switch>,
}

#[derive(Clone, Debug)]
pub(super) struct Switch {
    pub id: Id,
    pub action: SwitchAction,
}

/// What to do with the display process that was switched to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SwitchAction {
    Start,
    Restart,
    /// It was stopped while the switch was being saved.
    Cancelled,
}

impl EditEnd {
    fn answer(requester: Requester, outcome: Outcome) -> Self {
        Self {
            requester,
            outcome,
            start: None,
        }
    }
}

impl Configuration {
    pub fn new(loaded: Loaded, source: Source, problems: Vec<Problem>) -> Self {
        Self {
            loaded,
            source,
            keep_old: (!problems.is_empty()).then_some(KeepOld::Broken),
            problems,
            file_differs: false,
            busy: Busy::Idle,
            queue: Deque::new(),
            give_up_at: None,
        }
    }

    /// Saves the first configuration if it was migrated, or a copy of it.
    pub fn boot(&mut self, out: &mut Actions) {
        if self.source != Source::File {
            return;
        }
        if self.loaded.migration.is_some() {
            self.save_migrated(self.loaded.clone(), Requester::Daemon, out);
        } else if self.problems.is_empty() {
            out.push_back(Action::SaveLastGood {
                document: self.loaded.document.clone(),
            });
        }
    }

    pub fn is_idle(&self) -> bool {
        matches!(self.busy, Busy::Idle)
    }

    /// Whether the file is being read, or is queued to be.
    pub fn is_reloading(&self) -> bool {
        let under_way = match &self.busy {
            Busy::Idle => false,
            Busy::Reading(_) => true,
            // The file had an older version and is being migrated.
            Busy::Saving(change) => change.next.migration.is_some(),
        };
        let is_reload = |(_, edit): &(_, QueuedEdit)| matches!(edit, QueuedEdit::Reload);
        under_way || self.queue.iter().any(is_reload)
    }

    /// What the API publishes, if it differs from the previous status.
    pub fn changed_status(&self, old: &ConfigurationStatus) -> Option<ConfigurationStatus> {
        let same = std::rc::Rc::ptr_eq(&old.document, &self.loaded.document)
            && old.source == self.source
            && old.problems == self.problems
            && old.file_differs == self.file_differs;
        (!same).then(|| self.status())
    }

    pub fn status(&self) -> ConfigurationStatus {
        ConfigurationStatus {
            document: self.loaded.document.clone(),
            source: self.source,
            problems: self.problems.clone(),
            warnings: self.loaded.warnings.clone(),
            file_differs: self.file_differs,
        }
    }

    /// Whether starting this process makes it the active display process, which is saved first.
    pub fn switches_screen(&self, id: &Id) -> bool {
        self.loaded.config.process(id).is_some_and(|process| {
            process.is_display()
                && process.enabled
                && self.loaded.config.active_display.as_ref() != Some(id)
        })
    }

    /// Cancels starts of a process that wait for a save. Returns whether there was one, and the requesters to refuse.
    pub fn cancel_starts(&mut self, id: &Id) -> (bool, Vec<Requester>) {
        let mut found = false;
        if let Busy::Saving(change) = &mut self.busy
            && let Some(switch) = &mut change.end.start
            && switch.id == *id
        {
            switch.action = SwitchAction::Cancelled;
            found = true;
        }
        let mut cancelled = Vec::new();
        for (requester, edit) in std::mem::take(&mut self.queue) {
            if matches!(&edit, QueuedEdit::Switch(switch) if switch.id == *id) {
                cancelled.push(requester);
            } else {
                let _ = self.queue.push_back((requester, edit));
            }
        }
        (found || !cancelled.is_empty(), cancelled)
    }

    /// Runs an edit, now or after those before it. Returns its end if it has come.
    pub fn enqueue(
        &mut self,
        requester: Requester,
        edit: QueuedEdit,
        processes: &Processes,
        out: &mut Actions,
    ) -> Option<EditEnd> {
        if self.is_idle() && self.queue.is_empty() {
            return self.run(requester, edit, processes, out);
        }
        let refused = self.queue.push_back((requester, edit)).err();
        refused.map(|(requester, _)| EditEnd::answer(requester, Err(Refusal::Busy)))
    }

    /// Runs queued edits until one has ended or the disk is busy.
    pub fn run_queued(&mut self, processes: &Processes, out: &mut Actions) -> Option<EditEnd> {
        while self.is_idle() {
            let (requester, edit) = self.queue.pop_front()?;
            let end = self.run(requester, edit, processes, out);
            if end.is_some() {
                return end;
            }
        }
        None
    }

    fn run(
        &mut self,
        requester: Requester,
        edit: QueuedEdit,
        processes: &Processes,
        out: &mut Actions,
    ) -> Option<EditEnd> {
        let (next, outcome, start) = match edit {
            QueuedEdit::Reload => {
                self.busy = Busy::Reading(requester);
                out.push_back(Action::Load);
                return None;
            }
            // It became the active display process while this command waited.
            QueuedEdit::Switch(Switch { id, .. }) if !self.switches_screen(&id) => {
                let action = SwitchAction::Start;
                return Some(EditEnd {
                    requester,
                    outcome: Ok(Done::Accepted),
                    start: Some(Switch { id, action }),
                });
            }
            QueuedEdit::Switch(switch) => {
                let next = self.loaded.with_active_display(Some(&switch.id));
                (next, Ok(Done::Accepted), Some(switch))
            }
            QueuedEdit::Edit(edit) => match self.plan(edit, processes) {
                Ok((next, done)) => (next, Ok(done), None),
                Err(refusal) => return Some(EditEnd::answer(requester, Err(refusal))),
            },
        };
        let end = EditEnd {
            requester,
            outcome,
            start,
        };
        let unchanged = *next.document == *self.loaded.document;
        if unchanged && self.source == Source::File && self.problems.is_empty() {
            return Some(end);
        }
        self.save(PendingChange { next, end }, out);
        None
    }

    /// The configuration that an edit leads to.
    fn plan(&self, edit: Edit, processes: &Processes) -> Result<(Loaded, Done), Refusal> {
        let invalid = Refusal::Invalid;
        let next = match edit {
            Edit::Create(fields) => {
                if let Some(id) = fields.get("id").and_then(|id| id.as_str())
                    && let Ok(id) = id.parse::<Id>()
                    && processes.get(&id).is_some()
                {
                    return Err(Refusal::IdTaken(id));
                }
                let (mut next, id) = self.loaded.with_process(fields).map_err(invalid)?;
                let first_display = next.config.active_display.is_none()
                    && next.config.process(&id).is_some_and(|new| new.is_display());
                if first_display {
                    next = next.with_active_display(Some(&id));
                }
                return Ok((next, Done::Created(id)));
            }
            Edit::Change {
                id,
                fields,
                if_match,
            } => {
                let etag = processes.configured(&id)?.process.etag();
                check_if_match(if_match, &etag)?;
                self.loaded.with_changes(&id, fields).map_err(invalid)?
            }
            Edit::Delete { id, force } => {
                if processes.configured(&id)?.is_alive() {
                    return Err(Refusal::StillRuns(id));
                }
                let rules = self.rules_using(&id);
                if !force && !rules.is_empty() {
                    return Err(Refusal::UsedByRules(id, rules));
                }
                self.loaded.without_process(&id).map_err(invalid)?
            }
            Edit::ReplaceConfig { document, if_match } => {
                check_if_match(if_match, &self.loaded.document.etag())?;
                self.loaded.replaced_by(document).map_err(invalid)?
            }
            Edit::ReplaceSection {
                section,
                value,
                if_match,
            } => {
                check_if_match(if_match, &self.loaded.document.etag())?;
                self.loaded.with_section(section, value).map_err(invalid)?
            }
        };
        Ok((next, Done::Changed))
    }

    /// The names of the enabled rules that use a process.
    fn rules_using(&self, id: &Id) -> Vec<String> {
        let rules = self.loaded.config.schedule.rules.iter();
        let naming = rules.filter(|rule| rule.enabled && rule.action.process() == Some(id));
        naming.map(|rule| rule.name.clone()).collect()
    }

    fn save(&mut self, change: PendingChange, out: &mut Actions) {
        out.push_back(Action::Save {
            document: change.next.document.clone(),
            keep_old: self.keep_old,
        });
        self.busy = Busy::Saving(Box::new(change));
    }

    /// Saves a document that was migrated from an older version.
    fn save_migrated(&mut self, next: Loaded, requester: Requester, out: &mut Actions) {
        let from = next.migration.as_ref().map(|migration| migration.from);
        self.keep_old = from.map(KeepOld::Version);
        let end = EditEnd::answer(requester, Ok(Done::Changed));
        self.save(PendingChange { next, end }, out);
    }

    // ---- results of saves and reads ----

    /// A change is saved. Returns it, to be applied.
    pub fn handle_saved(&mut self) -> Option<PendingChange> {
        let Busy::Saving(change) = std::mem::take(&mut self.busy) else {
            return None;
        };
        self.problems.clear();
        self.file_differs = false;
        self.source = Source::File;
        self.keep_old = None;
        Some(*change)
    }

    /// A change could not be saved; nothing changes.
    pub fn handle_save_failed(&mut self, failure: Failure) -> Option<EditEnd> {
        let Busy::Saving(change) = std::mem::take(&mut self.busy) else {
            return None;
        };
        let requester = change.end.requester;
        if requester == Requester::Daemon && failure.kind == FailureKind::System {
            self.problems = vec![Problem::whole(failure.message.clone())];
        }
        Some(EditEnd::answer(requester, Err(Refusal::NotSaved(failure))))
    }

    /// The file was read. Returns the configuration to apply, or the answer.
    pub fn handle_read(
        &mut self,
        bytes: Result<Vec<u8>, Failure>,
        out: &mut Actions,
    ) -> Option<Result<PendingChange, EditEnd>> {
        let Busy::Reading(requester) = std::mem::take(&mut self.busy) else {
            return None;
        };
        if bytes.is_ok() {
            self.file_differs = false;
        }
        let read = bytes.map(|bytes| (bytes.trim_ascii().is_empty(), Loaded::from_bytes(&bytes)));
        let refusal = match read {
            Err(failure) => {
                self.keep_running_config(vec![Problem::whole(failure.message.clone())]);
                Refusal::NotRead(failure)
            }
            Ok((_, Err(problems))) => {
                self.keep_old = Some(KeepOld::Broken);
                self.keep_running_config(problems.clone());
                Refusal::Invalid(problems)
            }
            // An empty file is more likely an accident. To empty a kiosk, write a document without processes.
            Ok((true, Ok(_))) if self.source != Source::Empty => {
                self.keep_old = None;
                let problem = Problem::whole("the file is empty or gone");
                self.keep_running_config(vec![problem.clone()]);
                Refusal::Invalid(vec![problem])
            }
            Ok((_, Ok(next))) if next.migration.is_some() => {
                self.save_migrated(next, requester, out);
                return None;
            }
            Ok((is_empty, Ok(next))) => {
                self.problems.clear();
                self.keep_old = None;
                if is_empty {
                    self.source = Source::Empty;
                } else {
                    self.source = Source::File;
                    out.push_back(Action::SaveLastGood {
                        document: next.document.clone(),
                    });
                }
                let end = EditEnd::answer(requester, Ok(Done::Changed));
                return Some(Ok(PendingChange { next, end }));
            }
        };
        Some(Err(EditEnd::answer(requester, Err(refusal))))
    }

    /// Reports the problems of the file until they are solved. The running configuration stays.
    fn keep_running_config(&mut self, problems: Vec<Problem>) {
        self.problems = problems;
        if self.source == Source::File {
            self.source = Source::Running;
        }
    }

    // ---- shutdown ----

    /// No further edit is saved, and the shutdown does not wait for the disk for ever. Returns the requesters to refuse.
    pub fn begin_shutdown(&mut self, now: Moment) -> Vec<Requester> {
        self.give_up_at = Some(now + DISK_TIMEOUT);
        let queue = std::mem::take(&mut self.queue).into_iter();
        queue.map(|(requester, _)| requester).collect()
    }

    /// When to call [`Self::handle_deadline`].
    pub fn deadline(&self) -> Option<Moment> {
        self.give_up_at.filter(|_| !self.is_idle())
    }

    /// The disk may have had its time. Returns the answer to who waits for it.
    pub fn handle_deadline(&mut self, now: Moment) -> Option<EditEnd> {
        self.deadline().filter(|deadline| *deadline <= now)?;
        let failure = Failure::system("the disk did not answer before the shutdown");
        let (requester, refusal) = match std::mem::take(&mut self.busy) {
            Busy::Idle => return None,
            Busy::Saving(change) => (change.end.requester, Refusal::NotSaved(failure)),
            Busy::Reading(requester) => (requester, Refusal::NotRead(failure)),
        };
        Some(EditEnd::answer(requester, Err(refusal)))
    }
}

/// Checks that the client has seen the current version.
fn check_if_match(if_match: Option<Vec<Etag>>, current: &Etag) -> Result<(), Refusal> {
    match if_match {
        Some(tags) if !tags.contains(current) => Err(Refusal::Outdated),
        _ => Ok(()),
    }
}
