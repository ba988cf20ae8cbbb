//! Parses `FIELD=VALUE` on the command line.

use serde_json::{Map, Value};

/// Fields whose value is always a string: `name=7` is the name "7".
const TEXT: [&str; 9] = [
    "id",
    "name",
    "type",
    "command",
    "url",
    "display",
    "user",
    "cwd",
    "stop_signal",
];

/// The path of a field or of an entry of one, and its value. `env.PORT=80` has the path `env`, `PORT`.
pub type Change = (Vec<String>, Value);

/// Parses `FIELD=VALUE`. The value is JSON if it is valid JSON and the field is not always a string, else a string.
/// `null` is always null.
pub fn parse(text: &str) -> Result<Change, String> {
    let Some((field, value)) = text.split_once('=') else {
        return Err(format!("`{text}` must be FIELD=VALUE"));
    };
    let path: Vec<String> = field.split('.').map(str::to_owned).collect();
    if path.iter().any(String::is_empty) {
        return Err(format!("`{text}` must start with the name of a field"));
    }
    // Environment variables are strings, too.
    let is_text = TEXT.contains(&field) || (path[0] == "env" && path.len() > 1);
    let value = match serde_json::from_str(value) {
        Ok(Value::Null) => Value::Null,
        Ok(json) if !is_text => json,
        _ => Value::String(value.to_owned()),
    };
    Ok((path, value))
}

/// Applies a change to the fields of a process. A value on the path that is not an object is replaced by one.
pub fn apply(fields: &mut Map<String, Value>, (path, value): &Change) {
    let Some((last, above)) = path.split_last() else {
        return;
    };
    let mut fields = fields;
    for name in above {
        let entry = fields.entry(name.as_str()).or_insert(Value::Null);
        if !entry.is_object() {
            *entry = Value::Object(Map::new());
        }
        let Value::Object(inner) = entry else {
            return; // not reached: the entry is an object
        };
        fields = inner;
    }
    fields.insert(last.clone(), value.clone());
}
