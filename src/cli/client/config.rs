//! Changes to the configuration: `add`, `set`, `enable`, `disable`, `remove`, `config`, `reload`.

use super::context::{Client, Done};
use super::error::Error;
use super::http::{Request, target};
use super::terminal::plain_text;
use crate::cli::{Exit, apply};
use serde_json::{Map, Value, json};
use std::io::Read;
use std::path::Path;

/// How much of a document is read at most. The daemon refuses more than 256 KiB with a clear message.
const MAX_DOCUMENT: u64 = 1 << 20;

/// How to continue after `config put` was refused because the configuration has another entity tag.
pub const OUTDATED: &str = "`ossuary config get OTHER` writes the current one to another file and prints its ETag; \
                            --force replaces it in any case";

impl Client<'_, '_> {
    /// Adds a process and prints its id, which a script may need.
    pub fn add(&mut self, fields: &Map<String, Value>) -> Done {
        let request = Request::new("POST", "/api/processes").json(fields);
        let view = self.daemon.request_json(&request)?;
        self.show(&view, plain_text(&view["id"]))
    }

    /// Changes fields of a process. To change one entry of a field (`flags.webgpu`), the field is read first: the API
    /// replaces whole fields.
    pub fn set(&mut self, id: &str, changes: &[(Vec<String>, Value)]) -> Done {
        let mut fields = Map::new();
        if changes.iter().any(|(path, _)| path.len() > 1) {
            let mut view = self.daemon.request_json(&Request::get(target(id, "")))?;
            for (path, _) in changes.iter().filter(|(path, _)| path.len() > 1) {
                if let value @ Value::Object(_) = view[&path[0]].take() {
                    fields.entry(path[0].as_str()).or_insert(value);
                }
            }
        }
        for change in changes {
            apply(&mut fields, change);
        }
        self.put(id, &Value::Object(fields))
    }

    /// Enables or disables processes.
    pub fn enable(&mut self, ids: &[String], enabled: bool) -> Done {
        self.each(ids, |client, id| {
            client.put(id, &json!({ "enabled": enabled }))
        })
    }

    fn put(&mut self, id: &str, fields: &Value) -> Done {
        let request = Request::new("PUT", target(id, "")).json(fields);
        let view = self.daemon.request_json(&request)?;
        self.show(view, format_args!("{id}: saved"))
    }

    /// Removes processes that do not run. The API answers without a body, so `--json` prints nothing.
    pub fn remove(&mut self, ids: &[String], force: bool) -> Done {
        let query = if force { "?force=true" } else { "" };
        self.each(ids, |client, id| {
            let request = Request::new("DELETE", target(id, query));
            client.daemon.request_text(&request)?;
            if !client.json {
                client.terminal.print(format_args!("{id}: removed"))?;
            }
            Ok(Exit::Done)
        })
    }

    /// Prints the whole configuration, or writes it to a file and prints its entity tag for `config put --if-match`.
    pub fn config_get(&mut self, file: Option<&Path>) -> Done {
        let mut response = self.daemon.request(&Request::get("/api/config"))?;
        let text = response.text(self.daemon)?;
        let Some(path) = file else {
            self.terminal.print(text.trim_end())?;
            return Ok(Exit::Done);
        };
        std::fs::write(path, text).map_err(|error| Error::file(path, error))?;
        let etag = response.head.etag.unwrap_or_default();
        let etag = etag.trim_matches('"'); // quotes would have to be quoted in a shell
        self.show(
            json!({"file": path.to_string_lossy(), "etag": etag}),
            format_args!("{}: saved, ETag {etag}", path.display()),
        )
    }

    /// Replaces the whole configuration, if it still has this entity tag.
    pub fn config_put(&mut self, file: Option<&Path>, if_match: Option<&str>) -> Done {
        let mut document = Vec::new();
        let read = match file {
            None => std::io::stdin()
                .take(MAX_DOCUMENT)
                .read_to_end(&mut document),
            Some(path) => std::fs::File::open(path)
                .and_then(|file| file.take(MAX_DOCUMENT).read_to_end(&mut document)),
        };
        let name = file.unwrap_or(Path::new("standard input"));
        read.map_err(|error| Error::file(name, error))?;
        let mut request = Request::new("PUT", "/api/config").body(document);
        if let Some(etag) = if_match {
            request = request.header("If-Match", &format!("\"{}\"", etag.trim_matches('"')));
        }
        let response = self.daemon.request_text(&request)?;
        self.show(response.trim_end(), "saved")
    }

    /// Makes the daemon reload the configuration file.
    pub fn reload(&mut self) -> Done {
        let response = self.daemon.request_json(&Request::post("/api/reload"))?;
        if self.json {
            self.terminal.print(&response)?;
        }
        if self.print_problems(&response) {
            return Ok(Exit::Refused);
        }
        if !self.json {
            self.terminal.print("the configuration was reloaded")?;
        }
        Ok(Exit::Done)
    }
}
