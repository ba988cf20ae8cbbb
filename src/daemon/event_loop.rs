//! The loop: passes events to the supervisor and runs the actions that it answers with.

use super::action_runner::{ActionRunner, LoopEnd};
use super::event_sources::Sources;
#[cfg(feature = "faults")]
use super::faults;
use super::service_notifier::ServiceNotifier;
use super::upgrade;
use super::watchdog::{LoopHealth, Step, Watchdog};
use crate::http::Api;
use crate::supervisor::{Event, Refusal, Supervisor};
use crate::sys::service::{fd_store, notify};
use crate::sys::storage::run_dir::RunDir;
use crate::sys::storage::shutdown_marker::ShutdownMarker;
use crate::sys::time::clock;
use crate::time::Moment;
use smol::future::{FutureExt, yield_now};
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::rc::Rc;

/// Rounds of the executor after the loop ends, for the last replies. A reply needs two: one to be
/// taken from the queue, one to be written.
const LAST_ROUNDS: usize = 16;

/// The state of the loop.
pub(super) struct Daemon {
    pub supervisor: Supervisor,
    pub runner: ActionRunner,
    pub sources: Sources,
    pub notifier: ServiceNotifier,
    /// `None` if the service manager has none configured.
    pub watchdog: Option<Watchdog>,
    pub api: Rc<Api>,
    /// Held for as long as the daemon lives.
    pub run_dir: Rc<RunDir>,
    /// Records how this daemon ends, for the next one.
    pub marker: ShutdownMarker,
    /// Descriptors that the next daemon gets in addition to those of the runs.
    pub inherited: Vec<(String, OwnedFd)>,
}

impl Daemon {
    /// Runs until the supervisor decides to end, then exits or executes the new program.
    pub async fn run(mut self) {
        match self.run_loop().await {
            LoopEnd::Exit => self.shut_down().await,
            LoopEnd::Upgrade => self.upgrade().await,
        }
    }

    async fn run_loop(&mut self) -> LoopEnd {
        loop {
            while let Some(action) = self.supervisor.poll_action() {
                if let ControlFlow::Break(end) = self.runner.run(action) {
                    return end;
                }
            }
            self.api.feed.publish(self.supervisor.status());
            let event = match self.runner.poll_answer() {
                Some(answer) => answer,
                None => self.next_event().await,
            };
            log::debug!("{event:?}");
            let now = clock::now();
            self.runner.observe(&event);
            self.notifier.observe(&event, now);
            self.supervisor.handle(event, now);
        }
    }

    async fn next_event(&mut self) -> Event {
        #[cfg(feature = "faults")]
        faults::inject(&self.runner).await;
        let now = clock::now();
        let report = self.notifier.update(&self.supervisor, now);
        let check = self.update_watchdog(now);
        let timeouts = [self.supervisor.poll_timeout(), report, check];
        let listeners =
            (check.is_some() && !self.api.liveness.is_answered()).then_some(&self.api.liveness);
        let timeout = timeouts.into_iter().flatten().min();
        self.sources.next(timeout, listeners).await
    }

    /// Notifies the watchdog if it is time to. Returns when to check again.
    fn update_watchdog(&mut self, now: Moment) -> Option<Moment> {
        let watchdog = self.watchdog.as_mut()?;
        let health = LoopHealth {
            listeners_answer: self.api.liveness.is_answered(),
            disk_busy_since: self.runner.store.busy_since(),
        };
        match watchdog.step(now, health) {
            Step::Wait => {}
            Step::Ask => self.api.liveness.ask(),
            Step::Feed => notify::feed_watchdog(),
            Step::Report(hang) => log::error!("not notifying the watchdog: {hang}"),
        }
        Some(watchdog.next_check(now))
    }

    /// Replaces the program; runs and listeners continue.
    async fn upgrade(mut self) {
        self.finish_pending().await;
        let mut descriptors = self.runner.children.descriptors();
        descriptors.append(&mut self.inherited);
        if let Ok(program) = &self.runner.program {
            upgrade::execute(program, descriptors);
        }
    }

    /// Finishes pending writes and delivers pending replies. Commands that arrive meanwhile are refused.
    async fn finish_pending(&mut self) {
        let commands = self.runner.commands.clone();
        let refuse = async {
            loop {
                if let Event::Command { ticket, .. } = commands.next().await {
                    commands.reply(ticket, Err(Refusal::ShuttingDown));
                }
            }
        };
        self.runner.finish().or(refuse).await;
        for _ in 0..LAST_ROUNDS {
            yield_now().await;
        }
    }

    /// All runs have ended: writes the remaining output and delivers the remaining replies.
    async fn shut_down(mut self) {
        self.runner.children.kill_unknown_descendants();
        self.finish_pending().await;
        for (name, _) in &self.inherited {
            fd_store::forget(name);
        }
        self.marker.end();
        // Tasks that are never polled again still hold it, so dropping it would not release it.
        self.run_dir.leave();
    }
}
