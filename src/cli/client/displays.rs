//! `displays` and `power`.

use super::connection::Daemon;
use super::error::Error;
use super::http::{Request, segment};
use super::terminal::{Cell, Terminal, Tint, plain_text};
use crate::cli::Exit;
use serde_json::{Value, json};

/// Prints every display, one a line, and then their problems.
pub fn displays(daemon: &Daemon, json: bool, terminal: &mut Terminal<'_>) -> Result<Exit, Error> {
    let request = Request::get("/api/displays");
    if json {
        terminal.print(daemon.request_text(&request)?.trim_end())?;
        return Ok(Exit::Done);
    }
    let answer = daemon.request_json(&request)?;
    let displays = list(&answer)?;
    if displays.is_empty() {
        terminal.print("there are no displays, and none is configured")?;
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<Cell>> = displays.iter().map(row).collect();
    let heading = [
        "NAME",
        "KIND",
        "CONNECTED",
        "RESOLUTION",
        "OUTPUT",
        "ROTATION",
        "POWER",
        "PROCESS",
    ];
    terminal.table(&heading, &rows)?;
    for display in displays {
        for what in ["power", "rotation"] {
            if let Some(problem) = display[what]["problem"].as_str() {
                terminal.note(format_args!("{}: {problem}", plain_text(&display["name"])));
            }
        }
    }
    Ok(Exit::Done)
}

fn row(display: &Value) -> Vec<Cell> {
    let cell = |value: &Value| (plain_text(value), Tint::Plain);
    let tint = match display["connected"] {
        Value::Bool(true) => Tint::Good,
        _ => Tint::Quiet,
    };
    vec![
        cell(&display["name"]),
        cell(&display["kind"]),
        (plain_text(&display["connected"]), tint),
        cell(&display["resolution"]),
        cell(&display["output"]),
        cell(&display["rotation"]["actual"]),
        power_of(display),
        cell(&display["process"]),
    ]
}

/// `on`, or `on, requested: off` if the state differs from the requested one.
fn power_of(display: &Value) -> Cell {
    let power = &display["power"];
    let actual = plain_text(&power["actual"]);
    match power["requested"].as_str() {
        Some(requested) if power["actual"] != requested => {
            let actual = if actual.is_empty() {
                "unknown"
            } else {
                &actual
            };
            (format!("{actual}, requested: {requested}"), Tint::Bad)
        }
        _ => (actual, Tint::Plain),
    }
}

/// Switches the screen of one display, or of all connected ones.
pub fn power(
    daemon: &Daemon,
    on: bool,
    display: Option<&str>,
    json: bool,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Error> {
    let names: Vec<String> = match display {
        Some(name) => vec![name.to_owned()],
        None => {
            let answer = daemon.request_json(&Request::get("/api/displays"))?;
            let present = list(&answer)?.iter();
            let present = present.filter(|display| display["connected"] == true);
            present
                .map(|display| plain_text(&display["name"]))
                .collect()
        }
    };
    if names.is_empty() {
        terminal.note("no display is connected");
        return Ok(Exit::Refused);
    }
    let word = if on { "on" } else { "off" };
    for name in names {
        let path = format!("/api/displays/{}/power", segment(&name));
        let body = json!({ "on": on }).to_string();
        let answer = daemon.request_text(&Request::new("POST", path).json(body))?;
        match json {
            true => terminal.print(answer.trim_end())?,
            false => terminal.print(format_args!("{name}: requested {word}"))?,
        }
    }
    Ok(Exit::Done)
}

fn list(answer: &Value) -> Result<&Vec<Value>, Error> {
    let displays = answer["displays"].as_array();
    displays.ok_or_else(|| Error::InvalidResponse("its response has no `displays`".into()))
}
