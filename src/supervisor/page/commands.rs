//! What a client wants of a page: refused with a sentence, or an order to the driver of its run.
//!
//! Each order carries the client's ticket, and comes back with it once. A run that ends meanwhile, a shutdown and
//! a hand-over are answers too: nobody waits for a page that is gone.

use super::{PageCommand, PageCommandResult};
use crate::config::{Id, Problem, check_url};
use crate::supervisor::{
    Action, Command, Done, Failure, Outcome, Refusal, RunId, Supervisor, Ticket,
};
use crate::time::Moment;
use std::collections::BTreeMap;

/// Clients that wait for a page, and what for.
#[derive(Debug, Default)]
pub(in crate::supervisor) struct PageCommands {
    pending: BTreeMap<Ticket, PendingPageCommand>,
}

/// What a client waits for.
#[derive(Debug)]
struct PendingPageCommand {
    id: Id,
    run: RunId,
    /// The address that it wants to see.
    url: Option<String>,
}

impl Supervisor {
    /// A client asks for something to be done with a page.
    pub(in crate::supervisor) fn start_page_command(&mut self, ticket: Ticket, request: Command) {
        let (id, order) = match request {
            Command::ReloadPage(id) => (id, PageCommand::Reload),
            Command::Screenshot { id, width } => (id, PageCommand::Screenshot { width }),
            Command::Navigate {
                id,
                url,
                transition,
            } => (id, PageCommand::Navigate { url, transition }),
            _ => return,
        };
        match self.page_run(&id, &order) {
            Ok(run) => {
                if !matches!(order, PageCommand::Screenshot { .. }) {
                    self.reset_page_recovery(run);
                }
                let url = match &order {
                    PageCommand::Navigate { url, .. } if !ticket.is_ours() => Some(url.clone()),
                    _ => None,
                };
                self.page_commands
                    .pending
                    .insert(ticket, PendingPageCommand { id, run, url });
                self.actions.push_back(Action::RunPageCommand {
                    run,
                    command: order,
                    ticket: Some(ticket),
                });
            }
            Err(refusal) => self.reply(ticket, Err(refusal)),
        }
    }

    /// The run whose page is meant, where there is one that can be asked.
    fn page_run(&self, id: &Id, order: &PageCommand) -> Result<RunId, Refusal> {
        let index = self.configured_index(id)?;
        let machine = &self.machines[index];
        if !machine.process.is_display() {
            return Err(Refusal::NoPage(id.clone()));
        }
        if let PageCommand::Navigate { url, .. } = order
            && let Err(message) = check_url(url)
        {
            let problem = Problem {
                path: "url".to_owned(),
                message: message.to_owned(),
            };
            return Err(Refusal::Invalid(vec![problem]));
        }
        let asked = machine.run().filter(|_| machine.pid().is_some());
        match asked {
            Some(run) if !machine.is_stopping() => Ok(run),
            _ => Err(Refusal::NotRunning(id.clone())),
        }
    }

    /// A client does not wait any more: the page that it wanted to see is not to be shown. Whatever else clients ask for
    /// is done without them.
    pub(in crate::supervisor) fn handle_command_withdrawn(&mut self, ticket: Ticket) {
        let wish = self.page_commands.pending.get(&ticket);
        if let Some(wish) = wish.filter(|wish| wish.url.is_some()) {
            let run = wish.run;
            self.actions
                .push_back(Action::CancelPageCommand { run, ticket });
        }
    }

    /// What came of an order that a client waits for.
    pub(in crate::supervisor) fn handle_client_page_command_done(
        &mut self,
        ticket: Ticket,
        result: Result<PageCommandResult, Failure>,
        now: Moment,
    ) {
        let Some(PendingPageCommand { id, run, url }) = self.page_commands.pending.remove(&ticket)
        else {
            return;
        };
        // A page that was not shown, or not wanted any more, leaves everything as it is.
        if let (Ok(PageCommandResult::Done), Some(url)) = (&result, &url) {
            self.on_client_navigation(&id, url);
        }
        let outcome = match result {
            Ok(PageCommandResult::Done | PageCommandResult::Evidence(_)) => Ok(Done::Accepted),
            Ok(PageCommandResult::Screenshot(picture)) => Ok(Done::Screenshot(picture)),
            Ok(PageCommandResult::NeedsRestart) => self.restart_for_reload(&id, run, now),
            Err(failure) => Err(Refusal::PageFailed(id, failure)),
        };
        self.reply(ticket, outcome);
    }

    /// A program that cannot be driven is reloaded by being restarted, unless it is another by now.
    fn restart_for_reload(&mut self, id: &Id, run: RunId, now: Moment) -> Outcome {
        if self.shutting_down {
            return Err(Refusal::ShuttingDown);
        }
        match self.page_run(id, &PageCommand::Reload) {
            Ok(current) if current == run => self.start(id, true, now).map(|_| Done::Accepted),
            Ok(_) => Ok(Done::Accepted),
            Err(refusal) => Err(refusal),
        }
    }

    /// The daemon leaves: whoever still waits for a page is told.
    pub(in crate::supervisor) fn reject_page_commands(&mut self) {
        for ticket in std::mem::take(&mut self.page_commands.pending).into_keys() {
            self.reply(ticket, Err(Refusal::ShuttingDown));
        }
        self.reject_waiting_rules();
    }
}
