//! Removes from configuration values what only an administrator may read.
//!
//! [`outline`] works by an allow-list: a field that is not on it is left out, so that a new field of the document
//! stays private until it is added.

use super::Url;
use serde_json::{Map, Value};

/// Fields whose values anyone who may see the kiosk's state may read. `url` is shown without its secrets
/// ([`url`]). Left out on purpose: `command`, `env`, `updates`, `cwd`.
const PUBLIC: [&str; 48] = [
    "action",
    "autoplay",
    "autostart",
    "catch_up",
    "cpu_percent",
    "cursor",
    "days",
    "delay_seconds",
    "depends_on",
    "display",
    "enabled",
    "event",
    "files",
    "flags",
    "id",
    "interval_minutes",
    "kiosk",
    "limits",
    "log",
    "max_bytes",
    "memory_high",
    "memory_kib",
    "memory_max",
    "minutes",
    "name",
    "on_connection_lost",
    "on_connection_regained",
    "persist",
    "pids_max",
    "port",
    "power",
    "process_id",
    "ready",
    "restart",
    "restart_on_crash",
    "rules",
    "scheduled_refresh",
    "stop_signal",
    "stop_timeout_seconds",
    "time",
    "timeout_seconds",
    "timezone",
    "trigger",
    "type",
    "until",
    "url",
    "user",
    "webgpu",
];

/// The public part of a process, a rule, a schedule or the behaviors.
pub fn outline(value: &Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(outline_fields(fields)),
        Value::Array(values) => values.iter().map(outline).collect(),
        plain => plain.clone(),
    }
}

fn outline_fields(fields: &Map<String, Value>) -> Map<String, Value> {
    let public = fields
        .iter()
        .filter(|(name, _)| PUBLIC.contains(&name.as_str()));
    public
        .map(|(name, value)| match value {
            Value::String(text) if name == "url" => (name.clone(), self::url(text).into()),
            value => (name.clone(), outline(value)),
        })
        .collect()
}

/// A URL without user name, password, query and fragment, even if it is not valid. Of a URL that contains its content (`data:`), only the scheme.
pub fn url(url: &str) -> String {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let plain = &url[..end];
    let Some((scheme, rest)) = plain.split_once("://") else {
        return match plain.split_once(':') {
            Some((scheme, _)) if !scheme.eq_ignore_ascii_case("about") => format!("{scheme}:"),
            _ => plain.to_owned(),
        };
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

/// A sentence with its URLs redacted by [`url`].
pub fn text(sentence: &str) -> String {
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>' | '`');
    let mut shown = String::with_capacity(sentence.len());
    for word in sentence.split_inclusive(ends) {
        let bare = word.trim_end_matches(ends);
        if bare.contains("://") {
            shown.push_str(&url(bare));
            shown.push_str(&word[bare.len()..]);
        } else {
            shown.push_str(word);
        }
    }
    shown
}

/// The title of the page at `url`. The browser uses the URL with its query as the title of a page without one.
pub fn title(title: &str, url: Option<&str>) -> String {
    let server = url.and_then(|url| Url::parse(url).ok()?.authority);
    match server {
        Some(server) if title.contains(server.text) => {
            let end = title.find(['?', '#']).unwrap_or(title.len());
            text(&title[..end])
        }
        _ => text(title),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_url_is_shown_without_its_secrets() {
        for (url, shown) in [
            ("https://kiosk.example/a/b", "https://kiosk.example/a/b"),
            (
                "https://u:p@kiosk.example:80/a?t=1#x",
                "https://kiosk.example:80/a",
            ),
            ("http://u:p@p2@host?x", "http://host"),
            ("http://token@[::1]:3000/", "http://[::1]:3000/"),
            ("http://u:p\\@host/", "http://host/"),
            ("file:///srv/page.html?x#y", "file:///srv/page.html"),
            ("view-source:http://u:p@h/?q", "view-source:http://h/"),
            ("data:text/html,secret", "data:"),
            ("about:blank", "about:blank"),
            ("chrome://gpu", "chrome://gpu"),
        ] {
            assert_eq!(super::url(url), shown, "{url}");
        }
    }

    #[test]
    fn a_sentence_keeps_its_words_and_loses_the_secrets_of_its_urls() {
        assert_eq!(
            text("cannot load \"http://u:p@h/a?b=c\": timed out"),
            "cannot load \"http://h/a\": timed out"
        );
        assert_eq!(text("exit code 3?  why"), "exit code 3?  why");
        assert_eq!(
            text("at http://h/?q, then http://u@h"),
            "at http://h/ then http://h"
        );
    }

    #[test]
    fn a_title_that_is_the_url_loses_its_query() {
        let url = Some("https://u:p@board.example/x?key=1");
        assert_eq!(title("board.example/x?key=1", url), "board.example/x");
        assert_eq!(title("What is on today?", url), "What is on today?");
        assert_eq!(title("What is on today?", None), "What is on today?");
    }

    #[test]
    fn an_outline_has_no_field_that_is_not_known_to_be_public() {
        let rule = json!({
            "id": "r", "secret": 1, "trigger": {"type": "time", "time": "08:00", "x": "y"},
            "action": {"type": "switch_canvas", "process_id": "p", "url": "http://u:p@h/?q",
                       "updates": {"name": "x"}, "command": "x"}
        });
        let shown = json!({
            "id": "r", "trigger": {"type": "time", "time": "08:00"},
            "action": {"type": "switch_canvas", "process_id": "p", "url": "http://h/"}
        });
        assert_eq!(outline(&json!([rule])), json!([shown]));
    }

    #[test]
    fn the_allow_list_is_in_order() {
        assert!(PUBLIC.is_sorted());
    }
}
