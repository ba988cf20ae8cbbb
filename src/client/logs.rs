//! `ossuary logs`: what a process printed, and what it prints.

use super::connection::Daemon;
use super::error::Error;
use super::feed::{Feed, Next};
use super::message::Request;
use super::status::target;
use super::terminal::Terminal;
use crate::args::Exit;
use serde::Deserialize;
use serde_json::Value;
use std::fmt;
use std::io::Read;

/// What is passed on at once.
const PIECE: usize = 64 << 10;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Line {
    time: String,
    stream: String,
    text: String,
    cut: bool,
}

/// As the API writes a line in its text.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.time, self.stream, self.text)?;
        f.write_str(if self.cut { " […]" } else { "" })
    }
}

#[derive(Deserialize)]
struct Gap {
    #[serde(default)]
    lost: u64,
}

/// The newest lines, passed on as they come: a log may be larger than the memory to spare.
pub fn print(
    daemon: &Daemon,
    id: &str,
    lines: u32,
    json: bool,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Error> {
    let kind = if json {
        "application/json"
    } else {
        "text/plain"
    };
    let request = Request::get(target(id, &format!("/logs?lines={lines}"))).header("Accept", kind);
    let mut answer = daemon.ask(&request)?;
    let mut piece = vec![0; PIECE];
    let mut last = b'\n';
    loop {
        match answer.body.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => {
                terminal.pass_on(&piece[..count])?;
                last = piece[count - 1];
            }
            Err(error) => return Err(daemon.silent(&error)),
        }
    }
    if last != b'\n' {
        terminal.pass_on(b"\n")?;
    }
    Ok(Exit::Done)
}

/// The newest lines and then what is new, until somebody has had enough.
pub fn follow(
    daemon: &Daemon,
    id: &str,
    lines: u32,
    json: bool,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Error> {
    let mut feed = Feed::open(daemon, target(id, &format!("/logs/stream?lines={lines}")))?;
    loop {
        match feed.next(None)? {
            Next::Event(event) => match event.name.as_str() {
                "lines" if json => {
                    let lines: Vec<Value> = understood(&event.data)?;
                    lines.iter().try_for_each(|line| terminal.say(line))?;
                }
                "lines" => {
                    let lines: Vec<Line> = understood(&event.data)?;
                    lines.iter().try_for_each(|line| terminal.say(line))?;
                }
                "gap" => {
                    let gap: Gap = understood(&event.data)?;
                    terminal.remark(format_args!(
                        "{} lines were overwritten before they could be read",
                        gap.lost
                    ));
                }
                _ => {} // something newer than this program
            },
            Next::Lost => terminal.remark("the connection was lost; waiting for the daemon"),
            Next::TimeUp => {} // there is no end to this
        }
        terminal.flush()?;
    }
}

fn understood<'a, T: Deserialize<'a>>(data: &'a str) -> Result<T, Error> {
    serde_json::from_str(data)
        .map_err(|error| Error::Confused(format!("a line of the log is odd: {error}")))
}
