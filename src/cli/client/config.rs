//! Changes to the configuration: `add`, `set`, `enable`, `disable`, `remove`, `config`, `reload`.

use super::connection::Daemon;
use super::error::Error;
use super::http::Request;
use super::status::{problems, target};
use super::suggest::suggest;
use super::terminal::{Terminal, plain_text};
use crate::cli::{Exit, apply};
use serde_json::{Map, Value, json};
use std::io::Read;
use std::path::Path;

/// How much of a document is read at most. The daemon refuses more than 256 KiB with a clear message.
const MAX_DOCUMENT: u64 = 1 << 20;

/// Adds a process and prints its id, which a script may need.
pub fn add(
    daemon: &Daemon,
    fields: &Map<String, Value>,
    json: bool,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Error> {
    let body = serde_json::to_vec(fields).expect("a map of JSON values is JSON");
    let view = daemon.request_json(&Request::new("POST", "/api/processes").json(body))?;
    match json {
        true => terminal.print(view)?,
        false => terminal.print(plain_text(&view["id"]))?,
    }
    Ok(Exit::Done)
}

/// Changes fields of a process. To change one entry of a field (`flags.webgpu`), the field is read first: the API
/// replaces whole fields.
pub fn set(
    daemon: &Daemon,
    id: &str,
    changes: &[(Vec<String>, Value)],
    json: bool,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Error> {
    let mut fields = Map::new();
    if changes.iter().any(|(path, _)| path.len() > 1) {
        let mut view = daemon.request_json(&Request::get(target(id, "")))?;
        for (path, _) in changes.iter().filter(|(path, _)| path.len() > 1) {
            if let value @ Value::Object(_) = view[&path[0]].take() {
                fields.entry(path[0].as_str()).or_insert(value);
            }
        }
    }
    for change in changes {
        apply(&mut fields, change);
    }
    put(daemon, id, &Value::Object(fields), json, terminal)
}

/// Enables or disables processes.
pub fn enable(
    daemon: &Daemon,
    ids: &[String],
    enabled: bool,
    json: bool,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Error> {
    each(daemon, ids, json, terminal, |id, terminal| {
        put(daemon, id, &json!({"enabled": enabled}), json, terminal)
    })
}

fn put(
    daemon: &Daemon,
    id: &str,
    fields: &Value,
    json: bool,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Error> {
    let request = Request::new("PUT", target(id, "")).json(fields.to_string());
    let view = daemon.request_json(&request)?;
    match json {
        true => terminal.print(view)?,
        false => terminal.print(format_args!("{id}: saved"))?,
    }
    Ok(Exit::Done)
}

/// Removes processes that do not run. The API answers without a body, so `--json` prints nothing.
pub fn remove(
    daemon: &Daemon,
    ids: &[String],
    force: bool,
    json: bool,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Error> {
    each(daemon, ids, json, terminal, |id, terminal| {
        let query = if force { "?force=true" } else { "" };
        daemon.request_text(&Request::new("DELETE", target(id, query)))?;
        if !json {
            terminal.print(format_args!("{id}: removed"))?;
        }
        Ok(Exit::Done)
    })
}

/// Calls `act` for each process, even if an earlier one was refused.
fn each(
    daemon: &Daemon,
    ids: &[String],
    json: bool,
    terminal: &mut Terminal<'_>,
    mut act: impl FnMut(&str, &mut Terminal<'_>) -> Result<Exit, Error>,
) -> Result<Exit, Error> {
    let mut exit = Exit::Done;
    for id in ids {
        exit = exit.or(match act(id, terminal) {
            Err(Error::Refused(refused)) => {
                terminal.report_refusal(&refused, Some(id), json)?;
                suggest(daemon, &refused, id, terminal);
                Error::Refused(refused).exit()
            }
            other => other?,
        });
    }
    Ok(exit)
}

/// Prints the whole configuration, or writes it to a file and prints its entity tag for `config put --if-match`.
pub fn config_get(
    daemon: &Daemon,
    file: Option<&Path>,
    json: bool,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Error> {
    let mut answer = daemon.request(&Request::get("/api/config"))?;
    let text = answer.text(daemon)?;
    let Some(path) = file else {
        terminal.print(text.trim_end())?;
        return Ok(Exit::Done);
    };
    std::fs::write(path, text).map_err(|error| failed(path, error))?;
    let etag = answer.head.etag.unwrap_or_default();
    let etag = etag.trim_matches('"'); // quotes would have to be quoted in a shell
    match json {
        true => terminal.print(json!({"file": path.to_string_lossy(), "etag": etag}))?,
        false => terminal.print(format_args!("{}: saved, ETag {etag}", path.display()))?,
    }
    Ok(Exit::Done)
}

/// How to continue after [`config_put`] was refused because the configuration has another entity tag.
pub const OUTDATED: &str = "`ossuary config get OTHER` writes the current one to another file and prints its ETag; \
                            --force replaces it in any case";

/// Replaces the whole configuration, if it still has this entity tag.
pub fn config_put(
    daemon: &Daemon,
    file: Option<&Path>,
    if_match: Option<&str>,
    json: bool,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Error> {
    let mut document = Vec::new();
    let read = match file {
        None => std::io::stdin()
            .take(MAX_DOCUMENT)
            .read_to_end(&mut document),
        Some(path) => std::fs::File::open(path)
            .and_then(|file| file.take(MAX_DOCUMENT).read_to_end(&mut document)),
    };
    read.map_err(|error| failed(file.unwrap_or(Path::new("standard input")), error))?;
    let mut request = Request::new("PUT", "/api/config").json(document);
    if let Some(etag) = if_match {
        request = request.header("If-Match", &format!("\"{}\"", etag.trim_matches('"')));
    }
    let answer = daemon.request_text(&request)?;
    match json {
        true => terminal.print(answer.trim_end())?,
        false => terminal.print("saved")?,
    }
    Ok(Exit::Done)
}

fn failed(path: &Path, error: std::io::Error) -> Error {
    Error::File {
        path: path.to_owned(),
        error,
    }
}

/// Makes the daemon reload the configuration file.
pub fn reload(daemon: &Daemon, json: bool, terminal: &mut Terminal<'_>) -> Result<Exit, Error> {
    let answer = daemon.request_json(&Request::new("POST", "/api/reload").json("{}"))?;
    if json {
        terminal.print(&answer)?;
    }
    if problems(&answer, terminal) {
        return Ok(Exit::Refused);
    }
    if !json {
        terminal.print("the configuration was reloaded")?;
    }
    Ok(Exit::Done)
}
