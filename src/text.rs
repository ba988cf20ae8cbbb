//! Text of others (a process, a page, a file, an answer of the API) on a terminal or in the journal.

use std::borrow::Cow;

/// The text with every control character escaped as in JSON (`\u001b`), except the end of a line and the tab. A
/// terminal takes the others as commands: it would move its cursor, change its title or answer at the prompt.
pub fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, |character| matches!(character, '\n' | '\t'))
}

/// The same for one line of a log: a text with line breaks cannot look like several entries.
pub fn visible_line(text: &str) -> Cow<'_, str> {
    escaped(text, |character| character == '\t')
}

fn escaped(text: &str, is_plain: impl Fn(char) -> bool) -> Cow<'_, str> {
    let is_command = |character: char| character.is_control() && !is_plain(character);
    if !text.contains(is_command) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match is_command(character) {
            true => escaped.push_str(&format!("\\u{:04x}", u32::from(character))),
            false => escaped.push(character),
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_everything_else_stays() {
        for (text, shown) in [
            ("größer\t➜ 日本語\n", "größer\t➜ 日本語\n"),
            ("\u{1b}]0;x\u{7}", "\\u001b]0;x\\u0007"),
            ("50%\r100%\u{7f}", "50%\\u000d100%\\u007f"),
            // CSI in one character: xterm understands it in UTF-8, too.
            ("\u{9b}2J", "\\u009b2J"),
        ] {
            assert_eq!(visible(text), shown);
        }
        assert_eq!(visible_line("a\n<3>b"), "a\\u000a<3>b");
    }

    #[test]
    fn escaped_json_is_still_the_same_json() {
        let json = serde_json::json!({"name": "a\u{1b}[31m\u{9b}2J\u{7f}\n"});
        let shown = visible(&json.to_string()).into_owned();
        assert!(!shown.contains(char::is_control), "{shown:?}");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&shown).unwrap(),
            json
        );
    }
}
