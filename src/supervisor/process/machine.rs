//! The machine of one process: what it is doing, and what each event means to it.
//!
//! ```text
//!            begin             Spawned            Ready
//!   Idle ───────────▶ Starting ───────▶ Starting ───────▶ Running
//!    ▲ ▲                 │ SpawnFailed     │ too late        │ Exited
//!    │ │                 ▼                 ▼                 ▼
//!    │ └──── Backoff ◀── (verdict) ◀─────── Stopping ◀───────┘
//!    │          until                         │ asked to end, or the rest of
//!    └────────────────────────────────────────┘ its tree is being killed
//! ```
//!
//! Rules, in order of priority:
//!
//! 1. A run is over when its main process and everything it left are gone; until
//!    then there is no other. So at no instant do two runs of a process live.
//! 2. What the operator asked for (`wanted`) wins over what the restart policy says.
//! 3. A run that ended by itself is judged by its policy and its history.
//!
//! Whether an idle, wanted process may begin is not decided here but in
//! `admission`, which sees its neighbours.

use super::restart::{CrashHistory, RestartDecision};
use crate::config::{Process, ReadySign, Restart, StopSignal};
use crate::supervisor::lifecycle::memory::{Memory, SavedPhase, SavedRun, Stage};
use crate::supervisor::{Action, Ending, Failure, PageStatus, Reason, RunId, State};
use crate::time::Moment;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

/// A program that ends this soon before its display goes away has ended because of that: the end of a process and the
/// disappearance of a socket are reported by different parts of the system.
const DISPLAY_LOSS_WINDOW: Duration = Duration::from_secs(2);

/// One process and its current run.
#[derive(Debug)]
pub(in crate::supervisor) struct Machine {
    /// The configuration in force for the next run.
    pub process: Rc<Process>,
    /// Whether it is meant to run.
    wanted: bool,
    phase: Phase,
    history: CrashHistory,
    restarts: u32,
    /// Why it is in its state, other than waiting.
    reason: Option<Reason>,
    /// What it waits for, while idle and wanted.
    waits_for: Option<Reason>,
    /// When it was last started by hand, by the daemon or by an edit: of two that
    /// want one display the later claim wins.
    pub claim: u64,
    /// It is no longer configured and vanishes when its run is over.
    pub removed: bool,
    /// When its latest run ended automatically.
    ended: Option<Moment>,
    /// What was last published, to know when `since` begins anew.
    last_shown: (State, Option<RunId>),
    since: Moment,
    /// The page that it shows in place of its own.
    pub page_override: Option<String>,
    /// How its page fares, while it runs and is looked at.
    pub page_status: Option<Rc<PageStatus>>,
    /// What the next daemon would be told of it.
    last_memory: Option<Memory>,
}

#[derive(Debug)]
enum Phase {
    /// No run.
    Idle,
    /// No run, until a moment.
    Backoff { until: Moment, looping: bool },
    /// Executed or about to be; not ready.
    Starting {
        life: ActiveRun,
        ready_by: Option<Moment>,
    },
    /// Ready.
    Running { life: ActiveRun },
    /// On its way out: asked to end, or ended by itself with some of its tree left.
    Stopping {
        life: ActiveRun,
        /// When everything that is left of it is killed; `None` once that was done.
        kill_at: Option<Moment>,
        end: EndCause,
    },
}

/// What is known of a run that is not over.
#[derive(Clone, Debug)]
struct ActiveRun {
    run: RunId,
    /// What is executed. The configuration may have moved on since.
    process: Rc<Process>,
    /// `None` until it was executed.
    pid: Option<u32>,
    began: Moment,
}

