//! `FIELD=VALUE`, as an operator types it on the command line.

use serde_json::{Map, Value};

/// Fields that are text whatever they look like: `name=7` is the name "7".
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

/// A field or an entry of one, and its value. `env.PORT=80` is the path `env`, `PORT`.
pub type Change = (Vec<String>, Value);

/// Reads `FIELD=VALUE`. The value is JSON where it is valid JSON and the
/// field is not a text, and text otherwise; `null` is always null.
pub fn parse(text: &str) -> Result<Change, String> {
    let Some((field, value)) = text.split_once('=') else {
        return Err(format!("`{text}` must be FIELD=VALUE"));
    };
    let path: Vec<String> = field.split('.').map(str::to_owned).collect();
    if path.iter().any(String::is_empty) {
        return Err(format!("`{text}` must begin with the name of a field"));
    }
    // What is in the environment of a process is text as well.
    let is_text = TEXT.contains(&field) || (path[0] == "env" && path.len() > 1);
    let value = match serde_json::from_str(value) {
        Ok(Value::Null) => Value::Null,
        Ok(json) if !is_text => json,
        _ => Value::String(value.to_owned()),
    };
    Ok((path, value))
}

/// Puts a change into the fields of a process. What stands in the way of a
/// path and is not an object gives way to one.
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
            return; // it was made an object just above
        };
        fields = inner;
    }
    fields.insert(last.clone(), value.clone());
}
