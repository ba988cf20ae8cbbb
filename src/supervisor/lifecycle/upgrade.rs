//! Decides when the installed program replaces this one.
//!
//! The installed program is checked first: one that does not even start must not take over. The upgrade then happens
//! as soon as no save is in progress and no program is about to be executed.

use crate::supervisor::{Action, Done, Failure, Refusal, Requester, Supervisor};

/// The progress of an upgrade.
#[derive(Debug, Default)]
pub(in crate::supervisor) enum Upgrade {
    /// None was requested.
    #[default]
    None,
    /// The program is being checked.
    Checking(Requester),
    /// The program works; the upgrade happens as soon as possible.
    Due(Requester),
}

impl Supervisor {
    /// A client requests an upgrade.
    pub(in crate::supervisor) fn request_upgrade(&mut self, requester: Requester) {
        match self.upgrade {
            Upgrade::None => {
                self.upgrade = Upgrade::Checking(requester);
                self.actions.push_back(Action::CheckProgram);
            }
            Upgrade::Checking(_) | Upgrade::Due(_) => self.reply(requester, Err(Refusal::Busy)),
        }
    }

    /// The installed program was checked.
    pub(in crate::supervisor) fn handle_program_checked(&mut self, result: Result<(), Failure>) {
        let Upgrade::Checking(requester) = std::mem::take(&mut self.upgrade) else {
            return;
        };
        match result {
            Ok(()) => self.upgrade = Upgrade::Due(requester),
            Err(failure) => self.reply(requester, Err(Refusal::NotUpgraded(failure))),
        }
    }

    /// A shutdown cancels the upgrade.
    pub(in crate::supervisor) fn reject_upgrade(&mut self) {
        if let Upgrade::Checking(requester) | Upgrade::Due(requester) =
            std::mem::take(&mut self.upgrade)
        {
            self.reply(requester, Err(Refusal::ShuttingDown));
        }
    }

    /// Upgrades once nothing is unfinished.
    pub(in crate::supervisor) fn upgrade_if_ready(&mut self) {
        let Upgrade::Due(requester) = self.upgrade else {
            return;
        };
        let half_done = !self.disk.is_idle()
            || self.scheduler.is_schedule_busy()
            || self.machines.iter().any(|m| m.is_about_to_run());
        if half_done {
            return;
        }
        self.upgrade = Upgrade::None;
        self.has_exited = true;
        self.reject_page_commands();
        self.reply(requester, Ok(Done::Accepted));
        self.actions.push_back(Action::Upgrade);
    }
}
