//! The state machine of one process.
//!
//! ```text
//!            start             Spawned            Ready
//!   Idle ───────────▶ Starting ───────▶ Starting ───────▶ Running
//!    ▲ ▲                 │ SpawnFailed     │ too late        │ Exited
//!    │ │                 ▼                 ▼                 ▼
//!    │ └──── Backoff ◀── (restart) ◀─────── Stopping ◀───────┘
//!    │          until                         │ requested, or the rest of
//!    └────────────────────────────────────────┘ its tree is being killed
//! ```
//!
//! Rules, in order of priority:
//!
//! 1. A run is over when its main process and the rest of its tree are gone; until then there is no other run. So a
//!    process never has two runs at the same time.
//! 2. What the operator requested (`wanted`) takes precedence over the restart policy.
//! 3. After a run that exited, the restart policy and the crash history decide.
//!
//! `admission`, which knows the other processes, decides when an idle process that should run may start.

use super::restart::{CrashHistory, RestartDecision};
use crate::config::{Process, ReadySign, Restart, StopSignal};
use crate::supervisor::interface::{
    Action, Ending, Failure, Memory, PageStatus, Reason, RunId, SavedPhase, SavedRun, Stage, State,
};
use crate::time::Moment;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

/// A process that exits this long before its display is gone exited because of that: exit and disappearance of the
/// socket are reported by different parts of the system.
const DISPLAY_LOSS_WINDOW: Duration = Duration::from_secs(2);

/// One process and its current run.
#[derive(Debug)]
pub(in crate::supervisor) struct Machine {
    /// The configuration for the next run.
    pub process: Rc<Process>,
    /// Whether it should run.
    wanted: bool,
    phase: Phase,
    history: CrashHistory,
    restarts: u32,
    /// Why it is in its state, other than waiting.
    reason: Option<Reason>,
    /// What it waits for, while idle and wanted.
    waits_for: Option<Reason>,
    /// Increases with every start by an operator, the daemon or an edit: of two processes that want the same display,
    /// the later claim wins.
    pub claim: u64,
    /// It is no longer configured and is dropped when its run is over.
    pub removed: bool,
    /// When its latest run exited.
    ended: Option<Moment>,
    /// What was last published; `since` changes with it.
    last_shown: (State, Option<RunId>),
    since: Moment,
    /// The status of its page while it runs.
    pub page_status: Option<Rc<PageStatus>>,
    /// What was last saved for the next daemon.
    last_memory: Option<Memory>,
}

#[derive(Debug)]
enum Phase {
    /// No run.
    Idle,
    /// No run until then.
    Backoff { until: Moment, looping: bool },
    /// Executed or about to be; not ready.
    Starting {
        active: ActiveRun,
        ready_by: Option<Moment>,
    },
    /// Ready.
    Running { active: ActiveRun },
    /// Asked to stop, or exited with a part of its tree left.
    Stopping {
        active: ActiveRun,
        /// When the rest of its tree is killed; `None` once that was done.
        kill_at: Option<Moment>,
        end: EndCause,
    },
}

/// A run that is not over.
#[derive(Clone, Debug)]
struct ActiveRun {
    run: RunId,
    /// What is executed. The configuration may have changed since.
    process: Rc<Process>,
    /// `None` until it was executed.
    pid: Option<u32>,
    began: Moment,
}

impl ActiveRun {
    /// `None` before it was executed.
    fn to_saved_run(&self, stage: Stage) -> Option<SavedRun> {
        Some(SavedRun {
            run: self.run,
            pid: self.pid?,
            began: self.began,
            process: self.process.clone(),
            stage,
        })
    }
}

/// Why a run ends.
#[derive(Clone, Debug)]
enum EndCause {
    /// It was asked to.
    Requested,
    /// It exited, or was not ready in time.
    Unrequested { reason: Reason, uptime: Duration },
}

type Actions = VecDeque<Action>;

impl Machine {
    /// A process that should not run yet.
    pub fn new(process: Rc<Process>, now: Moment) -> Self {
        let reason = if process.enabled {
            Reason::NotStartedYet
        } else {
            Reason::Disabled
        };
        Self {
            process,
            wanted: false,
            phase: Phase::Idle,
            history: CrashHistory::default(),
            restarts: 0,
            reason: Some(reason),
            waits_for: None,
            claim: 0,
            removed: false,
            ended: None,
            last_shown: (State::Stopped, None),
            since: now,
            page_status: None,
            last_memory: None,
        }
    }

