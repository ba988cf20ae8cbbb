//! `upgrade`: lets the installed program take over, and waits until it answers.

use super::connection::Daemon;
use super::error::Error;
use super::http::Request;
use super::terminal::{Terminal, words};
use crate::cli::Exit;
use serde_json::Value;
use std::thread;
use std::time::{Duration, Instant};

/// How long the next program may take to answer. It starts in milliseconds; a worn card may take seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// The pause between two questions: an instant to whoever waits.
const PAUSE: Duration = Duration::from_millis(50);

/// Asks for it, and waits.
pub fn upgrade(daemon: &Daemon, json: bool, terminal: &mut Terminal<'_>) -> Result<Exit, Error> {
    let before = status(daemon)?;
    daemon.ask_json(&Request::new("POST", "/api/upgrade").json("{}"))?;
    let until = Instant::now() + PATIENCE;
    loop {
        thread::sleep(PAUSE);
        match status(daemon) {
            Ok(after) if after["started"] != before["started"] => {
                if json {
                    terminal.say(&after)?;
                } else {
                    let (old, new) = (words(&before["version"]), words(&after["version"]));
                    terminal.say(format_args!("{new} has taken over from {old}"))?;
                }
                return Ok(Exit::Done);
            }
            // It has not let go yet, or the next one does not answer yet.
            Ok(_) => {}
            Err(error) if error.is_passing() => {}
            Err(error) => return Err(error),
        }
        if Instant::now() >= until {
            terminal.remark("the daemon has agreed, but the program that runs is still the same");
            return Ok(Exit::TimedOut);
        }
    }
}

fn status(daemon: &Daemon) -> Result<Value, Error> {
    daemon.ask_json(&Request::get("/api/status"))
}
