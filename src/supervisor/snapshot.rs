//! Builds the snapshots. Each shares with the previous one what did not change.

use crate::config::Display;
use crate::supervisor::interface::{ConfigurationStatus, DisplayStatus, ProcessStatus, Snapshot};
use crate::supervisor::process::machine::Machine;
use crate::supervisor::{Boot, Supervisor};
use crate::time::Moment;
use std::rc::Rc;

/// The status of a process and its index.
type IndexedStatus = (usize, Rc<ProcessStatus>);

/// The first snapshot, before any event.
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
            file_differs: false,
        }),
        shutting_down: false,
    }
}

impl Supervisor {
    /// Publishes a new snapshot if anything changed. `changed` are the machines that may have changed.
    pub(in crate::supervisor) fn publish_snapshot(&mut self, changed: &[usize], now: Moment) {
        let rearranged = std::mem::take(&mut self.layout_changed);
        let statuses = build_processes(&mut self.machines, changed, &self.status, now);
        let concerns_displays = |status: &IndexedStatus| status.1.process.display.is_some();
        let displays = if rearranged || statuses.iter().any(concerns_displays) {
            self.build_displays()
        } else {
            None
        };
        let configuration = self.build_configuration();
        let schedule = self.scheduler.schedule_status();
        let schedule = schedule.filter(|schedule| *schedule != *self.status.schedule);

        let old = &self.status;
        let same = statuses.is_empty()
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
        for (index, process) in statuses {
            match status.processes.get_mut(index) {
                Some(place) => *place = process,
                None => status.processes.push(process),
            }
        }
    }

    fn build_configuration(&self) -> Option<ConfigurationStatus> {
        let old = &self.status.configuration;
        let same = Rc::ptr_eq(&old.document, &self.loaded.document)
            && old.source == self.source
            && old.problems == self.problems
            && old.file_differs == self.file_differs;
        (!same).then(|| ConfigurationStatus {
            document: self.loaded.document.clone(),
            source: self.source,
            problems: self.problems.clone(),
            warnings: self.loaded.warnings.clone(),
            file_differs: self.file_differs,
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

/// Builds the status of these machines; returns those that differ. The objects of those that only moved are kept.
fn build_processes(
    machines: &mut [Machine],
    changed: &[usize],
    old: &Snapshot,
    now: Moment,
) -> Vec<IndexedStatus> {
    let mut statuses = Vec::new();
    for index in changed.iter().copied() {
        let new = build_process(&mut machines[index], now);
        let status = match old.process(&new.process.id) {
            Some(old) if is_same(old, &new) => Rc::clone(old),
            _ => Rc::new(new),
        };
        let in_place = old.processes.get(index);
        if in_place.is_none_or(|there| !Rc::ptr_eq(there, &status)) {
            statuses.push((index, status));
        }
    }
    statuses
}

/// The entry of a display in the sorted list, added if it is missing.
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

/// Whether two statuses are the same.
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
