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

/// Whether these are two processes that cannot run at the same time.
fn exclude_each_other(a: &Process, b: &Process) -> bool {
    let share_display = a.display.is_some() && a.display == b.display;
    (a.is_display() && b.is_display() || share_display) && a.id != b.id
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
    Displaces(Vec<Id>),
    /// A process with a later claim occupies its place.
    Denied(Reason),
}

/// The decisions, which change nothing.
impl Processes {
    /// The display process to start at boot: the configured one, or if that does not start automatically, the first
    /// that does.
    pub(super) fn boot_display(&self, config: &Config) -> Option<&Machine> {
        let named = self.active_display(config);
        named
            .filter(|machine| machine.process.starts_at_boot() || machine.is_wanted())
            .or_else(|| self.displays_starting_at_boot().next())
    }

    /// The display process that the configuration names.
    fn active_display(&self, config: &Config) -> Option<&Machine> {
        self.configured(config.active_display.as_ref()?).ok()
    }

    fn displays_starting_at_boot(&self) -> impl Iterator<Item = &Machine> {
        self.iter().filter(|machine| {
            machine.process.is_display() && machine.process.starts_at_boot() && !machine.removed
        })
    }

    /// Whether a display process should run.
    pub fn is_screen_in_use(&self) -> bool {
        let mut machines = self.iter();
        machines.any(|machine| machine.process.is_display() && machine.is_wanted())
    }

    /// A process that should run in the place of this one.
    fn competitor_of(&self, process: &Process) -> Option<&Machine> {
        self.conflicts_of(process)
            .into_iter()
            .find(|other| competes(other, process))
    }

    /// The processes that occupy, or should occupy, the display of this one: they must stop before it starts.
    fn conflicts_of(&self, process: &Process) -> Vec<&Machine> {
        if process.display.is_none() && !process.is_display() {
            return Vec::new();
        }
        self.iter()
            .filter(|other| occupies(other, process) || competes(other, process))
            .collect()
    }

    fn admission(&self, machine: &Machine, around: &Surroundings<'_>) -> AdmissionDecision {
        let process = &machine.process;
        if let Some(reason) = self.unmet_need(process, around) {
            return AdmissionDecision::Waits(reason);
        }
        let conflicts = self.conflicts_of(process);
        let has_later_claim = |other: &&&Machine| {
            other.is_alive() && competes(other, process) && other.claim > machine.claim
        };
        if let Some(other) = conflicts.iter().find(has_later_claim) {
            return AdmissionDecision::Denied(Reason::DisplayTaken(other.process.id.clone()));
        }
        let displaced: Vec<Id> = (conflicts.iter())
            .filter(|other| competes(other, process) && other.claim < machine.claim)
            .map(|other| other.process.id.clone())
            .collect();
        // It depends on one that it would displace.
        if let Some(needed) = displaced
            .iter()
            .find(|other| self.depends_on(process, other))
        {
            return AdmissionDecision::Waits(Reason::DisplayTaken(needed.clone()));
        }
        if !displaced.is_empty() {
            return AdmissionDecision::Displaces(displaced);
        }
        match conflicts.iter().find(|other| occupies(other, process)) {
            Some(other) => {
                AdmissionDecision::Waits(Reason::WaitsForEndOf(other.process.id.clone()))
            }
            None => AdmissionDecision::Granted,
        }
    }

    /// What the process must wait for even if its place is free.
    fn unmet_need(&self, process: &Process, around: &Surroundings<'_>) -> Option<Reason> {
        let is_ready = |id: &&Id| self.get(id).is_some_and(Machine::satisfies_dependents);
        if let Some(id) = process.depends_on.iter().find(|id| !is_ready(id)) {
            return Some(Reason::WaitsForProcess(id.clone()));
        }
        let display = process.display.as_ref()?;
        let is_usable = around.is_present(display) && around.screens.is_settled(display);
        (!is_usable).then(|| Reason::WaitsForDisplay(display.clone()))
    }

    /// Whether a process depends on another, directly or not. The configuration has no cycles.
    fn depends_on(&self, process: &Process, other: &Id) -> bool {
        let mut needed = process.depends_on.iter().filter_map(|id| self.get(id));
        needed.any(|needed| needed.process.id == *other || self.depends_on(&needed.process, other))
    }

    fn has_living_dependents(&self, id: &Id) -> bool {
        let mut machines = self.iter();
        machines.any(|machine| machine.is_alive() && machine.process.depends_on.contains(id))
    }
}

