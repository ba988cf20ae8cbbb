//! Decides which idle process may begin, and who makes way for it.
//!
//! A process that is meant to run begins when
//!
//! 1. the kiosk is not shutting down,
//! 2. what it depends on is ready,
//! 3. its display exists, turned as it is to be,
//! 4. nobody holds its display and, for a display process, no other display process lives.
//!
//! Of two that want the same place the one with the later claim (the operator's latest
//! start) has it. The other is asked to go only when the newcomer could otherwise begin:
//! starting something on a display that is not plugged in leaves the picture on the wall.

use super::process::Machine;
use super::{Action, Reason, RunId, Supervisor};
use crate::config::Process;
use crate::time::Moment;

/// Whether two processes cannot run at the same time.
fn exclude_each_other(a: &Process, b: &Process) -> bool {
    (a.is_display() && b.is_display()) || (a.display.is_some() && a.display == b.display)
}

/// Whether a neighbour's run has to be over before `process` begins.
fn holds(neighbour: &Machine, process: &Process) -> bool {
    neighbour
        .running()
        .is_some_and(|running| exclude_each_other(running, process))
}

/// Whether a neighbour is meant to run where `process` would.
fn wants(neighbour: &Machine, process: &Process) -> bool {
    neighbour.is_wanted() && exclude_each_other(&neighbour.process, process)
}

/// What becomes of a process that wants to begin.
enum Admission {
    Granted,
    /// Something has to happen first.
    Waits(Reason),
    /// These have to make way first.
    Displaces(Vec<usize>),
    /// Somebody with a later claim has its place.
    Denied(Reason),
}

impl Supervisor {
    /// Lets an idle process run as soon as it may, and what it depends on before it.
    ///
    /// Dependencies that were not started yet are started with it, except display processes:
    /// a background process must not switch the screen.
    pub(super) fn want(&mut self, index: usize) {
        let claim = self.next_claim;
        self.next_claim += 1;
        self.with(index, |machine, _| machine.want(claim));
        self.want_dependencies(index);
    }

    /// Lets a process run anew, which may need by now what it has not needed before.
    pub(super) fn renew(&mut self, index: usize, reason: Reason, now: Moment) {
        let claim = self.next_claim;
        self.next_claim += 1;
        self.with(index, |machine, out| {
            machine.renew(reason, claim, now, out);
        });
        self.want_dependencies(index);
    }

    fn want_dependencies(&mut self, index: usize) {
        let process = self.machines[index].process.clone();
        for id in &process.depends_on {
            let Some(other) = self.index_of(id) else {
                continue;
            };
            let machine = &self.machines[other];
            let startable = machine.process.enabled && !machine.process.is_display();
            if startable && !machine.is_wanted() && !machine.satisfies_dependents() {
                self.want(other);
            }
        }
    }

    /// Starts what starts by itself among these processes: at boot, and when they are new.
    /// Nobody is displaced by it; of the display processes only the active one starts.
    pub(super) fn autostart(&mut self, candidates: &[usize]) {
        let first = self.boot_display();
        let mut order: Vec<usize> = candidates
            .iter()
            .copied()
            .filter(|index| {
                let process = &self.machines[*index].process;
                process.enabled && process.autostart
            })
            .collect();
        order.sort_by_key(|index| Some(*index) != first);
        for index in order {
            if self.machines[index].is_wanted() {
                continue;
            }
            let is_display = self.machines[index].process.is_display();
            let why_not = match self.in_the_way_of(index).first() {
                Some(holder) => Reason::DisplayTaken(self.machines[*holder].process.id.clone()),
                // The screen is another's, even while that one was stopped.
                None if is_display && first != Some(index) => Reason::NotStartedYet,
                None => {
                    self.want(index);
                    continue;
                }
            };
            self.with(index, |machine, _| machine.hold_back(why_not));
        }
    }

    /// The display process that starts at boot: the one the configuration names, or the first that starts by
    /// itself where that one does not. A screen is not left dark for one that nobody will start.
    fn boot_display(&self) -> Option<usize> {
        let starts = |machine: &Machine| {
            let process = &machine.process;
            process.is_display() && process.enabled && process.autostart
        };
        let named = self.loaded.config.active_display.as_ref();
        named
            .and_then(|id| self.index_of(id))
            .filter(|index| starts(&self.machines[*index]) || self.machines[*index].is_wanted())
            .or_else(|| self.machines.iter().position(starts))
    }

