//! Builds the snapshots. Each shares with the previous one what did not change.

use super::display::screens::Screens;
use super::edit::Configuration;
use super::interface::{
    ConfigurationStatus, DisplayStatus, ProcessStatus, ScheduleStatus, Snapshot,
};
use super::process::machine::Machine;
use super::process::processes::Processes;
use crate::config::{Display, Id};
use crate::time::Moment;
use std::rc::Rc;

/// Publishes the snapshots.
#[derive(Debug)]
pub(super) struct Publisher {
    pub latest: Rc<Snapshot>,
}

/// What a snapshot is built from.
pub(super) struct Parts<'a> {
    pub configuration: &'a Configuration,
    pub processes: &'a mut Processes,
    /// The processes that may have changed.
    pub changed: &'a [Id],
    /// Processes or displays were added or removed, or a screen changed.
    pub layout_changed: bool,
    /// The displays that exist, sorted.
    pub present: &'a [Display],
    pub screens: &'a Screens,
    /// The status of the schedule if it may have changed.
    pub schedule: Option<ScheduleStatus>,
    pub shutting_down: bool,
}

impl Publisher {
    /// Begins with an empty snapshot, before any event.
    pub fn new(configuration: ConfigurationStatus) -> Self {
        let latest = Rc::new(Snapshot {
            generation: 0,
            processes: Vec::new(),
            active_display: None,
            displays: Rc::new([]),
            connectors: Rc::new([]),
            schedule: Rc::default(),
            configuration: Rc::new(configuration),
            shutting_down: false,
        });
        Self { latest }
    }

    /// Publishes a new snapshot if anything changed.
    pub fn publish(&mut self, mut parts: Parts<'_>, now: Moment) {
        let old = &self.latest;
        let processes = build_processes(&mut parts, old, now);
        let concerns_display = |id: &Id| {
            let machine = parts.processes.get(id);
            machine.is_some_and(|machine| machine.process.display.is_some())
        };
        let needs_displays = parts.layout_changed || parts.changed.iter().any(concerns_display);
        let displays = needs_displays.then(|| build_displays(&parts));
        let displays = displays.filter(|displays| displays[..] != old.displays[..]);
        let configuration = parts.configuration.changed_status(&old.configuration);
        let schedule = (parts.schedule).filter(|schedule| *schedule != *old.schedule);
        let active_display = &parts.configuration.loaded.config.active_display;
        let count = parts.processes.iter().len();
        let same = processes.is_empty()
            && old.processes.len() == count
            && displays.is_none()
            && Rc::ptr_eq(&old.connectors, parts.screens.connectors())
            && configuration.is_none()
            && schedule.is_none()
            && old.active_display == *active_display
            && old.shutting_down == parts.shutting_down;
        if same {
            return;
        }
        let status = Rc::make_mut(&mut self.latest);
        status.generation += 1;
        status.active_display.clone_from(active_display);
        status.shutting_down = parts.shutting_down;
        if let Some(displays) = displays {
            status.displays = displays.into();
        }
        status.connectors = parts.screens.connectors().clone();
        if let Some(schedule) = schedule {
            status.schedule = Rc::new(schedule);
        }
        if let Some(configuration) = configuration {
            status.configuration = Rc::new(configuration);
        }
        status.processes.truncate(count);
        for (place, process) in processes {
            match status.processes.get_mut(place) {
                Some(there) => *there = process,
                None => status.processes.push(process),
            }
        }
    }
}

fn build_displays(parts: &Parts<'_>) -> Vec<DisplayStatus> {
    let mut displays: Vec<DisplayStatus> = Vec::new();
    for display in parts.present {
        entry(&mut displays, display).connected = true;
    }
    for machine in parts.processes.iter() {
        let id = &machine.process.id;
        if let Some(display) = &machine.process.display {
            entry(&mut displays, display).wanted_by.push(id.clone());
        }
        if let Some(display) = machine.running().and_then(|run| run.display.as_ref()) {
            entry(&mut displays, display).holder = Some(id.clone());
        }
    }
    let rotations = &parts.configuration.loaded.config.rotations;
    for entry in &mut displays {
        let rotation = rotations.get(&entry.display).copied();
        entry.screen = parts.screens.status(&entry.display, rotation);
    }
    displays
}

/// The statuses that differ from the published ones, each with its place in the snapshot. A process that only moved keeps
/// its status.
fn build_processes(
    parts: &mut Parts<'_>,
    old: &Snapshot,
    now: Moment,
) -> Vec<(usize, Rc<ProcessStatus>)> {
    let mut statuses = Vec::new();
    for (index, id) in parts.changed.iter().enumerate() {
        let Some(machine) = parts.processes.get_mut(id) else {
            continue;
        };
        let new = build_process(machine, now);
        let old_place = old.processes.iter().position(|old| old.process.id == *id);
        let status = match old_place.map(|place| &old.processes[place]) {
            Some(old) if is_same(old, &new) => Rc::clone(old),
            _ => Rc::new(new),
        };
        // After a change of the layout they are all, in order.
        let place = match old_place {
            Some(place) if !parts.layout_changed => place,
            _ => index,
        };
        let in_place = old.processes.get(place);
        if in_place.is_none_or(|there| !Rc::ptr_eq(there, &status)) {
            statuses.push((place, status));
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
