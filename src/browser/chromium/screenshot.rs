//! Takes screenshots of the page on the screen.

use super::page::{Inspection, Page};
use super::protocol::CapturedScreenshot;
use super::{Chromium, failure};
use crate::browser::cdp::CdpError;
use crate::supervisor::Failure;
use crate::supervisor::Screenshot;
use crate::timeout::before;
use base64ct::{Base64, Encoding};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How long a screenshot may take.
const SCREENSHOT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the screenshot of an unhealthy page may take: the recovery step waits for it.
const EVIDENCE_TIMEOUT: Duration = Duration::from_secs(1);

/// The width of such a screenshot in pixels: it is for a person to look at, and kept in memory.
const EVIDENCE_WIDTH: u32 = 480;

/// The maximum height of a screenshot with a given width: none in practice.
const MAX_HEIGHT: u32 = 1 << 20;

/// The largest screenshot in bytes: an 8K screen full of noise is smaller.
const SCREENSHOT_MAX: usize = 16 * 1024 * 1024;

impl Chromium {
    /// Why there can be no screenshot now, if that is known without asking the page.
    pub(super) fn refuse_screenshot(&self) -> Option<Failure> {
        let page = self.shown.borrow().clone()?;
        let facts = page.facts();
        let is_silent = facts.silent || self.is_silent.get();
        let is_known = facts.crashed || is_silent || facts.dialog.is_some();
        is_known.then(|| failure(&page, CdpError::Timeout))
    }

    /// Takes a screenshot of a page that answers.
    pub(super) async fn screenshot(&self, width: Option<u32>) -> Result<Screenshot, Failure> {
        let page = self.on_screen().await?;
        let until = Instant::now() + SCREENSHOT_TIMEOUT;
        let silent = |error| failure(&page, error);
        if let Some(why) = self.refuse_screenshot() {
            return Err(why);
        }
        let found: Inspection = self
            .evaluate_isolated(&page, include_str!("inspect.js"), until)
            .await
            .map_err(silent)?;
        // A paused page paints no new frame, but a screencast gets the last one.
        let full_size = page.facts().paused.then_some(found.view[0] as u32);
        let smaller = width.filter(|width| f64::from(*width) < found.view[0]);
        let data = match smaller.or(full_size) {
            Some(width) => self.frame(&page, width, until).await,
            None => {
                let options = json!({"format": "png"});
                let shot = self.call::<CapturedScreenshot>(
                    &page,
                    "Page.captureScreenshot",
                    options,
                    until,
                );
                shot.await.map(|shot| shot.data)
            }
        };
        let data = data.map_err(silent)?;
        if data.len() / 4 * 3 > SCREENSHOT_MAX {
            let most = SCREENSHOT_MAX / 1024 / 1024;
            return Err(Failure::system(format!(
                "the screenshot is over {most} MiB; ask for a smaller width"
            )));
        }
        let png = Base64::decode_vec(&data).map_err(|error| {
            Failure::system(format!("the browser sent an invalid screenshot: {error}"))
        })?;
        Ok(Screenshot { png: png.into() })
    }

    /// The next frame of a page, scaled down. Scaling with `captureScreenshot` would make the page itself smaller for a
    /// moment, on the screen.
    async fn frame(&self, page: &Page, width: u32, until: Instant) -> Result<String, CdpError> {
        let _lock = before(until, page.lock_screencast())
            .await
            .ok_or(CdpError::Timeout)?;
        page.take_frame();
        let started: Result<Value, _> = self
            .call(
                page,
                "Page.startScreencast",
                screencast_options(width),
                until,
            )
            .await;
        started?;
        let frame = self.next_frame(page, until).await;
        self.notify(page, "Page.stopScreencast", json!({}));
        frame
    }

    /// A screenshot of the screen, whether or not the page answers: frames come from the compositor. `None` if none
    /// arrives in time, or the renderer crashed.
    pub(super) async fn evidence(&self) -> Option<Screenshot> {
        let page = self.shown.borrow().clone()?;
        let soon = || Instant::now() + EVIDENCE_TIMEOUT;
        let _lock = before(soon(), page.lock_screencast()).await?;
        page.take_frame();
        self.notify(
            &page,
            "Page.startScreencast",
            screencast_options(EVIDENCE_WIDTH),
        );
        let frame = self.next_frame(&page, soon()).await;
        self.notify(&page, "Page.stopScreencast", json!({}));
        let png = Base64::decode_vec(&frame.ok()?).ok()?;
        Some(Screenshot { png: png.into() })
    }

    async fn next_frame(&self, page: &Page, until: Instant) -> Result<String, CdpError> {
        let arrived = async {
            page.until(|facts| facts.has_frame || facts.crashed || facts.gone)
                .await;
            page.take_frame()
        };
        (before(until, arrived).await.flatten()).ok_or(CdpError::Timeout)
    }
}

/// The options of a screencast of at most this width.
fn screencast_options(width: u32) -> Value {
    json!({"format": "png", "maxWidth": width, "maxHeight": MAX_HEIGHT})
}
