//! Makes the process that version 0.1 would run, from its `startup_command` or its active profile.

use super::command::check_command;
use super::program::{opens_its_own_display, starts_chromium};
use super::shell_words::{self, Token};
use crate::config::fields::wrong_type;
use crate::config::path::excerpt;
use crate::config::problem::Problem;
use crate::config::{Display, Id, check_url};
use serde_json::{Map, Value, json};

/// The flags of a profile; their names are unchanged.
const FLAGS: [&str; 4] = ["kiosk", "webgpu", "autoplay", "cursor"];

/// The name of the process if version 0.1 had none.
const NAME: &str = "Main Display";

/// The process with the id `id` for what version 0.1 would run: `startup_command`, or the active profile if that is
/// empty.
pub fn main_display(
    id: &Id,
    old: &Map<String, Value>,
    notes: &mut Vec<String>,
) -> Result<Option<Map<String, Value>>, Problem> {
    let command = match old.get("startup_command") {
        None | Some(Value::Null) => "",
        Some(Value::String(command)) => command.trim(),
        Some(other) => {
            return Err(Problem::at(
                "startup_command",
                wrong_type("a string", other),
            ));
        }
    };
    if !command.is_empty() {
        check_command(command).map_err(|message| Problem::at("startup_command", message))?;
        let process = from_command(id, NAME, command);
        notes.push(format!(
            "startup_command becomes the process {id}{}",
            kind_note(&process)
        ));
        return Ok(Some(process));
    }
    let process = from_profile(id, old, notes);
    if process.is_none() {
        notes.push(
            "there is no startup_command and no active profile to make a process from".into(),
        );
    }
    Ok(process)
}

/// The process for a command.
///
/// Its type depends on the program that the command starts, not on whether `chromium` occurs in the command:
/// `python3 /home/pi/chromium-stats.py` is not a browser.
///
/// Its display is `:0`, unless the command names another (`WAYLAND_DISPLAY=wayland-0 chromium …`, as the web UI of
/// version 0.1 wrote it). A command that opens a display of its own (`startx`, `cage`) has none: it would wait for a
/// display that only it can open.
fn from_command(id: &Id, name: &str, command: &str) -> Map<String, Value> {
    let kind = if starts_chromium(command) {
        "chromium"
    } else {
        "custom"
    };
    let mut process = new_process(id, name, kind, "command", command);
    let display = display_of(command);
    if let Some(display) = display {
        process["display"] = json!(display);
    } else if opens_its_own_display(command) {
        process.shift_remove("display");
    }
    process
}

/// The process for the active profile, if that says what to show or run.
fn from_profile(
    id: &Id,
    old: &Map<String, Value>,
    notes: &mut Vec<String>,
) -> Option<Map<String, Value>> {
    let active = old
        .get("active_profile")
        .and_then(Value::as_str)
        .unwrap_or("custom");
    let profile = old.get("profiles")?.get(active)?;
    let config = profile.get("config")?;
    let name = profile
        .get("name")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let is_name = (1..=80).contains(&name.chars().count()) && !name.trim().is_empty();
    let name = if is_name && !name.contains(char::is_control) {
        name
    } else {
        NAME
    };

    // Each profile of version 0.1 has exactly one of these.
    let (field, text) = ["canvas_url", "url", "command"]
        .into_iter()
        .find_map(|field| {
            let text = config.get(field)?.as_str()?.trim();
            (!text.is_empty()).then_some((field, text))
        })?;
    let (mut process, checked) = if field == "command" {
        (from_command(id, name, text), check_command(text))
    } else {
        let url = complete_url(field, text);
        (
            new_process(id, name, "chromium", "url", &url),
            check_url(&url),
        )
    };
    if let Err(message) = checked {
        let active = excerpt(active);
        notes.push(format!(
            "the active profile {active} is not migrated: its {field} {message}"
        ));
        return None;
    }
    if process["type"] == "chromium" {
        let written = config.get("flags");
        let flag = |name: &str| Some((name.to_owned(), written?.get(name)?.clone()));
        let flags: Map<_, _> = FLAGS
            .into_iter()
            .filter_map(flag)
            .filter(|(_, value)| value.is_boolean())
            .collect();
        if !flags.is_empty() {
            process.insert("flags".to_owned(), Value::Object(flags));
        }
    }
    let (active, kind) = (excerpt(active), kind_note(&process));
    notes.push(format!(
        "the active profile {active} becomes the process {id}{kind}"
    ));
    Some(process)
}

/// The fields of the process for a profile of version 0.1, if that says what to show or run.
pub fn profile_fields(id: &Id, profile: &Value) -> Option<Map<String, Value>> {
    let Value::Object(old) = json!({"active_profile": "it", "profiles": {"it": profile}}) else {
        return None;
    };
    from_profile(id, &old, &mut Vec::new())
}

/// Completes what an operator typed to a URL: version 0.1 also accepted the bare id of a canvas or projector, and a host
/// without a scheme.
fn complete_url(field: &str, text: &str) -> String {
    match text {
        _ if check_url(text).is_ok() => text.to_owned(),
        _ if field == "canvas_url" && text.starts_with("proj_") => {
            format!("https://lumencanvas.studio/projector/{text}")
        }
        _ if field == "canvas_url" && !text.contains(['.', '/', ':']) => {
            format!("https://lumencanvas.studio/canvas/{text}")
        }
        _ => format!("https://{text}"),
    }
}

/// The fields of a new process, in the order of the documentation.
fn new_process(id: &Id, name: &str, kind: &str, what: &str, text: &str) -> Map<String, Value> {
    let fields = json!({
        "id": id, "name": name, "type": kind, what: text, "display": ":0",
        "enabled": true, "autostart": true, "restart_on_crash": true,
    });
    let Value::Object(fields) = fields else {
        unreachable!("it is an object literal")
    };
    fields
}

/// The display that a command names by a `NAME=value` anywhere in it.
fn display_of(command: &str) -> Option<Display> {
    let words = shell_words::split(command).ok()?;
    let value_of = |wanted: &str| {
        words.tokens.iter().find_map(|token| match token {
            Token::Word(word) if word.name.is_some() => {
                let (name, value) = word.pair();
                (name == wanted).then(|| value.parse().ok()).flatten()
            }
            _ => None,
        })
    };
    value_of("WAYLAND_DISPLAY").or_else(|| value_of("DISPLAY"))
}

/// What an operator may want to change in a process that was made from a command.
fn kind_note(process: &Map<String, Value>) -> String {
    let kind = &process["type"];
    let mut note = format!(" of type {}", kind.as_str().unwrap_or_default());
    if let Some(display) = process.get("display").and_then(Value::as_str) {
        note.push_str(&format!(" on {display}"));
        if kind == "custom" {
            note.push_str("; remove its `display` if it needs no screen");
        }
    }
    note
}
