//! Page commands of clients: refused, or sent to the driver of the run.
//!
//! The driver answers each command once, with the client's requester. A run that ends, a shutdown and an upgrade are
//! answers too: no client waits for a page that is gone.

use crate::config::{Id, Problem, check_url};
use crate::supervisor::Supervisor;
use crate::supervisor::interface::{
    Action, Command, Done, Failure, Outcome, PageCommand, PageCommandResult, Refusal, Requester,
    RunId, Ticket,
};
use crate::time::Moment;
use std::collections::BTreeMap;

/// The page commands that clients and rules wait for.
#[derive(Debug, Default)]
pub(in crate::supervisor) struct PageCommands {
    pending: BTreeMap<Requester, PendingPageCommand>,
}

/// A page command whose requester waits for it.
#[derive(Debug)]
struct PendingPageCommand {
    id: Id,
    run: RunId,
    /// The URL of a `Navigate` by a client.
    url: Option<String>,
}

impl Supervisor {
    /// A client, or the schedule, sends a page command.
    pub(in crate::supervisor) fn start_page_command(
        &mut self,
        requester: Requester,
        request: Command,
    ) {
        let (id, command) = match request {
            Command::ReloadPage(id) => (id, PageCommand::Reload),
            Command::Screenshot { id, width } => (id, PageCommand::Screenshot { width }),
            Command::Navigate {
                id,
                url,
                transition,
            } => (id, PageCommand::Navigate { url, transition }),
            _ => return,
        };
        match self.page_run(&id, &command) {
            Ok(run) => {
                if !matches!(command, PageCommand::Screenshot { .. }) {
                    self.page.reset_recovery(run);
                }
                let url = match &command {
                    PageCommand::Navigate { url, .. }
                        if matches!(requester, Requester::Client(_)) =>
                    {
                        Some(url.clone())
                    }
                    _ => None,
                };
                self.page_commands
                    .pending
                    .insert(requester, PendingPageCommand { id, run, url });
                self.actions.push_back(Action::RunPageCommand {
                    run,
                    command,
                    requester,
                });
            }
            Err(refusal) => self.reply(requester, Err(refusal)),
        }
    }

    /// The run that can carry a page command out.
    fn page_run(&self, id: &Id, command: &PageCommand) -> Result<RunId, Refusal> {
        let index = self.configured_index(id)?;
        let machine = &self.machines[index];
        if !machine.process.is_display() {
            return Err(Refusal::NoPage(id.clone()));
        }
        if let PageCommand::Navigate { url, .. } = command
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

    /// A client no longer waits. The page that it wanted is not shown; its other commands are carried out anyway.
    pub(in crate::supervisor) fn handle_command_withdrawn(&mut self, ticket: Ticket) {
        let pending = self.page_commands.pending.get(&Requester::Client(ticket));
        if let Some(pending) = pending.filter(|pending| pending.url.is_some()) {
            let run = pending.run;
            self.actions
                .push_back(Action::CancelPageCommand { run, ticket });
        }
    }

    /// The result of a page command that a client or a rule waits for.
    pub(in crate::supervisor) fn handle_requested_page_command_done(
        &mut self,
        requester: Requester,
        result: Result<PageCommandResult, Failure>,
        now: Moment,
    ) {
        let Some(PendingPageCommand { id, run, url }) =
            self.page_commands.pending.remove(&requester)
        else {
            return;
        };
        // A page that was not shown, or was withdrawn, changes nothing.
        if let (Ok(PageCommandResult::Done), Some(url)) = (&result, &url) {
            self.scheduler.on_client_navigation(&id, url);
            self.run_intents(now);
        }
        let outcome = match result {
            Ok(PageCommandResult::Done | PageCommandResult::Evidence(_)) => Ok(Done::Accepted),
            Ok(PageCommandResult::Screenshot(screenshot)) => Ok(Done::Screenshot(screenshot)),
            Ok(PageCommandResult::NeedsRestart) => {
                self.restart_for_reload(&id, run, requester, now)
            }
            Err(failure) => Err(Refusal::PageFailed(id, failure)),
        };
        self.reply(requester, outcome);
    }

    /// Restarts a browser that cannot be driven, unless it is another run by now.
    fn restart_for_reload(
        &mut self,
        id: &Id,
        run: RunId,
        requester: Requester,
        now: Moment,
    ) -> Outcome {
        if self.shutting_down {
            return Err(Refusal::ShuttingDown);
        }
        match self.page_run(id, &PageCommand::Reload) {
            Ok(current) if current == run => {
                self.start(id, true, requester, now).map(|_| Done::Accepted)
            }
            Ok(_) => Ok(Done::Accepted),
            Err(refusal) => Err(refusal),
        }
    }

    /// The daemon exits: clients that wait for a page are answered.
    pub(in crate::supervisor) fn reject_page_commands(&mut self) {
        for requester in std::mem::take(&mut self.page_commands.pending).into_keys() {
            self.reply(requester, Err(Refusal::ShuttingDown));
        }
        for client in self.scheduler.take_waiting_clients() {
            self.reply(client, Err(Refusal::ShuttingDown));
        }
    }
}
