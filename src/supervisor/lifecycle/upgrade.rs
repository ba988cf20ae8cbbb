//! Decides when another program may go on in our place.
//!
//! The installed program is tried first: one that does not even start must not have the screen. Then
//! it takes over as soon as nothing is half done: no save under way, no program about to be executed.

use crate::supervisor::{Action, Done, Failure, Refusal, Supervisor, Ticket};

/// How far an upgrade is.
#[derive(Debug, Default)]
pub(in crate::supervisor) enum Upgrade {
    /// Nobody asked for one.
    #[default]
    None,
    /// The program is being tried.
    Checking(Ticket),
    /// It works; it takes over as soon as it can.
    Due(Ticket),
}

impl Supervisor {
    /// A client asks for the installed program.
    pub(in crate::supervisor) fn request_upgrade(&mut self, ticket: Ticket) {
        match self.upgrade {
            Upgrade::None => {
                self.upgrade = Upgrade::Checking(ticket);
                self.actions.push_back(Action::CheckProgram);
            }
            Upgrade::Checking(_) | Upgrade::Due(_) => self.reply(ticket, Err(Refusal::Busy)),
        }
    }

    /// The installed program was tried.
    pub(in crate::supervisor) fn handle_program_checked(&mut self, result: Result<(), Failure>) {
        let Upgrade::Checking(ticket) = std::mem::take(&mut self.upgrade) else {
            return;
        };
        match result {
            Ok(()) => self.upgrade = Upgrade::Due(ticket),
            Err(failure) => self.reply(ticket, Err(Refusal::NotUpgraded(failure))),
        }
    }

    /// Shutting down goes before.
    pub(in crate::supervisor) fn reject_upgrade(&mut self) {
        if let Upgrade::Checking(ticket) | Upgrade::Due(ticket) = std::mem::take(&mut self.upgrade)
        {
            self.reply(ticket, Err(Refusal::ShuttingDown));
        }
    }

    /// Hands over once nothing is half done.
    pub(in crate::supervisor) fn upgrade_if_ready(&mut self) {
        let Upgrade::Due(ticket) = self.upgrade else {
            return;
        };
        let half_done = !self.disk.is_idle()
            || self.is_schedule_busy()
            || self.machines.iter().any(|m| m.is_about_to_run());
        if half_done {
            return;
        }
        self.upgrade = Upgrade::None;
        self.has_exited = true;
        self.reject_page_commands();
        self.reply(ticket, Ok(Done::Accepted));
        self.actions.push_back(Action::Upgrade);
    }
}
