//! Checks of strings that become arguments, environment variables or names; an error is one sentence.

use super::fields::{type_of, wrong_type};
use serde_json::Value;

/// The longest string in bytes. URLs and environment variables are passed to programs, and Linux accepts 128 KiB each.
const MAX_TEXT: usize = 32 * 1024;

/// The longest name of a process in characters.
const MAX_NAME: usize = 80;

/// The longest path on Linux in bytes.
const MAX_PATH: usize = 4095;

/// The longest name of an account in bytes (`LOGIN_NAME_MAX` without the terminating zero).
const MAX_USER: usize = 255;

/// Checks a string that is passed to a program: not too long, no control characters.
pub(super) fn check_text(text: &str) -> Result<(), &'static str> {
    if text.len() > MAX_TEXT {
        return Err("must have at most 32768 bytes");
    }
    if text.chars().any(char::is_control) {
        return Err("must have no control characters");
    }
    Ok(())
}

/// Checks a display name: 1 to 80 characters of one line.
pub(super) fn check_name(name: &str) -> Result<(), &'static str> {
    if name.trim().is_empty() || name.chars().count() > MAX_NAME {
        return Err("must have 1 to 80 characters");
    }
    check_text(name)
}

/// Checks the name of an account, but not whether the account exists.
pub(super) fn check_user(user: &str) -> Result<(), &'static str> {
    let odd = |character: char| character.is_whitespace() || ":/".contains(character);
    if user.is_empty() || user.len() > MAX_USER || user.contains(odd) {
        return Err("must be the name of an account, such as \"kiosk\"");
    }
    check_text(user)
}

/// Checks an absolute path.
pub(super) fn check_cwd(cwd: &str) -> Result<(), &'static str> {
    if !cwd.starts_with('/') {
        return Err("must be an absolute path, such as \"/home/pi\"");
    }
    if cwd.len() > MAX_PATH {
        return Err("must have at most 4095 bytes");
    }
    check_text(cwd)
}

/// Checks the value of an environment variable. Keys and certificates have line breaks, so these and tabs are allowed.
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
