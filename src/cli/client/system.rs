//! `system` and `events`.

use super::context::{Client, Done};
use super::event_stream::{EventStream, Next};
use super::terminal::{Tint, plain_text, size, span};
use crate::cli::Exit;
use serde_json::Value;

impl Client<'_, '_> {
    /// Prints facts about the machine, one a line.
    pub fn print_system(&mut self) -> Done {
        let Some(response) = self.fetch("/api/system")? else {
            return Ok(Exit::Done);
        };
        let mut facts = Vec::new();
        flatten("", &response, &mut facts);
        let width = facts.iter().map(|(name, _)| name.chars().count()).max();
        let width = width.unwrap_or(0);
        for (name, value) in &facts {
            self.terminal
                .print(format_args!("{name:width$}  {value}"))?;
        }
        Ok(Exit::Done)
    }

    /// Prints every change of a process as it happens, one a line.
    pub fn print_events(&mut self) -> Done {
        let terminal = &mut self.terminal;
        let mut stream = EventStream::open(self.daemon, "/api/events")?;
        loop {
            match stream.next(None)? {
                Next::Event(event) if self.json => terminal.print(&event.data)?,
                Next::Event(event) => {
                    let news = event.json()?;
                    for (id, view) in news["processes"].as_object().into_iter().flatten() {
                        let status = plain_text(&view["status"]);
                        let reason = plain_text(&view["reason"]);
                        let gap = if reason.is_empty() { "" } else { ": " };
                        terminal.print_tinted(&[
                            (id, Tint::Plain),
                            (" ", Tint::Plain),
                            (&status, Tint::of_status(&status)),
                            (gap, Tint::Plain),
                            (&reason, Tint::Plain),
                        ])?;
                    }
                    for id in news["removed"].as_array().into_iter().flatten() {
                        terminal.print(format_args!("{} removed", plain_text(id)))?;
                    }
                }
                Next::Lost => terminal.note("the connection was lost; waiting for the daemon"),
                Next::TimedOut => {} // there is no timeout
            }
            terminal.flush()?;
        }
    }
}

/// Collects every fact with its path, such as `memory total`. Known facts are formatted with their unit; facts of a newer
/// daemon are printed as they are.
fn flatten(path: &str, value: &Value, facts: &mut Vec<(String, String)>) {
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
                flatten(path.trim_start(), value, facts);
            }
        }
        Value::Null => {}
        value => facts.push((path.to_owned(), plain_text(value))),
    }
}

/// A network interface: its addresses, or its state if it has none.
fn interface(shown: &Value) -> (String, String) {
    let addresses = plain_text(&shown["addresses"]);
    let how = match shown["up"] {
        _ if !addresses.is_empty() => addresses,
        Value::Bool(true) => "up, no address".to_owned(),
        _ => "down".to_owned(),
    };
    (format!("network {}", plain_text(&shown["interface"])), how)
}