    /// Restores a machine that an earlier daemon saved.
    pub fn restore(memory: Memory, now: Moment, out: &mut Actions) -> Self {
        let mut machine = Self::new(memory.process.clone(), now);
        machine.wanted = memory.wanted;
        machine.history = CrashHistory::restore(&memory.crashes, memory.streak);
        machine.restarts = memory.restarts;
        machine.reason.clone_from(&memory.reason);
        machine.claim = memory.claim;
        machine.phase = match &memory.doing {
            SavedPhase::Idle => Phase::Idle,
            SavedPhase::Backoff { until, looping } => Phase::Backoff {
                until: *until,
                looping: *looping,
            },
            SavedPhase::Run(running) => machine.adopt(running, now, out),
        };
        machine.last_shown = (machine.state(), machine.run());
        machine.since = memory.since;
        machine.last_memory = Some(memory);
        machine
    }

    fn adopt(&self, running: &SavedRun, now: Moment, out: &mut Actions) -> Phase {
        let active = ActiveRun {
            run: running.run,
            process: running.process.clone(),
            pid: Some(running.pid),
            began: running.began,
        };
        let run = active.run;
        match running.stage {
            Stage::Ready => Phase::Running { active },
            Stage::Starting => {
                out.push_back(Action::AwaitReady {
                    run,
                    process: self.process.clone(),
                });
                Phase::Starting {
                    active,
                    ready_by: Some(now + self.process.ready.timeout),
                }
            }
            // The rest of its stop timeout is unknown; it has had its signal.
            Stage::Ending => Phase::Stopping {
                active,
                kill_at: Some(now + self.process.stop_timeout),
                end: EndCause::Requested,
            },
            Stage::Sweeping => {
                out.push_back(Action::Kill { run });
                let uptime = now.since(active.began);
                Phase::Stopping {
                    active,
                    kill_at: None,
                    end: EndCause::Unrequested {
                        reason: Reason::Ended(Ending::Unknown),
                        uptime,
                    },
                }
            }
        }
    }

    /// What the next daemon must know, if that changed. While a program is about to be executed, that is only that
    /// the process should run: the rest is known shortly.
    pub fn changed_memory(&mut self) -> Option<Memory> {
        let was_stopped = self
            .last_memory
            .as_ref()
            .is_some_and(|memory| !memory.wanted);
        let doing = match &self.phase {
            Phase::Starting { active, .. }
                if active.pid.is_none() && self.wanted && was_stopped =>
            {
                SavedPhase::Idle
            }
            Phase::Idle => SavedPhase::Idle,
            // It was stopped before it was executed. The next daemon kills what was executed meanwhile.
            Phase::Stopping { active, .. } if active.pid.is_none() => SavedPhase::Idle,
            Phase::Backoff { until, looping } => SavedPhase::Backoff {
                until: *until,
                looping: *looping,
            },
            Phase::Starting { active, .. } => {
                SavedPhase::Run(active.to_saved_run(Stage::Starting)?)
            }
            Phase::Running { active } => SavedPhase::Run(active.to_saved_run(Stage::Ready)?),
            Phase::Stopping { active, end, .. } => {
                SavedPhase::Run(active.to_saved_run(match end {
                    EndCause::Requested => Stage::Ending,
                    EndCause::Unrequested { .. } => Stage::Sweeping,
                })?)
            }
        };
        let memory = Memory {
            process: self.process.clone(),
            wanted: self.wanted,
            doing,
            restarts: self.restarts,
            crashes: self.history.crashes().collect(),
            streak: self.history.streak(),
            reason: self.reason.clone(),
            claim: self.claim,
            since: self.since,
        };
        if self.last_memory.as_ref() == Some(&memory) {
            return None;
        }
        self.last_memory = Some(memory.clone());
        Some(memory)
    }

    // ---- requests of operators and other processes ----

    /// It should run. Resets its history.
    pub fn set_wanted(&mut self, claim: u64) {
        self.claim = claim;
        self.wanted = true;
        self.removed = false;
        match self.phase {
            Phase::Starting { .. } | Phase::Running { .. } => return,
            // However this run ends, another follows.
            Phase::Stopping { ref mut end, .. } => *end = EndCause::Requested,
            Phase::Idle | Phase::Backoff { .. } => self.phase = Phase::Idle,
        }
        self.history.clear();
        self.restarts = 0;
        self.reason = None;
    }

