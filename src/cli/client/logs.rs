//! `ossuary logs`: prints the log of a process, and follows it.

use super::context::{Client, Done};
use super::error::Error;
use super::event_stream::{EventStream, Next};
use super::http::{Request, target};
use crate::cli::Exit;
use serde::Deserialize;
use serde_json::Value;
use std::fmt;
use std::io::Read;

/// How much is read at once.
const BUFFER_SIZE: usize = 64 << 10;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Line {
    time: String,
    stream: String,
    text: String,
    cut: bool,
}

/// The plain text format of the API.
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

impl Client<'_, '_> {
    /// Prints the newest lines. They are streamed, because a log may be large.
    pub fn print_log(&mut self, id: &str, lines: u32) -> Done {
        let kind = match self.json {
            true => "application/json",
            false => "text/plain",
        };
        let request = Request::get(target(id, &format!("/logs?lines={lines}")));
        let mut response = self.daemon.request(&request.header("Accept", kind))?;
        let mut piece = vec![0; BUFFER_SIZE];
        let mut held = 0; // bytes at the start of `piece`, of a character whose end has not been read yet
        let mut last = b'\n';
        loop {
            match response.body.read(&mut piece[held..]) {
                Ok(0) => break,
                Ok(count) => {
                    let filled = held + count;
                    let whole = whole_characters(&piece[..filled]);
                    self.terminal.write_bytes(&piece[..whole])?;
                    last = piece[filled - 1];
                    piece.copy_within(whole..filled, 0);
                    held = filled - whole;
                }
                Err(error) => return Err(self.daemon.io_error(&error)),
            }
        }
        self.terminal.write_bytes(&piece[..held])?;
        if last != b'\n' {
            self.terminal.write_bytes(b"\n")?;
        }
        Ok(Exit::Done)
    }

    /// Prints the newest lines and then new ones, until the program is interrupted.
    pub fn follow_log(&mut self, id: &str, lines: u32) -> Done {
        let terminal = &mut self.terminal;
        let target = target(id, &format!("/logs/stream?lines={lines}"));
        let mut stream = EventStream::open(self.daemon, target)?;
        loop {
            match stream.next(None)? {
                Next::Event(event) => match event.name.as_str() {
                    "lines" if self.json => {
                        let lines: Vec<Value> = parse(&event.data)?;
                        lines.iter().try_for_each(|line| terminal.print(line))?;
                    }
                    "lines" => {
                        let lines: Vec<Line> = parse(&event.data)?;
                        lines.iter().try_for_each(|line| terminal.print(line))?;
                    }
                    "gap" => {
                        let Gap { lost } = parse(&event.data)?;
                        terminal.note(format_args!(
                            "{lost} lines were overwritten before they could be read"
                        ));
                    }
                    _ => {} // an event that this version does not know
                },
                Next::Lost => terminal.note("the connection was lost; waiting for the daemon"),
                Next::TimedOut => {} // there is no timeout
            }
            terminal.flush()?;
        }
    }
}

/// The length of these bytes without an incomplete UTF-8 character at their end.
fn whole_characters(bytes: &[u8]) -> usize {
    let tail = bytes.iter().rev().take(3);
    let begins = tail
        .enumerate()
        .find(|(_, byte)| !matches!(byte, 0x80..=0xbf));
    let length = |first: u8| match first {
        0xf0.. => 4,
        0xe0.. => 3,
        0xc0.. => 2,
        _ => 1,
    };
    match begins {
        Some((after, first)) if length(*first) > after + 1 => bytes.len() - after - 1,
        _ => bytes.len(),
    }
}

fn parse<'a, T: Deserialize<'a>>(data: &'a str) -> Result<T, Error> {
    serde_json::from_str(data)
        .map_err(|error| Error::InvalidResponse(format!("a line of the log is invalid: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_is_split() {
        let text = "a é → 🜂";
        for cut in 0..=text.len() {
            let whole = (0..=cut).rev().find(|end| text.is_char_boundary(*end));
            let bytes = &text.as_bytes()[..cut];
            assert_eq!(Some(whole_characters(bytes)), whole, "cut at {cut}");
        }
        assert_eq!(whole_characters(b"\x9b\x9b\x9b\x9b"), 4, "not UTF-8");
    }
}
