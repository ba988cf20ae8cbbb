//! Handles commands and edits of the configuration. An edit takes effect once it is saved.
//!
//! Starting and stopping a process happens at once. Edits wait in a short queue: one save, or one reading of the
//! file, at a time. An edit is applied and answered once it is saved; a failed save changes nothing.

use super::Supervisor;
use crate::config::{Etag, Id, Loaded, Problem};
use crate::supervisor::interface::{
    Action, Command, Done, Edit, Event, Failure, FailureKind, KeepOld, Outcome, Reason, Refusal,
    Requester, Source, State,
};
use crate::time::Moment;
use heapless::Deque;
use std::rc::Rc;
use std::time::Duration;

/// How many edits may wait. Each holds a document of up to 256 KiB, and a queue this long already means that the card
/// is failing.
const QUEUE_LENGTH: usize = 8;

/// How long a save may take once everything else has ended in shutdown.
const DISK_TIMEOUT: Duration = Duration::from_secs(10);

/// The save in progress, and the edits that wait for it.
#[derive(Debug, Default)]
pub(super) struct PendingSave {
    busy: Busy,
    queue: Deque<(Requester, QueuedEdit), QUEUE_LENGTH>,
    /// What the next save must keep of the file. Reset only by a successful save: a full disk must not cost the
    /// operator the old file.
    pub keep_old: Option<KeepOld>,
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
enum QueuedEdit {
    Edit(Edit),
    /// Start a display process and make it the active one.
    Switch(Switch),
    /// Read the file.
    Reload,
}

/// A configuration that is being saved, and what follows.
#[derive(Debug)]
struct PendingChange {
    next: Loaded,
    requester: Requester,
    done: Done,
    /// The display process to switch to.
    start: Option<Switch>,
}

#[derive(Clone, Debug)]
struct Switch {
    id: Id,
    action: SwitchAction,
}

/// What to do with the display process that was switched to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SwitchAction {
    Start,
    Restart,
    /// It was stopped while the switch was being saved.
    Cancelled,
}

impl PendingSave {
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

    pub fn deadline(&self) -> Option<Moment> {
        self.give_up_at.filter(|_| !self.is_idle())
    }
}

impl Supervisor {
    /// Handles the command of a client.
    pub(super) fn handle_command(&mut self, requester: Requester, command: Command, now: Moment) {
        if self.shutting_down {
            return self.reply(requester, Err(Refusal::ShuttingDown));
        }
        if let Requester::Client(_) = requester {
            self.with_scheduler(|it, facts| it.on_client_command(facts, &command));
        }
        match command {
            Command::Stop(id) => {
                let outcome = self.stop(&id, requester, now);
                self.reply(requester, outcome);
            }
            Command::Start(id) => self.start_or_switch(id, SwitchAction::Start, requester, now),
            Command::Restart(id) => self.start_or_switch(id, SwitchAction::Restart, requester, now),
            Command::Edit(edit) => self.enqueue(requester, QueuedEdit::Edit(edit), now),
            Command::SwitchPower { display, on } => {
                let outcome = self.request_power(&display, on, now);
                self.reply(requester, outcome.map(|()| Done::Accepted));
            }
            Command::ReloadPage(_) | Command::Navigate { .. } | Command::Screenshot { .. } => {
                self.start_page_command(requester, command);
            }
            Command::RunRule(id) => {
                self.with_scheduler(|it, facts| it.request_rule(facts, requester, &id, now));
                self.run_intents(now);
            }
            Command::Preview { from, to } => {
                let preview = Rc::new(self.scheduler.preview_schedule(&self.facts(), from, to));
                self.reply(requester, Ok(Done::Preview(preview)));
            }
            Command::Reload => self.enqueue(requester, QueuedEdit::Reload, now),
            Command::Upgrade if self.upgrade.request(requester) => {
                self.actions.push_back(Action::CheckProgram);
            }
            Command::Upgrade => self.reply(requester, Err(Refusal::Busy)),
        }
    }

    fn start_or_switch(&mut self, id: Id, action: SwitchAction, requester: Requester, now: Moment) {
        if self.switches_screen(&id) {
            let switch = QueuedEdit::Switch(Switch { id, action });
            return self.enqueue(requester, switch, now);
        }
        let renew = action == SwitchAction::Restart;
        let outcome = self.start(&id, renew, requester, now);
        self.reply(requester, outcome);
    }

