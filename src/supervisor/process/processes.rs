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
    /// In the order of the file, then those that are no longer configured but still run.
    pub(super) machines: Vec<Machine>,
    pub(super) next_run: u64,
    pub(super) next_claim: u64,
    /// Machines that changed since [`Self::take_updated`].
    pub(super) updated: Vec<usize>,
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

    /// A process that was not removed.
    pub fn configured(&self, id: &Id) -> Result<&Machine, Refusal> {
        self.configured_index(id).map(|index| &self.machines[index])
    }

    pub(super) fn configured_index(&self, id: &Id) -> Result<usize, Refusal> {
        self.index_of(id)
            .filter(|index| !self.machines[*index].removed)
            .ok_or_else(|| Refusal::NoSuchProcess(id.clone()))
    }

    /// The process of a run that is not over.
    pub fn of_run(&self, run: RunId) -> Option<&Machine> {
        self.iter().find(|machine| machine.run() == Some(run))
    }

    pub(super) fn index_of(&self, id: &Id) -> Option<usize> {
        self.iter().position(|machine| machine.process.id == *id)
    }

    /// Changes the machine of a run. An event of a run that is over is ignored.
    pub fn update_run(&mut self, run: RunId, change: impl FnOnce(&mut Machine)) -> Option<usize> {
        let index = self.iter().position(|it| it.run() == Some(run))?;
        self.update(index, change);
        Some(index)
    }

    /// Changes the machine of a run that may be over then.
    pub fn update_ending_run(
        &mut self,
        run: RunId,
        around: &Surroundings<'_>,
        now: Moment,
        change: impl FnOnce(&mut Machine),
    ) {
        if let Some(index) = self.update_run(run, change) {
            self.expect_display_back(index, around, now);
        }
    }

    /// Changes a machine.
    pub(super) fn update(&mut self, index: usize, change: impl FnOnce(&mut Machine)) {
        self.updated.push(index);
        self.may_start_more = true;
        change(&mut self.machines[index]);
    }

    /// Sets the published status of the page of a run.
    pub fn set_page_status(&mut self, run: RunId, status: PageStatus) {
        if let Some(index) = self.iter().position(|it| it.run() == Some(run))
            && self.machines[index].page_status.as_deref() != Some(&status)
        {
            self.machines[index].page_status = Some(Rc::new(status));
            self.updated.push(index);
        }
    }

    /// Displays appeared or disappeared.
    pub fn handle_displays(&mut self, around: &Surroundings<'_>, now: Moment) {
        self.may_start_more = true;
        for index in 0..self.machines.len() {
            self.expect_display_back(index, around, now);
        }
    }

    /// When to call [`Self::handle_deadline`].
    pub fn deadline(&self) -> Option<Moment> {
        let wait = self.screen_wait.filter(|wait| !wait.is_over);
        let machine = self.next_deadline().map(|(moment, _)| moment);
        machine.into_iter().chain(wait.map(|wait| wait.until)).min()
    }

    pub fn handle_deadline(&mut self, now: Moment, out: &mut Actions) {
        while let Some((_, index)) = self.next_deadline().filter(|(moment, _)| *moment <= now) {
            self.update(index, |machine| machine.handle_deadline(now, out));
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
    fn next_deadline(&self) -> Option<(Moment, usize)> {
        let machines = self.iter().enumerate();
        machines
            .filter_map(|(index, machine)| Some((machine.deadline()?, index)))
            .min()
    }

    /// The machines that changed since the last call, or with `all` every one.
    pub fn take_updated(&mut self, all: bool) -> Vec<usize> {
        let mut updated = std::mem::take(&mut self.updated);
        if all {
            return (0..self.machines.len()).collect();
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
    pub fn changed_memory(&mut self, index: usize) -> Option<Memory> {
        self.machines.get_mut(index)?.changed_memory()
    }

    /// Gives access to machines for their statuses.
    pub fn machine_mut(&mut self, index: usize) -> &mut Machine {
        &mut self.machines[index]
    }
}