impl ActiveRun {
    /// `None` as long as it was not executed.
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

/// What a run's end means.
#[derive(Clone, Debug)]
enum EndCause {
    /// It was asked to.
    Requested,
    /// It ended by itself, or did not get ready.
    Unrequested { reason: Reason, uptime: Duration },
}

type Actions = VecDeque<Action>;

impl Machine {
    /// A process that is not meant to run yet.
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
            page_override: None,
            page_status: None,
            last_memory: None,
        }
    }

    /// The machine as the daemon before this one has left it.
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
        let life = ActiveRun {
            run: running.run,
            process: running.process.clone(),
            pid: Some(running.pid),
            began: running.began,
        };
        let run = life.run;
        match running.stage {
            Stage::Ready => Phase::Running { life },
            Stage::Starting => {
                out.push_back(Action::AwaitReady {
                    run,
                    process: self.process.clone(),
                });
                Phase::Starting {
                    life,
                    ready_by: Some(now + self.process.ready.timeout),
                }
            }
            // Nobody knows how much of the grace is left; it had its signal.
            Stage::Ending => Phase::Stopping {
                life,
                kill_at: Some(now + self.process.stop_timeout),
                end: EndCause::Requested,
            },
            Stage::Sweeping => {
                out.push_back(Action::Kill { run });
                let uptime = now.since(life.began);
                Phase::Stopping {
                    life,
                    kill_at: None,
                    end: EndCause::Unrequested {
                        reason: Reason::Ended(Ending::Unknown),
                        uptime,
                    },
                }
            }
        }
    }

    /// What the next daemon has to know of it, where that is news. While a program is about to be executed it is only
    /// that the process is meant to run: the rest is known in an instant.
    pub fn changed_memory(&mut self) -> Option<Memory> {
        let was_stopped = self
            .last_memory
            .as_ref()
            .is_some_and(|memory| !memory.wanted);
        let doing = match &self.phase {
            Phase::Starting { life, .. } if life.pid.is_none() && self.wanted && was_stopped => {
                SavedPhase::Idle
            }
            Phase::Idle => SavedPhase::Idle,
            Phase::Backoff { until, looping } => SavedPhase::Backoff {
                until: *until,
                looping: *looping,
            },
            Phase::Starting { life, .. } => SavedPhase::Run(life.to_saved_run(Stage::Starting)?),
            Phase::Running { life } => SavedPhase::Run(life.to_saved_run(Stage::Ready)?),
            Phase::Stopping { life, end, .. } => SavedPhase::Run(life.to_saved_run(match end {
                EndCause::Requested => Stage::Ending,
                EndCause::Unrequested { .. } => Stage::Sweeping,
            })?),
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

    // ---- what the operator or a neighbour wants ----

    /// It shall run. What it did before is forgiven.
    pub fn set_wanted(&mut self, claim: u64) {
        self.claim = claim;
        self.wanted = true;
        self.removed = false;
        match self.phase {
            Phase::Starting { .. } | Phase::Running { .. } => return,
            // Whatever this run ends of, another follows.
            Phase::Stopping { ref mut end, .. } => *end = EndCause::Requested,
            Phase::Idle | Phase::Backoff { .. } => self.phase = Phase::Idle,
        }
        self.history.clear();
        self.restarts = 0;
        self.reason = None;
    }

    /// It shall not run, for this reason.
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

    /// It shall be restarted: end what runs, then start.
    pub fn restart(&mut self, reason: Reason, now: Moment, out: &mut Actions) {
        let was_alive = self.is_alive();
        self.request_end(now, out);
        self.set_wanted(self.claim);
        if was_alive {
            self.reason = Some(reason);
        }
    }

    /// It is not started, because of a neighbour or a setting.
    pub fn set_idle_reason(&mut self, reason: Reason) {
        if !self.wanted && !self.is_alive() {
            self.reason = Some(reason);
        }
    }

    /// Whether it does not run because it was stopped on purpose or has finished, and is to stay so.
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

    /// Whether it ended with exit code 0 a moment ago, where only a crash is a reason to restart it.
    pub fn has_just_finished(&self, now: Moment) -> bool {
        !self.wanted
            && self.process.restart == Restart::OnCrash
            && self.reason == Some(Reason::Ended(Ending::Code(0)))
            && self
                .ended
                .is_some_and(|ended| now.since(ended) < DISPLAY_LOSS_WINDOW)
    }

    /// What was asked for just now was asked for by a rule.
    pub fn attribute_to_schedule(&mut self) {
        self.reason = match self.reason.take() {
            Some(Reason::StoppedByOperator) => Some(Reason::StoppedBySchedule),
            Some(Reason::RestartedByOperator) => Some(Reason::RestartedBySchedule),
            other => other,
        };
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
            Phase::Starting { life, .. } | Phase::Running { life } => {
                let life = life.clone();
                out.push_back(Action::Signal {
                    run: life.run,
                    signal: self.process.stop_signal,
                });
                let kill_at = if self.process.stop_signal == StopSignal::Kill {
                    out.push_back(Action::Kill { run: life.run });
                    None
                } else {
                    Some(kill_at)
                };
                self.phase = Phase::Stopping {
                    life,
                    kill_at,
                    end: EndCause::Requested,
                };
            }
            // Whatever it ends of, the operator's wish is what counts now.
            Phase::Stopping { end, .. } => *end = EndCause::Requested,
        }
    }

    // ---- admission ----

    /// Whether it waits to be admitted.
    pub fn awaits_admission(&self) -> bool {
        self.wanted && matches!(self.phase, Phase::Idle)
    }

    /// It is admitted: execute it.
    pub fn start(&mut self, run: RunId, now: Moment, out: &mut Actions) {
        debug_assert!(self.awaits_admission());
        self.waits_for = None;
        let process = self.to_execute();
        self.phase = Phase::Starting {
            life: ActiveRun {
                run,
                process: process.clone(),
                pid: None,
                began: now,
            },
            ready_by: None,
        };
        out.push_back(Action::Spawn { run, process });
    }

    /// The process with the page it is to show.
    fn to_execute(&self) -> Rc<Process> {
        match &self.page_override {
            Some(url) => Rc::new(Process {
                url: Some(url.clone()),
                ..(*self.process).clone()
            }),
            None => self.process.clone(),
        }
    }

    /// It is not admitted yet.
    pub fn set_waiting_reason(&mut self, reason: Reason) {
        self.waits_for = Some(reason);
    }

    // ---- what happened to its run ----

    /// The program was executed.
    pub fn handle_spawned(&mut self, pid: u32, now: Moment, out: &mut Actions) {
        match &mut self.phase {
            Phase::Starting { life, ready_by } => {
                life.pid = Some(pid);
                life.began = now;
                let run = life.run;
                if self.process.ready.sign == ReadySign::Started {
                    let life = life.clone();
                    self.phase = Phase::Running { life };
                } else {
                    *ready_by = Some(now + self.process.ready.timeout);
                    out.push_back(Action::AwaitReady {
                        run,
                        process: self.process.clone(),
                    });
                }
                self.log(out, format!("run {run} started, pid {pid}"));
            }
            Phase::Stopping { life, .. } => life.pid = Some(pid),
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

    /// The main process has ended; with `tree_left`, some of its tree has not.
    pub fn handle_exited(
        &mut self,
        ending: Ending,
        tree_left: bool,
        now: Moment,
        out: &mut Actions,
    ) {
        let (life, end) = match &self.phase {
            Phase::Idle | Phase::Backoff { .. } => return,
            Phase::Starting { life, .. } | Phase::Running { life } => (
                life.clone(),
                EndCause::Unrequested {
                    reason: Reason::Ended(ending),
                    uptime: now.since(life.began),
                },
            ),
            Phase::Stopping { life, end, .. } => (life.clone(), end.clone()),
        };
        let run = life.run;
        let lived = now.since(life.began).as_secs_f64();
        self.log(out, format!("run {run} ended: {ending} after {lived:.1} s"));
        if !tree_left {
            return self.finish_run(end, now, out);
        }
        match &mut self.phase {
            // The rest may take the time it was given.
            Phase::Stopping { .. } => {}
            // Nobody asked the rest to go, and the next run must not meet it.
            phase => {
                *phase = Phase::Stopping {
                    life,
                    kill_at: None,
                    end,
                };
                out.push_back(Action::Kill { run });
            }
        }
    }

    /// Nothing of the run is left.
    pub fn handle_tree_gone(&mut self, now: Moment, out: &mut Actions) {
        if let Phase::Stopping { end, .. } = &self.phase {
            let end = end.clone();
            self.finish_run(end, now, out);
        }
    }

    /// The sign of readiness was seen.
    pub fn handle_ready(&mut self) {
        if let Phase::Starting { life, .. } = &self.phase {
            let life = life.clone();
            self.phase = Phase::Running { life };
        }
    }

    /// The moment of [`Self::deadline`] has come.
    pub fn handle_deadline(&mut self, now: Moment, out: &mut Actions) {
        if self.deadline().is_none_or(|deadline| deadline > now) {
            return;
        }
        match &mut self.phase {
            Phase::Backoff { .. } => {
                self.phase = Phase::Idle;
                self.restarts = self.restarts.saturating_add(1);
            }
            Phase::Starting { life, .. } => {
                let life = life.clone();
                let reason = Reason::NotReady(self.process.ready.timeout);
                self.log(out, format!("run {} is {reason}", life.run));
                self.request_end(now, out);
                if let Phase::Stopping { end, .. } = &mut self.phase {
                    *end = EndCause::Unrequested {
                        reason,
                        uptime: now.since(life.began),
                    };
                }
            }
            Phase::Stopping { life, kill_at, .. } => {
                *kill_at = None;
                let run = life.run;
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

    /// The run is over: what now?
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
                self.log(out, format!("starting again in {} s", delay.as_secs()));
                self.phase = Phase::Backoff {
                    until: now + delay,
                    looping: false,
                };
            }
            RestartDecision::CrashLoop => {
                let delay = super::restart::LONGEST_DELAY;
                self.log(
                    out,
                    format!("crash loop: trying again every {} s", delay.as_secs()),
                );
                self.phase = Phase::Backoff {
                    until: now + delay,
                    looping: true,
                };
            }
        }
    }

    // ---- what can be seen of it ----

    /// When [`Self::handle_deadline`] is to be called.
    pub fn deadline(&self) -> Option<Moment> {
        match &self.phase {
            Phase::Idle | Phase::Running { .. } => None,
            Phase::Backoff { until, .. } => Some(*until),
            Phase::Starting { ready_by, .. } => *ready_by,
            Phase::Stopping { kill_at, .. } => *kill_at,
        }
    }

    /// Whether a program is about to be executed: what comes of it is not known yet.
    pub fn is_about_to_run(&self) -> bool {
        self.active_run().is_some_and(|life| life.pid.is_none())
    }

    /// Whether it has a run that is not over.
    pub fn is_alive(&self) -> bool {
        self.active_run().is_some()
    }

    /// Whether it is meant to run.
    pub fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// Whether it was asked to end, or ends.
    pub fn is_stopping(&self) -> bool {
        matches!(self.phase, Phase::Stopping { .. })
    }

    /// Whether those that depend on it may start: it is ready, or it did its work and left with 0.
    pub fn satisfies_dependents(&self) -> bool {
        match &self.phase {
            Phase::Running { .. } => true,
            Phase::Idle => !self.wanted && self.reason == Some(Reason::Ended(Ending::Code(0))),
            _ => false,
        }
    }

    /// The run that is not over.
    pub fn run(&self) -> Option<RunId> {
        self.active_run().map(|life| life.run)
    }

    /// What its current run executes: it holds the display of this, whatever is configured meanwhile.
    pub fn running(&self) -> Option<&Process> {
        self.active_run().map(|life| &*life.process)
    }

    /// Its main process.
    pub fn pid(&self) -> Option<u32> {
        self.active_run().and_then(|life| life.pid)
    }

    /// When its program was executed.
    pub fn started(&self) -> Option<Moment> {
        self.active_run()
            .and_then(|life| life.pid.map(|_| life.began))
    }

    /// How often it was restarted by itself.
    pub fn restarts(&self) -> u32 {
        self.restarts
    }

    /// Since when it has been in its state.
    pub fn since(&self) -> Moment {
        self.since
    }

    /// Notices when the state (or the run) is another than the one last seen.
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

    /// The state the operator sees.
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
            Phase::Starting { life, .. }
            | Phase::Running { life }
            | Phase::Stopping { life, .. } => Some(life),
        }
    }

    fn log(&self, out: &mut Actions, text: String) {
        out.push_back(Action::Note {
            process: self.process.id.clone(),
            text,
        });
    }
}
