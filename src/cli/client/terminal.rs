//! Output of the client commands: text, tables and colours, or JSON.

use super::error::Error;
use crate::text::visible;
use serde_json::Value;
use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

/// Standard output and standard error of a command.
pub struct Terminal<'a> {
    /// Standard output: the result.
    pub out: &'a mut dyn Write,
    /// Standard error: errors and progress.
    pub err: &'a mut dyn Write,
    /// Whether standard output is a terminal; then control characters are escaped.
    pub out_is_terminal: bool,
    /// Whether standard error is a terminal.
    pub err_is_terminal: bool,
    /// Whether to print colours.
    pub colour: bool,
    /// Asks for a password without echo, or reads a line if standard input is not a terminal.
    pub ask_secret: &'a dyn Fn(&str) -> io::Result<String>,
}

/// A colour, by its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tint {
    /// Healthy.
    Good,
    /// In progress.
    Busy,
    /// Failed.
    Bad,
    /// Inactive.
    Quiet,
    /// No colour.
    Plain,
}

impl Tint {
    /// The colour of the state of a process.
    pub fn of_status(status: &str) -> Tint {
        match status {
            "running" => Tint::Good,
            "starting" | "stopping" | "waiting" => Tint::Busy,
            "backoff" | "failed" => Tint::Bad,
            "stopped" => Tint::Quiet,
            _ => Tint::Plain,
        }
    }

    /// The colour of the state of a page.
    pub fn of_page(state: &str) -> Tint {
        match state {
            "healthy" => Tint::Good,
            "loading" => Tint::Busy,
            "hung" | "blank" | "crashed" | "net_error" => Tint::Bad,
            _ => Tint::Plain,
        }
    }

    /// The basic colours (ECMA-48, 8.3.117), which follow the palette of the terminal.
    fn code(self) -> Option<&'static str> {
        match self {
            Tint::Good => Some("32"),
            Tint::Busy => Some("33"),
            Tint::Bad => Some("31"),
            Tint::Quiet => Some("2"),
            Tint::Plain => None,
        }
    }
}

/// Whether standard output is a terminal with colours and `NO_COLOR` is not set (no-color.org).
pub fn shows_colours() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    std::io::stdout().is_terminal() && !set("NO_COLOR") && !dumb
}

/// A cell of a table.
pub type Cell = (String, Tint);

impl Terminal<'_> {
    /// Prints a line to standard output.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn print(&mut self, line: impl Display) -> Result<(), Error> {
        self.print_tinted(&[(&line.to_string(), Tint::Plain)])
    }

    /// Prints a line made of coloured parts. These colours are the only control sequences that reach a terminal.
    ///
    /// # Errors
    /// As [`Terminal::print`].
    pub fn print_tinted(&mut self, parts: &[(&str, Tint)]) -> Result<(), Error> {
        let mut line = String::new();
        for (text, tint) in parts {
            let text = escaped(text, self.out_is_terminal);
            let code = tint.code().filter(|_| self.colour && !text.is_empty());
            if let Some(code) = code {
                line.push_str(&format!("\u{1b}[{code}m"));
            }
            line.push_str(&text);
            if code.is_some() {
                line.push_str("\u{1b}[0m");
            }
        }
        line.push('\n');
        self.out.write_all(line.as_bytes()).map_err(Error::Output)
    }

    /// Writes bytes to standard output: unchanged to a file or a pipe, and as text with escaped control characters to a
    /// terminal. They must not end within a character.
    ///
    /// # Errors
    /// As [`Terminal::print`].
    pub fn write_bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let written = match self.out_is_terminal {
            true => (self.out).write_all(visible(&String::from_utf8_lossy(bytes)).as_bytes()),
            false => self.out.write_all(bytes),
        };
        written.map_err(Error::Output)
    }

    /// Flushes standard output.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.out.flush().map_err(Error::Output)
    }

    /// Asks for a password.
    ///
    /// # Errors
    /// Standard input cannot be read.
    pub fn ask_secret(&mut self, question: &str) -> Result<String, Error> {
        let _ = self.err.flush();
        (self.ask_secret)(question).map_err(|error| Error::file("standard input", error))
    }

    /// Whether standard input is a terminal, so that a typed password should be repeated.
    pub fn stdin_is_terminal(&self) -> bool {
        std::io::stdin().is_terminal()
    }

    /// Prints a line to standard error, ignoring errors.
    pub fn note(&mut self, line: impl Display) {
        let line = line.to_string();
        let _ = writeln!(
            self.err,
            "ossuary: {}",
            escaped(&line, self.err_is_terminal)
        );
    }

    /// Prints a table with its heading.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn table(&mut self, heading: &[&str], rows: &[Vec<Cell>]) -> Result<(), Error> {
        let width = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            let cells = cells.map(|(text, _)| text.chars().count());
            cells.chain([heading[column].len()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..heading.len()).map(width).collect();
        let heading: Vec<Cell> = heading
            .iter()
            .map(|title| ((*title).to_owned(), Tint::Plain))
            .collect();
        for row in std::iter::once(&heading).chain(rows) {
            // A line has no spaces at its end.
            let filled = row.iter().rposition(|(text, _)| !text.is_empty());
            let row = &row[..filled.map_or(0, |last| last + 1)];
            let gap =
                |(text, width): (&Cell, &usize)| width.saturating_sub(text.0.chars().count()) + 2;
            let gaps: Vec<String> = row
                .iter()
                .zip(&widths)
                .map(gap)
                .map(|gap| " ".repeat(gap))
                .collect();
            let mut parts = Vec::new();
            for ((text, tint), gap) in row.iter().zip(&gaps) {
                parts.extend([(text.as_str(), *tint), (gap.as_str(), Tint::Plain)]);
            }
            parts.pop();
            self.print_tinted(&parts)?;
        }
        Ok(())
    }
}

