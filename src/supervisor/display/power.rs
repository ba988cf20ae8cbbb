//! Decides when a screen is switched, checked, and switched again.
//!
//! The request and the actual state differ: a screen is read right after it was switched, and again after each of
//! [`CHECKS`], because some switch back on. It is also read whenever something was plugged in and, while it is to be
//! off, every [`OFF_CHECK_INTERVAL`], because not every backend reports changes by others. A screen that is not as
//! requested is switched again, limited by [`LimitedBackoff`]. A screen without a request is never switched.

use crate::config::Display;
use crate::supervisor::backoff::LimitedBackoff;
use crate::supervisor::interface::{Action, PowerReport, PowerStatus};
use crate::time::Moment;
use std::collections::VecDeque;
use std::time::Duration;

/// When a screen is read after it was switched. Televisions take some seconds to wake up, and those that switch back
/// do so within a minute.
const CHECKS: [Duration; 3] = [
    Duration::from_secs(3),
    Duration::from_secs(12),
    Duration::from_secs(60),
];

/// How often a screen that is to be off is read after that.
const OFF_CHECK_INTERVAL: Duration = Duration::from_secs(300);

/// The pause between a plug event and a read: plugs bounce.
const PLUG_SETTLE_TIME: Duration = Duration::from_secs(2);

/// The least time between an answer and what follows from it.
const MIN_PAUSE: Duration = Duration::from_secs(1);

/// How long an answer is awaited. The action runner gives up earlier and reports that; this is a safety net.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// The power of one screen.
#[derive(Debug, Default)]
pub(in crate::supervisor) struct Power {
    status: PowerStatus,
    /// The kernel's name of its connector.
    connector: Option<String>,
    /// The request in progress.
    pending: Option<PendingRequest>,
    /// What is done next automatically.
    planned: Option<(Moment, PowerStep)>,
    /// How many of [`CHECKS`] were made.
    checks: usize,
    attempts: LimitedBackoff,
    /// It was read at least once, so a missing backend is a fact.
    is_known: bool,
}

#[derive(Clone, Copy, Debug)]
struct PendingRequest {
    /// When the answer is no longer awaited.
    until: Moment,
    /// Another request was made meanwhile.
    outdated: bool,
    step: PowerStep,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PowerStep {
    Switch,
    Read,
}

impl Power {
    /// Its state.
    pub fn status(&self) -> &PowerStatus {
        &self.status
    }

    /// Whether it is known that nothing on this system can switch it.
    pub fn is_unswitchable(&self) -> bool {
        self.is_known && self.status.backend.is_none()
    }

    /// When to call [`Self::handle_deadline`].
    pub fn deadline(&self) -> Option<Moment> {
        let answer = self.pending.map(|question| question.until);
        let plan = self.planned.map(|(moment, _)| moment);
        // While a request is in progress, the plan waits for its answer.
        answer.or(plan)
    }

    /// An operator or a rule requests a state.
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

    /// Sets the requested state. Nothing is switched before the screen was read.
    pub fn set_requested(&mut self, on: bool) {
        self.status.requested = Some(on);
    }

    /// The connector may have changed: reads the screen soon, or at once if it was not read yet.
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
            // A loose plug must not speed up a planned switch.
            Some((_, PowerStep::Switch)) => {}
            _ => self.planned = Some((soon, PowerStep::Read)),
        }
    }

    /// The display is gone; its request stays.
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

    /// Shutdown: nothing more is done automatically.
    pub fn stop(&mut self) {
        self.pending = None;
        self.planned = None;
    }

    /// The answer to a switch or read, or an unrequested report.
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

    /// A deadline may have passed.
    pub fn handle_deadline(&mut self, display: &Display, now: Moment, out: &mut VecDeque<Action>) {
        if let Some(question) = self.pending {
            if question.until > now {
                return;
            }
            self.pending = None;
            let seconds = ANSWER_TIMEOUT.as_secs();
            self.update_status(now, |status| {
                status.actual = None;
                status.problem = Some(format!("no answer within {seconds} s"));
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

    /// Sends a request, now or after the answer to the one in progress.
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

    /// Plans what is done next.
    fn plan_next(&mut self, failed: bool, now: Moment) {
        // Something may have been plugged while the request was in progress.
        let recheck = self.planned.take();
        let next = self.next_step(failed, now);
        let next = match (next, recheck) {
            (Some((at, PowerStep::Read)), Some((soon, PowerStep::Read))) => {
                Some((at.min(soon), PowerStep::Read))
            }
            (next, recheck) => next.or(recheck),
        };
        // Never at once: an attempt that fails within the instant must not loop.
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
                "the screen did not stay {} in {number} attempts within an hour; retrying later",
                on_or_off(requested)
            ));
        }
        // A screen that was just switched has until the first check.
        if failed || (differs && self.checks > 0) {
            return Some((self.attempts.next_attempt(now), PowerStep::Switch));
        }
        if let Some(pause) = CHECKS.get(self.checks) {
            self.checks += 1;
            return Some((now + *pause, PowerStep::Read));
        }
        (!requested).then(|| (now + OFF_CHECK_INTERVAL, PowerStep::Read))
    }

    /// Why the actual state is not the requested one.
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
                "the screen is {}, although {backend} was asked to switch it {}",
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
