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
use crate::sys::storage::shutdown_marker::Marker;
use crate::sys::time::clock;
use crate::time::Moment;
use action_runner::{Hands, Leave};
use event_sources::Sources;
use service_notifier::Herald;
use smol::LocalExecutor;
use smol::future::{FutureExt, yield_now};
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use watchdog::{Signs, Step, Watchdog};

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
            Leave::Exit => kiosk.end().await,
            Leave::HandOver => kiosk.hand_over().await,
        }
        Ok(())
    }))
}

/// Everything the loop goes round with.
struct Kiosk {
    mind: Supervisor,
    hands: Hands,
    sources: Sources,
    herald: Herald,
    /// The service manager's, where there is one.
    watchdog: Option<Watchdog>,
    api: Rc<Api>,
    /// Held for as long as the daemon lives.
    run_dir: Rc<RunDir>,
    /// By which the next daemon knows how this one has ended.
    marker: Marker,
    /// Descriptors that the next daemon gets, beside those of the runs.
    heirlooms: Vec<(String, OwnedFd)>,
}

impl Kiosk {
    async fn serve(&mut self) -> Leave {
        loop {
            while let Some(action) = self.mind.poll_action() {
                if let ControlFlow::Break(leave) = self.hands.perform(action) {
                    return leave;
                }
            }
            self.api.feed.publish(self.mind.status());
            let event = match self.hands.poll_answer() {
                Some(answer) => answer,
                None => self.next_event().await,
            };
            log::debug!("{event:?}");
            let now = clock::now();
            self.hands.hear(&event);
            self.herald.happens(&event, now);
            self.mind.handle(event, now);
        }
    }

    async fn next_event(&mut self) -> Event {
        #[cfg(feature = "faults")]
        faults::befall(&self.hands).await;
        let now = clock::now();
        let news = self.herald.settled(&self.mind, now);
        let look = self.see_to_the_watchdog(now);
        let timeouts = [self.mind.poll_timeout(), news, look];
        let doors = (look.is_some() && !self.api.pulse.is_answered()).then_some(&self.api.pulse);
        let timeout = timeouts.into_iter().flatten().min();
        self.sources.next(timeout, doors).await
    }

    /// Feeds the watchdog where it is time to, and tells when to look again.
    fn see_to_the_watchdog(&mut self, now: Moment) -> Option<Moment> {
        let watchdog = self.watchdog.as_mut()?;
        let signs = Signs {
            doors_answer: self.api.pulse.is_answered(),
            disk_busy_since: self.hands.store.busy_since(),
        };
        match watchdog.come_round(now, signs) {
            Step::Rest => {}
            Step::Ask => self.api.pulse.ask(),
            Step::Feed => notify::feed_watchdog(),
            Step::Complain(hang) => log::error!("the watchdog is not fed: {hang}"),
        }
        Some(watchdog.next_look(now))
    }

    /// Everything goes on but the program.
    async fn hand_over(mut self) {
        self.say_goodbye().await;
        let mut hand = self.hands.children.descriptors();
        hand.append(&mut self.heirlooms);
        if let Ok(program) = &self.hands.program {
            upgrade::become_it(program, hand);
        }
    }

    /// What is being written is finished, what was answered is delivered. Whoever still asks meanwhile is told.
    async fn say_goodbye(&mut self) {
        let requests = self.hands.requests.clone();
        let refuse = async {
            loop {
                if let Event::Request { ticket, .. } = requests.next().await {
                    requests.reply(ticket, Err(Refusal::ShuttingDown));
                }
            }
        };
        self.hands.finish().or(refuse).await;
        for _ in 0..LAST_ROUNDS {
            yield_now().await;
        }
    }

    /// No run lives any more: what was printed is written, what was answered is delivered.
    async fn end(mut self) {
        self.hands.children.kill_strays();
        self.say_goodbye().await;
        for (name, _) in &self.heirlooms {
            fd_store::forget(name);
        }
        self.marker.end();
        // Tasks that will never be polled again still hold it, so it is not dropped.
        self.run_dir.leave();
    }
}
