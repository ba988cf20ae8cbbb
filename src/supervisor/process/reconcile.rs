//! Applies another configuration to the processes that run.
//!
//! A process whose run would not change keeps its PID. Removed processes are stopped, new ones with `autostart` are
//! started, and those whose run would change are restarted.

use super::machine::Machine;
use crate::config::{Id, Loaded, Process};
use crate::supervisor::Supervisor;
use crate::supervisor::interface::{Action, KeepOld, Memory, Reason, Requester, Source};
use crate::time::Moment;
use std::collections::BTreeMap;
use std::rc::Rc;

impl Supervisor {
    /// Applies the first configuration.
    pub(in crate::supervisor) fn boot(&mut self, loaded: Loaded, now: Moment) {
        if !self.problems.is_empty() {
            self.disk.keep_old = Some(KeepOld::Broken);
        }
        if loaded.migration.is_some() && self.source == Source::File {
            self.save_migrated(loaded.clone(), Requester::Daemon);
        } else if self.source == Source::File && self.problems.is_empty() {
            self.actions.push_back(Action::SaveLastGood {
                document: loaded.document.clone(),
            });
        }
        let in_use = self.facts().is_screen_in_use();
        self.adopt_config(loaded, now);
        // The file may have another active display process than when the previous daemon ended. One that does not
        // start automatically would not be on the screen after a boot either.
        let follows = self.facts().boot_display().is_some_and(|index| {
            let machine = &self.machines[index];
            self.facts().active_display() == Some(index)
                && !machine.is_wanted()
                && !machine.stays_stopped()
        });
        if in_use && follows {
            self.follow_active_display();
        }
        // Active overrides may stop some of it before anything is executed.
        self.start_what_is_configured(now);
    }

    /// Restores the processes of the previous daemon. The configuration may have changed since.
    pub(in crate::supervisor) fn restore_processes(&mut self, memories: Vec<Memory>, now: Moment) {
        for memory in memories {
            let machine = Machine::restore(memory, now, &mut self.actions);
            self.next_claim = self.next_claim.max(machine.claim + 1);
            self.configure_log(&machine.process);
            self.machines.push(machine);
        }
    }

    /// Applies a saved configuration.
    pub(in crate::supervisor) fn adopt_config(&mut self, next: Loaded, now: Moment) {
        self.loaded = next;
        self.layout_changed = true;
        self.may_start_more = true;
        let mut previous: BTreeMap<Id, Machine> = std::mem::take(&mut self.machines)
            .into_iter()
            .map(|machine| (machine.process.id.clone(), machine))
            .collect();

        let mut different = Vec::new();
        let config = Rc::make_mut(&mut self.loaded.config);
        let mut processes = std::mem::take(&mut config.processes);
        for (index, process) in processes.iter_mut().enumerate() {
            let Some(mut machine) = previous.remove(&process.id) else {
                self.configure_log(process);
                self.machines.push(Machine::new(process.clone(), now));
                continue;
            };
            let old = machine.process.clone();
            if *old != **process {
                machine.process = process.clone();
            }
            if old.log != process.log {
                self.configure_log(process);
            }
            if !process.enabled {
                machine.removed = false;
                machine.stop(Reason::Disabled, now, &mut self.actions);
            } else if machine.removed || !old.enabled {
                machine.removed = false;
                machine.set_idle_reason(Reason::NotStartedYet);
            } else if !old.runs_like(process) && machine.is_wanted() {
                different.push(index);
            }
            // One copy serves both, so the published status of an unchanged process stays the same object.
            *process = machine.process.clone();
            self.machines.push(machine);
        }
        Rc::make_mut(&mut self.loaded.config).processes = processes;
        for machine in previous.into_values() {
            self.remove_process(machine, now);
        }

        for index in different {
            self.restart_process(index, Reason::ConfigurationChanged, now);
        }
    }

    /// Applies another configuration, and switches to its active display process if that changed.
    pub(in crate::supervisor) fn apply_config(&mut self, next: Loaded, now: Moment) {
        let previous = self.loaded.config.active_display.clone();
        let in_use = self.facts().is_screen_in_use();
        self.adopt_config(next, now);
        let rotations = &self.loaded.config.rotations;
        self.screens.rotate(rotations, now, &mut self.actions);
        if !self.shutting_down && in_use && previous != self.loaded.config.active_display {
            self.follow_active_display();
        }
    }

    /// A process that is no longer configured: it stops if it runs, and is dropped.
    fn remove_process(&mut self, mut machine: Machine, now: Moment) {
        if machine.is_alive() {
            machine.removed = true;
            machine.stop(Reason::Removed, now, &mut self.actions);
            self.machines.push(machine);
        } else {
            self.actions.push_back(Action::Forget {
                process: machine.process.id.clone(),
            });
        }
    }

    /// Drops the removed processes that have stopped.
    pub(in crate::supervisor) fn drop_ended_processes(&mut self) {
        let gone = |machine: &Machine| machine.removed && !machine.is_alive();
        // Removed processes are at the end.
        let leaving = self.machines.iter().rev().take_while(|m| m.removed);
        if !leaving.into_iter().any(gone) {
            return;
        }
        let (ended, staying): (Vec<Machine>, Vec<Machine>) = std::mem::take(&mut self.machines)
            .into_iter()
            .partition(gone);
        self.machines = staying;
        self.layout_changed = true;
        for machine in ended {
            self.actions.push_back(Action::Forget {
                process: machine.process.id.clone(),
            });
        }
    }

    fn configure_log(&mut self, process: &Rc<Process>) {
        self.actions.push_back(Action::ConfigureLog {
            process: process.id.clone(),
            log: process.log,
        });
    }
}