impl Processes {
    /// Starts a process, and the ones that it depends on before it, as soon as each may run.
    ///
    /// Display processes are not started as dependencies: a background process must not change what is on the screen.
    pub(super) fn start_process(&mut self, id: &Id) {
        let claim = self.next_claim;
        self.next_claim += 1;
        self.update(id, |machine| machine.set_wanted(claim));
        self.start_dependencies(id);
    }

    /// Restarts a process as requested by an operator or a rule, with the latest claim to its display.
    fn restart_on_request(&mut self, id: &Id, reason: Reason, now: Moment, out: &mut Actions) {
        let claim = self.next_claim;
        self.next_claim += 1;
        self.update(id, |machine| machine.claim = claim);
        self.restart_process(id, reason, now, out);
    }

    /// Restarts a process, and starts its dependencies. Its claim does not change: an automatic restart must not
    /// override a later request of an operator.
    pub(super) fn restart_process(
        &mut self,
        id: &Id,
        reason: Reason,
        now: Moment,
        out: &mut Actions,
    ) {
        self.update(id, |machine| machine.restart(reason, now, out));
        self.start_dependencies(id);
    }

    fn start_dependencies(&mut self, id: &Id) {
        let Some(machine) = self.get(id) else { return };
        let process = machine.process.clone();
        for id in &process.depends_on {
            let is_startable = self.get(id).is_some_and(|machine| {
                machine.process.enabled
                    && !machine.process.is_display()
                    && !machine.is_wanted()
                    && !machine.satisfies_dependents()
            });
            if is_startable {
                self.start_process(id);
            }
        }
    }

