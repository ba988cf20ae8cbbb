//! Photographs the page on the screen.

use super::page::Finding;
use super::{Chromium, Page, no_answer};
use crate::browser::cdp::CdpError;
use crate::supervisor::Failure;
use crate::supervisor::page::Screenshot;
use base64ct::{Base64, Encoding};
use serde::Deserialize;
use serde_json::{Value, json};
use smol::Timer;
use smol::future::or;
use std::time::{Duration, Instant};

/// How long a picture may take.
const PICTURE: Duration = Duration::from_secs(5);

/// How long what is on the screen of a page that is not well may take: something is to be done about it.
const EVIDENCE: Duration = Duration::from_secs(1);

/// How wide such a picture is, in pixels: it is for a person to see, and kept in memory.
const EVIDENCE_WIDTH: u32 = 480;

/// The height that a picture of a given width may have: none that there is.
const TALLEST: u32 = 1 << 20;

/// The largest picture, in bytes: an 8K screen full of noise is smaller.
const PICTURE_MAX: usize = 16 * 1024 * 1024;

/// A picture, in base64.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CapturedScreenshot {
    pub(super) data: String,
    /// Of a frame: the number of the screencast that it belongs to.
    #[serde(default)]
    pub(super) session_id: i64,
}

impl Chromium {
    /// Why there can be no picture now, where that is known without asking the page.
    pub(super) fn why_no_picture(&self) -> Option<Failure> {
        let page = self.shown.borrow().clone()?;
        let heard = page.heard();
        let is_silent = heard.silent || self.is_silent.get();
        let is_known = heard.crashed || is_silent || heard.dialog.is_some();
        is_known.then(|| no_answer(&page, CdpError::Unanswered))
    }

    /// A picture of this moment: of a page that answers, or none.
    pub(super) async fn picture(&self, width: Option<u32>) -> Result<Screenshot, Failure> {
        let page = self.on_screen().await?;
        let until = Instant::now() + PICTURE;
        let silent = |trouble| no_answer(&page, trouble);
        if let Some(why) = self.why_no_picture() {
            return Err(why);
        }
        let found: Finding = self
            .in_world(&page, include_str!("look.js"), until)
            .await
            .map_err(silent)?;
        // A page that is paused draws no frame for a whole picture, but the one that is there can be had.
        let whole = page.heard().paused.then_some(found.view[0] as u32);
        let smaller = width.filter(|width| f64::from(*width) < found.view[0]);
        let data = match smaller.or(whole) {
            Some(width) => self.frame(&page, width, until).await,
            None => {
                let how = json!({"format": "png"});
                let shot =
                    self.ask::<CapturedScreenshot>(&page, "Page.captureScreenshot", how, until);
                shot.await.map(|shot| shot.data)
            }
        };
        let data = data.map_err(silent)?;
        if data.len() / 4 * 3 > PICTURE_MAX {
            let most = PICTURE_MAX / 1024 / 1024;
            return Err(Failure::system(format!(
                "the picture is over {most} MiB; ask for a smaller width"
            )));
        }
        let png = Base64::decode_vec(&data).map_err(|error| {
            Failure::system(format!("the browser's picture is broken: {error}"))
        })?;
        Ok(Screenshot { png: png.into() })
    }

    /// The next frame of a page, scaled down. To scale a picture with `captureScreenshot` would make the page
    /// itself smaller for an instant, on the screen.
    async fn frame(&self, page: &Page, width: u32, until: Instant) -> Result<String, CdpError> {
        let _casting = within(until, page.casting()).await?;
        page.take_frame();
        let started: Result<Value, _> = self
            .ask(page, "Page.startScreencast", cast(width), until)
            .await;
        started?;
        let frame = self.next_frame(page, until).await;
        self.tell(page, "Page.stopScreencast", json!({}));
        frame
    }

    /// What is on the screen, whether or not the page answers: frames come from what composes the screen. `None` where
    /// none comes in time, or what draws the page has died.
    pub(super) async fn evidence(&self) -> Option<Screenshot> {
        let page = self.shown.borrow().clone()?;
        let soon = || Instant::now() + EVIDENCE;
        let _casting = within(soon(), page.casting()).await.ok()?;
        page.take_frame();
        self.tell(&page, "Page.startScreencast", cast(EVIDENCE_WIDTH));
        let frame = self.next_frame(&page, soon()).await;
        self.tell(&page, "Page.stopScreencast", json!({}));
        let png = Base64::decode_vec(&frame.ok()?).ok()?;
        Some(Screenshot { png: png.into() })
    }

    async fn next_frame(&self, page: &Page, until: Instant) -> Result<String, CdpError> {
        let come = async {
            page.until(|heard| heard.has_frame || heard.crashed || heard.gone)
                .await;
            page.take_frame()
        };
        within(until, come).await?.ok_or(CdpError::Unanswered)
    }
}

/// How frames are to be: no wider than this.
fn cast(width: u32) -> Value {
    json!({"format": "png", "maxWidth": width, "maxHeight": TALLEST})
}

async fn within<T>(until: Instant, work: impl Future<Output = T>) -> Result<T, CdpError> {
    let late = async {
        Timer::at(until).await;
        Err(CdpError::Unanswered)
    };
    or(async { Ok(work.await) }, late).await
}
