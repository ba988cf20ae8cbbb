//! `upgrade`: replaces the running program with the installed one and waits until that responds.

use super::context::{Client, Done};
use super::http::Request;
use super::terminal::plain_text;
use crate::cli::Exit;
use std::thread;
use std::time::{Duration, Instant};

/// How long the new program may take to respond. It starts in milliseconds; a worn SD card may take seconds.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The interval between checks of the version.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

impl Client<'_, '_> {
    /// Requests the upgrade and waits until the new program responds.
    pub fn upgrade(&mut self) -> Done {
        let status = Request::get("/api/status");
        let before = self.daemon.request_json(&status)?;
        self.daemon.request_json(&Request::post("/api/upgrade"))?;
        let until = Instant::now() + TIMEOUT;
        loop {
            thread::sleep(POLL_INTERVAL);
            match self.daemon.request_json(&status) {
                Ok(after) if after["started"] != before["started"] => {
                    let [old, new] = [&before, &after].map(|it| plain_text(&it["version"]));
                    return self.show(after, format_args!("{new} has taken over from {old}"));
                }
                // The old program still runs, or the new one does not respond yet.
                Ok(_) => {}
                Err(error) if error.is_transient() => {}
                Err(error) => return Err(error),
            }
            if Instant::now() >= until {
                self.terminal
                    .note("the daemon accepted the upgrade, but the old program still runs");
                return Ok(Exit::TimedOut);
            }
        }
    }
}
