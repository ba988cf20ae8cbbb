//! Reports to the service manager (sd_notify(3)): readiness, reloads, and a status line.

use crate::supervisor::{Command, Event, Snapshot, Supervisor};
use crate::sys::service::notify;
use crate::time::Moment;
use std::time::Duration;

/// The shortest time between two status lines: a kiosk that starts, or crashes in a loop, changes dozens of times a
/// second.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// The status line during shutdown.
const ENDING: &str = "ending";

/// What was reported to the service manager, and what it waits for.
pub struct ServiceNotifier {
    /// There is a service manager to report to.
    has_manager: bool,
    /// A reload was announced and has not ended.
    reloading: bool,
    stopping: bool,
    /// The generation of the snapshot that the status line describes.
    generation: u64,
    status: StatusLine,
}

impl ServiceNotifier {
    /// Reports that the daemon is ready.
    pub fn ready(supervisor: &Supervisor, now: Moment) -> Self {
        let snapshot = supervisor.status();
        let status = StatusLine::sent(snapshot.summary(), now);
        notify::ready(&status.newest);
        Self {
            has_manager: notify::is_heard(),
            reloading: false,
            stopping: false,
            generation: snapshot.generation,
            status,
        }
    }

    /// Announces a shutdown or reload, before the supervisor handles the event. So a reload that is refused
    /// immediately has a start and an end as well.
    pub fn observe(&mut self, event: &Event, now: Moment) {
        match event {
            Event::Shutdown if !self.stopping => {
                self.stopping = true;
                self.status = StatusLine::sent(ENDING.to_owned(), now);
                notify::stopping(ENDING);
            }
            Event::Reload
            | Event::Command {
                command: Command::Reload,
                ..
            } if !self.stopping => {
                self.reloading = true;
                notify::reloading();
            }
            _ => {}
        }
    }

    /// Reports what changed, when the loop is about to wait. Returns when to report what it held back.
    pub fn update(&mut self, supervisor: &Supervisor, now: Moment) -> Option<Moment> {
        if !self.has_manager {
            return None;
        }
        self.read(supervisor.status());
        if self.reloading && !supervisor.is_reloading() {
            self.reloading = false;
            if !self.stopping {
                self.status.mark_sent(now);
                notify::ready(&self.status.newest);
            }
        }
        match self.status.due(now) {
            Due::Never => None,
            Due::Later(moment) => Some(moment),
            Due::Now => {
                self.status.mark_sent(now);
                notify::status(&self.status.newest);
                None
            }
        }
    }

    fn read(&mut self, snapshot: &Snapshot) {
        if snapshot.generation != self.generation {
            self.generation = snapshot.generation;
            self.status.newest = snapshot.summary();
        }
    }
}

/// The status line in `systemctl status`.
struct StatusLine {
    newest: String,
    sent: String,
    sent_at: Moment,
}

/// When a status line is to be sent.
#[derive(Debug, PartialEq, Eq)]
enum Due {
    /// It was sent.
    Never,
    /// The last one was sent less than [`MIN_INTERVAL`] ago.
    Later(Moment),
    Now,
}

impl StatusLine {
    /// A status line that is sent now.
    fn sent(line: String, now: Moment) -> Self {
        Self {
            sent: line.clone(),
            newest: line,
            sent_at: now,
        }
    }

    fn mark_sent(&mut self, now: Moment) {
        self.sent.clone_from(&self.newest);
        self.sent_at = now;
    }

    fn due(&self, now: Moment) -> Due {
        if self.newest == self.sent {
            return Due::Never;
        }
        match self.sent_at + MIN_INTERVAL {
            moment if now < moment => Due::Later(moment),
            _ => Due::Now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_line_is_sent_once_and_not_too_often() {
        let start = Moment::from_boot(Duration::from_secs(100));
        let mut line = StatusLine::sent("one".into(), start);
        assert_eq!(line.due(start + MIN_INTERVAL), Due::Never);
        line.newest = "two".into();
        assert_eq!(
            line.due(start + MIN_INTERVAL / 2),
            Due::Later(start + MIN_INTERVAL)
        );
        line.newest = "one".into();
        assert_eq!(line.due(start + MIN_INTERVAL / 2), Due::Never);
        line.newest = "three".into();
        assert_eq!(line.due(start + MIN_INTERVAL), Due::Now);
        line.mark_sent(start + MIN_INTERVAL);
        assert_eq!(line.due(start + MIN_INTERVAL), Due::Never);
    }
}
