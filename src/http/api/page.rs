//! The page of a display process: reload, navigate, screenshot, evidence.

use super::json::Disclosure;
use super::processes::{id, reply};
use crate::http::Api;
use crate::http::error::{Error, ErrorKind};
use crate::http::reply::{ApiRequest, Reply};
use crate::supervisor::page::Transition;
use crate::supervisor::{Command, Done, Failure, Refusal};
use serde_json::{Map, Value};
use smol::future::or;
use std::cell::Cell;
use std::ops::Deref;
use std::rc::Rc;

/// The largest width that may be requested, in pixels. A screenshot is never enlarged.
const WIDTH_MAX: u32 = 16_384;

/// The most bytes of screenshots in transit; above it, further ones are refused, so that slow clients do not hold one
/// each. The largest single screenshot has 16 MiB.
const IN_TRANSIT_MAX: usize = 8 * 1024 * 1024;

/// The bytes of screenshots in transit.
#[derive(Debug, Default)]
pub struct ScreenshotsInTransit(Rc<Cell<usize>>);

/// A screenshot in transit.
#[derive(Debug)]
pub struct SentScreenshot {
    png: Rc<[u8]>,
    in_transit: Rc<Cell<usize>>,
}

impl ScreenshotsInTransit {
    fn add(&self, png: Rc<[u8]>) -> Result<SentScreenshot, Error> {
        let so_far = self.0.get();
        if so_far > IN_TRANSIT_MAX {
            return Err(Error::new(
                ErrorKind::Busy,
                "too many screenshots are being sent; try again in a moment",
            ));
        }
        self.0.set(so_far + png.len());
        Ok(SentScreenshot {
            png,
            in_transit: self.0.clone(),
        })
    }
}

impl Drop for SentScreenshot {
    fn drop(&mut self) {
        let others = self.in_transit.get() - self.png.len();
        self.in_transit.set(others);
    }
}

impl Deref for SentScreenshot {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.png
    }
}

/// `POST /api/processes/{id}/reload`
pub async fn reload(api: &Rc<Api>, request: ApiRequest<'_>) -> Result<Reply, Error> {
    let id = id(request.id)?;
    api.commands.send(Command::ReloadPage(id.clone())).await?;
    reply(api, &request, 202, &id)
}

/// `POST /api/processes/{id}/navigate`
pub async fn navigate(api: &Rc<Api>, request: ApiRequest<'_>) -> Result<Reply, Error> {
    let id = id(request.id)?;
    let (url, transition) = target(request.object()?)?;
    if request.caller.disclosure() == Disclosure::Redacted && !is_on_the_web(&url) {
        let detail =
            "the role operate opens http:// and https:// only; other URLs need the role admin";
        return Err(Error::new(ErrorKind::NotAllowed, detail));
    }
    let command = Command::Navigate {
        id: id.clone(),
        url,
        transition,
    };
    // A client that cancels closes the connection: the current page then stays.
    let gone = async {
        request.peer.disconnected().await;
        let why = Failure::system("the client closed the connection");
        Err(Refusal::PageFailed(id.clone(), why))
    };
    or(api.commands.send(command), gone).await?;
    reply(api, &request, 200, &id)
}

/// `GET /api/processes/{id}/screenshot`
pub async fn screenshot(api: &Rc<Api>, request: ApiRequest<'_>) -> Result<Reply, Error> {
    let id = id(request.id)?;
    let width = match request.query("width") {
        None => None,
        Some(text) => match text.parse() {
            Ok(width @ 1..=WIDTH_MAX) => Some(width),
            _ => {
                let detail = format!("must be a number of pixels from 1 to {WIDTH_MAX}");
                return Err(Error::invalid("width", detail));
            }
        },
    };
    match api.commands.send(Command::Screenshot { id, width }).await? {
        Done::Screenshot(screenshot) => Ok(Reply::screenshot(api.screenshots.add(screenshot.png)?)),
        done => Err(Error::unexpected(&done)),
    }
}

/// `GET /api/processes/{id}/evidence`
pub async fn evidence(api: &Rc<Api>, request: ApiRequest<'_>) -> Result<Reply, Error> {
    let id = id(request.id)?;
    let status = api.feed.current();
    let shown = (status.processes.iter()).find(|shown| shown.process.id == id);
    let Some(shown) = shown else {
        return Err(Refusal::NoSuchProcess(id).into());
    };
    let step = (shown.page.as_deref()).and_then(|page| page.last_step.as_deref());
    match step.and_then(|step| step.evidence.as_ref()) {
        Some((_, screenshot)) => Ok(Reply::screenshot(
            api.screenshots.add(screenshot.png.clone())?,
        )),
        None => {
            let detail = format!("{id}: there is no screenshot from before a recovery step");
            Err(Error::new(ErrorKind::NoEvidence, detail))
        }
    }
}

/// Whether a URL is on the network. Others (`file:`, `chrome:`, `view-source:`) name what the browser's account can
/// read.
fn is_on_the_web(url: &str) -> bool {
    let starts = |scheme: &str| {
        (url.get(..scheme.len())).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    starts("http://") || starts("https://")
}

/// Parses a body `{"url", "transition"?}`.
fn target(mut body: Map<String, Value>) -> Result<(String, Transition), Error> {
    let url = match body.remove("url") {
        Some(Value::String(url)) => url,
        Some(_) => return Err(Error::invalid("url", "must be a string")),
        None => {
            let detail = "is missing; it is the address of the page to show";
            return Err(Error::invalid("url", detail));
        }
    };
    let transition = match body.remove("transition") {
        None => Transition::Cut,
        Some(Value::String(word)) if word == "cut" => Transition::Cut,
        Some(Value::String(word)) if word == "fade" => Transition::Fade,
        Some(_) => {
            let detail = "must be \"cut\" or \"fade\"";
            return Err(Error::invalid("transition", detail));
        }
    };
    match body.keys().next() {
        None => Ok((url, transition)),
        Some(name) => {
            let detail = "there is no such field; there are url and transition";
            Err(Error::invalid(name.clone(), detail))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_clients_cannot_hold_a_screenshot_each() {
        let screenshots = ScreenshotsInTransit::default();
        let large: Rc<[u8]> = vec![0; IN_TRANSIT_MAX + 1].into();
        let first = screenshots.add(large.clone()).unwrap();
        assert!(screenshots.add(large.clone()).is_err());
        drop(first);
        assert!(screenshots.add(large).is_ok());
    }
}
