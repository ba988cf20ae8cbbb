//! Decides which idle process may start, and which one must stop for it.
//!
//! A process that should run starts when
//!
//! 1. the daemon is not shutting down,
//! 2. the processes that it depends on are ready,
//! 3. its display exists and has the configured rotation,
//! 4. no other process occupies its display and, for a display process, no other display process runs.
//!
//! Of two processes that need the same display, the one with the later claim (the operator's latest start) gets it. The
//! other is stopped only when the first could start otherwise: starting something on a display that is not connected
//! leaves the current page on the screen.
//!
//! That a process should run is recorded at once, even while another occupies its display; admission decides when. If
//! nothing should run on a display any more, what the configuration starts there is started.

use super::machine::Machine;
use super::processes::{Actions, Processes, ScreenWait, Surroundings};
use crate::config::{Config, Display, Id, Process};
use crate::supervisor::interface::{Done, Outcome, Reason, Refusal, Requester, RunId, State};
use crate::time::Moment;
use std::time::Duration;

/// How long the display of the process that should be on the screen may be missing before another is shown on a
/// display that exists. A restarted X server or compositor is back well before.
const MISSING_DISPLAY_TIMEOUT: Duration = Duration::from_secs(10);

/// Whether two processes cannot run at the same time.
fn exclude_each_other(a: &Process, b: &Process) -> bool {
    (a.is_display() && b.is_display()) || (a.display.is_some() && a.display == b.display)
}

/// Whether a run of `neighbour` must end before `process` starts.
fn occupies(neighbour: &Machine, process: &Process) -> bool {
    neighbour
        .running()
        .is_some_and(|running| exclude_each_other(running, process))
}

/// Whether `neighbour` should run in the place of `process`.
fn competes(neighbour: &Machine, process: &Process) -> bool {
    neighbour.is_wanted() && exclude_each_other(&neighbour.process, process)
}

/// Whether a process may start.
enum AdmissionDecision {
    Granted,
    /// It must wait.
    Waits(Reason),
    /// These must stop first.
    Displaces(Vec<usize>),
    /// A process with a later claim occupies its place.
    Denied(Reason),
}

/// The decisions, which change nothing.
impl Processes {
    /// The display process to start at boot: the configured one, or if that does not start automatically, the first
    /// that does.
    pub(super) fn boot_display(&self, config: &Config) -> Option<usize> {
        let named = self.active_display(config).filter(|index| {
            let machine = &self.machines[*index];
            machine.process.starts_at_boot() || machine.is_wanted()
        });
        named.or_else(|| self.displays_starting_at_boot().next())
    }

    /// The display process that the configuration names.
    pub(super) fn active_display(&self, config: &Config) -> Option<usize> {
        self.configured_index(config.active_display.as_ref()?).ok()
    }

    fn displays_starting_at_boot(&self) -> impl Iterator<Item = usize> {
        let machines = self.machines.iter().enumerate();
        let starting = machines.filter(|(_, machine)| {
            machine.process.is_display() && machine.process.starts_at_boot() && !machine.removed
        });
        starting.map(|(index, _)| index)
    }

    /// Whether a display process should run.
    pub fn is_screen_in_use(&self) -> bool {
        let mut machines = self.machines.iter();
        machines.any(|machine| machine.process.is_display() && machine.is_wanted())
    }

    /// A process that should run in the place of this one.
    fn competitor_of(&self, index: usize) -> Option<usize> {
        let process = &self.machines[index].process;
        (0..self.machines.len())
            .find(|other| *other != index && competes(&self.machines[*other], process))
    }

    /// The processes that occupy, or should occupy, the display of this one: they must stop before it starts.
    fn conflicts_of(&self, index: usize) -> Vec<usize> {
        let process = &self.machines[index].process;
        if process.display.is_none() && !process.is_display() {
            return Vec::new();
        }
        let is_in_the_way =
            |neighbour| occupies(neighbour, process) || competes(neighbour, process);
        (0..self.machines.len())
            .filter(|other| *other != index && is_in_the_way(&self.machines[*other]))
            .collect()
    }