    /// The processes that hold, or want, what this one needs for itself: they have to make way when it begins.
    pub(super) fn in_the_way_of(&self, index: usize) -> Vec<usize> {
        let process = &self.machines[index].process;
        if process.display.is_none() && !process.is_display() {
            return Vec::new();
        }
        let is_in_the_way = |neighbour| holds(neighbour, process) || wants(neighbour, process);
        (0..self.machines.len())
            .filter(|other| *other != index && is_in_the_way(&self.machines[*other]))
            .collect()
    }

    /// Lets every idle process begin that may, or in shutdown lets everything end in order.
    pub(super) fn admit(&mut self, now: Moment) {
        if self.shutting_down {
            return self.end_next(now);
        }
        for index in self.due.iter().copied().collect::<Vec<_>>() {
            if !self.machines[index].is_due() {
                continue;
            }
            match self.admission(index) {
                Admission::Granted => {
                    let run = RunId(self.next_run);
                    self.next_run += 1;
                    self.with(index, |machine, out| machine.begin(run, now, out));
                }
                Admission::Waits(reason) => self.put_off(index, reason),
                Admission::Displaces(others) => {
                    let newcomer = self.machines[index].process.id.clone();
                    for other in others {
                        let reason = Reason::MadeWayFor(newcomer.clone());
                        self.with(other, |machine, out| machine.end(reason, now, out));
                    }
                }
                Admission::Denied(reason) => {
                    self.with(index, |machine, out| machine.end(reason, now, out));
                }
            }
        }
    }

    fn admission(&self, index: usize) -> Admission {
        let machine = &self.machines[index];
        let process = &machine.process;
        for id in &process.depends_on {
            let ready = self
                .index_of(id)
                .is_some_and(|other| self.machines[other].satisfies_dependents());
            if !ready {
                return Admission::Waits(Reason::WaitsForProcess(id.clone()));
            }
        }
        if let Some(display) = &process.display
            && (self.present.binary_search(display).is_err() || !self.screens.is_settled(display))
        {
            return Admission::Waits(Reason::WaitsForDisplay(display.clone()));
        }
        let rivals = self.in_the_way_of(index);
        let id_of = |other: usize| self.machines[other].process.id.clone();
        for other in &rivals {
            let rival = &self.machines[*other];
            if rival.is_alive() && wants(rival, process) && rival.claim > machine.claim {
                return Admission::Denied(Reason::DisplayTaken(id_of(*other)));
            }
        }
        let displaced: Vec<usize> = rivals
            .iter()
            .copied()
            .filter(|other| {
                let rival = &self.machines[*other];
                wants(rival, process) && rival.claim < machine.claim
            })
            .collect();
        if !displaced.is_empty() {
            return Admission::Displaces(displaced);
        }
        match rivals
            .iter()
            .find(|other| holds(&self.machines[**other], process))
        {
            Some(other) => Admission::Waits(Reason::WaitsForEndOf(id_of(*other))),
            None => Admission::Granted,
        }
    }

    /// Tells why a process is not admitted yet, where that is news.
    fn put_off(&mut self, index: usize, reason: Reason) {
        if self.machines[index].reason() != Some(&reason) {
            self.with(index, |machine, _| machine.wait_for(reason));
        }
    }

    /// Everything shall end: what others depend on after those that depend on it.
    pub(super) fn begin_shutdown(&mut self, now: Moment) {
        if self.shutting_down {
            return;
        }
        self.shutting_down = true;
        self.refuse_waiting_changes();
        self.refuse_upgrade();
        self.let_screens_rest();
        self.expect_the_disk_by(now);
        for index in 0..self.machines.len() {
            if !self.machines[index].is_alive() {
                self.with(index, |machine, out| {
                    if machine.is_wanted() {
                        machine.end(Reason::ShuttingDown, now, out);
                    }
                });
            }
        }
    }

    /// Asks those to end whose dependents have ended.
    fn end_next(&mut self, now: Moment) {
        let ending: Vec<usize> = (0..self.machines.len())
            .filter(|index| {
                let machine = &self.machines[*index];
                machine.is_wanted() && !self.has_living_dependents(*index)
            })
            .collect();
        for index in ending {
            self.with(index, |machine, out| {
                machine.end(Reason::ShuttingDown, now, out);
            });
        }
    }

    fn has_living_dependents(&self, index: usize) -> bool {
        let id = &self.machines[index].process.id;
        self.machines.iter().any(|machine| {
            !machine.process.depends_on.is_empty()
                && machine.is_alive()
                && machine.process.depends_on.contains(id)
        })
    }

    /// Leaves once nothing lives and nobody waits for an answer.
    pub(super) fn leave_if_done(&mut self) {
        if self.shutting_down && !self.left && self.disk.is_idle() && self.runs.is_empty() {
            self.left = true;
            self.refuse_orders();
            self.actions.push_back(Action::Exit);
        }
    }
}
