//! `ossuary schedule`: lists the rules with their next occurrence and last outcome, and runs one now.

use super::connection::Daemon;
use super::error::Error;
use super::http::{Request, segment};
use super::terminal::{Cell, Terminal, Tint, plain_text};
use crate::cli::Exit;
use serde_json::{Map, Value};

/// Prints every rule, one a line, and then why rules are not executed.
pub fn all(daemon: &Daemon, json: bool, terminal: &mut Terminal<'_>) -> Result<Exit, Error> {
    let request = Request::get("/api/status");
    let status = daemon.request_json(&request)?;
    let schedule = &status["schedule"];
    if json {
        terminal.print(schedule)?;
        return Ok(Exit::Done);
    }
    let Some(rules) = schedule["rules"].as_object() else {
        return Err(Error::InvalidResponse(
            "its response has no `schedule`".into(),
        ));
    };
    if rules.is_empty() {
        terminal.print(
            "there are no rules; add one in the web UI, or to `schedule` in the configuration",
        )?;
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<Cell>> = rules.iter().map(|(id, rule)| row(id, rule)).collect();
    terminal.table(
        &["RULE", "NEXT", "ACTIVE", "LAST", "OUTCOME", "DETAIL"],
        &rows,
    )?;
    print_warnings(schedule, terminal);
    Ok(Exit::Done)
}

fn row(id: &str, rule: &Value) -> Vec<Cell> {
    let plain = |value: &Value| (plain_text(value), Tint::Plain);
    let last = &rule["last"];
    let outcome = plain_text(&last["outcome"]);
    let tint = match outcome.as_str() {
        "done" => Tint::Good,
        "failed" => Tint::Bad,
        "missed" => Tint::Busy,
        _ => Tint::Quiet,
    };
    let active = match rule["active"] {
        Value::Bool(true) => "yes",
        _ => "",
    };
    let next = match rule["waits_for_clock"] {
        Value::Bool(true) => ("when the clock is trusted".to_owned(), Tint::Quiet),
        _ => plain(&rule["next"]),
    };
    vec![
        (id.to_owned(), Tint::Plain),
        next,
        (active.to_owned(), Tint::Good),
        plain(&last["at"]),
        (outcome, tint),
        plain(&last["detail"]),
    ]
}

/// Prints why rules are not executed.
fn print_warnings(schedule: &Value, terminal: &mut Terminal<'_>) {
    if schedule["enabled"] == false {
        terminal.note("the schedule is disabled");
    }
    if schedule["clock_trusted"] == false {
        terminal.note("the clock is not trusted yet; rules with a time wait until it is set");
    }
    if let Some(problem) = schedule["problem"].as_str() {
        terminal.note(format_args!(
            "rules with a time are not executed: {problem}"
        ));
    }
}

/// Runs a rule now. Exits with [`Exit::Refused`] if it failed.
pub fn run(
    daemon: &Daemon,
    rule: &str,
    json: bool,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Error> {
    let path = format!("/api/schedule/rules/{}/run", segment(rule));
    let answer = daemon.request_json(&Request::new("POST", path))?;
    match json {
        true => terminal.print(&answer)?,
        false => terminal.print(describe_result(rule, &answer))?,
    }
    Ok(match answer["outcome"].as_str() {
        Some("failed") => Exit::Refused,
        _ => Exit::Done,
    })
}

fn describe_result(rule: &str, answer: &Value) -> String {
    let outcome = plain_text(&answer["outcome"]);
    let empty = Map::new();
    match answer.as_object().unwrap_or(&empty).get("detail") {
        Some(Value::String(detail)) => format!("{rule}: {outcome} ({detail})"),
        _ => format!("{rule}: {outcome}"),
    }
}
