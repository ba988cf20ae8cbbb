//! A stream of server-sent events that reconnects where it broke.

use super::connection::{Daemon, Response};
use super::error::Error;
use super::http::Request;
use serde_json::Value;
use std::io::{self, Read};
use std::time::{Duration, Instant};

/// The largest event: a snapshot of a thousand processes has some hundred kilobytes.
const MAX_EVENT: usize = 16 << 20;
/// How much is read at once.
const BUFFER_SIZE: usize = 64 << 10;

/// A server-sent event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The event type; `message` if the stream names none.
    pub name: String,
    /// The data.
    pub data: String,
}

impl Event {
    /// The data, parsed as JSON.
    pub fn json(&self) -> Result<Value, Error> {
        serde_json::from_str(&self.data)
            .map_err(|error| Error::InvalidResponse(format!("its event is not JSON: {error}")))
    }
}

/// What a stream returns next.
#[derive(Debug)]
pub enum Next {
    /// An event.
    Event(Event),
    /// The connection was lost; the next call reconnects.
    Lost,
    /// The time has elapsed.
    TimedOut,
}

/// An event stream.
pub struct EventStream<'a> {
    daemon: &'a Daemon,
    target: String,
    answer: Option<Response>,
    parser: Parser,
    buffer: Box<[u8]>,
}

impl<'a> EventStream<'a> {
    /// Opens the stream.
    ///
    /// # Errors
    /// As [`Daemon::request`]; only a stream that was open once reconnects.
    pub fn open(daemon: &'a Daemon, target: impl Into<String>) -> Result<Self, Error> {
        let mut stream = Self {
            daemon,
            target: target.into(),
            answer: None,
            parser: Parser::default(),
            buffer: vec![0; BUFFER_SIZE].into_boxed_slice(),
        };
        stream.connect()?;
        Ok(stream)
    }

    /// Waits for the next event, at most until `until`.
    ///
    /// # Errors
    /// Reconnecting failed permanently: the process was removed, or the daemon refuses. An unreachable daemon is not an
    /// error.
    pub fn next(&mut self, until: Option<Instant>) -> Result<Next, Error> {
        loop {
            if let Some(event) = self.parser.next() {
                return Ok(Next::Event(event));
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(Next::TimedOut);
            }
            let Some(answer) = &mut self.answer else {
                self.reconnect(left)?;
                continue;
            };
            let read = answer
                .socket
                .set_read_timeout(left)
                .and_then(|()| answer.body.read(&mut self.buffer));
            match read {
                Ok(count @ 1..) if self.parser.feed(&self.buffer[..count]) => continue,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Next::TimedOut);
                }
                // The stream ended, broke, or has an oversized event: reconnect.
                Ok(_) | Err(_) => {}
            }
            self.answer = None;
            self.parser.discard_partial();
            return Ok(Next::Lost);
        }
    }

    fn reconnect(&mut self, left: Option<Duration>) -> Result<(), Error> {
        let pause = self.daemon.timeouts.retry;
        std::thread::sleep(left.map_or(pause, |left| pause.min(left)));
        match self.connect() {
            Err(error) if !error.is_transient() => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn connect(&mut self) -> Result<(), Error> {
        let mut request = Request::get(self.target.as_str()).header("Accept", "text/event-stream");
        if let Some(id) = &self.parser.last_id {
            request = request.header("Last-Event-ID", id);
        }
        self.answer = Some(self.daemon.request(&request)?);
        Ok(())
    }
}

/// Parses an event stream (HTML standard, section 9.2.6).
#[derive(Default)]
struct Parser {
    bytes: Vec<u8>,
    name: String,
    data: String,
    /// The id of the event that is being read.
    id: Option<String>,
    /// The id of the last complete event, from which a new connection continues.
    last_id: Option<String>,
}

impl Parser {
    /// Adds bytes; returns false if an event is too large.
    fn feed(&mut self, bytes: &[u8]) -> bool {
        self.bytes.extend_from_slice(bytes);
        self.bytes.len() + self.data.len() <= MAX_EVENT
    }

    /// Discards the incomplete event of a broken connection, which the next connection sends again.
    fn discard_partial(&mut self) {
        self.bytes.clear();
        self.name.clear();
        self.data.clear();
        self.id.clone_from(&self.last_id);
    }

    fn next(&mut self) -> Option<Event> {
        let mut done = 0;
        let mut event = None;
        while let Some(length) = memchr::memchr(b'\n', &self.bytes[done..]) {
            let line = &self.bytes[done..done + length];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let line = String::from_utf8_lossy(line).into_owned();
            done += length + 1;
            if !line.is_empty() {
                self.take_field(&line);
            } else if let Some(complete) = self.take_event() {
                event = Some(complete);
                break;
            }
        }
        self.bytes.drain(..done);
        event
    }

    fn take_field(&mut self, line: &str) {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.name = value.to_owned(),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            "id" => self.id = Some(value.to_owned()),
            _ => {} // a comment (keep-alive) or an unknown field
        }
    }

    fn take_event(&mut self) -> Option<Event> {
        self.last_id.clone_from(&self.id);
        let name = std::mem::take(&mut self.name);
        let mut data = std::mem::take(&mut self.data);
        data.pop()?; // the last newline; without data there is no event
        let name = if name.is_empty() {
            "message".into()
        } else {
            name
        };
        Some(Event { name, data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(parser: &mut Parser) -> Vec<(String, String)> {
        std::iter::from_fn(|| parser.next())
            .map(|event| (event.name, event.data))
            .collect()
    }

    #[test]
    fn events_are_complete_wherever_the_bytes_are_split() {
        let wire = ": hello\n\nevent: lines\r\nid: 7\r\ndata: [1,\r\ndata:2]\r\n\r\ndata\n\n\
                    data: äö\n\nid: 9\n\n";
        let want = [
            ("lines".to_owned(), "[1,\n2]".to_owned()),
            ("message".to_owned(), String::new()),
            ("message".to_owned(), "äö".to_owned()),
        ];
        for cut in 0..wire.len() {
            let mut parser = Parser::default();
            assert!(parser.feed(&wire.as_bytes()[..cut]));
            let mut got = events(&mut parser);
            assert!(parser.feed(&wire.as_bytes()[cut..]));
            got.extend(events(&mut parser));
            assert_eq!(got, want, "cut at {cut}");
            assert_eq!(parser.last_id.as_deref(), Some("9"));
        }
    }

    #[test]
    fn an_incomplete_event_is_discarded_with_its_connection() {
        let mut parser = Parser::default();
        assert!(parser.feed(b"id: 1\nevent: lines\ndata: half"));
        assert!(parser.next().is_none());
        parser.discard_partial();
        assert!(parser.feed(b"data: whole\n\n"));
        assert_eq!(events(&mut parser), [("message".into(), "whole".into())]);
    }

    #[test]
    fn an_oversized_event_is_refused() {
        let mut parser = Parser::default();
        assert!(parser.feed(b"data: "));
        assert!(!parser.feed(&vec![b'x'; MAX_EVENT]));
    }
}
