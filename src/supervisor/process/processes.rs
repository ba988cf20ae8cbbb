//! All processes: what each event means to which of them.

use super::machine::Machine;
use crate::config::{Config, Display, Id};
use crate::supervisor::display::screens::Screens;
use crate::supervisor::interface::{Action, Memory, PageStatus, Refusal, RunId};
use crate::time::Moment;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

pub(super) type Actions = VecDeque<Action>;

/// The machines of all processes.
#[derive(Debug)]
pub(in crate::supervisor) struct Processes {
    /// In the order of the file, then those that are no longer configured but still run. They are keyed by their ids;
    /// a kiosk has some ten, and to look through them costs less than a map.
    pub(super) machines: Vec<Machine>,
    pub(super) next_run: u64,
    pub(super) next_claim: u64,
    /// Machines that changed since [`Self::take_updated`].
    pub(super) updated: Vec<Id>,
    /// A process may start that could not before.
    pub(super) may_start_more: bool,
    /// Set while every display process that should run waits for a missing display.
    pub(super) screen_wait: Option<ScreenWait>,
}

/// Every display process that should run waits for a missing display.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScreenWait {
    /// When another one may be shown instead.
    pub until: Moment,
    /// That time is over.
    pub is_over: bool,
}

/// What decides with the machines which process may start.
pub(in crate::supervisor) struct Surroundings<'a> {
    pub config: &'a Config,
    /// The displays that exist, sorted.
    pub present: &'a [Display],
    pub screens: &'a Screens,
    /// The pages that browsers start with instead of the configured ones.
    pub start_pages: &'a BTreeMap<Id, String>,
}

impl Processes {
    pub fn new(next_run: u64) -> Self {
        Self {
            machines: Vec::new(),
            next_run,
            next_claim: 1,
            updated: Vec::new(),
            may_start_more: true,
            screen_wait: None,
        }
    }

    /// In the order of the file, then those that are no longer configured but still run.
    pub fn iter(&self) -> std::slice::Iter<'_, Machine> {
        self.machines.iter()
    }

    pub fn get(&self, id: &Id) -> Option<&Machine> {
        self.iter().find(|machine| machine.process.id == *id)
    }

    pub fn get_mut(&mut self, id: &Id) -> Option<&mut Machine> {
        let mut machines = self.machines.iter_mut();
        machines.find(|machine| machine.process.id == *id)
    }

    /// The ids of all processes.
    pub(super) fn ids(&self) -> Vec<Id> {
        self.ids_of(|_| true)
    }

    /// The ids of some processes.
    pub(super) fn ids_of(&self, filter: impl Fn(&Machine) -> bool) -> Vec<Id> {
        let machines = self.iter().filter(|machine| filter(machine));
        machines.map(|machine| machine.process.id.clone()).collect()
    }

    /// A process that was not removed.
    pub fn configured(&self, id: &Id) -> Result<&Machine, Refusal> {
        (self.get(id).filter(|machine| !machine.removed))
            .ok_or_else(|| Refusal::NoSuchProcess(id.clone()))
    }

    /// The process of a run that is not over.
    pub fn of_run(&self, run: RunId) -> Option<&Machine> {
        self.iter().find(|machine| machine.run() == Some(run))
    }

    /// Changes the machine of a run. An event of a run that is over is ignored.
    pub fn update_run(&mut self, run: RunId, change: impl FnOnce(&mut Machine)) -> Option<Id> {
        let id = self.of_run(run)?.process.id.clone();
        self.update(&id, change);
        Some(id)
    }

    /// Changes the machine of a run that may be over then.
    pub fn update_ending_run(
        &mut self,
        run: RunId,
        around: &Surroundings<'_>,
        now: Moment,
        change: impl FnOnce(&mut Machine),
    ) {
        if let Some(id) = self.update_run(run, change) {
            self.expect_display_back(&id, around, now);
        }
    }

    /// Changes a machine.
    pub(super) fn update(&mut self, id: &Id, change: impl FnOnce(&mut Machine)) {
        if let Some(machine) = self.get_mut(id) {
            change(machine);
            self.updated.push(id.clone());
            self.may_start_more = true;
        }
    }

    /// Sets the published status of the page of a run.
    pub fn set_page_status(&mut self, run: RunId, status: PageStatus) {
        let mut machines = self.machines.iter_mut();
        if let Some(machine) = machines.find(|machine| machine.run() == Some(run))
            && machine.page_status.as_deref() != Some(&status)
        {
            machine.page_status = Some(Rc::new(status));
            self.updated.push(machine.process.id.clone());
        }
    }

    /// Displays appeared or disappeared.
    pub fn handle_displays(&mut self, around: &Surroundings<'_>, now: Moment) {
        self.may_start_more = true;
        for id in self.ids() {
            self.expect_display_back(&id, around, now);
        }
    }

    /// When to call [`Self::handle_deadline`].
    pub fn deadline(&self) -> Option<Moment> {
        let wait = self.screen_wait.filter(|wait| !wait.is_over);
        let machine = self.next_deadline().map(|(moment, _)| moment);
        machine.into_iter().chain(wait.map(|wait| wait.until)).min()
    }

    pub fn handle_deadline(&mut self, now: Moment, out: &mut Actions) {
        while let Some((_, id)) = self.next_deadline().filter(|(moment, _)| *moment <= now) {
            let id = id.clone();
            self.update(&id, |machine| machine.handle_deadline(now, out));
        }
        if let Some(wait) = &mut self.screen_wait
            && !wait.is_over
            && wait.until <= now
        {
            wait.is_over = true;
            self.may_start_more = true;
        }
    }

    /// The machine whose deadline is next.
    fn next_deadline(&self) -> Option<(Moment, &Id)> {
        let deadlines = self
            .iter()
            .filter_map(|it| Some((it.deadline()?, &it.process.id)));
        deadlines.min()
    }

    /// The machines that changed since the last call, or with `all` every one in order.
    pub fn take_updated(&mut self, all: bool) -> Vec<Id> {
        let mut updated = std::mem::take(&mut self.updated);
        if all {
            return self.ids();
        }
        updated.sort_unstable();
        updated.dedup();
        updated
    }

    /// Whether a process has a run that is not over.
    pub fn any_alive(&self) -> bool {
        self.iter().any(Machine::is_alive)
    }

    /// What the next daemon must know of a process, if that changed.
    pub fn changed_memory(&mut self, id: &Id) -> Option<Memory> {
        self.get_mut(id)?.changed_memory()
    }
}
