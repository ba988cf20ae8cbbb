//! Page commands of clients: refused, or sent to the driver of the run.
//!
//! The driver answers each command once, with the client's requester. A run that ends, a shutdown and an upgrade are
//! answers too: no client waits for a page that is gone.

use super::kiosk_page::KioskPage;
use crate::config::{Id, Problem, check_url};
use crate::supervisor::interface::{
    Action, Command, Done, Failure, Outcome, PageCommand, PageCommandResult, Refusal, Requester,
    RunId, Ticket,
};
use crate::supervisor::process::processes::Processes;
use std::collections::{BTreeMap, VecDeque};

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

/// How a page command ended.
pub(in crate::supervisor) enum PageCommandEnd {
    Outcome(Outcome),
    /// A client has opened this page.
    Navigated(Id, String),
    /// The browser cannot be driven, and is restarted instead.
    Restart(Id),
}

impl PageCommands {
    /// A client, or the schedule, sends a page command.
    pub fn start(
        &mut self,
        requester: Requester,
        command: Command,
        processes: &Processes,
        page: &mut KioskPage,
        out: &mut VecDeque<Action>,
    ) -> Result<(), Refusal> {
        let (id, command) = match command {
            Command::ReloadPage(id) => (id, PageCommand::Reload),
            Command::Screenshot { id, width } => (id, PageCommand::Screenshot { width }),
            Command::Navigate {
                id,
                url,
                transition,
            } => (id, PageCommand::Navigate { url, transition }),
            _ => return Ok(()),
        };
        let run = page_run(&id, &command, processes)?;
        if !matches!(command, PageCommand::Screenshot { .. }) {
            page.reset_recovery(run);
        }
        let url = match (&command, requester) {
            (PageCommand::Navigate { url, .. }, Requester::Client(_)) => Some(url.clone()),
            _ => None,
        };
        (self.pending).insert(requester, PendingPageCommand { id, run, url });
        out.push_back(Action::RunPageCommand {
            run,
            command,
            requester,
        });
        Ok(())
    }

    /// A client no longer waits. The page that it wanted is not shown; its other commands are carried out anyway.
    pub fn withdraw(&mut self, ticket: Ticket, out: &mut VecDeque<Action>) {
        let pending = self.pending.get(&Requester::Client(ticket));
        if let Some(pending) = pending.filter(|pending| pending.url.is_some()) {
            let run = pending.run;
            out.push_back(Action::CancelPageCommand { run, ticket });
        }
    }

    /// The result of a page command that a client or a rule waits for.
    pub fn handle_done(
        &mut self,
        requester: Requester,
        result: Result<PageCommandResult, Failure>,
        processes: &Processes,
    ) -> Option<PageCommandEnd> {
        let PendingPageCommand { id, run, url } = self.pending.remove(&requester)?;
        Some(PageCommandEnd::Outcome(match (result, url) {
            // A page that was not shown, or was withdrawn, changes nothing.
            (Ok(PageCommandResult::Done), Some(url)) => {
                return Some(PageCommandEnd::Navigated(id, url));
            }
            (Ok(PageCommandResult::NeedsRestart), _) => {
                match page_run(&id, &PageCommand::Reload, processes) {
                    Ok(current) if current == run => return Some(PageCommandEnd::Restart(id)),
                    // It is another run by now.
                    Ok(_) => Ok(Done::Accepted),
                    Err(refusal) => Err(refusal),
                }
            }
            (Ok(PageCommandResult::Screenshot(image)), _) => Ok(Done::Screenshot(image)),
            (Ok(PageCommandResult::Done | PageCommandResult::Evidence(_)), _) => Ok(Done::Accepted),
            (Err(failure), _) => Err(Refusal::PageFailed(id, failure)),
        }))
    }

    /// The daemon exits. Returns the requesters to refuse.
    pub fn end(&mut self) -> impl Iterator<Item = Requester> + use<> {
        std::mem::take(&mut self.pending).into_keys()
    }
}

/// The run that can carry a page command out.
fn page_run(id: &Id, command: &PageCommand, processes: &Processes) -> Result<RunId, Refusal> {
    let machine = processes.configured(id)?;
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
    let run = machine.run().filter(|_| machine.takes_commands());
    run.ok_or_else(|| Refusal::NotRunning(id.clone()))
}
