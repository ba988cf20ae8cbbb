//! The page of a display process: reload, navigate, screenshot, evidence.

use super::processes::{id, reply};
use crate::http::caller::Disclosure;
use crate::http::context::Api;
use crate::http::error::{Error, ErrorKind};
use crate::http::reply::{ApiRequest, Reply};
use crate::supervisor::Transition;
use crate::supervisor::{Command, Done, Failure, Refusal};
use serde::Deserialize;
use smol::future::or;
use std::rc::Rc;

/// The largest width that may be requested, in pixels. A screenshot is never enlarged.
const WIDTH_MAX: u32 = 16_384;

/// `POST /api/processes/{id}/reload`
pub async fn reload(api: &Rc<Api>, request: ApiRequest<'_>) -> Result<Reply, Error> {
    let id = id(request.id)?;
    api.commands.send(Command::ReloadPage(id.clone())).await?;
    reply(api, &request, 202, &id)
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Navigation {
    url: String,
    transition: Option<TransitionName>,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
enum TransitionName {
    Cut,
    Fade,
}

/// `POST /api/processes/{id}/navigate`
pub async fn navigate(api: &Rc<Api>, request: ApiRequest<'_>) -> Result<Reply, Error> {
    let id = id(request.id)?;
    let Navigation { url, transition } = request.body()?;
    let transition = match transition {
        None | Some(TransitionName::Cut) => Transition::Cut,
        Some(TransitionName::Fade) => Transition::Fade,
    };
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
