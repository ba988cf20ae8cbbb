//! Decides when the installed program replaces this one.
//!
//! The installed program is checked first: one that does not even start must not take over. The upgrade then happens
//! as soon as no save is in progress and no program is about to be executed.

use crate::supervisor::interface::Requester;

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

impl Upgrade {
    /// Begins an upgrade, unless one is in progress. Returns whether the program is to be checked.
    pub fn request(&mut self, requester: Requester) -> bool {
        let is_new = matches!(self, Upgrade::None);
        if is_new {
            *self = Upgrade::Checking(requester);
        }
        is_new
    }

    /// The installed program was checked. Returns the requester if it does not work.
    pub fn handle_checked(&mut self, works: bool) -> Option<Requester> {
        let Upgrade::Checking(requester) = *self else {
            return None;
        };
        if works {
            *self = Upgrade::Due(requester);
            return None;
        }
        self.cancel()
    }

    /// Ends an upgrade that is in progress. Returns its requester.
    pub fn cancel(&mut self) -> Option<Requester> {
        match std::mem::take(self) {
            Upgrade::None => None,
            Upgrade::Checking(requester) | Upgrade::Due(requester) => Some(requester),
        }
    }

    /// The requester of an upgrade whose program works.
    pub fn due(&self) -> Option<Requester> {
        match self {
            Upgrade::Due(requester) => Some(*requester),
            _ => None,
        }
    }
}
