//! Looks at the page on the screen, in a world of our own in it.

use super::page::Finding;
use super::{BROWSER, Chromium, LOOK, Page, WORLD};
use crate::browser::cdp::CdpError;
use crate::supervisor::page::PageObservation;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// After this time nobody comes to answer a dialog, and the page behind it goes on.
const DIALOG: Duration = Duration::from_secs(30);

/// Whether what an expression promises is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaits {
    No,
    ItsPromise,
}

impl Chromium {
    /// What is on the screen: of a page that has left it meanwhile nothing is told.
    pub(super) async fn look(&self) -> PageObservation {
        loop {
            let Some(page) = self.shown.borrow().clone() else {
                self.seek();
                return self
                    .look_for_browser(PageObservation::Loading { url: String::new() })
                    .await;
            };
            let sight = self.look_at(&page).await;
            if self.is_shown(&page) {
                return sight;
            }
        }
    }

    /// How a page fares that is on the screen.
    async fn look_at(&self, page: &Rc<Page>) -> PageObservation {
        self.listen_again(page);
        let heard = page.heard();
        if heard.crashed {
            return PageObservation::Crashed;
        }
        if self.is_silent.get()
            && self.look_for_browser(PageObservation::Unresponsive).await
                == PageObservation::BrowserUnresponsive
        {
            return PageObservation::BrowserUnresponsive;
        }
        if let Some(since) = heard.dialog {
            if since.elapsed() >= DIALOG {
                (self.around.note)("page: nobody has answered its dialog; it is closed");
                self.close_dialog(page, false);
            }
            let title = String::new();
            return PageObservation::Painted {
                url: page.name_of(heard.url),
                title,
            };
        }
        match self.find(page, LOOK).await {
            Ok(found) => {
                page.hear(|heard| heard.silent = false);
                self.fit(page, &found).await;
                page.sight(found)
            }
            Err(_) if page.heard().crashed => PageObservation::Crashed,
            Err(CdpError::Refused(words)) => {
                // It was left while it was looked at; where it goes is told by itself.
                log::debug!("run {}: {words}", self.around.run);
                let url = page.heard().url;
                PageObservation::Loading {
                    url: page.name_of(url),
                }
            }
            Err(CdpError::Unanswered | CdpError::Gone) => {
                page.hear(|heard| heard.silent = true);
                self.look_for_browser(PageObservation::Unresponsive).await
            }
        }
    }

    /// Whether the browser answers: then what was seen is this.
    async fn look_for_browser(&self, seen: PageObservation) -> PageObservation {
        if !self.is_up.get() && !self.cdp.is_closed() {
            return seen;
        }
        let version: Result<Value, _> = self
            .cdp
            .ask(None, "Browser.getVersion", json!({}), BROWSER)
            .await;
        self.is_silent.set(version.is_err());
        match version {
            Ok(_) => seen,
            Err(_) => PageObservation::BrowserUnresponsive,
        }
    }

    /// Looks at a page.
    pub(super) async fn find(&self, page: &Page, within: Duration) -> Result<Finding, CdpError> {
        self.in_world(page, include_str!("look.js"), Instant::now() + within)
            .await
    }

    /// Evaluates an expression in a world of our own in a page.
    pub(super) async fn in_world<T: DeserializeOwned>(
        &self,
        page: &Page,
        expression: &str,
        until: Instant,
    ) -> Result<T, CdpError> {
        self.evaluate(page, expression, Awaits::No, until).await
    }

    /// The same, also for an expression that makes a promise. In a page that is paused no promise is ever kept.
    pub(super) async fn evaluate<T: DeserializeOwned>(
        &self,
        page: &Page,
        expression: &str,
        awaits: Awaits,
        until: Instant,
    ) -> Result<T, CdpError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct World {
            execution_context_id: i64,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Evaluated {
            result: Remote,
            exception_details: Option<Value>,
        }
        #[derive(Deserialize)]
        struct Remote {
            #[serde(default)]
            value: Value,
        }
        let world = json!({"frameId": page.target, "worldName": WORLD});
        let World {
            execution_context_id,
        } = self
            .ask(page, "Page.createIsolatedWorld", world, until)
            .await?;
        let question = json!({
            "expression": expression,
            "contextId": execution_context_id,
            "returnByValue": true,
            "awaitPromise": awaits == Awaits::ItsPromise,
            // Where the page is to stop at its next statement, this is none.
            "disableBreaks": true,
        });
        let evaluated: Evaluated = self.ask(page, "Runtime.evaluate", question, until).await?;
        if let Some(details) = evaluated.exception_details {
            let why = &details["exception"]["description"];
            let why = why.as_str().unwrap_or("an exception");
            return Err(CdpError::Refused(why.to_owned()));
        }
        serde_json::from_value(evaluated.result.value)
            .map_err(|error| CdpError::Refused(error.to_string()))
    }

    /// A page that was not listened to for a while is heard again, and what it printed is not kept for us.
    fn listen_again(&self, page: &Page) {
        let mut console = self.console.borrow_mut();
        if console.has_heard() {
            let group = json!({"objectGroup": "console"});
            self.tell(page, "Runtime.releaseObjectGroup", group);
        }
        let (was_mute, left_out) = console.turn(Instant::now());
        if was_mute {
            for method in [
                "Runtime.discardConsoleEntries",
                "Runtime.enable",
                "Log.enable",
            ] {
                self.tell(page, method, json!({}));
            }
        }
        if left_out > 0 {
            (self.around.note)(&format!("page: {left_out} more errors were left out"));
        }
    }

    /// Makes the window as large as the screen. Where no window manager does it, nobody else does: neither at
    /// the start nor after the screen has become another one. Once for each size, for it blinks.
    async fn fit(&self, page: &Page, found: &Finding) {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Window {
            window_id: i64,
            bounds: Bounds,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Bounds {
            window_state: String,
        }
        let size = found.lacks.map(|size| size.map(|side| side as u32));
        let Some([width, height]) = size.filter(|_| self.fitted.get() != size) else {
            return;
        };
        self.fitted.set(size);
        let which = json!({"targetId": page.target});
        let window = self
            .cdp
            .ask(None, "Browser.getWindowForTarget", which, BROWSER);
        let Ok(Window { window_id, bounds }) = window.await else {
            return;
        };
        if bounds.window_state != "fullscreen" {
            return;
        }
        // A window exactly as large as the screen is made a pixel smaller, lest a window manager takes it for one
        // that wants to be full screen (Chromium's `X11Window::AdjustSizeForDisplay`).
        for bounds in [
            json!({"windowState": "normal"}),
            json!({"left": 0, "top": 0, "width": width, "height": height + 1}),
            json!({"windowState": "fullscreen"}),
        ] {
            let change = json!({"windowId": window_id, "bounds": bounds});
            let set: Result<Value, _> = self
                .cdp
                .ask(None, "Browser.setWindowBounds", change, BROWSER)
                .await;
            if let Err(trouble) = set {
                return log::debug!(
                    "run {}: the window is as it was: {trouble}",
                    self.around.run
                );
            }
        }
    }
}