    /// It should not run, for this reason.
    pub fn stop(&mut self, reason: Reason, now: Moment, out: &mut Actions) {
        self.wanted = false;
        self.waits_for = None;
        if !self.is_alive() {
            self.phase = Phase::Idle;
        } else {
            self.request_end(now, out);
        }
        self.reason = Some(reason);
    }

    /// Stops its run, then starts it.
    pub fn restart(&mut self, reason: Reason, now: Moment, out: &mut Actions) {
        let was_alive = self.is_alive();
        self.request_end(now, out);
        self.set_wanted(self.claim);
        if was_alive {
            self.reason = Some(reason);
        }
    }

    /// Says why it is not running, unless it is.
    pub fn set_idle_reason(&mut self, reason: Reason) {
        if !self.wanted && !self.is_alive() {
            self.reason = Some(reason);
        }
    }

    /// Whether it was stopped on purpose or has finished, and so must not be started automatically.
    pub fn stays_stopped(&self) -> bool {
        let on_purpose = matches!(
            self.reason,
            Some(
                Reason::StoppedByOperator
                    | Reason::StoppedBySchedule
                    | Reason::Ended(_)
                    | Reason::NotStarted(_)
                    | Reason::NotReady(_)
            )
        );
        !self.wanted && on_purpose
    }

    /// Whether it exited with code 0 a moment ago and would be restarted only after a crash.
    pub fn has_just_finished(&self, now: Moment) -> bool {
        !self.wanted
            && self.process.restart == Restart::OnCrash
            && self.reason == Some(Reason::Ended(Ending::Code(0)))
            && self
                .ended
                .is_some_and(|ended| now.since(ended) < DISPLAY_LOSS_WINDOW)
    }

    /// The daemon restarts it automatically, so it counts as a restart.
    pub fn restart_automatically(&mut self, reason: Reason, now: Moment, out: &mut Actions) {
        let restarts = self.restarts;
        self.restart(reason, now, out);
        self.restarts = restarts.saturating_add(1);
    }

    fn request_end(&mut self, now: Moment, out: &mut Actions) {
        let kill_at = now + self.process.stop_timeout;
        match &mut self.phase {
            Phase::Idle | Phase::Backoff { .. } => {}
            Phase::Starting { active, .. } | Phase::Running { active } => {
                let active = active.clone();
                out.push_back(Action::Signal {
                    run: active.run,
                    signal: self.process.stop_signal,
                });
                let kill_at = if self.process.stop_signal == StopSignal::Kill {
                    out.push_back(Action::Kill { run: active.run });
                    None
                } else {
                    Some(kill_at)
                };
                self.phase = Phase::Stopping {
                    active,
                    kill_at,
                    end: EndCause::Requested,
                };
            }
            // However it ends, the request is what counts now.
            Phase::Stopping { end, .. } => *end = EndCause::Requested,
        }
    }

    // ---- admission ----

    /// Whether it waits for admission.
    pub fn awaits_admission(&self) -> bool {
        self.wanted && matches!(self.phase, Phase::Idle)
    }

    /// It is admitted: execute it, with this page instead of its own.
    pub fn start(&mut self, run: RunId, page: Option<&String>, now: Moment, out: &mut Actions) {
        debug_assert!(self.awaits_admission());
        self.waits_for = None;
        let process = self.to_execute(page);
        self.phase = Phase::Starting {
            active: ActiveRun {
                run,
                process: process.clone(),
                pid: None,
                began: now,
            },
            ready_by: None,
        };
        out.push_back(Action::Spawn { run, process });
    }

    /// The process with the page to show instead of its own.
    fn to_execute(&self, page: Option<&String>) -> Rc<Process> {
        match page {
            Some(url) => Rc::new(Process {
                url: Some(url.clone()),
                ..(*self.process).clone()
            }),
            None => self.process.clone(),
        }
    }

    /// It is not admitted, for this reason.
    pub fn set_waiting_reason(&mut self, reason: Reason) {
        self.waits_for = Some(reason);
    }

    // ---- events of its run ----

    /// The program was executed.
    pub fn handle_spawned(&mut self, pid: u32, now: Moment, out: &mut Actions) {
        match &mut self.phase {
            Phase::Starting { active, ready_by } => {
                active.pid = Some(pid);
                active.began = now;
                let run = active.run;
                if self.process.ready.sign == ReadySign::Started {
                    let active = active.clone();
                    self.phase = Phase::Running { active };
                } else {
                    *ready_by = Some(now + self.process.ready.timeout);
                    out.push_back(Action::AwaitReady {
                        run,
                        process: self.process.clone(),
                    });
                }
                self.log(out, format!("run {run} started, pid {pid}"));
            }
            Phase::Stopping { active, .. } => active.pid = Some(pid),
            Phase::Idle | Phase::Backoff { .. } | Phase::Running { .. } => {}
        }
    }

