//! Migrates a rule of version 0.1.
//!
//! | 0.1 | now |
//! |---|---|
//! | `refresh` | `refresh_page` of the process that holds the display |
//! | `restart` | `restart_process` of the display process: there was no other |
//! | `switch_profile` | `switch_canvas` to the URL of that profile, or `update_process` with its command |
//! | `until: {"type": "time", "time": …}` | `until: …` |

use crate::config::Id;
use crate::config::process::legacy::profile_fields;
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// The rule in the form of this version. What has no equivalent is kept unchanged and reported as a problem when the
/// rule is read.
pub fn migrate_rule<'r>(
    rule: &'r Map<String, Value>,
    document: &Map<String, Value>,
) -> Cow<'r, Map<String, Value>> {
    let mut rule = Cow::Borrowed(rule);
    if let Some(until) = rule.get("until") {
        if until.is_null() {
            rule.to_mut().shift_remove("until");
        } else if until["type"] == "time" && until["time"].is_string() {
            let time = until["time"].clone();
            rule.to_mut().insert("until".to_owned(), time);
        }
    }
    let action = rule.get("action").and_then(Value::as_object);
    if let Some(action) = action.and_then(|action| migrate_action(action, document)) {
        rule.to_mut()
            .insert("action".to_owned(), Value::Object(action));
    }
    rule
}

fn migrate_action(
    action: &Map<String, Value>,
    document: &Map<String, Value>,
) -> Option<Map<String, Value>> {
    let mut new = action.clone();
    match action.get("type")?.as_str()? {
        "refresh" => {
            new.insert("type".to_owned(), json!("refresh_page"));
            new.shift_remove("profile");
        }
        "restart" => {
            new.insert("type".to_owned(), json!("restart_process"));
            new.shift_remove("profile");
            let named = new.get("process_id").is_some();
            if let (false, Some(id)) = (named, display_process(document)) {
                new.insert("process_id".to_owned(), json!(id));
            }
        }
        "switch_profile" => {
            let id = display_process(document)?;
            let old = action.get("profile")?.as_str()?;
            let name = match old {
                // The web UI of version 0.1 wrote this one shortened.
                "webgpu" => "webgpu_kiosk",
                name => name,
            };
            let profile = document.get("profiles")?.get(name)?;
            let process = document.get("processes")?.get(&id)?;
            let fields = profile_fields(&id.parse::<Id>().ok()?, profile)?;
            new = switch_action(&id, process, fields);
        }
        _ => return None,
    }
    Some(new)
}

/// The action for `switch_profile`: another URL if the process is a browser without a command, else other fields of the
/// process.
fn switch_action(id: &str, process: &Value, fields: Map<String, Value>) -> Map<String, Value> {
    let is_browser = process["type"] == "chromium" && process.get("command").is_none();
    let new = match fields.get("url") {
        Some(url) if is_browser => {
            json!({"type": "switch_canvas", "process_id": id, "url": url})
        }
        _ => {
            let mut updates = Map::new();
            for name in ["type", "command", "url", "flags"] {
                let value = fields.get(name).cloned().unwrap_or(Value::Null);
                if !value.is_null() || process.get(name).is_some() {
                    updates.insert(name.to_owned(), value);
                }
            }
            json!({"type": "update_process", "process_id": id, "updates": updates})
        }
    };
    match new {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// The id of the process that holds the display; version 0.1 had no other.
fn display_process(document: &Map<String, Value>) -> Option<String> {
    let named = document
        .get("active_display_process")
        .and_then(Value::as_str);
    if let Some(id) = named {
        return Some(id.to_owned());
    }
    let processes = document.get("processes")?.as_object()?;
    let display = processes.iter().find(|(_, it)| it["type"] == "chromium");
    let first = display.or_else(|| processes.iter().next())?;
    Some(first.0.clone())
}
