//! `ossuary reload ID`, `open` and `screenshot`.

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

/// A page may take 15 s to load, after the timeout of a hung page.
const PAGE_TIMEOUT: Duration = Duration::from_secs(60);

/// The largest screenshot, with a margin.
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

/// Reloads the page of a display process.
pub fn reload(
    daemon: &Daemon,
    id: &str,
    json: bool,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Error> {
    let request = Request::new("POST", target(id, "/reload")).json("{}");
    let view = with_page_timeout(daemon).request_json(&request)?;
    print_result(id, "the page was reloaded", &view, json, terminal)
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

/// Writes a screenshot of a display process to a file or to standard output.
pub fn screenshot(
    daemon: &Daemon,
    id: &str,
    file: Option<&Path>,
    width: Option<u32>,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Error> {
    if file.is_none() && io::stdout().is_terminal() {
        terminal.note("standard output is a terminal; name a file with -o FILE");
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
