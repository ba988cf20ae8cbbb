//! The loop: what happens is told to the mind, and what the mind wants is done.

mod hands;
mod journal;
mod launch;
mod sources;
mod start;
mod watchdog;

pub use start::StartError;

use crate::args::DaemonOptions;
use crate::http::Api;
use crate::supervisor::{Event, Supervisor};
use crate::sys::run_dir::RunDir;
use crate::sys::{clock, notify};
use hands::Hands;
use smol::LocalExecutor;
use smol::future::yield_now;
use sources::Sources;
use std::rc::Rc;
use watchdog::Watchdog;

/// Rounds the doors get after the end to hand out the last answers. An answer needs two:
/// one to be taken from the mind, one to be written.
const LAST_ROUNDS: usize = 16;

/// Runs the daemon until it is asked to leave.
///
/// # Errors
/// Only before the loop runs: afterwards nothing ends the daemon but a decision to.
pub fn run(options: &DaemonOptions) -> Result<(), StartError> {
    start::prepare();
    let executor = Rc::new(LocalExecutor::new());
    smol::block_on(executor.run(async {
        let mut kiosk = start::start(options, executor.clone()).await?;
        kiosk.serve().await;
        kiosk.end().await;
        Ok(())
    }))
}

/// Everything the loop goes round with.
struct Kiosk {
    mind: Supervisor,
    hands: Hands,
    sources: Sources,
    watchdog: Watchdog,
    api: Rc<Api>,
    /// Held for as long as the daemon lives.
    run_dir: Rc<RunDir>,
}

impl Kiosk {
    async fn serve(&mut self) {
        loop {
            while let Some(action) = self.mind.poll_action() {
                if self.hands.perform(action).is_break() {
                    return;
                }
            }
            self.api.feed.publish(self.mind.status());
            let event = match self.hands.poll_answer() {
                Some(answer) => answer,
                None => self.next_event().await,
            };
            log::debug!("{event:?}");
            if matches!(event, Event::Shutdown) {
                notify::stopping();
            }
            self.mind.handle(event, clock::now());
        }
    }

    async fn next_event(&mut self) -> Event {
        let timeout = self.mind.poll_timeout();
        let timeout = self.watchdog.feed(clock::now(), timeout);
        self.sources.next(timeout).await
    }

    /// No run lives any more: what was printed is written, what was answered is delivered.
    async fn end(mut self) {
        self.hands.children.kill_strays();
        self.hands.finish().await;
        for _ in 0..LAST_ROUNDS {
            yield_now().await;
        }
        // Tasks that will never be polled again still hold it, so it is not dropped.
        self.run_dir.leave();
    }
}
