//! The daemon: start-up, the event loop, and the components that only it uses.

mod action_runner;
mod credentials;
mod drivers;
mod event_loop;
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
use smol::LocalExecutor;
use std::rc::Rc;

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
        let daemon = start::start(options, demo_password, executor.clone()).await?;
        daemon.run().await;
        Ok(())
    }))
}
