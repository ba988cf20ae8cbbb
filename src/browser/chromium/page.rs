//! One page of the browser: its session, and what its events reported.

use crate::browser::built_in_pages;
use crate::supervisor::{MAX_TEXT, PageObservation};
use event_listener::Event;
use serde::Deserialize;
use smol::lock::{Mutex, MutexGuard};
use std::cell::{Cell, RefCell};
use std::time::Instant;

/// How many redirects by script are followed. Browsers follow as many redirects of a server.
const REDIRECTS_MAX: usize = 20;

/// An attached page. The terms are the browser's: a target is a tab, a session an attachment to it.
#[derive(Debug)]
pub struct Page {
    pub target: String,
    pub session: String,
    facts: RefCell<PageFacts>,
    /// The requested screencast frame, in base64.
    frame: RefCell<Option<String>>,
    /// Held while a screencast runs: the browser has one for each page.
    screencast: Mutex<()>,
    /// The number of the screencast whose frame was stored last. More of its frames may follow.
    last_screencast: Cell<i64>,
    changed: Event,
}

/// What the events of a page reported.
#[derive(Clone, Debug, Default)]
pub struct PageFacts {
    /// Its URL; the requested one if it could not be loaded.
    pub url: String,
    /// The name of a built-in page, whose URL is its content.
    pub built_in: Option<&'static str>,
    /// Its renderer crashed.
    pub crashed: bool,
    /// It was closed or detached.
    pub gone: bool,
    /// It did not answer the last observation.
    pub silent: bool,
    /// Its scripts are paused.
    pub paused: bool,
    /// Since when a dialog is open.
    pub dialog: Option<Instant>,
    /// The current or loading document.
    pub loader: String,
    /// The documents before it since the last navigation; at most [`REDIRECTS_MAX`].
    pub redirected_from: Vec<String>,
    /// Its markup was parsed.
    pub parsed: bool,
    /// It was loaded with its resources.
    pub loaded: bool,
    /// It has painted.
    pub painted: bool,
    /// A screencast frame has arrived.
    pub has_frame: bool,
}

/// The result of an inspection of a page (`inspect.js`).
#[derive(Debug, Deserialize)]
pub struct Inspection {
    pub url: String,
    pub title: String,
    pub painted: bool,
    pub loading: bool,
    pub visible: bool,
    /// The browser shows its error page; its code (`ERR_NAME_NOT_RESOLVED`), or empty.
    pub error: Option<String>,
    /// The HTTP status of the document; 0 if there was none.
    pub status: u16,
    /// Width and height of the viewport.
    pub view: [f64; 2],
    /// Width and height of the screen, if the window is smaller.
    pub lacks: Option<[f64; 2]>,
}

impl PageFacts {
    /// Whether the current document is this one, or was reached from it.
    pub fn descends_from(&self, loader: &str) -> bool {
        self.loader == loader || self.redirected_from.iter().any(|before| before == loader)
    }
}

impl Page {
    /// A page without events yet. For a built-in page the URL of the page that it replaces is not known here.
    pub fn new(target: String, session: String, url: String) -> Self {
        let built_in = built_in_pages::name_at(&url);
        Self {
            target,
            session,
            facts: RefCell::new(PageFacts {
                url: if built_in.is_some() {
                    String::new()
                } else {
                    url
                },
                built_in,
                ..PageFacts::default()
            }),
            frame: RefCell::default(),
            screencast: Mutex::new(()),
            last_screencast: Cell::new(0),
            changed: Event::new(),
        }
    }

    /// A copy of the facts.
    pub fn facts(&self) -> PageFacts {
        self.facts.borrow().clone()
    }

    /// Changes the facts.
    pub fn update<T>(&self, change: impl FnOnce(&mut PageFacts) -> T) -> T {
        let result = change(&mut self.facts.borrow_mut());
        self.changed.notify(usize::MAX);
        result
    }

    /// The name of a built-in page, else the URL.
    pub fn display_name(&self, url: String) -> String {
        match self.facts.borrow().built_in {
            Some(name) => name.to_owned(),
            None => bounded_text(url),
        }
    }

