//! Draws what the operator is shown: a new picture for each generation, sharing what has not changed.

use crate::config::Display;
use crate::supervisor::process::machine::Machine;
use crate::supervisor::{
    Boot, ConfigurationStatus, DisplayStatus, ProcessStatus, Snapshot, Supervisor,
};
use crate::time::Moment;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A process's picture and its place.
type IndexedStatus = (usize, Rc<ProcessStatus>);

/// The picture before anything has happened.
pub(in crate::supervisor) fn empty_snapshot(boot: &Boot) -> Snapshot {
    Snapshot {
        generation: 0,
        processes: Vec::new(),
        active_display: None,
        displays: Rc::new([]),
        connectors: Rc::new([]),
        schedule: Rc::default(),
        configuration: Rc::new(ConfigurationStatus {
            document: boot.loaded.document.clone(),
            source: boot.source,
            problems: boot.problems.clone(),
            warnings: boot.loaded.warnings.clone(),
        }),
        shutting_down: false,
    }
}

impl Supervisor {
    /// Draws a new picture if anything in it is different. `changed` are the machines that
    /// something happened to, some of them perhaps more than once.
    pub(in crate::supervisor) fn publish_snapshot(
        &mut self,
        changed: &mut Vec<usize>,
        now: Moment,
    ) {
        let rearranged = std::mem::take(&mut self.layout_changed);
        let cards = if rearranged {
            self.build_all(now)
        } else {
            self.build_changed(changed, now)
        };
        let concerns_displays = |card: &IndexedStatus| card.1.process.display.is_some();
        let displays = if rearranged || cards.iter().any(concerns_displays) {
            self.build_displays()
        } else {
            None
        };
        let configuration = self.build_configuration();
        let schedule = self.schedule_status();
        let schedule = schedule.filter(|schedule| *schedule != *self.status.schedule);

        let old = &self.status;
        let same = cards.is_empty()
            && displays.is_none()
            && Rc::ptr_eq(&old.connectors, self.screens.connectors())
            && configuration.is_none()
            && schedule.is_none()
            && old.processes.len() == self.machines.len()
            && old.active_display == self.loaded.config.active_display
            && old.shutting_down == self.shutting_down;
        if same {
            return;
        }
        let status = Rc::make_mut(&mut self.status);
        status.generation += 1;
        status
            .active_display
            .clone_from(&self.loaded.config.active_display);
        status.shutting_down = self.shutting_down;
        if let Some(displays) = displays {
            status.displays = displays;
        }
        status.connectors = self.screens.connectors().clone();
        if let Some(schedule) = schedule {
            status.schedule = Rc::new(schedule);
        }
        if let Some(configuration) = configuration {
            status.configuration = Rc::new(configuration);
        }
        status.processes.truncate(self.machines.len());
        for (index, card) in cards {
            match status.processes.get_mut(index) {
                Some(place) => *place = card,
                None => status.processes.push(card),
            }
        }
    }

    /// Draws those that something happened to; what comes is only what looks different.
    fn build_changed(&mut self, changed: &mut Vec<usize>, now: Moment) -> Vec<IndexedStatus> {
        changed.sort_unstable();
        changed.dedup();
        changed.retain(|index| *index < self.machines.len());
        let mut cards = Vec::new();
        for index in changed.iter().copied() {
            let card = build_process(&mut self.machines[index], now);
            if self
                .status
                .processes
                .get(index)
                .is_none_or(|old| !is_same(old, &card))
            {
                cards.push((index, Rc::new(card)));
            }
        }
        cards
    }

    /// Draws every process in its place, keeping the old cards of those that look the same.
    fn build_all(&mut self, now: Moment) -> Vec<IndexedStatus> {
        let old = self.status.clone();
        let by_id: BTreeMap<_, _> = old
            .processes
            .iter()
            .map(|card| (&card.process.id, card))
            .collect();
        let mut cards = Vec::new();
        for (index, machine) in self.machines.iter_mut().enumerate() {
            let new = build_process(machine, now);
            let card = match by_id.get(&new.process.id) {
                Some(old) if is_same(old, &new) => Rc::clone(old),
                _ => Rc::new(new),
            };
            let in_place = old
                .processes
                .get(index)
                .is_some_and(|there| Rc::ptr_eq(there, &card));
            if !in_place {
                cards.push((index, card));
            }
        }
        cards
    }

    fn build_configuration(&self) -> Option<ConfigurationStatus> {
        let old = &self.status.configuration;
        let same = Rc::ptr_eq(&old.document, &self.loaded.document)
            && old.source == self.source
            && old.problems == self.problems;
        (!same).then(|| ConfigurationStatus {
            document: self.loaded.document.clone(),
            source: self.source,
            problems: self.problems.clone(),
            warnings: self.loaded.warnings.clone(),
        })
    }

    fn build_displays(&self) -> Option<Rc<[DisplayStatus]>> {
        let mut displays: Vec<DisplayStatus> = Vec::new();
        for display in &self.present {
            entry(&mut displays, display);
        }
        for machine in &self.machines {
            let id = &machine.process.id;
            if let Some(display) = &machine.process.display {
                entry(&mut displays, display).wanted_by.push(id.clone());
            }
            if let Some(display) = machine.running().and_then(|run| run.display.as_ref()) {
                entry(&mut displays, display).holder = Some(id.clone());
            }
        }
        for entry in &mut displays {
            entry.connected = self.present.binary_search(&entry.display).is_ok();
            let rotation = self.loaded.config.rotations.get(&entry.display).copied();
            entry.screen = self.screens.status(&entry.display, rotation);
        }
        (displays[..] != self.status.displays[..]).then(|| displays.into())
    }
}

/// The entry of a display in the sorted list, made where there is none.
fn entry<'a>(displays: &'a mut Vec<DisplayStatus>, display: &Display) -> &'a mut DisplayStatus {
    let place = displays.binary_search_by(|entry| entry.display.cmp(display));
    let index = place.unwrap_or_else(|index| {
        let new = DisplayStatus {
            display: display.clone(),
            connected: false,
            screen: Default::default(),
            holder: None,
            wanted_by: Vec::new(),
        };
        displays.insert(index, new);
        index
    });
    &mut displays[index]
}

/// Whether two cards show the same.
fn is_same(old: &ProcessStatus, new: &ProcessStatus) -> bool {
    Rc::ptr_eq(&old.process, &new.process)
        && old.state == new.state
        && old.since == new.since
        && old.reason == new.reason
        && old.run == new.run
        && old.pid == new.pid
        && old.started == new.started
        && old.restarts == new.restarts
        && old.page == new.page
}

fn build_process(machine: &mut Machine, now: Moment) -> ProcessStatus {
    machine.refresh_since(now);
    ProcessStatus {
        process: machine.process.clone(),
        state: machine.state(),
        since: machine.since(),
        reason: machine.reason().cloned(),
        run: machine.run(),
        pid: machine.pid(),
        started: machine.started(),
        restarts: machine.restarts(),
        page: machine.page_status.clone(),
    }
}
