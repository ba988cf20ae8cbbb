//! `upgrade`: replaces the running program with the installed one and waits until that responds.

use super::connection::Daemon;
use super::error::Error;
use super::http::Request;
use super::terminal::{Terminal, plain_text};
use crate::cli::Exit;
use serde_json::Value;
use std::thread;
use std::time::{Duration, Instant};

/// How long the new program may take to respond. It starts in milliseconds; a worn SD card may take seconds.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The interval between checks of the version.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Requests the upgrade and waits until the new program responds.
pub fn upgrade(daemon: &Daemon, json: bool, terminal: &mut Terminal<'_>) -> Result<Exit, Error> {
    let before = status(daemon)?;
    daemon.request_json(&Request::new("POST", "/api/upgrade").json("{}"))?;
    let until = Instant::now() + TIMEOUT;
    loop {
        thread::sleep(POLL_INTERVAL);
        match status(daemon) {
            Ok(after) if after["started"] != before["started"] => {
                if json {
                    terminal.print(&after)?;
                } else {
                    let (old, new) = (
                        plain_text(&before["version"]),
                        plain_text(&after["version"]),
                    );
                    terminal.print(format_args!("{new} has taken over from {old}"))?;
                }
                return Ok(Exit::Done);
            }
            // The old program still runs, or the new one does not respond yet.
            Ok(_) => {}
            Err(error) if error.is_transient() => {}
            Err(error) => return Err(error),
        }
        if Instant::now() >= until {
            terminal.note("the daemon accepted the upgrade, but the old program still runs");
            return Ok(Exit::TimedOut);
        }
    }
}

fn status(daemon: &Daemon) -> Result<Value, Error> {
    daemon.request_json(&Request::get("/api/status"))
}
