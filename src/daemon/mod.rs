//! The loop: what happens is told to the mind, and what the mind wants is done.

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

/// Rounds the doors get after the end to hand out the last answers. An answer needs two:
/// one to be taken from the mind, one to be written.
const LAST_ROUNDS: usize = 16;

/// Runs the daemon until it is asked to leave.
///
/// # Errors
/// Only before the loop runs: afterwards nothing ends the daemon but a decision to.
pub fn run(options: &DaemonOptions) -> Result<(), StartError> {
    run_for(options, None)
}

/// The same for somebody who wants to see it at once: a kiosk that nobody has claimed gets this password, and a link
/// that signs in once is printed.
///
/// # Errors
/// As [`run`].
pub fn run_for(options: &DaemonOptions, guest: Option<&str>) -> Result<(), StartError> {
    start::prepare();
    let executor = Rc::new(LocalExecutor::new());
    smol::block_on(executor.run(async {
        let mut kiosk = start::start(options, guest, executor.clone()).await?;
        match kiosk.serve().await {
            LoopEnd::Exit => kiosk.end().await,
            LoopEnd::Upgrade => kiosk.hand_over().await,
        }
        Ok(())
    }))
}

/// Everything the loop goes round with.
struct Daemon {
    supervisor: Supervisor,
    runner: ActionRunner,
    sources: Sources,
    notifier: ServiceNotifier,
    /// The service manager's, where there is one.
    watchdog: Option<Watchdog>,
    api: Rc<Api>,
    /// Held for as long as the daemon lives.
    run_dir: Rc<RunDir>,
    /// By which the next daemon knows how this one has ended.
    marker: ShutdownMarker,
    /// Descriptors that the next daemon gets, beside those of the runs.
    inherited: Vec<(String, OwnedFd)>,
}

impl Daemon {
    async fn serve(&mut self) -> LoopEnd {
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
            self.notifier.happens(&event, now);
            self.supervisor.handle(event, now);
        }
    }

    async fn next_event(&mut self) -> Event {
        #[cfg(feature = "faults")]
        faults::befall(&self.runner).await;
        let now = clock::now();
        let news = self.notifier.settled(&self.supervisor, now);
        let look = self.see_to_the_watchdog(now);
        let timeouts = [self.supervisor.poll_timeout(), news, look];
        let doors =
            (look.is_some() && !self.api.liveness.is_answered()).then_some(&self.api.liveness);
        let timeout = timeouts.into_iter().flatten().min();
        self.sources.next(timeout, doors).await
    }

    /// Feeds the watchdog where it is time to, and tells when to look again.
    fn see_to_the_watchdog(&mut self, now: Moment) -> Option<Moment> {
        let watchdog = self.watchdog.as_mut()?;
        let signs = LoopHealth {
            doors_answer: self.api.liveness.is_answered(),
            disk_busy_since: self.runner.store.busy_since(),
        };
        match watchdog.come_round(now, signs) {
            Step::Rest => {}
            Step::Ask => self.api.liveness.ask(),
            Step::Feed => notify::feed_watchdog(),
            Step::Complain(hang) => log::error!("the watchdog is not fed: {hang}"),
        }
        Some(watchdog.next_look(now))
    }

    /// Everything goes on but the program.
    async fn hand_over(mut self) {
        self.say_goodbye().await;
        let mut hand = self.runner.children.descriptors();
        hand.append(&mut self.inherited);
        if let Ok(program) = &self.runner.program {
            upgrade::become_it(program, hand);
        }
    }

    /// What is being written is finished, what was answered is delivered. Whoever still asks meanwhile is told.
    async fn say_goodbye(&mut self) {
        let requests = self.runner.requests.clone();
        let refuse = async {
            loop {
                if let Event::Command { ticket, .. } = requests.next().await {
                    requests.reply(ticket, Err(Refusal::ShuttingDown));
                }
            }
        };
        self.runner.finish().or(refuse).await;
        for _ in 0..LAST_ROUNDS {
            yield_now().await;
        }
    }

    /// No run lives any more: what was printed is written, what was answered is delivered.
    async fn end(mut self) {
        self.runner.children.kill_strays();
        self.say_goodbye().await;
        for (name, _) in &self.inherited {
            fd_store::forget(name);
        }
        self.marker.end();
        // Tasks that will never be polled again still hold it, so it is not dropped.
        self.run_dir.leave();
    }
}