    /// Converts an inspection into an observation. The browser's error page never counts as painted: until its script
    /// has written the error code, the requested page counts as loading.
    pub fn observation(&self, found: Inspection) -> PageObservation {
        if let Some(error) = found.error {
            let url = bounded_text(self.facts.borrow().url.clone());
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
        let url = self.display_name(found.url);
        let title = bounded_text(found.title);
        match (found.painted, found.loading) {
            (true, _) => PageObservation::Painted { url, title },
            (false, true) => PageObservation::Loading { url },
            (false, false) => PageObservation::Blank { url, title },
        }
    }

    /// Waits until no other screencast runs, and prevents others while the guard lives.
    pub async fn lock_screencast(&self) -> MutexGuard<'_, ()> {
        self.screencast.lock().await
    }

    /// Stores a frame of the screencast with this number. Frames of stopped ones are dropped.
    pub fn store_frame(&self, frame: String, cast: i64) {
        if cast <= self.last_screencast.get() {
            return;
        }
        self.last_screencast.set(cast);
        *self.frame.borrow_mut() = Some(frame);
        self.update(|facts| facts.has_frame = true);
    }

    /// Takes the stored frame.
    pub fn take_frame(&self) -> Option<String> {
        self.update(|facts| facts.has_frame = false);
        self.frame.take()
    }

    /// Records a lifecycle stage of a document; `init` and `commit` start a new one.
    pub fn set_stage(&self, loader: &str, stage: &str) {
        self.update(|facts| {
            if facts.loader != loader {
                let before = std::mem::replace(&mut facts.loader, loader.to_owned());
                if facts.redirected_from.len() < REDIRECTS_MAX {
                    facts.redirected_from.push(before);
                }
                (facts.parsed, facts.loaded, facts.painted) = (false, false, false);
            }
            match stage {
                "DOMContentLoaded" => facts.parsed = true,
                "load" => facts.loaded = true,
                "firstPaint" => facts.painted = true,
                _ => {}
            }
        });
    }

    /// Waits until the facts satisfy a condition.
    pub async fn until(&self, is_reached: impl Fn(&PageFacts) -> bool) {
        loop {
            let changed = self.changed.listen();
            if is_reached(&self.facts.borrow()) {
                return;
            }
            changed.await;
        }
    }
}

/// Text of a page, cut to [`MAX_TEXT`] bytes.
pub(super) fn bounded_text(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_TEXT));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(url: &str, painted: bool, loading: bool, error: Option<&str>) -> Inspection {
        Inspection {
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
    fn the_browsers_error_page_never_counts_as_painted() {
        let requested = "http://shop.example/";
        let page = Page::new("1".to_owned(), "2".to_owned(), requested.to_owned());
        let observe = |painted, loading, code| {
            page.observation(found(
                "chrome-error://chromewebdata/",
                painted,
                loading,
                Some(code),
            ))
        };
        let url = requested.to_owned();
        for (painted, loading, code, expected) in [
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
            assert_eq!(observe(painted, loading, code), expected);
        }
    }

    #[test]
    fn a_document_reached_by_script_redirects_descends_from_the_requested_one() {
        let page = Page::new("1".to_owned(), "2".to_owned(), String::new());
        page.set_stage("blank", "load");
        assert!(!page.facts().descends_from("asked"));
        page.set_stage("asked", "init");
        page.set_stage("next", "init");
        page.set_stage("next", "DOMContentLoaded");
        let facts = page.facts();
        assert!(facts.descends_from("asked") && facts.descends_from("next") && facts.parsed);
        for number in 0..1000 {
            page.set_stage(&number.to_string(), "init");
        }
        assert!(page.facts().redirected_from.len() <= REDIRECTS_MAX);
    }

    #[test]
    fn a_loading_page_counts_as_painted_once_something_is_visible() {
        let page = Page::new("1".to_owned(), "2".to_owned(), String::new());
        let url = "http://shop.example/".to_owned();
        let title = "shop.example".to_owned();
        for (painted, loading, expected) in [
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
            assert_eq!(
                page.observation(found(&url, painted, loading, None)),
                expected
            );
        }
    }
}
