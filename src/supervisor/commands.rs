//! Gives commands to the components that carry them out, and answers them.

use super::Supervisor;
use super::edit::{EditEnd, PendingChange, QueuedEdit, Switch, SwitchAction};
use super::interface::{
    Action, Command, Done, Failure, Outcome, PageCommandResult, Refusal, Requester,
};
use super::page::commands::PageCommandEnd;
use crate::config::{Display, Id, Loaded};
use crate::time::Moment;
use std::rc::Rc;

impl Supervisor {
    /// Handles a command. Starting and stopping a process happens at once.
    pub(super) fn handle_command(&mut self, requester: Requester, command: Command, now: Moment) {
        if self.shutting_down {
            return self.reply(requester, Err(Refusal::ShuttingDown));
        }
        if let Requester::Client(_) = requester {
            self.with_scheduler(|it, facts| it.on_client_command(facts, &command));
        }
        match command {
            Command::Stop(id) => {
                let (was_starting, cancelled) = self.configuration.cancel_starts(&id);
                for requester in cancelled {
                    self.reply(requester, Ok(Done::Accepted));
                }
                let out = &mut self.actions;
                let outcome = (self.processes).stop(&id, was_starting, requester, now, out);
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
                let (processes, page) = (&self.processes, &mut self.page);
                let out = &mut self.actions;
                let started = (self.page_commands).start(requester, command, processes, page, out);
                if let Err(refusal) = started {
                    self.reply(requester, Err(refusal));
                }
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
        if self.configuration.switches_screen(&id) {
            let switch = QueuedEdit::Switch(Switch { id, action });
            return self.enqueue(requester, switch, now);
        }
        let outcome = self.start(&id, action == SwitchAction::Restart, requester, now);
        self.reply(requester, outcome);
    }

    pub(super) fn start(
        &mut self,
        id: &Id,
        renew: bool,
        requester: Requester,
        now: Moment,
    ) -> Outcome {
        self.with_processes(|it, around, out| it.start(id, renew, requester, around, now, out))
    }

    /// Requests a screen to be on or off.
    ///
    /// # Errors
    ///
    /// The display does not exist or is not connected, or nothing on this system can switch it.
    pub(super) fn request_power(
        &mut self,
        display: &Display,
        on: bool,
        now: Moment,
    ) -> Result<(), Refusal> {
        if let Some(refusal) = self.facts().power_refusal(display) {
            return Err(refusal);
        }
        (self.screens).request_power(display, on, now, &mut self.actions);
        self.layout_changed = true;
        Ok(())
    }

    /// The result of a page command that a client or a rule waits for.
    pub(super) fn handle_page_command_done(
        &mut self,
        requester: Requester,
        result: Result<PageCommandResult, Failure>,
        now: Moment,
    ) {
        let outcome = match (self.page_commands).handle_done(requester, result, &self.processes) {
            None => return,
            Some(PageCommandEnd::Outcome(outcome)) => outcome,
            Some(PageCommandEnd::Navigated(id, url)) => {
                self.scheduler.on_client_navigation(&id, &url);
                self.run_intents(now);
                Ok(Done::Accepted)
            }
            Some(PageCommandEnd::Restart(_)) if self.shutting_down => Err(Refusal::ShuttingDown),
            Some(PageCommandEnd::Restart(id)) => {
                (self.start(&id, true, requester, now)).map(|_| Done::Accepted)
            }
        };
        self.reply(requester, outcome);
    }

    // ---- edits ----

    fn enqueue(&mut self, requester: Requester, edit: QueuedEdit, now: Moment) {
        let (processes, out) = (&self.processes, &mut self.actions);
        if let Some(end) = (self.configuration).enqueue(requester, edit, processes, out) {
            self.end_edit(end, now);
        }
    }

    /// The configuration is saved: apply it.
    pub(super) fn handle_saved(&mut self, now: Moment) {
        let Some(PendingChange { next, end }) = self.configuration.handle_saved() else {
            return;
        };
        let document = next.document.clone();
        match end.start {
            // The client that asked for the switch decides what is on the screen.
            Some(_) => {
                self.configuration.loaded = next;
                self.adopt_config(now);
            }
            None => self.apply_config(next, now),
        }
        self.end_edit(end, now);
        // The client does not wait for this.
        self.actions.push_back(Action::SaveLastGood { document });
        self.end_edits(None, now);
    }

    /// Applies another configuration, and switches to its active display process if that changed.
    pub(super) fn apply_config(&mut self, next: Loaded, now: Moment) {
        let previous = std::mem::replace(&mut self.configuration.loaded, next);
        let in_use = self.processes.is_screen_in_use();
        self.adopt_config(now);
        let config = &self.configuration.loaded.config;
        (self.screens).rotate(&config.rotations, now, &mut self.actions);
        let is_new = previous.config.active_display != config.active_display;
        if !self.shutting_down && in_use && is_new {
            self.processes.follow_active_display(config);
        }
    }

    /// Applies the configuration to the processes.
    pub(super) fn adopt_config(&mut self, now: Moment) {
        self.layout_changed = true;
        let config = Rc::make_mut(&mut self.configuration.loaded.config);
        self.processes.adopt(config, now, &mut self.actions);
    }

    /// Ends an edit, and runs those that waited for it.
    pub(super) fn end_edits(&mut self, mut end: Option<EditEnd>, now: Moment) {
        loop {
            if let Some(end) = end {
                self.end_edit(end, now);
            }
            end = (self.configuration).run_queued(&self.processes, &mut self.actions);
            if end.is_none() {
                return;
            }
        }
    }

    /// Starts the process that was switched to, and answers.
    fn end_edit(&mut self, end: EditEnd, now: Moment) {
        let outcome = match end.start {
            None => end.outcome,
            Some(_) if self.shutting_down => Err(Refusal::ShuttingDown),
            Some(switch) if switch.action == SwitchAction::Cancelled => Ok(Done::Accepted),
            Some(switch) => {
                let renew = switch.action == SwitchAction::Restart;
                self.start(&switch.id, renew, end.requester, now)
            }
        };
        self.reply(end.requester, outcome);
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
