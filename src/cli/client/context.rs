//! What every client command uses: the daemon, the way in which its responses and refusals are printed, and suggestions.

use super::connection::{Daemon, parse};
use super::error::Error;
use super::http::Request;
use super::problem::Refused;
use super::terminal::Terminal;
use crate::cli::{Exit, nearest};
use serde_json::{Map, Value};
use std::fmt::Display;

/// The end of a command.
pub type Done = Result<Exit, Error>;

/// Sends the requests of one command and prints the responses.
pub struct Client<'a, 't> {
    /// The daemon.
    pub daemon: &'a Daemon,
    /// Whether to print the responses as JSON.
    pub json: bool,
    /// Where it is printed.
    pub terminal: &'a mut Terminal<'t>,
}

impl Client<'_, '_> {
    /// Prints the response with `--json`, else the text.
    pub fn show(&mut self, response: impl Display, text: impl Display) -> Done {
        match self.json {
            true => self.terminal.print(response)?,
            false => self.terminal.print(text)?,
        }
        Ok(Exit::Done)
    }

    /// Fetches what a command prints. With `--json` the response is printed unchanged, and `None` is returned.
    pub fn fetch(&mut self, target: &str) -> Result<Option<Value>, Error> {
        let text = self.daemon.request_text(&Request::get(target))?;
        if self.json {
            self.terminal.print(text.trim_end())?;
            return Ok(None);
        }
        parse(&text).map(Some)
    }

    /// Calls `act` for each process, even if an earlier one was refused.
    pub fn each<'i>(
        &mut self,
        ids: &'i [String],
        mut act: impl FnMut(&mut Self, &'i str) -> Done,
    ) -> Done {
        let mut exit = Exit::Done;
        for id in ids {
            exit = exit.or(match act(self, id) {
                Err(Error::Refused(refused)) => {
                    self.report_refusal(&refused, Some(id), Some(id))?;
                    Error::Refused(refused).exit()
                }
                other => other?,
            });
        }
        Ok(exit)
    }

    /// Prints a refusal to standard error, about the process `subject` if there are several, and with `--json` the problem
    /// document to standard output. Suggests another process if there is none with the id `named`.
    pub fn report_refusal(
        &mut self,
        refused: &Refused,
        subject: Option<&str>,
        named: Option<&str>,
    ) -> Result<(), Error> {
        match subject {
            Some(id) => self.terminal.note(refused.about(id)),
            None => self.terminal.note(refused),
        }
        let printed = match &refused.document {
            Some(document) if self.json => self.terminal.print(document),
            _ => Ok(()),
        };
        if let Some(id) = named {
            self.suggest(refused, id);
        }
        printed
    }

    /// If no process has this id: suggests the one with this name, or the one with the nearest id.
    fn suggest(&mut self, refused: &Refused, id: &str) {
        if !refused.is_no_such_process() {
            return;
        }
        let Ok(response) = self.daemon.request_json(&Request::get("/api/processes")) else {
            return; // the refusal was printed
        };
        let Ok(processes) = object(&response, "processes") else {
            return;
        };
        let is_called = |view: &Value| {
            let name = view["name"].as_str().unwrap_or_default();
            name.to_lowercase() == id.to_lowercase()
        };
        let ids = processes.keys().map(String::as_str);
        let called = ids.clone().find(|id| is_called(&processes[*id]));
        if let Some(meant) = called.or_else(|| nearest(id, ids)) {
            self.terminal.note(format_args!("did you mean `{meant}`?"));
        }
    }
}

/// The items of the list `name` in a response.
pub fn list<'v>(response: &'v Value, name: &str) -> Result<&'v [Value], Error> {
    let items = response[name].as_array().map(Vec::as_slice);
    items.ok_or_else(|| missing(name))
}

/// The fields of the object `name` in a response.
pub fn object<'v>(response: &'v Value, name: &str) -> Result<&'v Map<String, Value>, Error> {
    response[name].as_object().ok_or_else(|| missing(name))
}

/// A response without the field `name`.
pub fn missing(name: &str) -> Error {
    Error::InvalidResponse(format!("its response has no `{name}`"))
}
