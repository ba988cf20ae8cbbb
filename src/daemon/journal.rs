//! The daemon's own log: lines on standard error, for the journal or a terminal.

use crate::text::visible_line;
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::io::Write;

/// Installs the logger, at level `info` or the level in `OSSUARY_LOG` (`error` … `trace`).
pub fn open() {
    static JOURNAL: Journal = Journal;
    let level = std::env::var("OSSUARY_LOG")
        .ok()
        .and_then(|level| level.parse().ok())
        .unwrap_or(LevelFilter::Info);
    if log::set_logger(&JOURNAL).is_ok() {
        log::set_max_level(level);
    }
}

struct Journal;

impl Log for Journal {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        // The priorities of syslog(3), which the journal reads from the start of a line.
        let priority = match record.level() {
            Level::Error => 3,
            Level::Warn => 4,
            Level::Info => 6,
            Level::Debug | Level::Trace => 7,
        };
        let under_systemd = std::env::var_os("JOURNAL_STREAM").is_some();
        // Lines contain names that pages and processes give themselves.
        let text = record.args().to_string();
        let text = visible_line(&text);
        let line = if under_systemd {
            format!("<{priority}>{text}\n")
        } else {
            format!("ossuary: {text}\n")
        };
        // One write, as stderr has no buffer. An error is ignored: the kiosk runs without its log.
        let _ = std::io::stderr().write_all(line.as_bytes());
    }

    fn flush(&self) {}
}
