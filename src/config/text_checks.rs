//! What a text must be like before a program is given it: one sentence where it is not.

use super::CommandLine;
use super::fields::{type_of, wrong_type};
use serde_json::Value;

/// The longest text of a field, in bytes. Addresses and values of the environment
/// become arguments of a program, of which Linux takes 128 KiB each.
const MAX_TEXT: usize = 32 * 1024;

/// The longest name of a process, in characters: a line on a phone.
const MAX_NAME: usize = 80;

/// The longest path Linux takes, in bytes.
const MAX_PATH: usize = 4095;

/// The longest name of an account, in bytes (`LOGIN_NAME_MAX` less its end).
const MAX_USER: usize = 255;

/// A text that a program is given: not too long, without control characters.
pub(super) fn check_text(text: &str) -> Result<(), &'static str> {
    if text.len() > MAX_TEXT {
        return Err("must have at most 32768 bytes");
    }
    if text.chars().any(char::is_control) {
        return Err("must have no control characters");
    }
    Ok(())
}

/// A name that people read: 1 to 80 characters of one line.
pub(super) fn check_name(name: &str) -> Result<(), &'static str> {
    if name.trim().is_empty() || name.chars().count() > MAX_NAME {
        return Err("must have 1 to 80 characters");
    }
    check_text(name)
}

/// Finds out whether a command can be run at all.
pub(super) fn check_command(command: &str) -> Result<(), &'static str> {
    CommandLine::parse(command)
        .map(drop)
        .map_err(|error| error.0)
}

/// The name of an account. Whether there is one is seen when the process starts.
pub(super) fn check_user(user: &str) -> Result<(), &'static str> {
    let odd = |character: char| character.is_whitespace() || ":/".contains(character);
    if user.is_empty() || user.len() > MAX_USER || user.contains(odd) {
        return Err("must be the name of an account, such as \"kiosk\"");
    }
    check_text(user)
}

/// A path from the root.
pub(super) fn check_cwd(cwd: &str) -> Result<(), &'static str> {
    if !cwd.starts_with('/') {
        return Err("must be a path from the root, such as \"/home/pi\"");
    }
    if cwd.len() > MAX_PATH {
        return Err("must have at most 4095 bytes");
    }
    check_text(cwd)
}

/// Finds out whether `value` may be the value of a variable of the environment. Keys
/// and certificates have line breaks, so those and tabs are let through.
pub(super) fn check_value(value: &Value) -> Result<(), String> {
    let text = match value {
        Value::String(text) => text,
        Value::Number(_) | Value::Bool(_) => {
            return Err(format!(
                "must be a string, not {}; write \"{value}\"",
                type_of(value)
            ));
        }
        _ => return Err(wrong_type("a string", value)),
    };
    if text.len() > MAX_TEXT {
        return Err("must have at most 32768 bytes".to_owned());
    }
    if text
        .chars()
        .any(|character| character.is_control() && !matches!(character, '\n' | '\t'))
    {
        return Err("must have no control characters other than tab and line break".to_owned());
    }
    Ok(())
}
