//! The console of a page: errors and uncaught exceptions become a bounded number of short log lines.

use super::super::cdp::CdpEvent;
use serde::Deserialize;
use serde_json::Value;
use std::time::{Duration, Instant};

/// The window in which lines and messages are counted.
const WINDOW: Duration = Duration::from_secs(60);

/// Lines for the log in one window: enough for all errors of a page that loads, and few enough that a page with an
/// error in each frame does not fill a log of 256 KiB within an hour.
const LINES: u32 = 30;

/// Messages that are read in one window. A page that sends more is muted until the window ends.
const MESSAGES: u32 = 2000;

/// The longest line, in bytes.
const LINE_MAX: usize = 500;

/// The counts of the current window.
#[derive(Debug, Default)]
pub struct Console {
    began: Option<Instant>,
    messages: u32,
    lines: u32,
    left_out: u32,
}

/// What to do about a message.
#[derive(Debug, PartialEq, Eq)]
pub enum Treatment {
    /// Ignore it.
    Drop,
    /// Log it.
    Write,
    /// Mute the page.
    Mute,
}

impl Console {
    /// Counts a message, and decides what to do with it.
    pub fn count(&mut self, is_error: bool, now: Instant) -> Treatment {
        self.began.get_or_insert(now);
        self.messages += 1;
        if self.messages == MESSAGES {
            return Treatment::Mute;
        }
        if !is_error {
            return Treatment::Drop;
        }
        if self.lines == LINES {
            self.left_out += 1;
            return Treatment::Drop;
        }
        self.lines += 1;
        Treatment::Write
    }

    /// Starts a new window if the last one is over. Returns whether the page was muted, and how many errors were omitted.
    pub fn start_window(&mut self, now: Instant) -> (bool, u32) {
        match self.began {
            Some(began) if now.duration_since(began) >= WINDOW => {
                let over = std::mem::take(self);
                (over.messages >= MESSAGES, over.left_out)
            }
            _ => (false, 0),
        }
    }

    /// Whether there was a message in this window.
    pub fn has_messages(&self) -> bool {
        self.messages > 0
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExceptionThrown {
    exception_details: ExceptionDetails,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExceptionDetails {
    text: String,
    url: Option<String>,
    line_number: Option<u64>,
    exception: Option<RemoteObject>,
}

#[derive(Deserialize)]
struct RemoteObject {
    description: Option<String>,
    value: Option<Value>,
}

#[derive(Deserialize)]
struct ConsoleCall {
    #[serde(rename = "type")]
    kind: String,
    args: Vec<RemoteObject>,
}

#[derive(Deserialize)]
struct LogEntryAdded {
    entry: Entry,
}

#[derive(Deserialize)]
struct Entry {
    level: String,
    text: String,
    url: Option<String>,
}

/// The log line for a console event; `None` if it is not an error.
pub fn error_line(event: &CdpEvent<'_>) -> Option<String> {
    let line = match event.method {
        "Runtime.exceptionThrown" => thrown(event.read()?),
        "Runtime.consoleAPICalled" => {
            let called: ConsoleCall = event.read()?;
            if !matches!(called.kind.as_str(), "error" | "assert") {
                return None;
            }
            let texts: Vec<String> = called.args.iter().map(RemoteObject::text).collect();
            texts.join(" ")
        }
        "Log.entryAdded" => {
            let Entry { level, text, url } = event.read::<LogEntryAdded>()?.entry;
            if level != "error" {
                return None;
            }
            match url {
                Some(url) if !url.is_empty() => format!("{text} ({url})"),
                _ => text,
            }
        }
        _ => return None,
    };
    Some(format!("page: {}", one_line(&line)))
}

fn thrown(thrown: ExceptionThrown) -> String {
    let details = thrown.exception_details;
    let what = details.exception.map(|exception| exception.text());
    let mut line = details.text;
    if let Some(what) = what {
        line = format!("{line} {}", what.lines().next().unwrap_or_default());
    }
    match (details.url, details.line_number) {
        (Some(url), Some(number)) if !url.is_empty() => format!("{line} ({url}:{})", number + 1),
        _ => line,
    }
}

impl RemoteObject {
    fn text(&self) -> String {
        match (&self.value, &self.description) {
            (Some(Value::String(text)), _) => text.clone(),
            (_, Some(description)) => description.clone(),
            (Some(value), None) => value.to_string(),
            (None, None) => "undefined".to_owned(),
        }
    }
}

/// One bounded line, without control characters.
fn one_line(text: &str) -> String {
    let mut line = text.replace(char::is_control, " ");
    if line.len() > LINE_MAX {
        line.truncate(line.floor_char_boundary(LINE_MAX));
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_with_an_error_in_each_frame_gets_a_bounded_number_of_lines() {
        let mut console = Console::default();
        let begin = Instant::now();
        let treatments: Vec<Treatment> = (0..100).map(|_| console.count(true, begin)).collect();
        let written = treatments
            .iter()
            .filter(|treatment| **treatment == Treatment::Write);
        assert_eq!(written.count(), LINES as usize);
        assert_eq!(console.start_window(begin + WINDOW / 2), (false, 0));
        assert_eq!(console.start_window(begin + WINDOW), (false, 100 - LINES));
        assert_eq!(console.count(true, begin + WINDOW), Treatment::Write);
    }

    #[test]
    fn a_page_that_floods_its_console_is_muted_once_and_unmuted_later() {
        let mut console = Console::default();
        let begin = Instant::now();
        let treatments = (0..3 * MESSAGES).map(|_| console.count(false, begin));
        assert_eq!(
            treatments
                .filter(|treatment| *treatment == Treatment::Mute)
                .count(),
            1
        );
        assert_eq!(console.start_window(begin + WINDOW), (true, 0));
        assert!(!console.has_messages());
    }

    #[test]
    fn a_line_is_bounded_and_without_control_characters() {
        let line = one_line(&format!("a\nb\u{1b}{}", "é".repeat(LINE_MAX)));
        assert!(line.starts_with("a b é"), "{line}");
        assert!(line.len() <= LINE_MAX + '…'.len_utf8());
    }
}
