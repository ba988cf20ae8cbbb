//! Observes the page on the screen, in an isolated world.

use super::page::{Inspection, Page};
use super::{BROWSER_TIMEOUT, Chromium, PAGE_TIMEOUT, WORLD};
use crate::browser::cdp::CdpError;
use crate::supervisor::PageObservation;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// After this time a dialog is closed, as no user will answer it, and the page continues.
const DIALOG_TIMEOUT: Duration = Duration::from_secs(30);

/// Whether to wait for the promise that an expression returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AwaitPromise {
    No,
    Yes,
}

impl Chromium {
    /// Observes what is on the screen. A page that left the screen meanwhile is not reported.
    pub(super) async fn observe(&self) -> PageObservation {
        loop {
            let Some(page) = self.shown.borrow().clone() else {
                self.search_page();
                return self
                    .unless_silent(PageObservation::Loading { url: String::new() })
                    .await;
            };
            let observation = self.observe_page(&page).await;
            if self.is_shown(&page) {
                return observation;
            }
        }
    }

    /// Observes a page that is on the screen.
    async fn observe_page(&self, page: &Rc<Page>) -> PageObservation {
        self.unmute_console(page);
        let facts = page.facts();
        if facts.crashed {
            return PageObservation::Crashed;
        }
        if self.is_silent.get()
            && self.unless_silent(PageObservation::Unresponsive).await
                == PageObservation::BrowserUnresponsive
        {
            return PageObservation::BrowserUnresponsive;
        }
        if let Some(since) = facts.dialog {
            if since.elapsed() >= DIALOG_TIMEOUT {
                (self.context.note)("page: its dialog was not answered; closing it");
                self.close_dialog(page, false);
            }
            let title = String::new();
            return PageObservation::Painted {
                url: page.display_name(facts.url),
                title,
            };
        }
        match self.inspect(page, PAGE_TIMEOUT).await {
            Ok(found) => {
                page.update(|facts| facts.silent = false);
                self.fit(page, &found).await;
                page.observation(found)
            }
            Err(_) if page.facts().crashed => PageObservation::Crashed,
            Err(CdpError::Refused(words)) => {
                // The page navigated during the observation; an event follows.
                log::debug!("run {}: {words}", self.context.run);
                let url = page.facts().url;
                PageObservation::Loading {
                    url: page.display_name(url),
                }
            }
            Err(CdpError::Timeout | CdpError::Closed) => {
                page.update(|facts| facts.silent = true);
                self.unless_silent(PageObservation::Unresponsive).await
            }
        }
    }

    /// Returns this observation if the browser answers, else `Silent`.
    async fn unless_silent(&self, observation: PageObservation) -> PageObservation {
        if !self.is_up.get() && !self.cdp.is_closed() {
            return observation;
        }
        let version: Result<Value, _> = self
            .cdp
            .call(None, "Browser.getVersion", json!({}), BROWSER_TIMEOUT)
            .await;
        self.is_silent.set(version.is_err());
        match version {
            Ok(_) => observation,
            Err(_) => PageObservation::BrowserUnresponsive,
        }
    }

    /// Inspects a page.
    pub(super) async fn inspect(
        &self,
        page: &Page,
        timeout: Duration,
    ) -> Result<Inspection, CdpError> {
        self.evaluate_isolated(page, include_str!("inspect.js"), Instant::now() + timeout)
            .await
    }

    /// Evaluates an expression in the isolated world of a page.
    pub(super) async fn evaluate_isolated<T: DeserializeOwned>(
        &self,
        page: &Page,
        expression: &str,
        until: Instant,
    ) -> Result<T, CdpError> {
        self.evaluate(page, expression, AwaitPromise::No, until)
            .await
    }

    /// The same for an expression that may return a promise. In a paused page no promise ever settles.
    pub(super) async fn evaluate<T: DeserializeOwned>(
        &self,
        page: &Page,
        expression: &str,
        await_promise: AwaitPromise,
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
            .call(page, "Page.createIsolatedWorld", world, until)
            .await?;
        let options = json!({
            "expression": expression,
            "contextId": execution_context_id,
            "returnByValue": true,
            "awaitPromise": await_promise == AwaitPromise::Yes,
            // A pending pause must not stop this expression.
            "disableBreaks": true,
        });
        let evaluated: Evaluated = self.call(page, "Runtime.evaluate", options, until).await?;
        if let Some(details) = evaluated.exception_details {
            let why = &details["exception"]["description"];
            let why = why.as_str().unwrap_or("an exception");
            return Err(CdpError::Refused(why.to_owned()));
        }
        serde_json::from_value(evaluated.result.value)
            .map_err(|error| CdpError::Refused(error.to_string()))
    }

    /// Listens to the console of a muted page again once the window is over, and releases the objects that it logged.
    fn unmute_console(&self, page: &Page) {
        let mut console = self.console.borrow_mut();
        if console.has_messages() {
            let group = json!({"objectGroup": "console"});
            self.notify(page, "Runtime.releaseObjectGroup", group);
        }
        let (was_mute, left_out) = console.start_window(Instant::now());
        if was_mute {
            for method in [
                "Runtime.discardConsoleEntries",
                "Runtime.enable",
                "Log.enable",
            ] {
                self.notify(page, method, json!({}));
            }
        }
        if left_out > 0 {
            (self.context.note)(&format!("page: {left_out} more errors omitted"));
        }
    }

    /// Makes the window as large as the screen, which without a window manager nothing else does: neither at the start
    /// nor when the screen changes. Once for each size, because the screen flickers.
    async fn fit(&self, page: &Page, found: &Inspection) {
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
            .call(None, "Browser.getWindowForTarget", which, BROWSER_TIMEOUT);
        let Ok(Window { window_id, bounds }) = window.await else {
            return;
        };
        if bounds.window_state != "fullscreen" {
            return;
        }
        // Chromium makes a window of exactly the screen's size a pixel smaller, so that window managers do not take it
        // for full screen (`X11Window::AdjustSizeForDisplay`).
        for bounds in [
            json!({"windowState": "normal"}),
            json!({"left": 0, "top": 0, "width": width, "height": height + 1}),
            json!({"windowState": "fullscreen"}),
        ] {
            let change = json!({"windowId": window_id, "bounds": bounds});
            let set: Result<Value, _> = self
                .cdp
                .call(None, "Browser.setWindowBounds", change, BROWSER_TIMEOUT)
                .await;
            if let Err(error) = set {
                return log::debug!(
                    "run {}: cannot resize the window: {error}",
                    self.context.run
                );
            }
        }
    }
}
