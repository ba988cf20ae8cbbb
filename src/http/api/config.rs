//! `/api/config`, `/api/behaviors`, `/api/schedule`, `/api/reload`: the document and its sections.
//!
//! For `admin`, the only role that may change them, all three have the entity tag of the whole document. A client sends
//! the tag of what it has read in `If-Match`, and gets 412 if the document has changed since.

use super::json::ConfigurationView;
use crate::config::{Etag, Loaded, Problem, Section, Zone, check_zone, redact};
use crate::http::caller::Disclosure;
use crate::http::context::Api;
use crate::http::error::Error;
use crate::http::reply::{ApiRequest, Reply};
use crate::supervisor::{Command, Edit, Refusal};
use serde::Serialize;
use serde_json::Value;
use std::rc::Rc;

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Reloaded<'a> {
    generation: u64,
    configuration: ConfigurationView<'a>,
}

/// `GET /api/config`
pub async fn show(api: &Rc<Api>, request: ApiRequest<'_>) -> Result<Reply, Error> {
    let known = request.header("if-none-match");
    Ok(document(api, &request, None, known))
}

/// `PUT /api/config`
pub async fn replace(api: &Rc<Api>, request: ApiRequest<'_>) -> Result<Reply, Error> {
    let new: Value = request.json()?;
    if let Some(problem) = unknown_zone(api, new.get("schedule")).await {
        return Err(refuse(api, problem, |loaded| loaded.replaced_by(new)));
    }
    let edit = Edit::ReplaceConfig {
        document: new,
        if_match: if_match(request.header("if-match")),
    };
    api.commands.send(edit).await?;
    Ok(document(api, &request, None, None))
}

/// `GET /api/behaviors`
pub async fn show_behaviors(api: &Rc<Api>, request: ApiRequest<'_>) -> Result<Reply, Error> {
    let known = request.header("if-none-match");
    Ok(document(api, &request, Some(Section::Behaviors), known))
}

/// `PUT /api/behaviors`
pub async fn replace_behaviors(api: &Rc<Api>, request: ApiRequest<'_>) -> Result<Reply, Error> {
    replace_section(api, &request, Section::Behaviors).await
}

/// `GET /api/schedule`
pub async fn show_schedule(api: &Rc<Api>, request: ApiRequest<'_>) -> Result<Reply, Error> {
    let known = request.header("if-none-match");
    Ok(document(api, &request, Some(Section::Schedule), known))
}

/// `PUT /api/schedule`
pub async fn replace_schedule(api: &Rc<Api>, request: ApiRequest<'_>) -> Result<Reply, Error> {
    replace_section(api, &request, Section::Schedule).await
}

/// `POST /api/reload`
pub async fn reload(api: &Rc<Api>, request: ApiRequest<'_>) -> Result<Reply, Error> {
    api.commands.send(Command::Reload).await?;
    let status = api.feed.current();
    let reloaded = Reloaded {
        generation: status.generation,
        configuration: ConfigurationView::of(
            api,
            &status.configuration,
            request.caller.disclosure(),
        ),
    };
    Ok(Reply::json(202, &reloaded))
}

async fn replace_section(
    api: &Rc<Api>,
    request: &ApiRequest<'_>,
    section: Section,
) -> Result<Reply, Error> {
    let value: Value = request.json()?;
    if section == Section::Schedule
        && let Some(problem) = unknown_zone(api, Some(&value)).await
    {
        return Err(refuse(api, problem, |loaded| {
            loaded.with_section(section, value)
        }));
    }
    let edit = Edit::ReplaceSection {
        section,
        value,
        if_match: if_match(request.header("if-match")),
    };
    api.commands.send(edit).await?;
    Ok(document(api, request, Some(section), None))
}

