//! Tells the service manager how the kiosk fares: in words, and while the configuration is read again.

use crate::supervisor::{Command, Event, Snapshot, Supervisor};
use crate::sys::service::notify;
use crate::time::Moment;
use std::time::Duration;

/// Words are told no more often than this: a kiosk that comes up, or crashes again and again, has dozens of
/// them in a second, and nobody reads that fast.
const PAUSE: Duration = Duration::from_secs(1);

/// The words for a kiosk that begins to end.
const ENDING: &str = "ending";

/// What the service manager was told, and what it waits for.
pub struct ServiceNotifier {
    /// There is a service manager.
    is_heard: bool,
    /// It waits for the end of a reload.
    reloading: bool,
    stopping: bool,
    /// The picture of the newest words.
    generation: u64,
    words: Words,
}

impl ServiceNotifier {
    /// The daemon serves.
    pub fn ready(mind: &Supervisor, now: Moment) -> Self {
        let status = mind.status();
        let words = Words::told(status.in_words(), now);
        notify::ready(&words.newest);
        Self {
            is_heard: notify::is_heard(),
            reloading: false,
            stopping: false,
            generation: status.generation,
            words,
        }
    }

    /// Something happens; the mind does not know of it yet. A reload is announced here, so that also one
    /// that is refused at once has a beginning and an end.
    pub fn happens(&mut self, event: &Event, now: Moment) {
        match event {
            Event::Shutdown if !self.stopping => {
                self.stopping = true;
                self.words = Words::told(ENDING.to_owned(), now);
                notify::stopping(ENDING);
            }
            Event::Reload
            | Event::Command {
                request: Command::Reload,
                ..
            } if !self.stopping => {
                self.reloading = true;
                notify::reloading();
            }
            _ => {}
        }
    }

    /// The loop is about to wait: everything that followed is done. Says what is new, and tells when to come
    /// round again for what is not said yet.
    pub fn settled(&mut self, mind: &Supervisor, now: Moment) -> Option<Moment> {
        if !self.is_heard {
            return None;
        }
        self.look_at(mind.status());
        if self.reloading && !mind.is_reloading() {
            self.reloading = false;
            if !self.stopping {
                self.words.tell(now);
                notify::ready(&self.words.newest);
            }
        }
        match self.words.due(now) {
            Due::Never => None,
            Due::Later(moment) => Some(moment),
            Due::Now => {
                self.words.tell(now);
                notify::status(&self.words.newest);
                None
            }
        }
    }

    fn look_at(&mut self, status: &Snapshot) {
        if status.generation != self.generation {
            self.generation = status.generation;
            self.words.newest = status.in_words();
        }
    }
}

/// The line that an operator reads in `systemctl status`.
struct Words {
    newest: String,
    told: String,
    told_at: Moment,
}

/// When words are to be told.
#[derive(Debug, PartialEq, Eq)]
enum Due {
    /// They were told.
    Never,
    /// The last ones were told a moment ago.
    Later(Moment),
    Now,
}

impl Words {
    /// These, which are told right now.
    fn told(words: String, now: Moment) -> Self {
        Self {
            told: words.clone(),
            newest: words,
            told_at: now,
        }
    }

    fn tell(&mut self, now: Moment) {
        self.told.clone_from(&self.newest);
        self.told_at = now;
    }

    fn due(&self, now: Moment) -> Due {
        if self.newest == self.told {
            return Due::Never;
        }
        match self.told_at + PAUSE {
            moment if now < moment => Due::Later(moment),
            _ => Due::Now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_once_and_never_in_haste() {
        let start = Moment::from_boot(Duration::from_secs(100));
        let mut words = Words::told("one".into(), start);
        assert_eq!(words.due(start + PAUSE), Due::Never);
        words.newest = "two".into();
        assert_eq!(words.due(start + PAUSE / 2), Due::Later(start + PAUSE));
        words.newest = "one".into();
        assert_eq!(words.due(start + PAUSE / 2), Due::Never);
        words.newest = "three".into();
        assert_eq!(words.due(start + PAUSE), Due::Now);
        words.tell(start + PAUSE);
        assert_eq!(words.due(start + PAUSE), Due::Never);
    }
}
