//! The kiosk in one line, for `systemctl status`.

use super::{Snapshot, State};
use std::fmt;

/// The longest problem in the line; the log has all of it.
const PROBLEM_MAX: usize = 160;

impl Snapshot {
    /// The state of the kiosk in one line without control characters.
    pub fn summary(&self) -> String {
        let mut parts = Vec::new();
        if self.shutting_down {
            let left = self.processes.iter().filter(|p| p.pid.is_some()).count();
            return match left {
                0 => "everything has stopped".to_owned(),
                1 => "shutting down; one process still runs".to_owned(),
                left => format!("shutting down; {left} processes still run"),
            };
        }
        if let Some(problem) = self.configuration.problems.first() {
            parts.push(format!("configuration is broken: {}", shorten(problem)));
        }
        parts.push(self.process_summary());
        parts.extend(self.screen_summary());
        parts.join("; ")
    }

    fn process_summary(&self) -> String {
        let count = |state| self.processes.iter().filter(|p| p.state == state).count();
        let (running, failed) = (count(State::Running), count(State::Failed));
        let runs = match (running, self.processes.len()) {
            (_, 0) => return "no process is configured".to_owned(),
            (1, 1) => "the process runs".to_owned(),
            (running, total) if running == total => format!("all {total} processes run"),
            (running, total) => format!("{running} of {total} processes run"),
        };
        match failed {
            0 => runs,
            failed => format!("{runs}, {failed} failed"),
        }
    }

    /// What is on the screen, or why nothing is.
    fn screen_summary(&self) -> Option<String> {
        let mut screens = self.processes.iter().filter(|p| p.process.is_display());
        if let Some(shown) = screens.find(|p| p.state == State::Running) {
            return Some(format!("{} is on the screen", shown.process.id));
        }
        let active = self.process(self.active_display.as_ref()?)?;
        let id = &active.process.id;
        let does = match active.state {
            State::Stopped => "is stopped",
            State::Waiting => "waits",
            State::Starting => "is starting",
            State::Running => "runs",
            State::Stopping => "is stopping",
            State::Backoff => "is started again soon",
            State::Failed => "has failed",
        };
        Some(match &active.reason {
            Some(reason) => shorten(&format_args!("{id} {does} ({reason})")),
            None => format!("{id} {does}"),
        })
    }
}

/// In a message to the service manager a line break would begin another variable.
fn shorten(text: &impl fmt::Display) -> String {
    let text = text.to_string().replace(char::is_control, " ");
    match text.char_indices().nth(PROBLEM_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