    fn admission(&self, index: usize, around: &Surroundings<'_>) -> AdmissionDecision {
        if let Some(reason) = self.unmet_need(index, around) {
            return AdmissionDecision::Waits(reason);
        }
        let machine = &self.machines[index];
        let process = &machine.process;
        let competitors = self.conflicts_of(index);
        let id_of = |other: usize| self.machines[other].process.id.clone();
        for other in &competitors {
            let competitor = &self.machines[*other];
            if competitor.is_alive()
                && competes(competitor, process)
                && competitor.claim > machine.claim
            {
                return AdmissionDecision::Denied(Reason::DisplayTaken(id_of(*other)));
            }
        }
        let displaced: Vec<usize> = competitors
            .iter()
            .copied()
            .filter(|other| {
                let competitor = &self.machines[*other];
                competes(competitor, process) && competitor.claim < machine.claim
            })
            .collect();
        // It depends on one that it would displace.
        if let Some(needed) = displaced
            .iter()
            .find(|other| self.depends_on(process, **other))
        {
            return AdmissionDecision::Waits(Reason::DisplayTaken(id_of(*needed)));
        }
        if !displaced.is_empty() {
            return AdmissionDecision::Displaces(displaced);
        }
        match competitors
            .iter()
            .find(|other| occupies(&self.machines[**other], process))
        {
            Some(other) => AdmissionDecision::Waits(Reason::WaitsForEndOf(id_of(*other))),
            None => AdmissionDecision::Granted,
        }
    }

    /// What the process must wait for even if its place is free.
    fn unmet_need(&self, index: usize, around: &Surroundings<'_>) -> Option<Reason> {
        let process = &self.machines[index].process;
        let is_ready = |id: &&Id| {
            self.index_of(id)
                .is_some_and(|other| self.machines[other].satisfies_dependents())
        };
        if let Some(id) = process.depends_on.iter().find(|id| !is_ready(id)) {
            return Some(Reason::WaitsForProcess(id.clone()));
        }
        let display = process.display.as_ref()?;
        let is_usable = around.is_present(display) && around.screens.is_settled(display);
        (!is_usable).then(|| Reason::WaitsForDisplay(display.clone()))
    }

    /// Whether a process depends on another, directly or not. The configuration has no cycles.
    fn depends_on(&self, process: &Process, other: usize) -> bool {
        let mut needed = process.depends_on.iter().filter_map(|id| self.index_of(id));
        needed.any(|index| index == other || self.depends_on(&self.machines[index].process, other))
    }

    fn has_living_dependents(&self, index: usize) -> bool {
        let id = &self.machines[index].process.id;
        self.machines.iter().any(|machine| {
            !machine.process.depends_on.is_empty()
                && machine.is_alive()
                && machine.process.depends_on.contains(id)
        })
    }
}

impl Processes {
    /// Starts a process, and the ones that it depends on before it, as soon as each may run.
    ///
    /// Display processes are not started as dependencies: a background process must not change what is on the screen.
    pub(super) fn start_process(&mut self, index: usize) {
        let claim = self.next_claim;
        self.next_claim += 1;
        self.update(index, |machine| machine.set_wanted(claim));
        self.start_dependencies(index);
    }

    /// Restarts a process as requested by an operator or a rule, with the latest claim to its display.
    fn restart_on_request(&mut self, index: usize, reason: Reason, now: Moment, out: &mut Actions) {
        self.machines[index].claim = self.next_claim;
        self.next_claim += 1;
        self.restart_process(index, reason, now, out);
    }

    /// Restarts a process, and starts its dependencies. Its claim does not change: an automatic restart must not
    /// override a later request of an operator.
    pub(super) fn restart_process(
        &mut self,
        index: usize,
        reason: Reason,
        now: Moment,
        out: &mut Actions,
    ) {
        self.update(index, |machine| machine.restart(reason, now, out));
        self.start_dependencies(index);
    }

    fn start_dependencies(&mut self, index: usize) {
        let process = self.machines[index].process.clone();
        for id in &process.depends_on {
            let Some(other) = self.index_of(id) else {
                continue;
            };
            let machine = &self.machines[other];
            let startable = machine.process.enabled && !machine.process.is_display();
            if startable && !machine.is_wanted() && !machine.satisfies_dependents() {
                self.start_process(other);
            }
        }
    }

    /// Switches to the configured display process if it is not the one on the screen.
    pub fn follow_active_display(&mut self, config: &Config) {
        if let Some(index) = self.active_display(config)
            && self.machines[index].process.enabled
            && !self.machines[index].is_wanted()
        {
            self.start_process(index);
        }
    }

    /// Starts what the configuration starts at boot: at boot, and whenever nothing should run in its place any more
    /// because the process that did was removed, disabled or displaced. A process that an operator or a rule stopped,
    /// or that has finished, is neither started nor replaced: a screen may be dark on purpose. No process that should
    /// run is displaced.
    pub fn start_what_is_configured(&mut self, around: &Surroundings<'_>, now: Moment) {
        if !std::mem::take(&mut self.may_start_more) {
            return;
        }
        self.fill_screen(around, now);
        let mut seen: Vec<Display> = Vec::new();
        for index in 0..self.machines.len() {
            let machine = &self.machines[index];
            let process = &machine.process;
            if process.is_display() || !process.starts_at_boot() || machine.removed {
                continue;
            }
            if let Some(display) = &process.display {
                // Of the processes with the same display, the first in the file is started.
                if seen.contains(display) {
                    continue;
                }
                seen.push(display.clone());
            }
            let machine = &self.machines[index];
            if !machine.is_wanted()
                && !machine.stays_stopped()
                && self.competitor_of(index).is_none()
            {
                self.start_process(index);
            }
        }
        self.correct_reasons();
    }

