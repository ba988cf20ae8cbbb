//! `/api/processes`: configuration, state and commands of processes.

use super::config::if_match;
use super::json::{Context, ProcessView, ProcessesView};
use crate::config::Id;
use crate::http::caller::Disclosure;
use crate::http::context::{Api, CachedList};
use crate::http::error::{Error, ErrorKind};
use crate::http::reply::{ApiRequest, Reply};
use crate::supervisor::{Command, Done, Edit, ProcessStatus, Refusal};
use serde::Serialize;
use std::rc::Rc;

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct List<'a> {
    processes: ProcessesView<'a>,
    active_display: Option<&'a Id>,
}

/// `GET /api/processes`
pub async fn list(api: &Rc<Api>, request: ApiRequest<'_>) -> Result<Reply, Error> {
    let status = api.feed.current();
    let disclosure = request.caller.disclosure();
    let context = Context::of(api).disclosing(disclosure);
    let second = context.now().mono.since_boot().as_secs();
    let [redacted, full] = &api.process_lists;
    let mut last = match disclosure {
        Disclosure::Redacted => redacted.borrow_mut(),
        Disclosure::Full => full.borrow_mut(),
    };
    if let Some(last) = &*last
        && (last.generation, last.second) == (status.generation, second)
    {
        return Ok(Reply::shared("application/json", last.bytes.clone()));
    }
    let list = List {
        processes: ProcessesView {
            shown: &status.processes,
            context,
        },
        active_display: status.active_display.as_ref(),
    };
    let bytes: Rc<[u8]> = serde_json::to_vec(&list)
        .expect("replies are serializable")
        .into();
    *last = Some(CachedList {
        generation: status.generation,
        second,
        bytes: bytes.clone(),
    });
    Ok(Reply::shared("application/json", bytes))
}

/// `GET /api/processes/{id}`. Includes the resource usage, which the list does not: it is requested often, and the
/// usage is read from the system each time.
pub async fn show(api: &Rc<Api>, request: ApiRequest<'_>) -> Result<Reply, Error> {
    let shown = find(api, &id(request.id)?)?;
    let usage = (api.usage)(&shown.process.id);
    let disclosure = request.caller.disclosure();
    let context = Context::of(api).disclosing(disclosure);
    let view = context.process(&shown).with_usage(usage);
    let reply = Reply::json(200, &view);
    // Not for redacted output: the tag is a hash of secrets.
    Ok(match disclosure {
        Disclosure::Full => reply.with("ETag", tag(&shown)),
        Disclosure::Redacted => reply,
    })
}

/// `POST /api/processes`
pub async fn create(api: &Rc<Api>, request: ApiRequest<'_>) -> Result<Reply, Error> {
    let fields = request.object()?;
    match api.commands.send(Edit::Create(fields)).await? {
        Done::Created(id) => {
            Ok(reply(api, &request, 201, &id)?.with("Location", format!("/api/processes/{id}")))
        }
        done => Err(Error::unexpected(&done)),
    }
}

/// `PUT /api/processes/{id}`
pub async fn change(api: &Rc<Api>, request: ApiRequest<'_>) -> Result<Reply, Error> {
    let id = id(request.id)?;
    let fields = request.object()?;
    let edit = Edit::Change {
        id: id.clone(),
        fields,
        if_match: if_match(request.header("if-match")),
    };
    api.commands.send(edit).await?;
    let shown = find(api, &id)?;
    Ok(reply(api, &request, 200, &id)?.with("ETag", tag(&shown)))
}

/// The entity tag of a process: of its configuration, not its state.
fn tag(shown: &ProcessStatus) -> String {
    format!("\"{}\"", shown.process.etag())
}

/// `DELETE /api/processes/{id}`. With `?force=true`, rules that use the process are disabled; without it they prevent
/// the deletion.
pub async fn delete(api: &Rc<Api>, request: ApiRequest<'_>) -> Result<Reply, Error> {
    let id = id(request.id)?;
    let force = match request.query("force") {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Error::invalid("force", "must be true or false")),
    };
    api.commands.send(Edit::Delete { id, force }).await?;
    Ok(Reply::empty(204))
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Started<'a> {
    #[serde(flatten)]
    process: ProcessView<'a>,
    /// The processes that were stopped for it.
    stopped: &'a [Id],
}

/// `POST /api/processes/{id}/start`
pub async fn start(api: &Rc<Api>, request: ApiRequest<'_>) -> Result<Reply, Error> {
    let id = id(request.id)?;
    let done = api.commands.send(Command::Start(id.clone())).await?;
    started(api, &request, &id, done)
}

/// `POST /api/processes/{id}/stop`
pub async fn stop(api: &Rc<Api>, request: ApiRequest<'_>) -> Result<Reply, Error> {
    let id = id(request.id)?;
    api.commands.send(Command::Stop(id.clone())).await?;
    reply(api, &request, 202, &id)
}

/// `POST /api/processes/{id}/restart`
pub async fn restart(api: &Rc<Api>, request: ApiRequest<'_>) -> Result<Reply, Error> {
    let id = id(request.id)?;
    let done = api.commands.send(Command::Restart(id.clone())).await?;
    started(api, &request, &id, done)
}

/// The id in a path. No process has an invalid id.
pub fn id(text: &str) -> Result<Id, Error> {
    text.parse().map_err(|_| {
        Error::new(
            ErrorKind::NoSuchProcess,
            format!("there is no process {text}"),
        )
    })
}

/// The process with this id.
pub fn find(api: &Api, id: &Id) -> Result<Rc<ProcessStatus>, Error> {
    let status = api.feed.current();
    let found = status.process(id).cloned();
    found.ok_or_else(|| Refusal::NoSuchProcess(id.clone()).into())
}

/// The current state of a process.
pub(in crate::http) fn reply(
    api: &Api,
    request: &ApiRequest<'_>,
    status: u16,
    id: &Id,
) -> Result<Reply, Error> {
    let shown = find(api, id)?;
    let context = Context::of(api).disclosing(request.caller.disclosure());
    Ok(Reply::json(status, &context.process(&shown)))
}

fn started(api: &Api, request: &ApiRequest<'_>, id: &Id, done: Done) -> Result<Reply, Error> {
    let stopped = match done {
        Done::Started { stopped } => stopped,
        _ => Vec::new(),
    };
    let shown = find(api, id)?;
    let context = Context::of(api).disclosing(request.caller.disclosure());
    let started = Started {
        process: context.process(&shown),
        stopped: &stopped,
    };
    Ok(Reply::json(202, &started))
}
