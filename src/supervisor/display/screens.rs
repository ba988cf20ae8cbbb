//! The screen of each display: its power ([`super::power`]), its rotation and its connector.
//!
//! A display with a configured rotation is rotated before a process starts on it, and again if it comes back with
//! another one.

use super::power::Power;
use crate::config::{Display, Rotation};
use crate::supervisor::backoff::LimitedBackoff;
use crate::supervisor::interface::{
    Action, Connector, Event, Failure, RotationStatus, Screen, ScreenStatus,
};
use crate::time::Moment;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

/// How long a process waits for the rotation of its display. After that, a page on its side is better than none.
const ROTATION_TIMEOUT: Duration = Duration::from_secs(10);

/// The screens of all displays that exist, and of those with a power request.
#[derive(Debug, Default)]
pub(in crate::supervisor) struct Screens {
    entries: BTreeMap<Display, Entry>,
    connectors: Rc<[Connector]>,
    is_stopped: bool,
}

#[derive(Debug, Default)]
struct Entry {
    is_present: bool,
    screen: Option<Rc<Screen>>,
    power: Power,
    rotation_state: RotationState,
}

/// The rotation of a display.
#[derive(Debug, Default)]
struct RotationState {
    /// The configured rotation at the last update.
    wanted: Option<Rotation>,
    /// A rotation is in progress; until when its answer is awaited.
    busy: Option<Moment>,
    /// When the rotation is retried.
    retry: Option<Moment>,
    attempts: LimitedBackoff,
    /// Why the last attempt failed, until one succeeds or the rotation is right.
    problem: Option<String>,
}

impl Screens {
    /// The connectors of the machine.
    pub fn connectors(&self) -> &Rc<[Connector]> {
        &self.connectors
    }

    /// The status of a display's screen.
    pub fn status(&self, display: &Display, wanted: Option<Rotation>) -> ScreenStatus {
        let Some(entry) = self.entries.get(display) else {
            return ScreenStatus {
                rotation: RotationStatus {
                    requested: wanted,
                    ..RotationStatus::default()
                },
                ..ScreenStatus::default()
            };
        };
        ScreenStatus {
            screen: entry.screen.clone(),
            rotation: RotationStatus {
                requested: wanted,
                actual: entry.screen.as_ref().and_then(|screen| screen.rotation()),
                problem: entry.rotation_state.problem.clone(),
            },
            power: entry.power.status().clone(),
            connector: self.connector_of(entry).map(str::to_owned),
        }
    }

    /// The power request of each screen.
    pub fn requests(&self) -> BTreeMap<Display, bool> {
        let entries = self.entries.iter();
        let requests = entries.filter_map(|(display, entry)| {
            Some((display.clone(), entry.power.status().requested?))
        });
        requests.collect()
    }

    /// Restores the request of an earlier daemon: the screen is in that state.
    pub fn restore_request(&mut self, display: &Display, on: bool, is_present: bool) {
        let entry = self.entries.entry(display.clone()).or_default();
        entry.is_present = is_present;
        entry.power.set_requested(on);
    }

    /// Records a request for a display that is not connected.
    pub fn request_for_later(&mut self, display: &Display, on: bool) {
        if let Some(entry) = self.entries.get_mut(display) {
            entry.power.set_requested(on);
        }
    }

    /// Whether it is known that nothing can switch the screen of a display.
    pub fn is_unswitchable(&self, display: &Display) -> bool {
        let entry = self.entries.get(display);
        entry.is_some_and(|entry| entry.power.is_unswitchable())
    }

    /// The earliest deadline of a screen.
    pub fn deadline(&self) -> Option<Moment> {
        let of_entry = |entry: &Entry| {
            let turn = entry.rotation_state.busy.or(entry.rotation_state.retry);
            [entry.power.deadline(), turn].into_iter().flatten().min()
        };
        self.entries.values().filter_map(of_entry).min()
    }

    /// Whether a process may start on an existing display.
    pub fn is_settled(&self, display: &Display) -> bool {
        let entry = self.entries.get(display);
        entry.is_none_or(|entry| entry.rotation_state.busy.is_none())
    }

    /// The connector of a display. If one connector is in use and one display exists, it is that one; otherwise what
    /// the display server reports decides.
    fn connector_of(&self, entry: &Entry) -> Option<&str> {
        let output = entry.screen.as_ref()?.output()?;
        if let Some(connector) = output.connector(&self.connectors) {
            return Some(&connector.name);
        }
        let mut connected = self.connectors.iter().filter(|other| other.connected);
        let only = connected.next().filter(|_| connected.next().is_none())?;
        let displays = self.entries.values().filter(|entry| entry.is_present);
        let contradicts = output.monitor.is_some() && only.monitor.is_some();
        (displays.count() == 1 && !contradicts).then_some(&only.name)
    }

    /// Something was plugged, or a display server reported its screen: checks each screen soon, and its rotation.
    fn recheck(
        &mut self,
        rotations: &BTreeMap<Display, Rotation>,
        now: Moment,
        out: &mut VecDeque<Action>,
    ) {
        if self.is_stopped {
            return;
        }
        let names: Vec<Option<String>> = (self.entries.values())
            .map(|entry| self.connector_of(entry).map(str::to_owned))
            .collect();
        for ((display, entry), connector) in self.entries.iter_mut().zip(names) {
            if entry.is_present {
                entry.power.recheck(display, connector.as_deref(), now, out);
            }
        }
        self.rotate(rotations, now, out);
    }