    fn fill_screen(&mut self, around: &Surroundings<'_>, now: Moment) {
        let waits_for_missing =
            |machine: &Machine| machine.awaits_admission() && around.is_missing(machine);
        let mut wanted = self
            .machines
            .iter()
            .filter(|machine| machine.process.is_display() && machine.is_wanted())
            .peekable();
        let is_free = wanted.peek().is_none();
        if wanted.any(|machine| !waits_for_missing(machine)) {
            self.screen_wait = None;
            return;
        }
        let Some(first) = self.boot_display(around.config) else {
            return;
        };
        if self.machines[first].stays_stopped() {
            return;
        }
        if is_free {
            if self.competitor_of(first).is_none() {
                self.start_process(first);
            }
            return;
        }
        // All display processes that should run wait for missing displays.
        let wait = self.screen_wait.get_or_insert(ScreenWait {
            until: now + MISSING_DISPLAY_TIMEOUT,
            is_over: false,
        });
        if !wait.is_over {
            return;
        }
        let substitute = self.displays_starting_at_boot().find(|index| {
            let machine = &self.machines[*index];
            !machine.is_wanted()
                && !machine.stays_stopped()
                && !around.is_missing(machine)
                && (self.conflicts_of(*index).into_iter()).all(|other| {
                    self.machines[other].awaits_admission()
                        && self.unmet_need(other, around).is_some()
                })
        });
        if let Some(index) = substitute {
            // The lowest claim: it stops as soon as one of those can start.
            self.update(index, |machine| machine.set_wanted(0));
            self.start_dependencies(index);
        }
    }

    /// A process that exited cleanly because its display is gone has not finished: it waits for the display.
    pub(super) fn expect_display_back(
        &mut self,
        index: usize,
        around: &Surroundings<'_>,
        now: Moment,
    ) {
        let machine = &self.machines[index];
        if machine.has_just_finished(now) && around.is_missing(machine) {
            let claim = machine.claim;
            self.update(index, |machine| machine.set_wanted(claim));
        }
    }

    /// Updates the reasons of processes that should not run although they were not stopped.
    fn correct_reasons(&mut self) {
        for index in 0..self.machines.len() {
            let machine = &self.machines[index];
            let is_open = matches!(
                machine.reason(),
                Some(Reason::DisplayTaken(_) | Reason::NotStartedYet | Reason::Disabled)
            );
            let is_idle = !machine.is_wanted() && !machine.is_alive();
            if !is_idle || !machine.process.enabled || !is_open {
                continue;
            }
            let competitor = self
                .competitor_of(index)
                .filter(|_| machine.process.autostart);
            let reason = match competitor {
                Some(competitor) => {
                    Reason::DisplayTaken(self.machines[competitor].process.id.clone())
                }
                None => Reason::NotStartedYet,
            };
            if machine.reason() != Some(&reason) {
                self.update(index, |machine| machine.set_idle_reason(reason));
            }
        }
    }

    /// Stops processes that wait for a missing display that an operator wants to use for another one.
    fn displace_waiting_competitors(
        &mut self,
        index: usize,
        around: &Surroundings<'_>,
        now: Moment,
        out: &mut Actions,
    ) {
        let newcomer = self.machines[index].process.id.clone();
        for other in self.conflicts_of(index) {
            let competitor = &self.machines[other];
            if competitor.awaits_admission() && around.is_missing(competitor) {
                let reason = Reason::DisplacedBy(newcomer.clone());
                self.update(other, |machine| machine.stop(reason, now, out));
            }
        }
    }

    /// Starts and stops processes until nothing changes any more.
    pub fn settle(
        &mut self,
        shutting_down: bool,
        around: &Surroundings<'_>,
        now: Moment,
        out: &mut Actions,
    ) {
        loop {
            let before = self.updated.len();
            match shutting_down {
                true => self.end_next(now, out),
                false => self.admit(around, now, out),
            }
            if self.updated.len() == before {
                return;
            }
        }
    }

