//! Replaces the page on the screen by another one.
//!
//! ```text
//!   open a tab behind ─▶ load ─▶ did it load? ─▶ show it ─▶ has it painted? ─▶ close the old one
//!                          │          │                          │
//!                          └──────────┴── no: close the new one ─┘ (and show the old one again)
//! ```
//!
//! A background tab loads but does not paint. When it is shown, Chromium keeps the old content on the screen until the
//! first frame of the new page, so nothing is visible in between.

use super::observe::AwaitPromise;
use super::page::{Inspection, Page, PageFacts, bounded_text};
use super::protocol::{CapturedScreenshot, TargetId};
use super::{BROWSER_TIMEOUT, Chromium, PAGE_TIMEOUT};
use crate::browser::cdp::CdpError;
use crate::browser::driver::{self, Cancelled, ended};
use crate::supervisor::Failure;
use crate::supervisor::Transition;
use crate::timeout::before;
use serde::Deserialize;
use serde_json::{Value, json};
use smol::future::or;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How long a page may take until it is on the screen.
const SWAP_TIMEOUT: Duration = Duration::from_secs(15);

/// How long to wait for the resources of a parsed page: one may be a stream that never ends.
const LOAD_GRACE: Duration = Duration::from_secs(3);

/// How long the screenshot of the old page may take. Without it there is no fade.
const FADE_SCREENSHOT_TIMEOUT: Duration = Duration::from_secs(2);

/// While this lives, tabs that open or close belong to the swap.
struct TabGuard<'c>(&'c Chromium);

impl Drop for TabGuard<'_> {
    fn drop(&mut self) {
        self.0.swapping.set(false);
    }
}