    /// Whether starting this process makes it the active display process, which is saved first.
    fn switches_screen(&self, id: &Id) -> bool {
        self.loaded.config.process(id).is_some_and(|process| {
            process.is_display()
                && process.enabled
                && self.loaded.config.active_display.as_ref() != Some(id)
        })
    }

    pub(super) fn start(
        &mut self,
        id: &Id,
        renew: bool,
        requester: Requester,
        now: Moment,
    ) -> Outcome {
        let index = self.configured_index(id)?;
        let machine = &self.machines[index];
        if !machine.process.enabled {
            return Err(Refusal::Disabled(id.clone()));
        }
        let runs = machine.is_alive() && machine.is_wanted() && !machine.is_stopping();
        if runs && !renew {
            return Ok(Done::Started {
                stopped: Vec::new(),
            });
        }
        let stopped = self
            .facts()
            .conflicts_of(index)
            .into_iter()
            .filter(|other| self.machines[*other].is_alive())
            .map(|other| self.machines[other].process.id.clone())
            .collect();
        if renew && self.machines[index].is_alive() {
            let reason = match requester {
                Requester::Schedule(_) => Reason::RestartedBySchedule,
                _ => Reason::RestartedByOperator,
            };
            self.restart_on_request(index, reason, now);
        } else {
            self.start_process(index);
        }
        self.displace_waiting_competitors(index, now);
        Ok(Done::Started { stopped })
    }

    fn stop(&mut self, id: &Id, requester: Requester, now: Moment) -> Outcome {
        let index = self.configured_index(id)?;
        let was_starting = self.cancel_pending_starts(id);
        let machine = &self.machines[index];
        let is_at_rest =
            (machine.stays_stopped() || !machine.process.enabled) && !machine.is_alive();
        if was_starting || !is_at_rest || machine.state() == State::Failed {
            let reason = match requester {
                // A rule does not stop what was stopped before.
                Requester::Schedule(_) if machine.is_wanted() => Reason::StoppedBySchedule,
                _ => Reason::StoppedByOperator,
            };
            self.update_machine(index, |machine, out| machine.stop(reason, now, out));
        }
        Ok(Done::Accepted)
    }

    /// Cancels starts of a process that wait for a save. Returns whether there was one.
    fn cancel_pending_starts(&mut self, id: &Id) -> bool {
        let mut found = false;
        if let Busy::Saving(change) = &mut self.disk.busy
            && let Some(switch) = &mut change.start
            && switch.id == *id
        {
            switch.action = SwitchAction::Cancelled;
            found = true;
        }
        for _ in 0..self.disk.queue.len() {
            let Some((requester, edit)) = self.disk.queue.pop_front() else {
                break;
            };
            if matches!(&edit, QueuedEdit::Switch(switch) if switch.id == *id) {
                found = true;
                self.reply(requester, Ok(Done::Accepted));
            } else {
                let _ = self.disk.queue.push_back((requester, edit));
            }
        }
        found
    }

    pub(super) fn configured_index(&self, id: &Id) -> Result<usize, Refusal> {
        self.facts()
            .index_of(id)
            .filter(|index| !self.machines[*index].removed)
            .ok_or_else(|| Refusal::NoSuchProcess(id.clone()))
    }

    // ---- edits, one at a time ----

    fn enqueue(&mut self, requester: Requester, edit: QueuedEdit, now: Moment) {
        if self.disk.is_idle() && self.disk.queue.is_empty() {
            return self.run_edit(requester, edit, now);
        }
        if let Err((requester, _)) = self.disk.queue.push_back((requester, edit)) {
            self.reply(requester, Err(Refusal::Busy));
        }
    }

    fn run_queued_edits(&mut self, now: Moment) {
        while self.disk.is_idle() {
            let Some((requester, edit)) = self.disk.queue.pop_front() else {
                return;
            };
            self.run_edit(requester, edit, now);
        }
    }