    /// Displays appeared or disappeared.
    pub fn handle_displays(
        &mut self,
        present: &[Display],
        rotations: &BTreeMap<Display, Rotation>,
        now: Moment,
        out: &mut VecDeque<Action>,
    ) {
        self.set_present(present, now);
        self.recheck(rotations, now, out);
    }

    /// Handles an event of the screens. Returns whether the size of a screen changed.
    pub fn handle_event(
        &mut self,
        event: Event,
        rotations: &BTreeMap<Display, Rotation>,
        now: Moment,
        out: &mut VecDeque<Action>,
    ) -> bool {
        let mut is_resized = false;
        match event {
            Event::Screen { display, screen } => {
                match screen {
                    Some(screen) => {
                        let size = screen.size;
                        let entry = self.entries.entry(display).or_default();
                        let before = entry.screen.replace(Rc::new(screen));
                        is_resized = before.is_some_and(|before| before.size != size);
                    }
                    None => {
                        if let Some(entry) = self.entries.get_mut(&display) {
                            entry.screen = None;
                        }
                    }
                }
                self.recheck(rotations, now, out);
            }
            Event::Connectors { connectors } => {
                self.connectors = connectors.into();
                self.recheck(rotations, now, out);
            }
            Event::Power { display, report } => {
                if let Some(entry) = self.entries.get_mut(&display)
                    && entry.is_present
                    && !self.is_stopped
                {
                    entry.power.handle_report(&display, report, now, out);
                }
            }
            Event::Rotated { display, result } => {
                if let Some(entry) = self.entries.get_mut(&display) {
                    entry.rotation_state.handle_rotated(result);
                }
                self.rotate(rotations, now, out);
            }
            _ => {}
        }
        is_resized
    }

    /// Rotates every display that has another rotation than configured.
    pub fn rotate(
        &mut self,
        rotations: &BTreeMap<Display, Rotation>,
        now: Moment,
        out: &mut VecDeque<Action>,
    ) {
        if self.is_stopped {
            return;
        }
        for (display, entry) in &mut self.entries {
            if entry.is_present {
                let wanted = rotations.get(display).copied();
                let screen = entry.screen.as_deref();
                entry
                    .rotation_state
                    .update(display, screen, wanted, now, out);
            }
        }
    }

    /// Requests the screen of a connected display to be on or off.
    pub fn request_power(
        &mut self,
        display: &Display,
        on: bool,
        now: Moment,
        out: &mut VecDeque<Action>,
    ) {
        let entry = self.entries.entry(display.clone()).or_default();
        entry.is_present = true;
        entry.power.request(display, on, now, out);
    }

    /// A deadline may have passed. Returns whether one has.
    pub fn handle_deadline(
        &mut self,
        rotations: &BTreeMap<Display, Rotation>,
        now: Moment,
        out: &mut VecDeque<Action>,
    ) -> bool {
        if self.deadline().is_none_or(|deadline| deadline > now) {
            return false;
        }
        for (display, entry) in &mut self.entries {
            entry.power.handle_deadline(display, now, out);
            if entry.rotation_state.busy.is_some_and(|until| until <= now) {
                let seconds = ROTATION_TIMEOUT.as_secs();
                let late =
                    Failure::system(format!("the display was not rotated within {seconds} s"));
                entry.rotation_state.handle_rotated(Err(late));
            }
        }
        self.rotate(rotations, now, out);
        true
    }

    /// Shutdown: screens stay as they are.
    pub fn stop(&mut self) {
        self.is_stopped = true;
        for entry in self.entries.values_mut() {
            entry.power.stop();
            entry.rotation_state.busy = None;
            entry.rotation_state.retry = None;
        }
    }

    fn set_present(&mut self, present: &[Display], now: Moment) {
        for display in present {
            self.entries.entry(display.clone()).or_default().is_present = true;
        }
        for (display, entry) in &mut self.entries {
            if entry.is_present && present.binary_search(display).is_err() {
                entry.is_present = false;
                entry.screen = None;
                entry.rotation_state = RotationState::default();
                entry.power.disconnect(now);
            }
        }
        // A request is kept until the display is back.
        self.entries
            .retain(|_, entry| entry.is_present || entry.power.status().requested.is_some());
    }
}

impl RotationState {
    /// Rotates the display unless its rotation is right.
    fn update(
        &mut self,
        display: &Display,
        screen: Option<&Screen>,
        wanted: Option<Rotation>,
        now: Moment,
        out: &mut VecDeque<Action>,
    ) {
        if self.wanted != wanted {
            self.wanted = wanted;
            self.attempts.reset();
            self.problem = None;
        }
        self.retry = None;
        let (Some(wanted), Some(screen)) = (wanted, screen) else {
            return;
        };
        if screen.outputs.is_empty() || self.busy.is_some() {
            return;
        }
        if screen.rotation() == Some(wanted) {
            self.problem = None;
            return;
        }
        let next = self.attempts.next_attempt(now);
        if next > now {
            self.retry = Some(next);
            return;
        }
        self.attempts.record(now);
        self.busy = Some(now + ROTATION_TIMEOUT);
        out.push_back(Action::Rotate {
            display: display.clone(),
            rotation: wanted,
        });
    }

    /// The display server agreed or refused. A refusal is retried: a compositor cancels a change because of a
    /// concurrent one.
    fn handle_rotated(&mut self, result: Result<(), Failure>) {
        self.busy = None;
        self.problem = result.err().map(|failure| failure.message);
    }
}