    /// The program could not be executed.
    pub fn handle_spawn_failed(&mut self, failure: Failure, now: Moment, out: &mut Actions) {
        let Some(run) = self.run() else { return };
        self.log(out, format!("run {run} could not start: {failure}"));
        let end = match &self.phase {
            Phase::Stopping { end, .. } => end.clone(),
            _ => EndCause::Unrequested {
                reason: Reason::NotStarted(failure),
                uptime: Duration::ZERO,
            },
        };
        self.finish_run(end, now, out);
    }

    /// The main process exited; with `tree_left`, other processes of its tree have not.
    pub fn handle_exited(
        &mut self,
        ending: Ending,
        tree_left: bool,
        now: Moment,
        out: &mut Actions,
    ) {
        let (active, end) = match &self.phase {
            Phase::Idle | Phase::Backoff { .. } => return,
            Phase::Starting { active, .. } | Phase::Running { active } => (
                active.clone(),
                EndCause::Unrequested {
                    reason: Reason::Ended(ending),
                    uptime: now.since(active.began),
                },
            ),
            Phase::Stopping { active, end, .. } => (active.clone(), end.clone()),
        };
        let run = active.run;
        let uptime = now.since(active.began).as_secs_f64();
        self.log(
            out,
            format!("run {run} ended: {ending} after {uptime:.1} s"),
        );
        if !tree_left {
            return self.finish_run(end, now, out);
        }
        match &mut self.phase {
            // The rest has until the stop timeout.
            Phase::Stopping { .. } => {}
            // The rest was not asked to stop, and must be gone before the next run.
            phase => {
                *phase = Phase::Stopping {
                    active,
                    kill_at: None,
                    end,
                };
                out.push_back(Action::Kill { run });
            }
        }
    }

    /// Nothing is left of the run.
    pub fn handle_tree_gone(&mut self, now: Moment, out: &mut Actions) {
        if let Phase::Stopping { end, .. } = &self.phase {
            let end = end.clone();
            self.finish_run(end, now, out);
        }
    }

    /// The run is ready.
    pub fn handle_ready(&mut self) {
        if let Phase::Starting { active, .. } = &self.phase {
            let active = active.clone();
            self.phase = Phase::Running { active };
        }
    }

    /// The time of [`Self::deadline`] has come.
    pub fn handle_deadline(&mut self, now: Moment, out: &mut Actions) {
        if self.deadline().is_none_or(|deadline| deadline > now) {
            return;
        }
        match &mut self.phase {
            Phase::Backoff { .. } => {
                self.phase = Phase::Idle;
                self.restarts = self.restarts.saturating_add(1);
            }
            Phase::Starting { active, .. } => {
                let active = active.clone();
                let reason = Reason::NotReady(self.process.ready.timeout);
                self.log(out, format!("run {} is {reason}", active.run));
                self.request_end(now, out);
                if let Phase::Stopping { end, .. } = &mut self.phase {
                    *end = EndCause::Unrequested {
                        reason,
                        uptime: now.since(active.began),
                    };
                }
            }
            Phase::Stopping {
                active, kill_at, ..
            } => {
                *kill_at = None;
                let run = active.run;
                out.push_back(Action::Kill { run });
                let grace = self.process.stop_timeout.as_secs();
                self.log(
                    out,
                    format!("run {run} did not end within {grace} s: killed"),
                );
            }
            Phase::Idle | Phase::Running { .. } => {}
        }
    }

    /// The run is over; decides about the next one.
    fn finish_run(&mut self, end: EndCause, now: Moment, out: &mut Actions) {
        self.phase = Phase::Idle;
        self.page_status = None;
        let EndCause::Unrequested { reason, uptime } = end else {
            return;
        };
        if !self.wanted {
            return;
        }
        let finished = reason == Reason::Ended(Ending::Code(0));
        self.ended = Some(now);
        self.reason = Some(reason);
        let again = match self.process.restart {
            Restart::Never => false,
            Restart::OnCrash => !finished,
            Restart::Always => true,
        };
        if !again {
            self.wanted = false;
            return;
        }
        let verdict = match finished {
            true => self.history.record_clean_exit(uptime),
            false => self.history.record(uptime, now),
        };
        match verdict {
            RestartDecision::Immediately => self.restarts = self.restarts.saturating_add(1),
            RestartDecision::After(delay) => {
                self.log(out, format!("restarting in {} s", delay.as_secs()));
                self.phase = Phase::Backoff {
                    until: now + delay,
                    looping: false,
                };
            }
            RestartDecision::CrashLoop => {
                let delay = super::restart::LONGEST_DELAY;
                self.log(
                    out,
                    format!("crash loop: restarting every {} s", delay.as_secs()),
                );
                self.phase = Phase::Backoff {
                    until: now + delay,
                    looping: true,
                };
            }
        }
    }

