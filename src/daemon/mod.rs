//! The loop: passes events to the supervisor and runs the actions that it answers with.

mod action_runner;
mod credentials;
mod drivers;
mod event_sources;
#[cfg(feature = "faults")]
mod faults;
mod inherited;
mod journal;
mod last_good_config;
mod launch;
mod rule_actions;
mod service_notifier;
mod start;
mod upgrade;
mod watchdog;
mod welcome;

pub use start::StartError;

use crate::cli::DaemonOptions;
use crate::http::Api;
use crate::supervisor::{Event, Refusal, Supervisor};
use crate::sys::service::{fd_store, notify};
use crate::sys::storage::run_dir::RunDir;
use crate::sys::storage::shutdown_marker::ShutdownMarker;
use crate::sys::time::clock;
use crate::time::Moment;
use action_runner::{ActionRunner, LoopEnd};
use event_sources::Sources;
use service_notifier::ServiceNotifier;
use smol::LocalExecutor;
use smol::future::{FutureExt, yield_now};
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use watchdog::{LoopHealth, Step, Watchdog};

/// Rounds of the executor after the loop ends, for the last replies. A reply needs two: one to be
/// taken from the queue, one to be written.
const LAST_ROUNDS: usize = 16;

/// Runs the daemon until it is asked to exit.
///
/// # Errors
/// Only before the loop runs. After that, only a decision of the supervisor ends the daemon.
pub fn run(options: &DaemonOptions) -> Result<(), StartError> {
    run_with_password(options, None)
}

/// Runs the daemon for a demo: sets this password on an unclaimed kiosk and prints a link that signs in once.
///
/// # Errors
/// As [`run`].
pub fn run_with_password(
    options: &DaemonOptions,
    demo_password: Option<&str>,
) -> Result<(), StartError> {
    start::prepare();
    let executor = Rc::new(LocalExecutor::new());
    smol::block_on(executor.run(async {
        let mut kiosk = start::start(options, demo_password, executor.clone()).await?;
        match kiosk.run_loop().await {
            LoopEnd::Exit => kiosk.shut_down().await,
            LoopEnd::Upgrade => kiosk.upgrade().await,
        }
        Ok(())
    }))
}

/// The state of the loop.
struct Daemon {
    supervisor: Supervisor,
    runner: ActionRunner,
    sources: Sources,
    notifier: ServiceNotifier,
    /// `None` if the service manager has none configured.
    watchdog: Option<Watchdog>,
    api: Rc<Api>,
    /// Held for as long as the daemon lives.
    run_dir: Rc<RunDir>,
    /// Records how this daemon ends, for the next one.
    marker: ShutdownMarker,
    /// Descriptors that the next daemon gets in addition to those of the runs.
    inherited: Vec<(String, OwnedFd)>,
}

impl Daemon {
    async fn run_loop(&mut self) -> LoopEnd {
        loop {
            while let Some(action) = self.supervisor.poll_action() {
                if let ControlFlow::Break(leave) = self.runner.run(action) {
                    return leave;
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
        let news = self.notifier.update(&self.supervisor, now);
        let look = self.update_watchdog(now);
        let timeouts = [self.supervisor.poll_timeout(), news, look];
        let listeners =
            (look.is_some() && !self.api.liveness.is_answered()).then_some(&self.api.liveness);
        let timeout = timeouts.into_iter().flatten().min();
        self.sources.next(timeout, listeners).await
    }

    /// Notifies the watchdog if it is time to. Returns when to check again.
    fn update_watchdog(&mut self, now: Moment) -> Option<Moment> {
        let watchdog = self.watchdog.as_mut()?;
        let signs = LoopHealth {
            listeners_answer: self.api.liveness.is_answered(),
            disk_busy_since: self.runner.store.busy_since(),
        };
        match watchdog.step(now, signs) {
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
        let mut hand = self.runner.children.descriptors();
        hand.append(&mut self.inherited);
        if let Ok(program) = &self.runner.program {
            upgrade::execute(program, hand);
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
        self.runner.children.kill_strays();
        self.finish_pending().await;
        for (name, _) in &self.inherited {
            fd_store::forget(name);
        }
        self.marker.end();
        // Tasks that are never polled again still hold it, so dropping it would not release it.
        self.run_dir.leave();
    }
}
