//! From a configured process to the program to execute.

use crate::browser::command_line;
use crate::config::{Command, Process, ReadySign};
use crate::supervisor::Failure;
use crate::sys::launch::Launch;
use crate::sys::profile;
use std::path::Path;

/// What to execute for a run of `process`. A display process gets what a kiosk's browser
/// needs, and a profile of its own below `state_dir`.
///
/// # Errors
/// There is nothing to execute, or the profile cannot be made.
pub fn launch(process: &Process, state_dir: &Path) -> Result<Launch, Failure> {
    if !process.is_display() {
        let command = parse(process.command.as_deref().unwrap_or_default())?;
        return Ok(Launch::new(process, command));
    }
    let profile = profile::of(process, state_dir)?;
    let browser = command_line::launch(process, &profile, profile::is_installed)
        .map_err(|error| Failure::system(error.to_string()))?;
    let command = Command::Direct {
        env: browser.env,
        argv: browser.argv,
    };
    Ok(Launch::new(process, command))
}

/// The command that probes whether `process` is ready, where that is its sign.
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

fn parse(text: &str) -> Result<Command, Failure> {
    Command::parse(text).map_err(|error| Failure::system(format!("command: {}", error.0)))
}
