//! `displays` and `power`.

use super::context::{Client, Done, list};
use super::http::{Request, segment};
use super::terminal::{Cell, Tint, plain, plain_text};
use crate::cli::Exit;
use serde_json::{Value, json};

const HEADING: [&str; 8] = [
    "NAME",
    "KIND",
    "CONNECTED",
    "RESOLUTION",
    "OUTPUT",
    "ROTATION",
    "POWER",
    "PROCESS",
];

impl Client<'_, '_> {
    /// Prints every display, one a line, and then their problems.
    pub fn print_displays(&mut self) -> Done {
        let Some(response) = self.fetch("/api/displays")? else {
            return Ok(Exit::Done);
        };
        let displays = list(&response, "displays")?;
        if displays.is_empty() {
            self.terminal
                .print("there are no displays, and none is configured")?;
            return Ok(Exit::Done);
        }
        let rows: Vec<Vec<Cell>> = displays.iter().map(row).collect();
        self.terminal.table(&HEADING, &rows)?;
        for display in displays {
            for what in ["power", "rotation"] {
                if let Some(problem) = display[what]["problem"].as_str() {
                    let name = plain_text(&display["name"]);
                    self.terminal.note(format_args!("{name}: {problem}"));
                }
            }
        }
        Ok(Exit::Done)
    }

    /// Switches the screen of one display, or of all connected ones.
    pub fn power(&mut self, on: bool, display: Option<&str>) -> Done {
        let names: Vec<String> = match display {
            Some(name) => vec![name.to_owned()],
            None => {
                let response = self.daemon.request_json(&Request::get("/api/displays"))?;
                let displays = list(&response, "displays")?.iter();
                let connected = displays.filter(|display| display["connected"] == true);
                connected.map(|it| plain_text(&it["name"])).collect()
            }
        };
        if names.is_empty() {
            self.terminal.note("no display is connected");
            return Ok(Exit::Refused);
        }
        let word = if on { "on" } else { "off" };
        for name in names {
            let target = format!("/api/displays/{}/power", segment(&name));
            let request = Request::new("POST", target).json(&json!({ "on": on }));
            let response = self.daemon.request_text(&request)?;
            self.show(
                response.trim_end(),
                format_args!("{name}: requested {word}"),
            )?;
        }
        Ok(Exit::Done)
    }
}

fn row(display: &Value) -> Vec<Cell> {
    let tint = match display["connected"] {
        Value::Bool(true) => Tint::Good,
        _ => Tint::Quiet,
    };
    vec![
        plain(&display["name"]),
        plain(&display["kind"]),
        (plain_text(&display["connected"]), tint),
        plain(&display["resolution"]),
        plain(&display["output"]),
        plain(&display["rotation"]["actual"]),
        power_of(&display["power"]),
        plain(&display["process"]),
    ]
}

/// `on`, or `on, requested: off` if the state differs from the requested one.
fn power_of(power: &Value) -> Cell {
    match (plain_text(&power["actual"]), power["requested"].as_str()) {
        (actual, Some(requested)) if power["actual"] != requested => {
            let actual = if actual.is_empty() {
                "unknown"
            } else {
                &actual
            };
            (format!("{actual}, requested: {requested}"), Tint::Bad)
        }
        (actual, _) => (actual, Tint::Plain),
    }
}
