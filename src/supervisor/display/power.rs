//! Decides when a screen is switched, looked at again, and switched once more.
//!
//! What was asked for and what is true are two things. A screen that was switched is looked at right
//! away, and again after each of [`LOOKS`], because some come back by themselves; then whenever something
//! was plugged, and while it is to be dark every [`DARK_LOOK`], because not every way to switch a
//! screen tells of what somebody else does with it. One that is not as it was asked for is
//! switched again, within the bounds of [`Attempts`]. A screen nobody has asked about is never switched.

use crate::config::Display;
use crate::supervisor::backoff::Backoff;
use crate::supervisor::{Action, Failure};
use crate::time::Moment;
use std::collections::VecDeque;
use std::time::Duration;

/// When a screen is looked at after it was switched. Televisions take some seconds to wake up, and
/// those that come back by themselves do so within a minute.
const CHECKS: [Duration; 3] = [
    Duration::from_secs(3),
    Duration::from_secs(12),
    Duration::from_secs(60),
];

/// How often a screen that is to be dark is looked at afterwards.
const OFF_CHECK_INTERVAL: Duration = Duration::from_secs(300);

/// How long after something was plugged a screen is looked at: plugs bounce.
const PLUG_SETTLE_TIME: Duration = Duration::from_secs(2);

/// The least time between an answer and what follows from it.
const MIN_PAUSE: Duration = Duration::from_secs(1);

/// How long an answer is waited for. The hands give up earlier and say so; this is for the day they do not.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// By which way a screen is switched, the most trustworthy first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// The compositor, asked by wlr-output-power-management.
    OutputPower,
    /// The X server, asked by its extension DPMS.
    Dpms,
    /// The television itself, asked through the HDMI cable.
    Cec,
    /// The firmware of older systems on a Raspberry Pi.
    Vcgencmd,
}

impl Backend {
    /// Its name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Backend::OutputPower => "wlr-output-power",
            Backend::Dpms => "dpms",
            Backend::Cec => "cec",
            Backend::Vcgencmd => "vcgencmd",
        }
    }
}

/// What became of switching a screen, or of looking at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PowerReport {
    /// By which way it is switched; nothing where there is none on this system.
    pub backend: Option<Backend>,
    /// Whether it is on, read back after everything else; nothing where nobody says.
    pub actual: Option<bool>,
    /// What went wrong.
    pub failure: Option<Failure>,
}

/// How a screen stands, as the operator is shown it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PowerStatus {
    /// Whether somebody has asked for it to be on or off.
    pub requested: Option<bool>,
    /// Whether it is.
    pub actual: Option<bool>,
    /// By which way it is switched.
    pub backend: Option<Backend>,
    /// Since when all of this is so.
    pub since: Option<Moment>,
    /// Why what is asked for and what is true are not the same, or nobody can say whether they are.
    pub problem: Option<String>,
}

/// One screen.
#[derive(Debug, Default)]
pub(in crate::supervisor) struct Power {
    status: PowerStatus,
    /// The kernel's name for where it is plugged in.
    connector: Option<String>,
    /// A question is under way.
    pending: Option<PendingRequest>,
    /// What is done next by itself.
    planned: Option<(Moment, PowerStep)>,
    /// How many of [`LOOKS`] were taken.
    checks: usize,
    attempts: Backoff,
    /// Somebody has looked at it at least once, so a missing backend is a fact.
    is_known: bool,
}

#[derive(Clone, Copy, Debug)]
struct PendingRequest {
    /// When the answer is no longer waited for.
    until: Moment,
    /// Something else was asked for meanwhile.
    outdated: bool,
    step: PowerStep,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PowerStep {
    Switch,
    Read,
}

impl Power {
    /// How it stands.
    pub fn status(&self) -> &PowerStatus {
        &self.status
    }

    /// Whether it is known that nothing on this system can switch it.
    pub fn is_unswitchable(&self) -> bool {
        self.is_known && self.status.backend.is_none()
    }

    /// When it is to be told that time has passed.
    pub fn deadline(&self) -> Option<Moment> {
        let answer = self.pending.map(|question| question.until);
        let plan = self.planned.map(|(moment, _)| moment);
        // While a question is under way the plan waits for its answer.
        answer.or(plan)
    }

    /// The operator, or a rule, asks for it.
    pub fn request(
        &mut self,
        display: &Display,
        on: bool,
        now: Moment,
        out: &mut VecDeque<Action>,
    ) {
        self.attempts.reset();
        self.update_status(now, |status| {
            status.requested = Some(on);
            status.problem = None;
        });
        self.send(PowerStep::Switch, display, now, out);
    }

    /// It is to be so. Nothing is switched before the screen was looked at.
    pub fn set_requested(&mut self, on: bool) {
        self.status.requested = Some(on);
    }

    /// Something about where the screen is plugged in may have changed: it is looked at before long, and at once
    /// where nobody has looked yet.
    pub fn recheck(
        &mut self,
        display: &Display,
        connector: Option<&str>,
        now: Moment,
        out: &mut VecDeque<Action>,
    ) {
        if self.connector.as_deref() != connector {
            self.connector = connector.map(str::to_owned);
        }
        if !self.is_known {
            return self.send(PowerStep::Read, display, now, out);
        }
        let soon = now + PLUG_SETTLE_TIME;
        match self.planned {
            Some((moment, _)) if moment <= soon => {}
            // A screen that is to be switched again at its time is not switched earlier for a loose plug.
            Some((_, PowerStep::Switch)) => {}
            _ => self.planned = Some((soon, PowerStep::Read)),
        }
    }