impl Chromium {
    fn begin_swap(&self) -> TabGuard<'_> {
        self.swapping.set(true);
        TabGuard(self)
    }

    /// Prepares a page and shows it. The current one stays if that fails or is cancelled. `name` is that of a built-in
    /// page.
    ///
    /// # Errors
    /// Why the page cannot be shown, with the browser's error.
    pub(super) async fn swap(
        &self,
        url: &str,
        name: Option<&'static str>,
        transition: Transition,
        cancelled: &Cancelled,
    ) -> Result<(), Failure> {
        let old = self.on_screen().await?;
        let _swapping = self.begin_swap();
        let until = Instant::now() + SWAP_TIMEOUT;
        let screenshot = match transition {
            Transition::Cut => None,
            Transition::Fade => self.fade_screenshot(&old).await,
        };
        let new = self.open_tab().await?;
        if let Some(name) = name {
            // A reload returns to the page that it replaces.
            let url = old.facts().url;
            new.update(|facts| (facts.built_in, facts.url) = (Some(name), url));
        }
        let cancellation = async {
            cancelled.wait().await;
            Err(driver::cancelled().message)
        };
        let shown = or(cancellation, self.show(&new, url, screenshot, until)).await;
        if let Err(why) = shown {
            self.activate(&old).await;
            self.close(&new);
            let url = bounded_text(url.to_owned());
            return Err(Failure::system(match name {
                Some(name) => format!("{name} cannot be shown: {why}"),
                None => format!("{url} cannot be shown: {why}; the previous page stays"),
            }));
        }
        self.set_shown(&new);
        self.close(&old);
        self.stop_lifecycle_events(&new);
        self.report_page().await;
        Ok(())
    }

    /// Replaces the tab on the screen, with its renderer, by a new one with this URL.
    ///
    /// # Errors
    /// The browser does not open a tab.
    pub(super) async fn replace_tab(&self, url: &str) -> Result<(), Failure> {
        let old = self.shown.borrow().clone();
        let _swapping = self.begin_swap();
        let new = self.open_tab().await?;
        // The cause may be in the cache.
        self.notify(&new, "Network.enable", json!({}));
        let without = json!({"cacheDisabled": true});
        let until = Instant::now() + BROWSER_TIMEOUT;
        let _: Result<Value, _> =
            (self.call(&new, "Network.setCacheDisabled", without, until)).await;
        let loaded = self.load(&new, url, Instant::now() + SWAP_TIMEOUT).await;
        self.notify(&new, "Network.disable", json!({}));
        self.activate(&new).await;
        self.set_shown(&new);
        if let Some(old) = old {
            self.close(&old);
        }
        self.stop_lifecycle_events(&new);
        if let Err(why) = loaded {
            log::debug!("run {}: {why}", self.context.run);
        }
        self.report_page().await;
        Ok(())
    }

    async fn report_page(&self) {
        let observation = self.observe().await;
        self.context.report(observation).await;
    }

    async fn open_tab(&self) -> Result<Rc<Page>, Failure> {
        let tab = json!({"url": "about:blank", "background": true});
        let opened = async {
            let TargetId { target_id } = self
                .cdp
                .call(None, "Target.createTarget", tab, BROWSER_TIMEOUT)
                .await?;
            self.attach(target_id, String::new()).await
        };
        let new = opened.await.map_err(|error| match error {
            CdpError::Closed => ended(),
            CdpError::Timeout => Failure::system("the browser does not answer"),
            CdpError::Refused(words) => {
                Failure::system(format!("the browser cannot open a tab: {words}"))
            }
        })?;
        // Waited for, and with it all earlier settings: another site runs in another process, and a setting that has not
        // arrived in the first one would be applied too late in the second.
        let options = json!({"enabled": true});
        let until = Instant::now() + BROWSER_TIMEOUT;
        let enabled: Result<Value, _> = self
            .call(&new, "Page.setLifecycleEventsEnabled", options, until)
            .await;
        match enabled {
            Ok(_) => Ok(new),
            Err(error) => {
                self.close(&new);
                Err(Failure::system(format!(
                    "the browser cannot open a tab: {error}"
                )))
            }
        }
    }

    /// Lifecycle events matter only until the page is on the screen.
    fn stop_lifecycle_events(&self, page: &Page) {
        let options = json!({"enabled": false});
        self.notify(page, "Page.setLifecycleEventsEnabled", options);
    }

    /// Loads a page in a background tab and shows it. The error is a sentence for the operator.
    async fn show(
        &self,
        new: &Rc<Page>,
        url: &str,
        screenshot: Option<String>,
        until: Instant,
    ) -> Result<(), String> {
        self.load(new, url, until).await?;
        let found = self.inspect_loaded(new, until).await?;
        if let Some(code) = found.error {
            // It redirects to a page that cannot be loaded.
            let code = if code.is_empty() { "ERR_FAILED" } else { &code };
            return Err(format!(
                "it redirects to a page that cannot be loaded: net::{code}"
            ));
        }
        if found.status >= 400 {
            return Err(format!("its server answers {}", found.status));
        }
        if let Some(screenshot) = screenshot.filter(|_| found.painted) {
            self.add_fade(new, &screenshot, until).await;
        }
        self.activate(new).await;
        self.wait(new, until, |facts| facts.painted).await?;
        Ok(())
    }

    /// Inspects a loaded page. If it redirects meanwhile, waits for the next document.
    async fn inspect_loaded(&self, page: &Page, until: Instant) -> Result<Inspection, String> {
        loop {
            let loader = page.facts().loader;
            match self.inspect(page, PAGE_TIMEOUT).await {
                Ok(found) => return Ok(found),
                // The document was replaced during the inspection.
                Err(CdpError::Refused(words)) => {
                    let until = until.min(Instant::now() + PAGE_TIMEOUT);
                    let successor = |facts: &PageFacts| facts.loader != loader && facts.parsed;
                    (self.wait(page, until, successor).await).map_err(|_| words)?;
                }
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    /// Loads a URL in a tab and waits until a document is parsed: the requested one, or one that it redirected to by
    /// script.
    async fn load(&self, page: &Rc<Page>, url: &str, until: Instant) -> Result<(), String> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Navigation {
            #[serde(default)]
            loader_id: String,
            error_text: Option<String>,
            #[serde(default)]
            is_download: bool,
        }
        page.update(|facts| {
            if facts.built_in.is_none() {
                url.clone_into(&mut facts.url);
            }
            facts.redirected_from.clear();
        });
        let navigation: Navigation = self
            .call(page, "Page.navigate", json!({"url": url}), until)
            .await
            .map_err(|error| match error {
                CdpError::Timeout => timeout_message(),
                other => other.to_string(),
            })?;
        if let Some(error) = navigation.error_text {
            return Err(error);
        }
        if navigation.is_download {
            return Err("it is a file to download".to_owned());
        }
        let loader = navigation.loader_id;
        self.wait(page, until, |facts| {
            facts.descends_from(&loader) && facts.parsed
        })
        .await?;
        let resources = page.until(|facts| facts.loaded || facts.crashed || facts.gone);
        let _ = before(until.min(Instant::now() + LOAD_GRACE), resources).await;
        Ok(())
    }

    /// Waits until the facts of a page satisfy a condition.
    async fn wait(
        &self,
        page: &Page,
        until: Instant,
        is_reached: impl Fn(&PageFacts) -> bool,
    ) -> Result<(), String> {
        let reached = async {
            page.until(|facts| is_reached(facts) || facts.crashed || facts.gone)
                .await;
            let facts = page.facts();
            match (facts.crashed, facts.gone) {
                (true, _) => Err("it crashed".to_owned()),
                (_, true) => Err("its tab was closed".to_owned()),
                _ => Ok(()),
            }
        };
        before(until, reached)
            .await
            .unwrap_or_else(|| Err(timeout_message()))
    }

    async fn activate(&self, page: &Page) {
        let which = json!({"targetId": page.target});
        let done: Result<Value, _> = self
            .cdp
            .call(None, "Target.activateTarget", which, BROWSER_TIMEOUT)
            .await;
        if let Err(error) = done {
            log::debug!("run {}: cannot show another tab: {error}", self.context.run);
        }
    }

    /// Closes a tab, without waiting: one that hangs takes a moment.
    fn close(&self, page: &Page) {
        let which = json!({"targetId": page.target});
        self.cdp.notify(None, "Target.closeTarget", &which);
    }

    /// A screenshot of the old page, to fade from.
    async fn fade_screenshot(&self, old: &Page) -> Option<String> {
        let facts = old.facts();
        if facts.silent || facts.crashed || facts.paused {
            return None;
        }
        let how = json!({"format": "jpeg", "quality": 85});
        let until = Instant::now() + FADE_SCREENSHOT_TIMEOUT;
        let shot = self.call::<CapturedScreenshot>(old, "Page.captureScreenshot", how, until);
        shot.await.ok().map(|shot| shot.data)
    }

    /// Shows a screenshot over a page; it fades out from the page's first frame on. If that fails there is no fade.
    async fn add_fade(&self, page: &Page, screenshot: &str, until: Instant) {
        let screenshot = Value::from(screenshot);
        let script = format!(
            "{}({screenshot}).then(() => null)",
            include_str!("fade.js").trim_end()
        );
        let added: Result<Value, _> = (self)
            .evaluate(page, &script, AwaitPromise::Yes, until)
            .await;
        if let Err(error) = added {
            log::debug!("run {}: no fade: {error}", self.context.run);
        }
    }
}

fn timeout_message() -> String {
    format!("it did not load within {} s", SWAP_TIMEOUT.as_secs())
}
