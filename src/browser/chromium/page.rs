//! One page of the browser: where it is reached, and what was heard of it.

use crate::browser::pages;
use event_listener::Event;
use serde::Deserialize;
use std::cell::RefCell;
use std::time::Instant;

/// A page that we are attached to. The names are the browser's: a target is a tab, a session our hold on it.
#[derive(Debug)]
pub struct Page {
    pub target: String,
    pub session: String,
    heard: RefCell<Heard>,
    /// A picture that was asked for, in base64.
    frame: RefCell<Option<String>>,
    changed: Event,
}

/// What was heard of a page.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// Its address; that which was asked for where it could not be loaded.
    pub url: String,
    /// Its name, where it is a page of our own: its address is its content.
    pub built_in: Option<&'static str>,
    /// What draws it has died.
    pub crashed: bool,
    /// It was closed, or we lost our hold on it.
    pub gone: bool,
    /// It has not answered when it was last looked at.
    pub silent: bool,
    /// Since when it waits for somebody to answer its dialog.
    pub dialog: Option<Instant>,
    /// The document that is there or on its way, and how far that is.
    pub loader: String,
    /// Its markup was read.
    pub parsed: bool,
    /// It and everything it needs was loaded.
    pub loaded: bool,
    /// It was drawn.
    pub painted: bool,
    /// A picture of it has come.
    pub has_frame: bool,
}

/// What a look at a page finds.
#[derive(Debug, Deserialize)]
pub struct Finding {
    pub url: String,
    pub title: String,
    pub painted: bool,
    pub loading: bool,
    pub visible: bool,
    /// The browser's own page stands there, and this is its code (`ERR_NAME_NOT_RESOLVED`) where it has one.
    pub error: Option<String>,
    /// The status code of the answer that the document came with; 0 where there was none.
    pub status: u16,
    /// Width and height that the page sees.
    pub view: [f64; 2],
    /// Width and height of the screen, where the window is smaller.
    pub lacks: Option<[f64; 2]>,
}

impl Page {
    /// A page with this address that nothing was heard of yet. If it is one of ours, which page that stands for
    /// is known by whoever has put it there.
    pub fn new(target: String, session: String, url: String) -> Self {
        let built_in = pages::name_at(&url);
        Self {
            target,
            session,
            heard: RefCell::new(Heard {
                url: if built_in.is_some() {
                    String::new()
                } else {
                    url
                },
                built_in,
                ..Heard::default()
            }),
            frame: RefCell::default(),
            changed: Event::new(),
        }
    }

    /// What was heard so far.
    pub fn heard(&self) -> Heard {
        self.heard.borrow().clone()
    }

    /// Something was heard.
    pub fn hear<T>(&self, change: impl FnOnce(&mut Heard) -> T) -> T {
        let result = change(&mut self.heard.borrow_mut());
        self.changed.notify(usize::MAX);
        result
    }

    /// A picture has come.
    pub fn put_frame(&self, picture: String) {
        *self.frame.borrow_mut() = Some(picture);
        self.hear(|heard| heard.has_frame = true);
    }

    /// The picture that has come.
    pub fn take_frame(&self) -> Option<String> {
        self.hear(|heard| heard.has_frame = false);
        self.frame.take()
    }

    /// How far a document has come; `init` and `commit` begin another one.
    pub fn come_to(&self, loader: &str, stage: &str) {
        self.hear(|heard| {
            if heard.loader != loader {
                loader.clone_into(&mut heard.loader);
                (heard.parsed, heard.loaded, heard.painted) = (false, false, false);
            }
            match stage {
                "DOMContentLoaded" => heard.parsed = true,
                "load" => heard.loaded = true,
                "firstPaint" => heard.painted = true,
                _ => {}
            }
        });
    }

    /// Waits until what was heard looks like this.
    pub async fn until(&self, looks_right: impl Fn(&Heard) -> bool) {
        loop {
            let changed = self.changed.listen();
            if looks_right(&self.heard.borrow()) {
                return;
            }
            changed.await;
        }
    }
}