    /// Switches to the configured display process if it is not the one on the screen.
    pub fn follow_active_display(&mut self, config: &Config) {
        if let Some(machine) = self.active_display(config)
            && machine.process.enabled
            && !machine.is_wanted()
        {
            self.start_process(&machine.process.id.clone());
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
        let should_start = |machine: &Machine| !machine.is_wanted() && !machine.stays_stopped();
        let candidates = self.ids_of(|machine| {
            let process = &machine.process;
            let is_configured = process.starts_at_boot() && !machine.removed;
            is_configured
                && !process.is_display()
                && (process.display.is_some() || should_start(machine))
        });
        for id in candidates {
            let Some(machine) = self.get(&id) else {
                continue;
            };
            let process = &machine.process;
            if let Some(display) = &process.display {
                // Of the processes with the same display, the first in the file is started.
                if seen.contains(display) {
                    continue;
                }
                seen.push(display.clone());
            }
            if should_start(machine) && self.competitor_of(process).is_none() {
                self.start_process(&id);
            }
        }
        self.correct_reasons();
    }

    fn fill_screen(&mut self, around: &Surroundings<'_>, now: Moment) {
        let waits_for_missing =
            |machine: &Machine| machine.awaits_admission() && around.is_missing(machine);
        let mut wanted = (self.iter())
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
        if first.stays_stopped() {
            return;
        }
        if is_free {
            if self.competitor_of(&first.process).is_none() {
                self.start_process(&first.process.id.clone());
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
        let substitute = self.displays_starting_at_boot().find(|machine| {
            !machine.is_wanted()
                && !machine.stays_stopped()
                && !around.is_missing(machine)
                && (self.conflicts_of(&machine.process).into_iter()).all(|other| {
                    other.awaits_admission() && self.unmet_need(&other.process, around).is_some()
                })
        });
        if let Some(id) = substitute.map(|machine| machine.process.id.clone()) {
            // The lowest claim: it stops as soon as one of those can start.
            self.update(&id, |machine| machine.set_wanted(0));
            self.start_dependencies(&id);
        }
    }

    /// A process that exited cleanly because its display is gone has not finished: it waits for the display.
    pub(super) fn expect_display_back(&mut self, id: &Id, around: &Surroundings<'_>, now: Moment) {
        let Some(machine) = self.get(id) else { return };
        if machine.has_just_finished(now) && around.is_missing(machine) {
            let claim = machine.claim;
            self.update(id, |machine| machine.set_wanted(claim));
        }
    }

    /// Updates the reasons of processes that should not run although they were not stopped.
    fn correct_reasons(&mut self) {
        let mut corrected = Vec::new();
        for machine in self.iter() {
            let is_open = matches!(
                machine.reason(),
                Some(Reason::DisplayTaken(_) | Reason::NotStartedYet | Reason::Disabled)
            );
            let is_idle = !machine.is_wanted() && !machine.is_alive();
            let process = &machine.process;
            if !is_idle || !process.enabled || !is_open {
                continue;
            }
            let competitor = (process.autostart).then(|| self.competitor_of(process));
            let reason = match competitor.flatten() {
                Some(competitor) => Reason::DisplayTaken(competitor.process.id.clone()),
                None => Reason::NotStartedYet,
            };
            if machine.reason() != Some(&reason) {
                corrected.push((process.id.clone(), reason));
            }
        }
        for (id, reason) in corrected {
            self.update(&id, |machine| machine.set_idle_reason(reason));
        }
    }

    /// Stops processes that wait for a missing display that an operator wants to use for another one.
    fn displace_waiting_competitors(
        &mut self,
        id: &Id,
        around: &Surroundings<'_>,
        now: Moment,
        out: &mut Actions,
    ) {
        let Some(machine) = self.get(id) else { return };
        let waiting: Vec<Id> = (self.conflicts_of(&machine.process).into_iter())
            .filter(|other| other.awaits_admission() && around.is_missing(other))
            .map(|other| other.process.id.clone())
            .collect();
        self.displace(waiting, id, now, out);
    }

    fn displace(&mut self, others: Vec<Id>, by: &Id, now: Moment, out: &mut Actions) {
        for other in others {
            let reason = Reason::DisplacedBy(by.clone());
            self.update(&other, |machine| machine.stop(reason, now, out));
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
        let waiting = self.ids_of(Machine::awaits_admission);
        self.start_what_is_configured(around, now);
        for id in &waiting {
            let Some(machine) = self.get(id).filter(|it| it.awaits_admission()) else {
                continue;
            };
            match self.admission(machine, around) {
                AdmissionDecision::Granted => {
                    let run = RunId(self.next_run);
                    self.next_run += 1;
                    let page = around.start_pages.get(id);
                    self.update(id, |machine| machine.start(run, page, now, out));
                }
                // It waits for the same as before.
                AdmissionDecision::Waits(reason) if machine.reason() == Some(&reason) => {}
                AdmissionDecision::Waits(reason) => {
                    self.update(id, |machine| machine.set_waiting_reason(reason));
                }
                AdmissionDecision::Displaces(others) => self.displace(others, id, now, out),
                AdmissionDecision::Denied(reason) => {
                    self.update(id, |machine| machine.stop(reason, now, out));
                }
            }
        }
    }

    /// The shutdown begins: what does not run must not start.
    pub fn begin_shutdown(&mut self, now: Moment, out: &mut Actions) {
        for id in self.ids_of(|machine| machine.is_wanted() && !machine.is_alive()) {
            self.update(&id, |machine| machine.stop(Reason::ShuttingDown, now, out));
        }
    }

    /// In shutdown, stops the processes whose dependents have stopped.
    fn end_next(&mut self, now: Moment, out: &mut Actions) {
        let ending = self.ids_of(|machine| {
            machine.is_wanted() && !self.has_living_dependents(&machine.process.id)
        });
        for id in ending {
            self.update(&id, |machine| {
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
        let machine = self.configured(id)?;
        if !machine.process.enabled {
            return Err(Refusal::Disabled(id.clone()));
        }
        let runs = machine.is_alive() && machine.is_wanted() && !machine.is_stopping();
        if runs && !renew {
            return Ok(Done::Started {
                stopped: Vec::new(),
            });
        }
        let stopped = (self.conflicts_of(&machine.process).into_iter())
            .filter(|other| other.is_alive())
            .map(|other| other.process.id.clone())
            .collect();
        if renew && machine.is_alive() {
            let reason = match requester {
                Requester::Schedule(_) => Reason::RestartedBySchedule,
                _ => Reason::RestartedByOperator,
            };
            self.restart_on_request(id, reason, now, out);
        } else {
            self.start_process(id);
        }
        self.displace_waiting_competitors(id, around, now, out);
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
        let machine = self.configured(id)?;
        let is_at_rest =
            (machine.stays_stopped() || !machine.process.enabled) && !machine.is_alive();
        if was_starting || !is_at_rest || machine.state() == State::Failed {
            let reason = match requester {
                // A rule does not stop what was stopped before.
                Requester::Schedule(_) if machine.is_wanted() => Reason::StoppedBySchedule,
                _ => Reason::StoppedByOperator,
            };
            self.update(id, |machine| machine.stop(reason, now, out));
        }
        Ok(Done::Accepted)
    }

    /// Starts or stops a process for a restored override, before anything else starts.
    pub fn set_running(&mut self, id: &Id, runs: bool, now: Moment, out: &mut Actions) {
        let Some(machine) = self.get(id) else { return };
        match (runs, machine.is_wanted()) {
            (true, false) if machine.process.enabled => self.start_process(id),
            (false, true) => {
                let reason = Reason::StoppedBySchedule;
                self.update(id, |machine| machine.stop(reason, now, out));
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
