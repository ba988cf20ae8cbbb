//! Suggests the process that was probably meant by an unknown id.

use super::connection::Daemon;
use super::http::Request;
use super::problem::Refused;
use super::status;
use super::terminal::Terminal;
use crate::cli::nearest;
use serde_json::Value;

/// If no process has this id: suggests the one with this name, or the one with the nearest id.
pub fn suggest(daemon: &Daemon, refused: &Refused, id: &str, terminal: &mut Terminal<'_>) {
    if !refused.is_no_such_process() {
        return;
    }
    let Ok(answer) = daemon.request_json(&Request::get("/api/processes")) else {
        return; // the refusal was printed
    };
    let Ok(processes) = status::processes(&answer) else {
        return;
    };
    let is_called = |view: &Value| {
        let name = view["name"].as_str().unwrap_or_default();
        name.to_lowercase() == id.to_lowercase()
    };
    let called = processes.iter().find(|(_, view)| is_called(view));
    let meant = match called {
        Some((meant, _)) => Some(meant.as_str()),
        None => nearest(id, processes.keys().map(String::as_str)),
    };
    if let Some(meant) = meant {
        terminal.note(format_args!("did you mean `{meant}`?"));
    }
}
