//! Puts another page in the place of the one on the screen.
//!
//! ```text
//!   open a tab behind ─▶ load ─▶ is it there? ─▶ show it ─▶ has it painted? ─▶ close the old one
//!                          │          │                          │
//!                          └──────────┴── no: close the new one ─┘ (and show the old one again)
//! ```
//!
//! A tab behind another one is loaded, but not drawn. When it is shown, Chromium keeps what was on the screen until
//! the first frame of the new page is there, so nothing is seen between the two.

use super::events::TargetId;
use super::observe::Awaits;
use super::page::{Finding, Heard};
use super::screenshot::CapturedScreenshot;
use super::{BROWSER, Chromium, LOOK, Page, cut};
use crate::browser::cdp::CdpError;
use crate::browser::driver::{self, Withdrawn, ended};
use crate::supervisor::Failure;
use crate::supervisor::page::Transition;
use serde::Deserialize;
use serde_json::{Value, json};
use smol::Timer;
use smol::future::or;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How long a page may take until it is on the screen.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long a page that was read is waited for to have all it needs: it may be a film that never ends.
const THE_REST: Duration = Duration::from_secs(3);

/// How long the page that is left may take to be photographed: one that does not answer is cut from.
const FAREWELL: Duration = Duration::from_secs(2);

/// No tab that comes or goes is taken for somebody else's while this lives.
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

    /// Prepares a page and shows it; the one that is there stays where that fails or is withdrawn. `name` is that of a page of our own.
    ///
    /// # Errors
    /// The browser's words.
    pub(super) async fn swap(
        &self,
        url: &str,
        name: Option<&'static str>,
        transition: Transition,
        withdrawn: &Withdrawn,
    ) -> Result<(), Failure> {
        let old = self.on_screen().await?;
        let _swapping = self.begin_swap();
        let until = Instant::now() + PATIENCE;
        let picture = match transition {
            Transition::Cut => None,
            Transition::Fade => self.farewell(&old).await,
        };
        let new = self.open_tab().await?;
        if let Some(name) = name {
            // Reloading leads back to where the kiosk belongs.
            let url = old.heard().url;
            new.hear(|heard| (heard.built_in, heard.url) = (Some(name), url));
        }
        let cancelled = async {
            withdrawn.happens().await;
            Err(driver::withdrawn().message)
        };
        let shown = or(cancelled, self.show(&new, url, picture, until)).await;
        if let Err(why) = shown {
            self.activate(&old).await;
            self.close(&new);
            let url = cut(url.to_owned());
            return Err(Failure::system(match name {
                Some(name) => format!("{name} cannot be shown: {why}"),
                None => format!("{url} cannot be shown: {why}; the page that was there stays"),
            }));
        }
        self.put_on_screen(&new);
        self.close(&old);
        self.settle(&new);
        self.tell_what_is_there().await;
        Ok(())
    }

    /// Gives up the tab on the screen, and whatever draws it, for a new one with this address.
    ///
    /// # Errors
    /// The browser opens none.
    pub(super) async fn renew(&self, url: &str) -> Result<(), Failure> {
        let old = self.shown.borrow().clone();
        let _swapping = self.begin_swap();
        let new = self.open_tab().await?;
        // What is broken may be broken in a cache.
        self.tell(&new, "Network.enable", json!({}));
        let without = json!({"cacheDisabled": true});
        let until = Instant::now() + BROWSER;
        let _: Result<Value, _> =
            (self.ask(&new, "Network.setCacheDisabled", without, until)).await;
        let loaded = self.load(&new, url, Instant::now() + PATIENCE).await;
        self.tell(&new, "Network.disable", json!({}));
        self.activate(&new).await;
        self.put_on_screen(&new);
        if let Some(old) = old {
            self.close(&old);
        }
        self.settle(&new);
        if let Err(why) = loaded {
            log::debug!("run {}: {why}", self.around.run);
        }
        self.tell_what_is_there().await;
        Ok(())
    }

    async fn tell_what_is_there(&self) {
        let sight = self.look().await;
        self.around.saw(sight).await;
    }

    async fn open_tab(&self) -> Result<Rc<Page>, Failure> {
        let tab = json!({"url": "about:blank", "background": true});
        let opened = async {
            let TargetId { target_id } = self
                .cdp
                .ask(None, "Target.createTarget", tab, BROWSER)
                .await?;
            self.attach(target_id, String::new()).await
        };
        let new = opened.await.map_err(|trouble| match trouble {
            CdpError::Gone => ended(),
            CdpError::Unanswered => Failure::system("the browser does not answer"),
            CdpError::Refused(words) => {
                Failure::system(format!("the browser opens no tab: {words}"))
            }
        })?;
        // Waited for, and with it all that was wished before: with another site comes another process, and a wish
        // that is still on its way to the first one is heard too late by the second.
        let wish = json!({"enabled": true});
        let until = Instant::now() + BROWSER;
        let heard: Result<Value, _> = self
            .ask(&new, "Page.setLifecycleEventsEnabled", wish, until)
            .await;
        match heard {
            Ok(_) => Ok(new),
            Err(trouble) => {
                self.close(&new);
                Err(Failure::system(format!(
                    "the browser opens no tab: {trouble}"
                )))
            }
        }
    }

    /// How far a page has come matters until it is on the screen.
    fn settle(&self, page: &Page) {
        let wish = json!({"enabled": false});
        self.tell(page, "Page.setLifecycleEventsEnabled", wish);
    }

    /// Loads a page behind the one that is there, and brings it to the front; the sentence says why not.
    async fn show(
        &self,
        new: &Rc<Page>,
        url: &str,
        picture: Option<String>,
        until: Instant,
    ) -> Result<(), String> {
        self.load(new, url, until).await?;
        let found = self.find_loaded(new, until).await?;
        if let Some(code) = found.error {
            // It leads on to another page, and that one cannot be loaded.
            let code = if code.is_empty() { "ERR_FAILED" } else { &code };
            return Err(format!(
                "it leads to a page that cannot be loaded: net::{code}"
            ));
        }
        if found.status >= 400 {
            return Err(format!("its server answers {}", found.status));
        }
        if let Some(picture) = picture.filter(|_| found.painted) {
            self.lay_over(new, &picture, until).await;
        }
        self.activate(new).await;
        self.wait(new, until, |heard| heard.painted).await?;
        Ok(())
    }

    /// Looks at a page that was loaded. One that leads on to another page meanwhile is waited for.
    async fn find_loaded(&self, page: &Page, until: Instant) -> Result<Finding, String> {
        loop {
            let loader = page.heard().loader;
            match self.find(page, LOOK).await {
                Ok(found) => return Ok(found),
                // Its document has gone while it was looked at.
                Err(CdpError::Refused(words)) => {
                    let until = until.min(Instant::now() + LOOK);
                    let successor = |heard: &Heard| heard.loader != loader && heard.parsed;
                    (self.wait(page, until, successor).await).map_err(|_| words)?;
                }
                Err(trouble) => return Err(trouble.to_string()),
            }
        }
    }

    /// Loads an address in a tab, and waits until its page is there. That may be another one, to which the first has
    /// led by a script before it was read.
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
        page.hear(|heard| {
            if heard.built_in.is_none() {
                url.clone_into(&mut heard.url);
            }
            heard.led_by.clear();
        });
        let navigation: Navigation = self
            .ask(page, "Page.navigate", json!({"url": url}), until)
            .await
            .map_err(|trouble| match trouble {
                CdpError::Unanswered => late(),
                other => other.to_string(),
            })?;
        if let Some(error) = navigation.error_text {
            return Err(error);
        }
        if navigation.is_download {
            return Err("it is a file to download".to_owned());
        }
        let loader = navigation.loader_id;
        self.wait(page, until, |heard| {
            heard.comes_from(&loader) && heard.parsed
        })
        .await?;
        let the_rest = page.until(|heard| heard.loaded || heard.crashed || heard.gone);
        let enough = async {
            Timer::at(until.min(Instant::now() + THE_REST)).await;
        };
        or(the_rest, enough).await;
        Ok(())
    }

    /// Waits until a page has come as far as this.
    async fn wait(
        &self,
        page: &Page,
        until: Instant,
        is_there: impl Fn(&Heard) -> bool,
    ) -> Result<(), String> {
        let come = async {
            page.until(|heard| is_there(heard) || heard.crashed || heard.gone)
                .await;
            let heard = page.heard();
            match (heard.crashed, heard.gone) {
                (true, _) => Err("it has crashed".to_owned()),
                (_, true) => Err("its tab was closed".to_owned()),
                _ => Ok(()),
            }
        };
        let is_late = async {
            Timer::at(until).await;
            Err(late())
        };
        or(come, is_late).await
    }

    async fn activate(&self, page: &Page) {
        let which = json!({"targetId": page.target});
        let done: Result<Value, _> = self
            .cdp
            .ask(None, "Target.activateTarget", which, BROWSER)
            .await;
        if let Err(trouble) = done {
            log::debug!("run {}: no other tab is shown: {trouble}", self.around.run);
        }
    }

    /// Closes a tab. One that hangs takes a moment; nobody waits for it.
    fn close(&self, page: &Page) {
        let which = json!({"targetId": page.target});
        self.cdp.tell(None, "Target.closeTarget", &which);
    }

    /// What was on the screen, to fade from.
    async fn farewell(&self, old: &Page) -> Option<String> {
        let heard = old.heard();
        if heard.silent || heard.crashed || heard.paused {
            return None;
        }
        let how = json!({"format": "jpeg", "quality": 85});
        let until = Instant::now() + FAREWELL;
        let shot = self.ask::<CapturedScreenshot>(old, "Page.captureScreenshot", how, until);
        shot.await.ok().map(|shot| shot.data)
    }

    /// Lays a picture over a page, to fade away from the page's first frame on. Where that fails it is a cut.
    async fn lay_over(&self, page: &Page, picture: &str, until: Instant) {
        let picture = Value::from(picture);
        let script = format!(
            "{}({picture}).then(() => null)",
            include_str!("fade.js").trim_end()
        );
        let laid: Result<Value, _> = (self)
            .evaluate(page, &script, Awaits::ItsPromise, until)
            .await;
        if let Err(trouble) = laid {
            log::debug!("run {}: no fading: {trouble}", self.around.run);
        }
    }
}

fn late() -> String {
    format!("it is not there within {} s", PATIENCE.as_secs())
}
