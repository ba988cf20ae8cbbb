//! `/api/processes`: what is configured, how it fares, and the buttons.

use super::config::if_match;
use super::json::{Context, Disclosure, Processes};
use crate::config::Id;
use crate::http::Api;
use crate::http::error::{Error, Kind};
use crate::http::reply::{ApiRequest, Reply};
use crate::supervisor::{Command, Done, ProcessStatus, Refusal};
use serde::Serialize;
use std::cell::RefCell;
use std::rc::Rc;

/// The list as it was written last. It says whole seconds, so it is written at most
/// once a second and generation for each [`Disclosure`], however many ask for it.
#[derive(Debug, Default)]
pub struct Rendered {
    redacted: RefCell<Option<Written>>,
    full: RefCell<Option<Written>>,
}

#[derive(Debug)]
struct Written {
    generation: u64,
    second: u64,
    bytes: Rc<[u8]>,
}

#[derive(Serialize)]
struct List<'a> {
    processes: Processes<'a>,
    active_display: Option<&'a Id>,
}

/// `GET /api/processes`
pub async fn list(api: &Rc<Api>, ask: ApiRequest<'_>) -> Result<Reply, Error> {
    let status = api.feed.current();
    let disclosure = ask.pass.disclosure();
    let light = Context::of(api).disclosing(disclosure);
    let second = light.now().mono.since_boot().as_secs();
    let last = match disclosure {
        Disclosure::Redacted => &api.processes.redacted,
        Disclosure::Full => &api.processes.full,
    };
    let mut last = last.borrow_mut();
    if let Some(last) = &*last
        && (last.generation, last.second) == (status.generation, second)
    {
        return Ok(Reply::shared("application/json", last.bytes.clone()));
    }
    let list = List {
        processes: Processes {
            shown: &status.processes,
            light,
        },
        active_display: status.active_display.as_ref(),
    };
    let bytes: Rc<[u8]> = serde_json::to_vec(&list)
        .expect("what we show can be written")
        .into();
    *last = Some(Written {
        generation: status.generation,
        second,
        bytes: bytes.clone(),
    });
    Ok(Reply::shared("application/json", bytes))
}

/// `GET /api/processes/{id}`. What it uses is shown here and not in the list, which is asked for
/// often: the system is asked anew each time.
pub async fn show(api: &Rc<Api>, ask: ApiRequest<'_>) -> Result<Reply, Error> {
    let shown = find(api, &id(ask.id)?)?;
    let usage = (api.usage)(&shown.process.id);
    let disclosure = ask.pass.disclosure();
    let light = Context::of(api).disclosing(disclosure);
    let view = light.process(&shown).using(usage);
    let reply = Reply::json(200, &view);
    // The tag is a hash of secrets, too.
    Ok(match disclosure {
        Disclosure::Full => reply.with("ETag", tag(&shown)),
        Disclosure::Redacted => reply,
    })
}

/// `POST /api/processes`
pub async fn create(api: &Rc<Api>, ask: ApiRequest<'_>) -> Result<Reply, Error> {
    let fields = ask.object()?;
    match api.commands.ask(Command::Create(fields)).await? {
        Done::Created(id) => {
            Ok(reply(api, &ask, 201, &id)?.with("Location", format!("/api/processes/{id}")))
        }
        done => Err(Error::unexpected(&done)),
    }
}

/// `PUT /api/processes/{id}`
pub async fn change(api: &Rc<Api>, ask: ApiRequest<'_>) -> Result<Reply, Error> {
    let id = id(ask.id)?;
    let fields = ask.object()?;
    let request = match if_match(ask.header("if-match")) {
        None => Command::Change(id.clone(), fields),
        Some(if_match) => Command::ChangeIfMatch {
            id: id.clone(),
            fields,
            if_match,
        },
    };
    api.commands.ask(request).await?;
    let shown = find(api, &id)?;
    Ok(reply(api, &ask, 200, &id)?.with("ETag", tag(&shown)))
}

/// The entity tag of a process: it names its configuration, not its state.
fn tag(shown: &ProcessStatus) -> String {
    format!("\"{}\"", shown.process.etag())
}

/// `DELETE /api/processes/{id}`. One that rules name is deleted only with `?force=true`, which switches these rules off.
pub async fn delete(api: &Rc<Api>, ask: ApiRequest<'_>) -> Result<Reply, Error> {
    let id = id(ask.id)?;
    let request = match ask.query("force") {
        None | Some("false") => Command::Delete(id),
        Some("true") => Command::ForceDelete(id),
        Some(_) => return Err(Error::invalid("force", "must be true or false")),
    };
    api.commands.ask(request).await?;
    Ok(Reply::empty(204))
}

/// `POST /api/processes/{id}/start`
pub async fn start(api: &Rc<Api>, ask: ApiRequest<'_>) -> Result<Reply, Error> {
    let id = id(ask.id)?;
    let done = api.commands.ask(Command::Start(id.clone())).await?;
    started(api, &ask, &id, done)
}

/// `POST /api/processes/{id}/stop`
pub async fn stop(api: &Rc<Api>, ask: ApiRequest<'_>) -> Result<Reply, Error> {
    let id = id(ask.id)?;
    api.commands.ask(Command::Stop(id.clone())).await?;
    reply(api, &ask, 202, &id)
}

/// `POST /api/processes/{id}/restart`
pub async fn restart(api: &Rc<Api>, ask: ApiRequest<'_>) -> Result<Reply, Error> {
    let id = id(ask.id)?;
    let done = api.commands.ask(Command::Restart(id.clone())).await?;
    started(api, &ask, &id, done)
}

/// The id in a path. What cannot be an id is nobody's.
pub fn id(text: &str) -> Result<Id, Error> {
    text.parse()
        .map_err(|_| Error::new(Kind::NoSuchProcess, format!("there is no process {text}")))
}

/// The process with this id.
pub fn find(api: &Api, id: &Id) -> Result<Rc<ProcessStatus>, Error> {
    let status = api.feed.current();
    let found = status.process(id).cloned();
    found.ok_or_else(|| Refusal::NoSuchProcess(id.clone()).into())
}

/// A process as it is now.
pub(in crate::http) fn reply(
    api: &Api,
    ask: &ApiRequest<'_>,
    status: u16,
    id: &Id,
) -> Result<Reply, Error> {
    let shown = find(api, id)?;
    let light = Context::of(api).disclosing(ask.pass.disclosure());
    Ok(Reply::json(status, &light.process(&shown)))
}

fn started(api: &Api, ask: &ApiRequest<'_>, id: &Id, done: Done) -> Result<Reply, Error> {
    let stopped = match done {
        Done::Started { stopped } => stopped,
        _ => Vec::new(),
    };
    let shown = find(api, id)?;
    let light = Context::of(api).disclosing(ask.pass.disclosure());
    let view = light.process(&shown).instead_of(&stopped);
    Ok(Reply::json(202, &view))
}
