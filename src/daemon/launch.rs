//! From a configured process to the program to execute.

use crate::browser::command_line::{self, Driven};
use crate::config::{CommandLine, Process, ReadySign};
use crate::supervisor::Failure;
use crate::sys::process::browser_profile;
use crate::sys::process::launch::Launch;
use std::path::Path;

/// What to execute for a run of `process`, and how its page is driven. A display process gets the switches that a
/// kiosk's browser needs and its own profile below `state_dir`.
///
/// # Errors
/// There is nothing to execute, or the profile cannot be made.
pub fn launch(process: &Process, state_dir: &Path) -> Result<(Launch, Driven), Failure> {
    if !process.is_display() {
        let command = parse(process.command.as_deref().unwrap_or_default())?;
        return Ok((Launch::new(process, command), Driven::Not));
    }
    let profile = browser_profile::of(process, state_dir)?;
    browser_profile::tidy(&profile);
    let browser = command_line::launch(process, &profile, browser_profile::is_installed)
        .map_err(|error| Failure::system(error.to_string()))?;
    let command = CommandLine::Direct {
        env: browser.env,
        argv: browser.argv,
    };
    let driven = browser.driven;
    let launch = Launch {
        driven: driven == Driven::ByPipe,
        ..Launch::new(process, command)
    };
    Ok((launch, driven))
}

/// How the page of an adopted run is driven.
pub fn driven(process: &Process, state_dir: &Path) -> Driven {
    let profile = browser_profile::place(state_dir, &process.id);
    let browser = command_line::launch(process, &profile, browser_profile::is_installed);
    browser.map_or(Driven::Not, |browser| browser.driven)
}

/// The command that probes whether `process` is ready, if it has one.
pub fn probe(process: &Process) -> Option<Launch> {
    let ReadySign::Command { command } = &process.ready.sign else {
        return None;
    };
    match parse(command) {
        Ok(command) => Some(Launch::new(process, command)),
        Err(failure) => {
            log::error!("{}: ready: {failure}", process.id);
            None
        }
    }
}

fn parse(text: &str) -> Result<CommandLine, Failure> {
    CommandLine::parse(text).map_err(|error| Failure::system(format!("command: {}", error.0)))
}