/// The problem of the time zone of a schedule, if this machine does not have it. Zones are files of the machine, so the
/// configuration cannot check them. The zone in force stays valid: its file may have been removed by an update, which
/// must not prevent other changes.
async fn unknown_zone(api: &Api, schedule: Option<&Value>) -> Option<Problem> {
    let zone = |schedule: &Value| Some(schedule.get("timezone")?.as_str()?.to_owned());
    let name = zone(schedule?)?;
    let document = api.feed.current().configuration.document.clone();
    if name == Zone::Auto.as_str()
        || zone(&document.section(Section::Schedule)) == Some(name.clone())
    {
        return None;
    }
    // The configuration itself refuses what cannot be the name of a zone.
    if check_zone(&name).is_err() {
        return None;
    }
    let message = (api.check_zone)(name).await.err()?;
    let path = "schedule.timezone".to_owned();
    Some(Problem { path, message })
}

/// Refuses a change for this problem and all others of it.
fn refuse(
    api: &Api,
    problem: Problem,
    change: impl FnOnce(&Loaded) -> Result<Loaded, Vec<Problem>>,
) -> Error {
    let document = api.feed.current().configuration.document.clone();
    let loaded = Loaded::from_bytes(&document.to_bytes());
    let changed = loaded.and_then(|loaded| change(&loaded));
    let mut problems = changed.err().unwrap_or_default();
    problems.push(problem);
    Refusal::Invalid(problems).into()
}

/// The document or a section of it, or 304 if the client has it already. Below the role `admin` a section has only its
/// public fields, and a tag of those: a tag of the document would confirm a guess of its secrets. The whole document is
/// for `admin` only.
fn document(
    api: &Api,
    request: &ApiRequest<'_>,
    section: Option<Section>,
    known: Option<&str>,
) -> Reply {
    let status = api.feed.current();
    let document = &status.configuration.document;
    let (reply, etag) = match (section, request.caller.disclosure()) {
        (None, _) => {
            let reply = Reply::bytes(200, "application/json", document.to_bytes());
            (reply, document.etag())
        }
        (Some(section), Disclosure::Full) => {
            let reply = Reply::json(200, &document.section(section));
            (reply, document.etag())
        }
        (Some(section), Disclosure::Redacted) => {
            let outline = redact::outline(&document.section(section)).to_string();
            let etag = Etag::of(outline.as_bytes());
            let reply = Reply::bytes(200, "application/json", outline.into_bytes());
            (reply, etag)
        }
    };
    let is_known =
        known.is_some_and(|known| known.trim() == "*" || tags(known, true).any(|tag| tag == etag));
    let reply = if is_known { Reply::empty(304) } else { reply };
    reply.with("ETag", format!("\"{etag}\""))
}

/// The entity tags of `If-Match`; `None` if any document will do. A malformed tag matches nothing but counts, because
/// the client has set a condition.
pub(in crate::http) fn if_match(field: Option<&str>) -> Option<Vec<Etag>> {
    let field = field.filter(|field| field.trim() != "*")?;
    Some(tags(field, false).collect())
}

/// Parses entity tags (RFC 9110, section 8.8.3): `"0123456789abcdef", W/"…"`. Weak tags may avoid a transfer but not
/// permit a change.
fn tags(field: &str, weak: bool) -> impl Iterator<Item = Etag> {
    field.split(',').filter_map(move |tag| {
        let tag = tag.trim();
        let tag = tag.strip_prefix("W/").filter(|_| weak).unwrap_or(tag);
        tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_match_names_the_documents_that_may_be_replaced() {
        let one = "\"0123456789abcdef\"";
        let tag = Etag(0x0123_4567_89ab_cdef);
        assert_eq!(if_match(None), None);
        assert_eq!(if_match(Some("*")), None);
        assert_eq!(if_match(Some(one)), Some(vec![tag]));
        let two = format!("\"x\" , {one}");
        assert_eq!(if_match(Some(&two)), Some(vec![tag]));
        assert_eq!(if_match(Some(&format!("W/{one}"))), Some(Vec::new()));
        assert_eq!(if_match(Some("rubbish")), Some(Vec::new()));
        assert_eq!(tags(&format!("W/{one}"), true).collect::<Vec<_>>(), [tag]);
    }
}
