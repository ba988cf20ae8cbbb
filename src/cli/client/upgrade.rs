//! `upgrade`: lets the installed program take over, and waits until it answers.

use super::connection::Daemon;
use super::error::Error;
use super::http::Request;
use super::terminal::{Terminal, plain_text};
use crate::cli::Exit;
use serde_json::Value;
use std::thread;
use std::time::{Duration, Instant};

/// How long the next program may take to answer. It starts in milliseconds; a worn card may take seconds.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The pause between two questions: an instant to whoever waits.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Asks for it, and waits.
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
            // It has not let go yet, or the next one does not answer yet.
            Ok(_) => {}
            Err(error) if error.is_transient() => {}
            Err(error) => return Err(error),
        }
        if Instant::now() >= until {
            terminal.note("the daemon has agreed, but the program that runs is still the same");
            return Ok(Exit::TimedOut);
        }
    }
}

fn status(daemon: &Daemon) -> Result<Value, Error> {
    daemon.request_json(&Request::get("/api/status"))
}
