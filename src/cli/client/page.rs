//! `ossuary reload ID`, `open` and `screenshot`: the page of a display process.

use super::connection::{Daemon, Timeouts};
use super::error::Error;
use super::http::Request;
use super::status::target;
use super::terminal::Terminal;
use crate::cli::Exit;
use serde_json::{Value, json};
use std::fs;
use std::io::{self, IsTerminal, Read};
use std::path::Path;
use std::time::Duration;

/// A page has 15 s to be there, after a page that hangs was given its time to answer.
const PAGE_TIMEOUT: Duration = Duration::from_secs(60);

/// The largest picture the daemon sends, with room to spare.
const MAX_SCREENSHOT: u64 = 20 << 20;

fn with_page_timeout(daemon: &Daemon) -> Daemon {
    Daemon {
        timeouts: Timeouts {
            response: PAGE_TIMEOUT,
            ..daemon.timeouts
        },
        ..daemon.clone()
    }
}

/// Has the page of a display process loaded anew.
pub fn reload(
    daemon: &Daemon,
    id: &str,
    json: bool,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Error> {
    let request = Request::new("POST", target(id, "/reload")).json("{}");
    let view = with_page_timeout(daemon).request_json(&request)?;
    print_result(id, "the page was loaded anew", &view, json, terminal)
}

/// Shows another page on a display process.
pub fn open(
    daemon: &Daemon,
    id: &str,
    url: &str,
    fade: bool,
    json: bool,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Error> {
    let transition = if fade { "fade" } else { "cut" };
    let body = json!({"url": url, "transition": transition}).to_string();
    let request = Request::new("POST", target(id, "/navigate")).json(body);
    let view = with_page_timeout(daemon).request_json(&request)?;
    let what = format!("shows {}", url.replace(char::is_control, "\u{fffd}"));
    print_result(id, &what, &view, json, terminal)
}

fn print_result(
    id: &str,
    what: &str,
    view: &Value,
    json: bool,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Error> {
    match json {
        true => terminal.print(view)?,
        false => terminal.print(format_args!("{id}: {what}"))?,
    }
    Ok(Exit::Done)
}

/// Photographs what a display process shows.
pub fn screenshot(
    daemon: &Daemon,
    id: &str,
    file: Option<&Path>,
    width: Option<u32>,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Error> {
    if file.is_none() && io::stdout().is_terminal() {
        terminal.note("a picture is nothing for a terminal; give it a file with -o FILE");
        return Ok(Exit::Usage);
    }
    let query = width.map_or(String::new(), |width| format!("?width={width}"));
    let request = Request::get(target(id, &format!("/screenshot{query}")));
    let mut answer = daemon.request(&request)?;
    let mut png = Vec::new();
    (answer.body.by_ref().take(MAX_SCREENSHOT))
        .read_to_end(&mut png)
        .map_err(|error| daemon.io_error(&error))?;
    match file {
        None => terminal.write_bytes(&png)?,
        Some(path) => fs::write(path, png).map_err(|error| Error::File {
            path: path.to_owned(),
            error,
        })?,
    }
    Ok(Exit::Done)
}
