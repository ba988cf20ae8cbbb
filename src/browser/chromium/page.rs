//! One page of the browser: where it is reached, and what was heard of it.

use super::cut;
use crate::browser::built_in_pages;
use crate::supervisor::page::PageObservation;
use event_listener::Event;
use serde::Deserialize;
use smol::lock::{Mutex, MutexGuard};
use std::cell::{Cell, RefCell};
use std::time::Instant;

/// How many documents may lead on to another until the one that was asked for is forgotten: browsers follow as many
/// redirects of a server.
const LED_MAX: usize = 20;

/// A page that we are attached to. The names are the browser's: a target is a tab, a session our hold on it.
#[derive(Debug)]
pub struct Page {
    pub target: String,
    pub session: String,
    heard: RefCell<Heard>,
    /// A picture that was asked for, in base64.
    frame: RefCell<Option<String>>,
    /// The browser sends the frames of one screencast a page at a time: held while it is running.
    casting: Mutex<()>,
    /// The number of the screencast whose frame was taken last: more of its frames may still be on their way.
    cast: Cell<i64>,
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
    /// Its scripts stand still.
    pub paused: bool,
    /// Since when it waits for somebody to answer its dialog.
    pub dialog: Option<Instant>,
    /// The document that is there or on its way, and how far that is.
    pub loader: String,
    /// The documents that came before it, since an address was loaded; no more than [`LED_MAX`].
    pub led_by: Vec<String>,
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

impl Heard {
    /// Whether the document that is there is this one, or one that it has led to.
    pub fn comes_from(&self, loader: &str) -> bool {
        self.loader == loader || self.led_by.iter().any(|before| before == loader)
    }
}

impl Page {
    /// A page with this address that nothing was heard of yet. If it is one of ours, which page that stands for
    /// is known by whoever has put it there.
    pub fn new(target: String, session: String, url: String) -> Self {
        let built_in = built_in_pages::name_at(&url);
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
            casting: Mutex::new(()),
            cast: Cell::new(0),
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

    /// How it is called: by its address, unless that is its content.
    pub fn name_of(&self, url: String) -> String {
        match self.heard.borrow().built_in {
            Some(name) => name.to_owned(),
            None => cut(url),
        }
    }

    /// What a look at it comes to. The browser's own page of what went wrong is never a page that was painted: until
    /// its script has written into it what that was, the page that was asked for is on its way.
    pub fn sight(&self, found: Finding) -> PageObservation {
        if let Some(error) = found.error {
            let url = cut(self.heard.borrow().url.clone());
            return match error.as_str() {
                _ if found.loading => PageObservation::Loading { url },
                "" => PageObservation::NotLoaded {
                    url,
                    error: "net::ERR_FAILED".to_owned(),
                },
                code => PageObservation::NotLoaded {
                    url,
                    error: format!("net::{code}"),
                },
            };
        }
        let url = self.name_of(found.url);
        let title = cut(found.title);
        match (found.painted, found.loading) {
            (true, _) => PageObservation::Painted { url, title },
            (false, true) => PageObservation::Loading { url },
            (false, false) => PageObservation::Blank { url, title },
        }
    }

    /// Waits until no other screencast is running, and keeps others from being started while the result lives.
    pub async fn casting(&self) -> MutexGuard<'_, ()> {
        self.casting.lock().await
    }

    /// A picture has come, of the screencast with this number. One that was stopped counts no more.
    pub fn put_frame(&self, picture: String, cast: i64) {
        if cast <= self.cast.get() {
            return;
        }
        self.cast.set(cast);
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
                let before = std::mem::replace(&mut heard.loader, loader.to_owned());
                if heard.led_by.len() < LED_MAX {
                    heard.led_by.push(before);
                }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn found(url: &str, painted: bool, loading: bool, error: Option<&str>) -> Finding {
        Finding {
            url: url.to_owned(),
            title: "shop.example".to_owned(),
            painted,
            loading,
            visible: true,
            error: error.map(str::to_owned),
            status: 0,
            view: [800.0, 600.0],
            lacks: None,
        }
    }

    #[test]
    fn the_browsers_own_page_of_what_went_wrong_is_never_one_that_was_painted() {
        let asked = "http://shop.example/";
        let page = Page::new("1".to_owned(), "2".to_owned(), asked.to_owned());
        let sight = |painted, loading, code| {
            page.sight(found(
                "chrome-error://chromewebdata/",
                painted,
                loading,
                Some(code),
            ))
        };
        let url = asked.to_owned();
        for (painted, loading, code, comes_to) in [
            (
                true,
                true,
                "",
                PageObservation::Loading { url: url.clone() },
            ),
            (
                false,
                true,
                "",
                PageObservation::Loading { url: url.clone() },
            ),
            (
                true,
                true,
                "ERR_X",
                PageObservation::Loading { url: url.clone() },
            ),
            (
                true,
                false,
                "ERR_X",
                PageObservation::NotLoaded {
                    url: url.clone(),
                    error: "net::ERR_X".to_owned(),
                },
            ),
            (
                true,
                false,
                "",
                PageObservation::NotLoaded {
                    url,
                    error: "net::ERR_FAILED".to_owned(),
                },
            ),
        ] {
            assert_eq!(sight(painted, loading, code), comes_to);
        }
    }

    #[test]
    fn a_document_that_was_led_to_comes_from_the_one_that_was_asked_for() {
        let page = Page::new("1".to_owned(), "2".to_owned(), String::new());
        page.come_to("blank", "load");
        assert!(!page.heard().comes_from("asked"));
        page.come_to("asked", "init");
        page.come_to("next", "init");
        page.come_to("next", "DOMContentLoaded");
        let heard = page.heard();
        assert!(heard.comes_from("asked") && heard.comes_from("next") && heard.parsed);
        for number in 0..1000 {
            page.come_to(&number.to_string(), "init");
        }
        assert!(page.heard().led_by.len() <= LED_MAX);
    }

    #[test]
    fn a_page_that_is_still_read_is_painted_as_soon_as_there_is_something_to_see() {
        let page = Page::new("1".to_owned(), "2".to_owned(), String::new());
        let url = "http://shop.example/".to_owned();
        let title = "shop.example".to_owned();
        for (painted, loading, comes_to) in [
            (
                true,
                true,
                PageObservation::Painted {
                    url: url.clone(),
                    title: title.clone(),
                },
            ),
            (false, true, PageObservation::Loading { url: url.clone() }),
            (
                false,
                false,
                PageObservation::Blank {
                    url: url.clone(),
                    title,
                },
            ),
        ] {
            assert_eq!(page.sight(found(&url, painted, loading, None)), comes_to);
        }
    }
}