/// Text with its control characters escaped if it is written to a terminal.
fn escaped(text: &str, to_terminal: bool) -> Cow<'_, str> {
    match to_terminal {
        true => visible(text),
        false => Cow::Borrowed(text),
    }
}

/// A JSON value as plain text: without quotes, brackets and control characters, which could manipulate the terminal.
pub fn plain_text(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain_text).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| format!("{name} {}", plain_text(value)))
            .collect::<Vec<_>>()
            .join(", "),
    };
    text.replace(char::is_control, "\u{fffd}")
}

/// A JSON value as a cell without a colour.
pub fn plain(value: &Value) -> Cell {
    (plain_text(value), Tint::Plain)
}

/// A duration in its two largest units: `2h 15m`.
pub fn span(seconds: u64) -> String {
    let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
    let (minutes, seconds) = (seconds / 60 % 60, seconds % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m {seconds}s"),
        (0, _, _) => format!("{hours}h {minutes}m"),
        (_, _, _) => format!("{days}d {hours}h"),
    }
}

/// A size with its unit: `1.5 GiB`.
pub fn size(bytes: u64) -> String {
    let mut units = ["KiB", "MiB", "GiB"].into_iter();
    let (mut amount, mut unit) = (bytes as f64, "bytes"); // sizes are far below 2^53
    while amount >= 1024.0 {
        let Some(next) = units.next() else { break };
        (amount, unit) = (amount / 1024.0, next);
    }
    match unit {
        "bytes" => format!("{bytes} bytes"),
        _ if amount >= 100.0 => format!("{amount:.0} {unit}"),
        _ => format!("{amount:.1} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn columns_are_aligned_with_and_without_colours() {
        let rows = vec![
            vec![
                ("küche".into(), Tint::Plain),
                ("running".into(), Tint::Good),
                ("".into(), Tint::Plain),
            ],
            vec![
                ("b".into(), Tint::Plain),
                ("x".into(), Tint::Quiet),
                ("why".into(), Tint::Plain),
            ],
        ];
        for (colour, want) in [
            (
                false,
                "ID     STATUS   REASON\nküche  running\nb      x        why\n",
            ),
            (
                true,
                "ID     STATUS   REASON\nküche  \u{1b}[32mrunning\u{1b}[0m\nb      \u{1b}[2mx\u{1b}[0m        why\n",
            ),
        ] {
            let (mut out, mut err) = (Vec::new(), Vec::new());
            let mut terminal = Terminal {
                out: &mut out,
                err: &mut err,
                out_is_terminal: false,
                err_is_terminal: false,
                colour,
                ask_secret: &|_| Ok(String::new()),
            };
            terminal.table(&["ID", "STATUS", "REASON"], &rows).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), want);
        }
    }

    #[test]
    fn durations_are_printed_in_their_two_largest_units() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m 0s"),
            (3_599, "59m 59s"),
            (8_100, "2h 15m"),
            (86_399, "23h 59m"),
            (266_400, "3d 2h"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }

    #[test]
    fn sizes_are_printed_with_a_unit() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (1023, "1023 bytes"),
            (1536, "1.5 KiB"),
            (250 << 20, "250 MiB"),
            (5 << 40, "5120 GiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn a_name_cannot_manipulate_the_terminal() {
        assert_eq!(plain_text(&json!("a\u{1b}[2Jb\n")), "a\u{fffd}[2Jb\u{fffd}");
        assert_eq!(
            plain_text(&json!({"kiosk": true, "ids": ["a", "b"]})),
            "kiosk yes, ids a, b"
        );
    }
}
