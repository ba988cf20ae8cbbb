//! Applies another configuration to the processes that run.
//!
//! A process whose run would not change keeps its PID. Removed processes are stopped, new ones with `autostart` are
//! started, and those whose run would change are restarted.

use super::machine::Machine;
use super::processes::{Actions, Processes, Surroundings};
use crate::config::{Config, Id, Process};
use crate::supervisor::interface::{Action, Memory, Reason};
use crate::time::Moment;
use std::collections::BTreeMap;

impl Processes {
    /// Starts what starts at boot. `in_use`: a display process of an earlier daemon should run.
    pub fn boot(&mut self, in_use: bool, around: &Surroundings<'_>, now: Moment) {
        // The file may have another active display process than when the previous daemon ended. One that does not
        // start automatically would not be on the screen after a boot either.
        let follows = self.boot_display(around.config).is_some_and(|machine| {
            around.config.active_display.as_ref() == Some(&machine.process.id)
                && !machine.is_wanted()
                && !machine.stays_stopped()
        });
        if in_use && follows {
            self.follow_active_display(around.config);
        }
        // Active overrides may stop some of it before anything is executed.
        self.start_what_is_configured(around, now);
    }

    /// Restores the processes of the previous daemon. The configuration may have changed since.
    pub fn restore(&mut self, memories: Vec<Memory>, now: Moment, out: &mut Actions) {
        for memory in memories {
            let machine = Machine::restore(memory, now, out);
            self.next_claim = self.next_claim.max(machine.claim + 1);
            configure_log(&machine.process, out);
            self.machines.push(machine);
        }
    }

    /// Applies a saved configuration.
    pub fn adopt(&mut self, config: &mut Config, now: Moment, out: &mut Actions) {
        self.may_start_more = true;
        let previous = std::mem::take(&mut self.machines).into_iter();
        let mut previous: BTreeMap<Id, Machine> = previous
            .map(|machine| (machine.process.id.clone(), machine))
            .collect();
        let mut different = Vec::new();
        for process in &mut config.processes {
            let Some(mut machine) = previous.remove(&process.id) else {
                configure_log(process, out);
                self.machines.push(Machine::new(process.clone(), now));
                continue;
            };
            let old = machine.process.clone();
            if *old != **process {
                machine.process = process.clone();
            }
            if old.log != process.log {
                configure_log(process, out);
            }
            if !process.enabled {
                machine.removed = false;
                machine.stop(Reason::Disabled, now, out);
            } else if machine.removed || !old.enabled {
                machine.removed = false;
                machine.set_idle_reason(Reason::NotStartedYet);
            } else if !old.runs_like(process) && machine.is_wanted() {
                different.push(process.id.clone());
            }
            // One copy serves both, so the published status of an unchanged process stays the same object.
            *process = machine.process.clone();
            self.machines.push(machine);
        }
        for machine in previous.into_values() {
            self.remove_process(machine, now, out);
        }
        for id in different {
            self.restart_process(&id, Reason::ConfigurationChanged, now, out);
        }
    }

    /// A process that is no longer configured: it stops if it runs, and is dropped.
    fn remove_process(&mut self, mut machine: Machine, now: Moment, out: &mut Actions) {
        if machine.is_alive() {
            machine.removed = true;
            machine.stop(Reason::Removed, now, out);
            self.machines.push(machine);
        } else {
            forget(&machine, out);
        }
    }

    /// Drops the removed processes that have stopped. Returns whether there was one.
    pub fn drop_ended(&mut self, out: &mut Actions) -> bool {
        let before = self.machines.len();
        self.machines.retain(|machine| {
            let is_gone = machine.removed && !machine.is_alive();
            if is_gone {
                forget(machine, out);
            }
            !is_gone
        });
        self.machines.len() < before
    }
}

fn forget(machine: &Machine, out: &mut Actions) {
    out.push_back(Action::Forget {
        process: machine.process.id.clone(),
    });
}

fn configure_log(process: &Process, out: &mut Actions) {
    out.push_back(Action::ConfigureLog {
        process: process.id.clone(),
        log: process.log,
    });
}