    /// The screen is gone; what was asked for stays.
    pub fn disconnect(&mut self, now: Moment) {
        self.pending = None;
        self.planned = None;
        self.is_known = false;
        self.update_status(now, |status| {
            status.actual = None;
            status.backend = None;
            status.problem = None;
        });
    }

    /// Everything ends: nothing more is done by itself.
    pub fn stop(&mut self) {
        self.pending = None;
        self.planned = None;
    }

    /// What was done, or seen.
    pub fn handle_report(
        &mut self,
        display: &Display,
        report: PowerReport,
        now: Moment,
        out: &mut VecDeque<Action>,
    ) {
        self.is_known = true;
        let question = self.pending.take();
        if question.is_some_and(|question| question.outdated) {
            return self.send(PowerStep::Switch, display, now, out);
        }
        if question.is_some_and(|question| question.step == PowerStep::Switch) {
            self.checks = 0;
        }
        let problem = self.problem(&report);
        self.update_status(now, |status| {
            status.actual = report.actual;
            status.backend = report.backend;
            status.problem = problem;
        });
        self.plan_next(report.failure.is_some(), now);
    }

    /// Time has passed.
    pub fn handle_deadline(&mut self, display: &Display, now: Moment, out: &mut VecDeque<Action>) {
        if let Some(question) = self.pending {
            if question.until > now {
                return;
            }
            self.pending = None;
            let seconds = ANSWER_TIMEOUT.as_secs();
            self.update_status(now, |status| {
                status.actual = None;
                status.problem = Some(format!("nothing answered within {seconds} s"));
            });
            return self.plan_next(true, now);
        }
        if let Some((moment, step)) = self.planned
            && moment <= now
        {
            self.planned = None;
            if step == PowerStep::Switch {
                self.attempts.record(now);
            }
            self.send(step, display, now, out);
        }
    }

    /// Asks the hands, now or when they have answered.
    fn send(
        &mut self,
        step: PowerStep,
        display: &Display,
        now: Moment,
        out: &mut VecDeque<Action>,
    ) {
        if let Some(question) = &mut self.pending {
            question.outdated |= step == PowerStep::Switch;
            return;
        }
        self.planned = None;
        let connector = self.connector.clone();
        let display = display.clone();
        out.push_back(match (step, self.status.requested) {
            (PowerStep::Switch, Some(on)) => Action::SwitchPower {
                display,
                connector,
                on,
            },
            _ => Action::ReadPower { display, connector },
        });
        self.pending = Some(PendingRequest {
            until: now + ANSWER_TIMEOUT,
            outdated: false,
            step,
        });
    }

    /// What is to be done next by itself.
    fn plan_next(&mut self, failed: bool, now: Moment) {
        // Something may have been plugged while the question was under way.
        let stirred = self.planned.take();
        let next = self.next_step(failed, now);
        let next = match (next, stirred) {
            (Some((at, PowerStep::Read)), Some((soon, PowerStep::Read))) => {
                Some((at.min(soon), PowerStep::Read))
            }
            (next, stirred) => next.or(stirred),
        };
        // Never at once: an attempt that fails within the instant must not be a loop.
        self.planned = next.map(|(at, step)| (at.max(now + MIN_PAUSE), step));
    }

    fn next_step(&mut self, failed: bool, now: Moment) -> Option<(Moment, PowerStep)> {
        let status = &self.status;
        let requested = status.requested?;
        if status.backend.is_none() && !failed {
            return None;
        }
        let differs = status.actual.is_some_and(|actual| actual != requested);
        if differs && self.attempts.is_exhausted(now) {
            let number = self.attempts.recent_attempts(now);
            self.status.problem = Some(format!(
                "the screen did not stay {} in {number} attempts within an hour; it is tried again later",
                on_or_off(requested)
            ));
        }
        // One that was switched just now is given the time of the first look.
        if failed || (differs && self.checks > 0) {
            return Some((self.attempts.next_attempt(now), PowerStep::Switch));
        }
        if let Some(pause) = CHECKS.get(self.checks) {
            self.checks += 1;
            return Some((now + *pause, PowerStep::Read));
        }
        (!requested).then(|| (now + OFF_CHECK_INTERVAL, PowerStep::Read))
    }

    /// Why what was asked for and what is true differ.
    fn problem(&self, report: &PowerReport) -> Option<String> {
        if let Some(failure) = &report.failure {
            return Some(failure.message.clone());
        }
        let requested = self.status.requested?;
        let Some(backend) = report.backend else {
            return Some("nothing on this system can switch this screen".to_owned());
        };
        let backend = backend.as_str();
        match report.actual {
            Some(actual) if actual == requested => None,
            Some(actual) => Some(format!(
                "the screen is {}, although {backend} was told to switch it {}",
                on_or_off(actual),
                on_or_off(requested)
            )),
            None => Some(format!("{backend} does not say whether the screen is on")),
        }
    }

    fn update_status(&mut self, now: Moment, change: impl FnOnce(&mut PowerStatus)) {
        let before = self.status.clone();
        change(&mut self.status);
        if self.status != before {
            self.status.since = Some(now);
        }
    }
}

fn on_or_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

#[cfg(test)]
mod tests;