    // ---- queries ----

    /// When to call [`Self::handle_deadline`].
    pub fn deadline(&self) -> Option<Moment> {
        match &self.phase {
            Phase::Idle | Phase::Running { .. } => None,
            Phase::Backoff { until, .. } => Some(*until),
            Phase::Starting { ready_by, .. } => *ready_by,
            Phase::Stopping { kill_at, .. } => *kill_at,
        }
    }

    /// Whether a program is being executed and the result is not known.
    pub fn is_about_to_run(&self) -> bool {
        self.active_run().is_some_and(|active| active.pid.is_none())
    }

    /// Whether it has a run that is not over.
    pub fn is_alive(&self) -> bool {
        self.active_run().is_some()
    }

    /// Whether it is meant to run.
    pub fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// Whether it was asked to stop or has exited with a part of its tree left.
    pub fn is_stopping(&self) -> bool {
        matches!(self.phase, Phase::Stopping { .. })
    }

    /// Whether processes that depend on it may start: it is ready, or has exited with code 0.
    pub fn satisfies_dependents(&self) -> bool {
        match &self.phase {
            Phase::Running { .. } => true,
            Phase::Idle => !self.wanted && self.reason == Some(Reason::Ended(Ending::Code(0))),
            _ => false,
        }
    }

    /// The run that is not over.
    pub fn run(&self) -> Option<RunId> {
        self.active_run().map(|active| active.run)
    }

    /// Whether its browser runs and takes page commands.
    pub fn takes_commands(&self) -> bool {
        self.pid().is_some() && !self.is_stopping()
    }

    /// What its current run executes. The run occupies the display of this process, not of the configured one.
    pub fn running(&self) -> Option<&Process> {
        self.active_run().map(|active| &*active.process)
    }

    /// Its main process.
    pub fn pid(&self) -> Option<u32> {
        self.active_run().and_then(|active| active.pid)
    }

    /// When its program was executed.
    pub fn started(&self) -> Option<Moment> {
        self.active_run()
            .and_then(|active| active.pid.map(|_| active.began))
    }

    /// How often it was restarted automatically.
    pub fn restarts(&self) -> u32 {
        self.restarts
    }

    /// Since when it has been in its state.
    pub fn since(&self) -> Moment {
        self.since
    }

    /// Updates `since` if the state or the run changed.
    pub fn refresh_since(&mut self, now: Moment) {
        let shown = (self.state(), self.run());
        if shown != self.last_shown {
            self.last_shown = shown;
            self.since = now;
        }
    }

    /// Why it is in its state.
    pub fn reason(&self) -> Option<&Reason> {
        if self.awaits_admission() && self.waits_for.is_some() {
            return self.waits_for.as_ref();
        }
        self.reason.as_ref()
    }

    /// The state as the operator sees it.
    pub fn state(&self) -> State {
        match &self.phase {
            Phase::Idle if self.wanted => State::Waiting,
            Phase::Idle => match &self.reason {
                Some(Reason::Ended(ending)) if *ending != Ending::Code(0) => State::Failed,
                Some(Reason::NotStarted(_) | Reason::NotReady(_)) => State::Failed,
                _ => State::Stopped,
            },
            Phase::Backoff { looping: true, .. } => State::Failed,
            Phase::Backoff { looping: false, .. } => State::Backoff,
            Phase::Starting { .. } => State::Starting,
            Phase::Running { .. } => State::Running,
            Phase::Stopping { .. } => State::Stopping,
        }
    }

    fn active_run(&self) -> Option<&ActiveRun> {
        match &self.phase {
            Phase::Idle | Phase::Backoff { .. } => None,
            Phase::Starting { active, .. }
            | Phase::Running { active }
            | Phase::Stopping { active, .. } => Some(active),
        }
    }

    fn log(&self, out: &mut Actions, text: String) {
        out.push_back(Action::Note {
            process: self.process.id.clone(),
            text,
        });
    }
}
