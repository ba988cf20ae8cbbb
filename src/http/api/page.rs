//! What can be done with the page of a display process: reload it, show another one, photograph it, see how it was.

use super::json::Disclosure;
use super::processes::{id, reply};
use crate::http::Api;
use crate::http::error::{Error, Kind};
use crate::http::reply::{ApiRequest, Reply};
use crate::supervisor::page::Transition;
use crate::supervisor::{Command, Done, Failure, Refusal};
use serde_json::{Map, Value};
use smol::future::or;
use std::cell::Cell;
use std::ops::Deref;
use std::rc::Rc;

/// The widest picture that may be asked for, in pixels: it is never made larger than the page.
const WIDTH_MAX: u32 = 16_384;

/// Pictures that are on their way to clients, in bytes. Another one is not sent while there are more: clients
/// that read slowly must not hold a picture each. The largest single one is 16 MiB.
const ON_THEIR_WAY: usize = 8 * 1024 * 1024;

/// How many bytes of pictures are on their way.
#[derive(Debug, Default)]
pub struct Pictures(Rc<Cell<usize>>);

/// A picture on its way.
#[derive(Debug)]
pub struct Lent {
    png: Rc<[u8]>,
    on_their_way: Rc<Cell<usize>>,
}

impl Pictures {
    fn lend(&self, png: Rc<[u8]>) -> Result<Lent, Error> {
        let so_far = self.0.get();
        if so_far > ON_THEIR_WAY {
            return Err(Error::new(Kind::Busy, "too many pictures are on their way"));
        }
        self.0.set(so_far + png.len());
        Ok(Lent {
            png,
            on_their_way: self.0.clone(),
        })
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let others = self.on_their_way.get() - self.png.len();
        self.on_their_way.set(others);
    }
}

impl Deref for Lent {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.png
    }
}

/// `POST /api/processes/{id}/reload`
pub async fn reload(api: &Rc<Api>, ask: ApiRequest<'_>) -> Result<Reply, Error> {
    let id = id(ask.id)?;
    api.commands.ask(Command::ReloadPage(id.clone())).await?;
    reply(api, &ask, 202, &id)
}

/// `POST /api/processes/{id}/navigate`
pub async fn navigate(api: &Rc<Api>, ask: ApiRequest<'_>) -> Result<Reply, Error> {
    let id = id(ask.id)?;
    let (url, transition) = target(ask.object()?)?;
    if ask.pass.disclosure() == Disclosure::Redacted && !is_on_the_web(&url) {
        let detail =
            "the role operate opens http:// and https:// only; other URLs need the role admin";
        return Err(Error::new(Kind::NotAllowed, detail));
    }
    let request = Command::Navigate {
        id: id.clone(),
        url,
        transition,
    };
    // A client that cancels it closes the connection: then the page that is there is to stay.
    let gone = async {
        ask.peer.gone().await;
        let why = Failure::system("the client closed the connection");
        Err(Refusal::PageFailed(id.clone(), why))
    };
    or(api.commands.ask(request), gone).await?;
    reply(api, &ask, 200, &id)
}

/// `GET /api/processes/{id}/screenshot`
pub async fn picture(api: &Rc<Api>, ask: ApiRequest<'_>) -> Result<Reply, Error> {
    let id = id(ask.id)?;
    let width = match ask.query("width") {
        None => None,
        Some(text) => match text.parse() {
            Ok(width @ 1..=WIDTH_MAX) => Some(width),
            _ => {
                let detail = format!("must be a number of pixels from 1 to {WIDTH_MAX}");
                return Err(Error::invalid("width", detail));
            }
        },
    };
    match api.commands.ask(Command::Screenshot { id, width }).await? {
        Done::Screenshot(picture) => Ok(Reply::picture(api.screenshots.lend(picture.png)?)),
        done => Err(Error::unexpected(&done)),
    }
}

/// `GET /api/processes/{id}/evidence`
pub async fn evidence(api: &Rc<Api>, ask: ApiRequest<'_>) -> Result<Reply, Error> {
    let id = id(ask.id)?;
    let status = api.feed.current();
    let shown = (status.processes.iter()).find(|shown| shown.process.id == id);
    let Some(shown) = shown else {
        return Err(Refusal::NoSuchProcess(id).into());
    };
    let step = (shown.page.as_deref()).and_then(|page| page.last_step.as_deref());
    match step.and_then(|step| step.evidence.as_ref()) {
        Some((_, picture)) => Ok(Reply::picture(api.screenshots.lend(picture.png.clone())?)),
        None => {
            let detail = format!("{id}: there is no picture from before a step");
            Err(Error::new(Kind::NoEvidence, detail))
        }
    }
}

/// Whether a URL names something on the network. Others (`file:`, `chrome:`, `view-source:`) name what the account of
/// the browser can read.
fn is_on_the_web(url: &str) -> bool {
    let starts = |scheme: &str| {
        (url.get(..scheme.len())).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    starts("http://") || starts("https://")
}

/// What a body asks for: `{"url", "transition"?}`.
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
    fn slow_clients_cannot_hold_a_picture_each() {
        let pictures = Pictures::default();
        let large: Rc<[u8]> = vec![0; ON_THEIR_WAY + 1].into();
        let first = pictures.lend(large.clone()).unwrap();
        assert!(pictures.lend(large.clone()).is_err());
        drop(first);
        assert!(pictures.lend(large).is_ok());
    }
}