    fn run_edit(&mut self, requester: Requester, edit: QueuedEdit, now: Moment) {
        let planned = match edit {
            QueuedEdit::Reload => {
                self.disk.busy = Busy::Reading(requester);
                return self.actions.push_back(Action::Load);
            }
            // It became the active display process while this command waited.
            QueuedEdit::Switch(switch) if !self.switches_screen(&switch.id) => {
                let outcome = self.start(&switch.id, false, requester, now);
                return self.reply(requester, outcome);
            }
            QueuedEdit::Switch(switch) => {
                let next = self.loaded.with_active_display(Some(&switch.id));
                Ok((next, Done::Accepted, Some(switch)))
            }
            QueuedEdit::Edit(edit) => self.plan(edit).map(|(next, done)| (next, done, None)),
        };
        let (next, done, start) = match planned {
            Ok(planned) => planned,
            Err(refusal) => return self.reply(requester, Err(refusal)),
        };
        let unchanged = *next.document == *self.loaded.document;
        if unchanged && self.source == Source::File && self.problems.is_empty() {
            return self.complete(requester, done, start, now);
        }
        self.save(PendingChange {
            next,
            requester,
            done,
            start,
        });
    }

    /// The configuration that an edit leads to.
    fn plan(&self, edit: Edit) -> Result<(Loaded, Done), Refusal> {
        let invalid = Refusal::Invalid;
        let next = match edit {
            Edit::Create(fields) => {
                if let Some(id) = fields.get("id").and_then(|id| id.as_str())
                    && let Ok(id) = id.parse::<Id>()
                    && self.facts().index_of(&id).is_some()
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
                let index = self.configured_index(&id)?;
                if if_match.is_some_and(|tags| !tags.contains(&self.machines[index].process.etag()))
                {
                    return Err(Refusal::Outdated);
                }
                self.loaded.with_changes(&id, fields).map_err(invalid)?
            }
            Edit::Delete { id, force } => {
                let index = self.configured_index(&id)?;
                if self.machines[index].is_alive() {
                    return Err(Refusal::StillRuns(id));
                }
                let rules = self.rules_using(&id);
                if !force && !rules.is_empty() {
                    return Err(Refusal::UsedByRules(id, rules));
                }
                self.loaded.without_process(&id).map_err(invalid)?
            }
            Edit::ReplaceConfig { document, if_match } => {
                self.check_if_match(if_match)?;
                self.loaded.replaced_by(document).map_err(invalid)?
            }
            Edit::ReplaceSection {
                section,
                value,
                if_match,
            } => {
                self.check_if_match(if_match)?;
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

    /// Checks that the client has seen the current document.
    fn check_if_match(&self, if_match: Option<Vec<Etag>>) -> Result<(), Refusal> {
        match if_match {
            Some(tags) if !tags.contains(&self.loaded.document.etag()) => Err(Refusal::Outdated),
            _ => Ok(()),
        }
    }

    fn save(&mut self, change: PendingChange) {
        self.actions.push_back(Action::Save {
            document: change.next.document.clone(),
            keep_old: self.disk.keep_old,
        });
        self.disk.busy = Busy::Saving(Box::new(change));
    }

    /// Saves a document that was migrated from an older version.
    pub(super) fn save_migrated(&mut self, next: Loaded, requester: Requester) {
        let from = next.migration.as_ref().map(|migration| migration.from);
        self.disk.keep_old = from.map(KeepOld::Version);
        self.save(PendingChange {
            next,
            requester,
            done: Done::Changed,
            start: None,
        });
    }

    // ---- results of saves and reads ----

    /// The configuration is saved: apply it.
    pub(super) fn handle_saved(&mut self, now: Moment) {
        let Busy::Saving(change) = std::mem::take(&mut self.disk.busy) else {
            return;
        };
        let PendingChange {
            next,
            requester,
            done,
            start,
        } = *change;
        self.problems.clear();
        self.file_differs = false;
        self.source = Source::File;
        self.disk.keep_old = None;
        let document = next.document.clone();
        match start {
            // The client that asked for the switch decides what is on the screen.
            Some(_) => self.adopt_config(next, now),
            None => self.apply_config(next, now),
        }
        self.complete(requester, done, start, now);
        // The client does not wait for this.
        self.actions.push_back(Action::SaveLastGood { document });
        self.run_queued_edits(now);
    }

    /// The configuration could not be saved; nothing changes.
    pub(super) fn handle_save_failed(&mut self, failure: Failure, now: Moment) {
        let Busy::Saving(change) = std::mem::take(&mut self.disk.busy) else {
            return;
        };
        if change.requester == Requester::Daemon && failure.kind == FailureKind::System {
            self.problems = vec![Problem::whole(failure.message.clone())];
        }
        self.reply(change.requester, Err(Refusal::NotSaved(failure)));
        self.run_queued_edits(now);
    }

    /// The file was read.
    pub(super) fn handle_read(&mut self, bytes: Result<Vec<u8>, Failure>, now: Moment) {
        let Busy::Reading(requester) = std::mem::take(&mut self.disk.busy) else {
            return;
        };
        if bytes.is_ok() {
            self.file_differs = false;
        }
        match bytes.map(|bytes| (bytes.trim_ascii().is_empty(), Loaded::from_bytes(&bytes))) {
            Err(failure) => {
                self.keep_running_config(vec![Problem::whole(failure.message.clone())]);
                self.reply(requester, Err(Refusal::NotRead(failure)));
            }
            Ok((_, Err(problems))) => {
                self.disk.keep_old = Some(KeepOld::Broken);
                self.keep_running_config(problems.clone());
                self.reply(requester, Err(Refusal::Invalid(problems)));
            }
            // An empty file is more likely an accident. To empty a kiosk, write a document without processes.
            Ok((true, Ok(_))) if self.source != Source::Empty => {
                self.disk.keep_old = None;
                let problem = Problem::whole("the file is empty or gone");
                self.keep_running_config(vec![problem.clone()]);
                self.reply(requester, Err(Refusal::Invalid(vec![problem])));
            }
            Ok((_, Ok(next))) if next.migration.is_some() => self.save_migrated(next, requester),
            Ok((empty, Ok(next))) => {
                self.problems.clear();
                self.disk.keep_old = None;
                if empty {
                    self.source = Source::Empty;
                } else {
                    self.source = Source::File;
                    self.actions.push_back(Action::SaveLastGood {
                        document: next.document.clone(),
                    });
                }
                self.apply_config(next, now);
                self.complete(requester, Done::Changed, None, now);
            }
        }
        self.run_queued_edits(now);
    }

    /// Reports the problems of the file until they are solved. The running configuration stays.
    fn keep_running_config(&mut self, problems: Vec<Problem>) {
        self.problems = problems;
        if self.source == Source::File {
            self.source = Source::Running;
        }
    }

    /// Starts the process that was switched to, and answers.
    fn complete(&mut self, requester: Requester, done: Done, start: Option<Switch>, now: Moment) {
        let outcome = match start {
            Some(_) if self.shutting_down => Err(Refusal::ShuttingDown),
            Some(switch) if switch.action == SwitchAction::Cancelled => Ok(Done::Accepted),
            Some(switch) => {
                let renew = switch.action == SwitchAction::Restart;
                self.start(&switch.id, renew, requester, now)
            }
            None => Ok(done),
        };
        self.reply(requester, outcome);
    }

    // ---- shutdown ----

    /// No further edit is saved.
    pub(super) fn reject_queued_edits(&mut self) {
        while let Some((requester, _)) = self.disk.queue.pop_front() {
            self.reply(requester, Err(Refusal::ShuttingDown));
        }
    }

    /// The shutdown must not wait for the disk for ever.
    pub(super) fn limit_disk_wait(&mut self, now: Moment) {
        self.disk.give_up_at = Some(now + DISK_TIMEOUT);
    }

    pub(super) fn handle_disk_deadline(&mut self, now: Moment) {
        if self.disk.deadline().is_none_or(|deadline| deadline > now) {
            return;
        }
        let failure = Failure::system("the disk did not answer before the shutdown");
        match std::mem::take(&mut self.disk.busy) {
            Busy::Idle => {}
            Busy::Saving(change) => self.reply(change.requester, Err(Refusal::NotSaved(failure))),
            Busy::Reading(requester) => self.reply(requester, Err(Refusal::NotRead(failure))),
        }
    }

    /// After `Exit`, every command is refused.
    pub(super) fn reject_after_exit(&mut self, event: Event) {
        if let Event::Command { ticket, .. } = event {
            self.reply(Requester::Client(ticket), Err(Refusal::ShuttingDown));
        }
    }

    /// Answers a requester.
    pub(super) fn reply(&mut self, requester: Requester, outcome: Outcome) {
        match requester {
            Requester::Client(ticket) => {
                self.actions.push_back(Action::Reply { ticket, outcome });
            }
            Requester::Schedule(execution) => self.scheduler.add_result(execution, outcome),
            Requester::Daemon => {}
        }
    }
}