    /// Starts every process that may start.
    fn admit(&mut self, around: &Surroundings<'_>, now: Moment, out: &mut Actions) {
        let waiting: Vec<usize> = (0..self.machines.len())
            .filter(|index| self.machines[*index].awaits_admission())
            .collect();
        self.start_what_is_configured(around, now);
        for index in waiting {
            if !self.machines[index].awaits_admission() {
                continue;
            }
            match self.admission(index, around) {
                AdmissionDecision::Granted => {
                    let run = RunId(self.next_run);
                    self.next_run += 1;
                    let page = around.start_pages.get(&self.machines[index].process.id);
                    self.update(index, |machine| machine.start(run, page, now, out));
                }
                AdmissionDecision::Waits(reason) => self.delay_start(index, reason),
                AdmissionDecision::Displaces(others) => {
                    let newcomer = self.machines[index].process.id.clone();
                    for other in others {
                        let reason = Reason::DisplacedBy(newcomer.clone());
                        self.update(other, |machine| machine.stop(reason, now, out));
                    }
                }
                AdmissionDecision::Denied(reason) => {
                    self.update(index, |machine| machine.stop(reason, now, out));
                }
            }
        }
    }

    /// Updates why a process is not admitted.
    fn delay_start(&mut self, index: usize, reason: Reason) {
        if self.machines[index].reason() != Some(&reason) {
            self.update(index, |machine| machine.set_waiting_reason(reason));
        }
    }

    /// The shutdown begins: what does not run must not start.
    pub fn begin_shutdown(&mut self, now: Moment, out: &mut Actions) {
        for index in 0..self.machines.len() {
            if !self.machines[index].is_alive() {
                self.update(index, |machine| {
                    if machine.is_wanted() {
                        machine.stop(Reason::ShuttingDown, now, out);
                    }
                });
            }
        }
    }

    /// In shutdown, stops the processes whose dependents have stopped.
    fn end_next(&mut self, now: Moment, out: &mut Actions) {
        let ending: Vec<usize> = (0..self.machines.len())
            .filter(|index| {
                let machine = &self.machines[*index];
                machine.is_wanted() && !self.has_living_dependents(*index)
            })
            .collect();
        for index in ending {
            self.update(index, |machine| {
                machine.stop(Reason::ShuttingDown, now, out);
            });
        }
    }
}

/// What operators and rules request.
impl Processes {
    /// Starts a process, or with `renew` restarts it if it runs.
    pub fn start(
        &mut self,
        id: &Id,
        renew: bool,
        requester: Requester,
        around: &Surroundings<'_>,
        now: Moment,
        out: &mut Actions,
    ) -> Outcome {
        let index = self.configured_index(id)?;
        let machine = &self.machines[index];
        if !machine.process.enabled {
            return Err(Refusal::Disabled(id.clone()));
        }
        let runs = machine.is_alive() && machine.is_wanted() && !machine.is_stopping();
        if runs && !renew {
            return Ok(Done::Started {
                stopped: Vec::new(),
            });
        }
        let stopped = (self.conflicts_of(index).into_iter())
            .map(|other| &self.machines[other])
            .filter(|other| other.is_alive())
            .map(|other| other.process.id.clone())
            .collect();
        if renew && self.machines[index].is_alive() {
            let reason = match requester {
                Requester::Schedule(_) => Reason::RestartedBySchedule,
                _ => Reason::RestartedByOperator,
            };
            self.restart_on_request(index, reason, now, out);
        } else {
            self.start_process(index);
        }
        self.displace_waiting_competitors(index, around, now, out);
        Ok(Done::Started { stopped })
    }

    /// Stops a process. `was_starting`: a start of it that waited for a save was cancelled.
    pub fn stop(
        &mut self,
        id: &Id,
        was_starting: bool,
        requester: Requester,
        now: Moment,
        out: &mut Actions,
    ) -> Outcome {
        let index = self.configured_index(id)?;
        let machine = &self.machines[index];
        let is_at_rest =
            (machine.stays_stopped() || !machine.process.enabled) && !machine.is_alive();
        if was_starting || !is_at_rest || machine.state() == State::Failed {
            let reason = match requester {
                // A rule does not stop what was stopped before.
                Requester::Schedule(_) if machine.is_wanted() => Reason::StoppedBySchedule,
                _ => Reason::StoppedByOperator,
            };
            self.update(index, |machine| machine.stop(reason, now, out));
        }
        Ok(Done::Accepted)
    }

    /// Starts or stops a process for a restored override, before anything else starts.
    pub fn set_running(&mut self, id: &Id, runs: bool, now: Moment, out: &mut Actions) {
        let Some(index) = self.index_of(id) else {
            return;
        };
        let machine = &self.machines[index];
        match (runs, machine.is_wanted()) {
            (true, false) if machine.process.enabled => self.start_process(index),
            (false, true) => {
                let reason = Reason::StoppedBySchedule;
                self.update(index, |machine| machine.stop(reason, now, out));
            }
            _ => {}
        }
    }
}

impl Surroundings<'_> {
    fn is_present(&self, display: &Display) -> bool {
        self.present.binary_search(display).is_ok()
    }

    fn is_missing(&self, machine: &Machine) -> bool {
        let display = machine.process.display.as_ref();
        display.is_some_and(|display| !self.is_present(display))
    }
}
