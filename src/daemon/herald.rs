//! Tells the service manager how the kiosk fares: in words, and while the configuration is read again.

use crate::supervisor::{Event, Request, Status, Supervisor};
use crate::sys::notify;

/// What was told already.
pub struct Herald {
    /// There is a service manager.
    is_heard: bool,
    /// The service manager waits for the end of a reload.
    reloading: bool,
    stopping: bool,
    /// The picture that `words` are about.
    generation: u64,
    words: String,
}

impl Herald {
    /// The daemon serves.
    pub fn ready(mind: &Supervisor) -> Self {
        let words = mind.status().in_words();
        notify::ready(&words);
        Self {
            is_heard: notify::is_heard(),
            reloading: false,
            stopping: false,
            generation: mind.status().generation,
            words,
        }
    }

    /// Something happens; the mind does not know of it yet. A reload is announced here, so that also one
    /// that is refused at once has a beginning and an end.
    pub fn happens(&mut self, event: &Event) {
        match event {
            Event::Shutdown if !self.stopping => {
                self.stopping = true;
                notify::stopping();
            }
            Event::Reload
            | Event::Request {
                request: Request::Reload,
                ..
            } if !self.stopping => {
                self.reloading = true;
                notify::reloading();
            }
            _ => {}
        }
    }

    /// The loop is about to wait: everything that followed is done. Says what is new, in one message at most.
    pub fn settled(&mut self, mind: &Supervisor) {
        let has_news = self.has_news(mind.status());
        if self.reloading && !mind.is_reloading() {
            self.reloading = false;
            if !self.stopping {
                return notify::ready(&self.words);
            }
        }
        if has_news {
            notify::status(&self.words);
        }
    }

    fn has_news(&mut self, status: &Status) -> bool {
        if !self.is_heard || status.generation == self.generation {
            return false;
        }
        self.generation = status.generation;
        let words = status.in_words();
        let has_news = words != self.words;
        self.words = words;
        has_news
    }
}
