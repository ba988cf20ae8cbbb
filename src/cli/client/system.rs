//! What is around the processes: `system`, `events`.

use super::connection::Daemon;
use super::error::Error;
use super::event_stream::{EventStream, Next};
use super::http::Request;
use super::terminal::{Terminal, Tint, size, span, words};
use crate::cli::Exit;
use serde_json::Value;

/// The machine, a fact a line.
pub fn system(daemon: &Daemon, json: bool, terminal: &mut Terminal<'_>) -> Result<Exit, Error> {
    let request = Request::get("/api/system");
    if json {
        terminal.say(daemon.ask_text(&request)?.trim_end())?;
        return Ok(Exit::Done);
    }
    let answer = daemon.ask_json(&request)?;
    let mut facts = Vec::new();
    gather("", &answer, &mut facts);
    let width = facts.iter().map(|(name, _)| name.chars().count()).max();
    let width = width.unwrap_or(0);
    for (name, value) in &facts {
        terminal.say(format_args!("{name:width$}  {value}"))?;
    }
    Ok(Exit::Done)
}

/// Every fact by its path: `memory total`. What facts there are is the daemon's affair; those it is known for are told
/// as people would.
fn gather(path: &str, value: &Value, facts: &mut Vec<(String, String)>) {
    let known = match (path, value) {
        ("uptime", Value::Number(_)) => value.as_u64().map(span),
        ("temperature", Value::Number(_)) => value.as_f64().map(|warm| format!("{warm:.1} °C")),
        (
            "memory total" | "memory available" | "memory daemon" | "disk total" | "disk available",
            _,
        ) => value.as_u64().map(size),
        ("network", Value::Array(interfaces)) => {
            return facts.extend(interfaces.iter().map(interface));
        }
        _ => None,
    };
    if let Some(known) = known {
        return facts.push((path.to_owned(), known));
    }
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = format!("{path} {}", name.replace('_', " "));
                gather(path.trim_start(), value, facts);
            }
        }
        Value::Null => {}
        value => facts.push((path.to_owned(), words(value))),
    }
}

/// A network interface: its addresses, or why there are none.
fn interface(shown: &Value) -> (String, String) {
    let addresses = words(&shown["addresses"]);
    let how = match shown["up"] {
        _ if !addresses.is_empty() => addresses,
        Value::Bool(true) => "up, no address".to_owned(),
        _ => "down".to_owned(),
    };
    (format!("network {}", words(&shown["interface"])), how)
}

/// Every change of a process as it happens, a line each.
pub fn events(daemon: &Daemon, json: bool, terminal: &mut Terminal<'_>) -> Result<Exit, Error> {
    let mut feed = EventStream::open(daemon, "/api/events")?;
    loop {
        match feed.next(None)? {
            Next::Event(event) if json => terminal.say(&event.data)?,
            Next::Event(event) => {
                let news: Value = serde_json::from_str(&event.data)
                    .map_err(|error| Error::Confused(format!("its event is not JSON: {error}")))?;
                for (id, view) in news["processes"].as_object().into_iter().flatten() {
                    let status = words(&view["status"]);
                    let reason = words(&view["reason"]);
                    let gap = if reason.is_empty() { "" } else { ": " };
                    terminal.say_tinted(&[
                        (id, Tint::Plain),
                        (" ", Tint::Plain),
                        (&status, Tint::of_status(&status)),
                        (gap, Tint::Plain),
                        (&reason, Tint::Plain),
                    ])?;
                }
                for id in news["removed"].as_array().into_iter().flatten() {
                    terminal.say(format_args!("{} removed", words(id)))?;
                }
            }
            Next::Lost => terminal.remark("the connection was lost; waiting for the daemon"),
            Next::TimeUp => {} // there is no end to this
        }
        terminal.flush()?;
    }
}
