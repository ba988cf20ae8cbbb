//! `ossuary schedule`: lists the rules with their next occurrence and last outcome, and runs one now.

use super::context::{Client, Done, missing};
use super::http::{Request, segment};
use super::terminal::{Cell, Tint, plain, plain_text};
use crate::cli::Exit;
use serde_json::Value;

impl Client<'_, '_> {
    /// Prints every rule, one a line, and then why rules are not executed.
    pub fn print_rules(&mut self) -> Done {
        let status = self.daemon.request_json(&Request::get("/api/status"))?;
        let schedule = &status["schedule"];
        if self.json {
            self.terminal.print(schedule)?;
            return Ok(Exit::Done);
        }
        let rules = schedule["rules"].as_object();
        let rules = rules.ok_or_else(|| missing("schedule"))?;
        if rules.is_empty() {
            self.terminal.print(
                "there are no rules; add one in the web UI, or to `schedule` in the configuration",
            )?;
            return Ok(Exit::Done);
        }
        let rows: Vec<Vec<Cell>> = rules.iter().map(|(id, rule)| row(id, rule)).collect();
        let heading = ["RULE", "NEXT", "ACTIVE", "LAST", "OUTCOME", "DETAIL"];
        self.terminal.table(&heading, &rows)?;
        self.print_warnings(schedule);
        Ok(Exit::Done)
    }

    /// Prints why rules are not executed.
    fn print_warnings(&mut self, schedule: &Value) {
        let terminal = &mut self.terminal;
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
    pub fn run_rule(&mut self, rule: &str) -> Done {
        let target = format!("/api/schedule/rules/{}/run", segment(rule));
        let response = self.daemon.request_json(&Request::new("POST", target))?;
        let outcome = plain_text(&response["outcome"]);
        match response["detail"].as_str() {
            Some(detail) => self.show(&response, format_args!("{rule}: {outcome} ({detail})"))?,
            None => self.show(&response, format_args!("{rule}: {outcome}"))?,
        };
        Ok(match outcome.as_str() {
            "failed" => Exit::Refused,
            _ => Exit::Done,
        })
    }
}

fn row(id: &str, rule: &Value) -> Vec<Cell> {
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
