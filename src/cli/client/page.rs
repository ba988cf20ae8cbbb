//! `ossuary reload ID`, `open` and `screenshot`.

use super::connection::{Daemon, Timeouts};
use super::context::{Client, Done};
use super::error::Error;
use super::http::{Request, target};
use crate::cli::Exit;
use serde_json::json;
use std::fs;
use std::io::{self, IsTerminal, Read};
use std::path::Path;
use std::time::Duration;

/// A page may take 15 s to load, after the timeout of a hung page.
const PAGE_TIMEOUT: Duration = Duration::from_secs(60);

/// The largest screenshot, with a margin.
const MAX_SCREENSHOT: u64 = 20 << 20;

impl Client<'_, '_> {
    /// Reloads the page of a display process.
    pub fn reload_page(&mut self, id: &str) -> Done {
        let request = Request::post(target(id, "/reload"));
        self.change_page(&request, &format!("{id}: the page was reloaded"))
    }

    /// Shows another page on a display process.
    pub fn open(&mut self, id: &str, url: &str, fade: bool) -> Done {
        let transition = if fade { "fade" } else { "cut" };
        let body = json!({"url": url, "transition": transition});
        let request = Request::new("POST", target(id, "/navigate")).json(&body);
        let url = url.replace(char::is_control, "\u{fffd}");
        self.change_page(&request, &format!("{id}: shows {url}"))
    }

    fn change_page(&mut self, request: &Request, done: &str) -> Done {
        let timeouts = Timeouts {
            response: PAGE_TIMEOUT,
            ..self.daemon.timeouts
        };
        let socket = self.daemon.socket.clone();
        let view = Daemon { socket, timeouts }.request_json(request)?;
        self.show(view, done)
    }

    /// Writes a screenshot of a display process to a file or to standard output.
    pub fn screenshot(&mut self, id: &str, file: Option<&Path>, width: Option<u32>) -> Done {
        if file.is_none() && io::stdout().is_terminal() {
            self.terminal
                .note("standard output is a terminal; name a file with -o FILE");
            return Ok(Exit::Usage);
        }
        let query = width.map_or(String::new(), |width| format!("?width={width}"));
        let request = Request::get(target(id, &format!("/screenshot{query}")));
        let response = self.daemon.request(&request)?;
        let mut png = Vec::new();
        (response.body.take(MAX_SCREENSHOT))
            .read_to_end(&mut png)
            .map_err(|error| self.daemon.io_error(&error))?;
        match file {
            None => self.terminal.write_bytes(&png)?,
            Some(path) => fs::write(path, png).map_err(|error| Error::file(path, error))?,
        }
        Ok(Exit::Done)
    }
}
