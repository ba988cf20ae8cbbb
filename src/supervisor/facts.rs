//! What components may know of the rest of the supervisor.

use super::display::screens::Screens;
use super::interface::Refusal;
use super::page::health::Health;
use super::process::processes::Processes;
use crate::config::{Display, Id, Loaded};

/// The state of the kiosk.
pub(super) struct Facts<'a> {
    pub loaded: &'a Loaded,
    pub processes: &'a Processes,
    /// The displays that exist, sorted.
    pub present: &'a [Display],
    pub screens: &'a Screens,
    /// The health of the page on the screen, and its process.
    pub health: Option<&'a (Id, Health)>,
    /// Whether there is a network and the page's server is reachable, as far as is known.
    pub is_connected: bool,
    pub shutting_down: bool,
}

impl Facts<'_> {
    /// Whether the browser of a process can be asked to show a page.
    pub fn can_show(&self, id: &Id) -> bool {
        (self.processes.get(id)).is_some_and(|machine| machine.takes_commands())
    }

    /// Why a screen cannot be switched.
    pub fn power_refusal(&self, display: &Display) -> Option<Refusal> {
        if self.present.binary_search(display).is_err() {
            let mut machines = self.processes.iter();
            return Some(
                match machines.any(|it| it.process.display.as_ref() == Some(display)) {
                    true => Refusal::DisplayNotConnected(display.clone()),
                    false => Refusal::NoSuchDisplay(display.clone()),
                },
            );
        }
        let is_unswitchable = self.screens.is_unswitchable(display);
        is_unswitchable.then(|| Refusal::NoPowerSwitch(display.clone()))
    }
}
