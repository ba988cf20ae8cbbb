//! Gives the scheduler the facts, and carries out what it wants.

use super::Supervisor;
use super::facts::Facts;
use super::interface::Requester;
use super::schedule::{Intent, Scheduler};
use crate::time::Moment;

impl Supervisor {
    pub(super) fn facts(&self) -> Facts<'_> {
        Facts {
            loaded: &self.configuration.loaded,
            processes: &self.processes,
            present: &self.present,
            screens: &self.screens,
            health: self.page.health(),
            is_connected: self.page.is_connected(),
            shutting_down: self.shutting_down,
        }
    }

    pub(super) fn with_scheduler<T>(
        &mut self,
        act: impl FnOnce(&mut Scheduler, &Facts<'_>) -> T,
    ) -> T {
        let facts = Facts {
            loaded: &self.configuration.loaded,
            processes: &self.processes,
            present: &self.present,
            screens: &self.screens,
            health: self.page.health(),
            is_connected: self.page.is_connected(),
            shutting_down: self.shutting_down,
        };
        act(&mut self.scheduler, &facts)
    }

    /// Carries out everything of the schedule that is due.
    pub(super) fn update_schedule(&mut self, now: Moment) {
        self.with_scheduler(|scheduler, facts| scheduler.update(facts, now));
        self.run_intents(now);
        while self.with_scheduler(|scheduler, facts| scheduler.step(facts, now)) {
            self.run_intents(now);
        }
    }

    /// Carries out what the scheduler wants.
    pub(super) fn run_intents(&mut self, now: Moment) {
        loop {
            while let Some(intent) = self.scheduler.next_intent() {
                self.run_intent(intent, now);
            }
            if !self.with_scheduler(|scheduler, facts| scheduler.save_if_requested(facts)) {
                return;
            }
        }
    }

    fn run_intent(&mut self, intent: Intent, now: Moment) {
        match intent {
            Intent::Act(action) => self.actions.push_back(action),
            Intent::Command(execution, command) => {
                self.handle_command(Requester::Schedule(execution), command, now);
            }
            Intent::Restart(execution, id) => {
                let requester = Requester::Schedule(execution);
                let outcome = self.start(&id, true, requester, now);
                self.reply(requester, outcome);
            }
            Intent::Reply(requester, outcome) => self.reply(requester, outcome),
            Intent::SwitchPower(display, on) => {
                // The scheduler knows the refusals.
                let _ = self.request_power(&display, on, now);
            }
            Intent::SwitchPowerLater(display, on) => self.screens.request_for_later(&display, on),
            Intent::RestorePower(display, on) => {
                let is_present = self.present.binary_search(&display).is_ok();
                self.screens.restore_request(&display, on, is_present);
            }
            Intent::SetRunning(id, runs) => {
                (self.processes).set_running(&id, runs, now, &mut self.actions);
            }
        }
    }
}
