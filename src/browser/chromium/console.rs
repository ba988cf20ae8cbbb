//! What a page complains of in its console: errors and uncaught exceptions, a bounded number of short lines.

use super::super::cdp::CdpEvent;
use serde::Deserialize;
use serde_json::Value;
use std::time::{Duration, Instant};

/// In this time …
const WINDOW: Duration = Duration::from_secs(60);

/// … so many lines go into the log: enough for every fault of a page that is loaded, and a page that
/// complains with every frame drives nothing else out of a log of 256 KiB within the hour.
const LINES: u32 = 30;

/// … and so many messages are worth reading. A page that has more to say is not listened to until the time is over.
const MESSAGES: u32 = 2000;

/// The longest line, in bytes.
const LINE_MAX: usize = 500;

/// What was heard in the present window.
#[derive(Debug, Default)]
pub struct Console {
    began: Option<Instant>,
    messages: u32,
    lines: u32,
    left_out: u32,
}

/// What to do about a message.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Drop,
    /// Write it.
    Write,
    /// Listen no more for now.
    Mute,
}

impl Console {
    /// A message has come; `complains` tells whether it is worth a line.
    pub fn hear(&mut self, complains: bool, now: Instant) -> Verdict {
        self.began.get_or_insert(now);
        self.messages += 1;
        if self.messages == MESSAGES {
            return Verdict::Mute;
        }
        if !complains {
            return Verdict::Drop;
        }
        if self.lines == LINES {
            self.left_out += 1;
            return Verdict::Drop;
        }
        self.lines += 1;
        Verdict::Write
    }

    /// Begins anew where the window is over; tells whether the page has to be listened to again, and how many
    /// complaints were left out.
    pub fn turn(&mut self, now: Instant) -> (bool, u32) {
        match self.began {
            Some(began) if now.duration_since(began) >= WINDOW => {
                let over = std::mem::take(self);
                (over.messages >= MESSAGES, over.left_out)
            }
            _ => (false, 0),
        }
    }

    /// Whether anything was heard since the window began.
    pub fn has_heard(&self) -> bool {
        self.messages > 0
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Thrown {
    exception_details: Details,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Details {
    text: String,
    url: Option<String>,
    line_number: Option<u64>,
    exception: Option<Remote>,
}

#[derive(Deserialize)]
struct Remote {
    description: Option<String>,
    value: Option<Value>,
}

#[derive(Deserialize)]
struct Called {
    #[serde(rename = "type")]
    kind: String,
    args: Vec<Remote>,
}

#[derive(Deserialize)]
struct Added {
    entry: Entry,
}

#[derive(Deserialize)]
struct Entry {
    level: String,
    text: String,
    url: Option<String>,
}

/// The line that a message of the console is worth; none where it is no complaint.
pub fn complaint(news: &CdpEvent<'_>) -> Option<String> {
    let line = match news.method {
        "Runtime.exceptionThrown" => thrown(news.read()?),
        "Runtime.consoleAPICalled" => {
            let called: Called = news.read()?;
            if !matches!(called.kind.as_str(), "error" | "assert") {
                return None;
            }
            let words: Vec<String> = called.args.iter().map(Remote::in_words).collect();
            words.join(" ")
        }
        "Log.entryAdded" => {
            let Entry { level, text, url } = news.read::<Added>()?.entry;
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
    Some(format!("page: {}", in_short(&line)))
}

fn thrown(thrown: Thrown) -> String {
    let details = thrown.exception_details;
    let what = details.exception.map(|exception| exception.in_words());
    let mut line = details.text;
    if let Some(what) = what {
        line = format!("{line} {}", what.lines().next().unwrap_or_default());
    }
    match (details.url, details.line_number) {
        (Some(url), Some(number)) if !url.is_empty() => format!("{line} ({url}:{})", number + 1),
        _ => line,
    }
}

impl Remote {
    fn in_words(&self) -> String {
        match (&self.value, &self.description) {
            (Some(Value::String(text)), _) => text.clone(),
            (_, Some(description)) => description.clone(),
            (Some(value), None) => value.to_string(),
            (None, None) => "undefined".to_owned(),
        }
    }
}

/// One line of a bounded length, without control characters.
fn in_short(text: &str) -> String {
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
    fn a_page_that_complains_with_every_frame_gets_so_many_lines_a_minute_and_no_more() {
        let mut console = Console::default();
        let begin = Instant::now();
        let verdicts: Vec<Verdict> = (0..100).map(|_| console.hear(true, begin)).collect();
        let written = verdicts
            .iter()
            .filter(|verdict| **verdict == Verdict::Write);
        assert_eq!(written.count(), LINES as usize);
        assert_eq!(console.turn(begin + WINDOW / 2), (false, 0));
        assert_eq!(console.turn(begin + WINDOW), (false, 100 - LINES));
        assert_eq!(console.hear(true, begin + WINDOW), Verdict::Write);
    }

    #[test]
    fn a_page_that_floods_its_console_is_muted_once_and_heard_again_later() {
        let mut console = Console::default();
        let begin = Instant::now();
        let verdicts = (0..3 * MESSAGES).map(|_| console.hear(false, begin));
        assert_eq!(
            verdicts.filter(|verdict| *verdict == Verdict::Mute).count(),
            1
        );
        assert_eq!(console.turn(begin + WINDOW), (true, 0));
        assert!(!console.has_heard());
    }

    #[test]
    fn a_line_is_short_and_in_one_piece() {
        let line = in_short(&format!("a\nb\u{1b}{}", "é".repeat(LINE_MAX)));
        assert!(line.starts_with("a b é"), "{line}");
        assert!(line.len() <= LINE_MAX + '…'.len_utf8());
    }
}
