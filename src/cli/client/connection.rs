//! One question to the daemon over its socket, and the answer.

use super::error::Error;
use super::http::{Body, Head, Request};
use super::problem::Refused;
use serde_json::Value;
use std::io::{self, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

/// The largest answer that is read into memory: a thousand processes are some
/// hundred kilobytes. Logs are not bounded by this; they are passed on as they come.
const MAX_RESPONSE: u64 = 16 << 20;

/// How long the daemon may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For any sign of life while it owes an answer. A change waits for the
    /// disk, and a worn SD card may take seconds.
    pub response: Duration,
    /// Between two attempts to take up a broken stream again.
    pub retry: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            response: Duration::from_secs(15),
            retry: Duration::from_secs(1),
        }
    }
}

/// A daemon, known by its socket.
#[derive(Clone, Debug)]
pub struct Daemon {
    /// Where it listens.
    pub socket: PathBuf,
    /// How long it may take.
    pub timeouts: Timeouts,
}

/// A successful answer, its body not yet read.
pub struct Response {
    /// Its head.
    pub head: Head,
    /// Its body.
    pub body: Body<BufReader<UnixStream>>,
    /// The same socket, for its time-outs.
    pub socket: UnixStream,
}

impl Daemon {
    /// Asks, with a connection of its own: a local socket costs nothing, and
    /// nothing has to be kept in step.
    ///
    /// # Errors
    /// No daemon, no answer in time, or a refusal.
    pub fn request(&self, request: &Request) -> Result<Response, Error> {
        let mut socket = self.connect()?;
        let silent = |error: io::Error| self.io_error(&error);
        socket
            .set_read_timeout(Some(self.timeouts.response))
            .and_then(|()| socket.set_write_timeout(Some(self.timeouts.response)))
            .map_err(silent)?;
        // A daemon may refuse a long request before it has read all of it: then
        // its answer tells more than our broken pipe.
        let sent = socket.write_all(&request.to_bytes());
        let mut reader = BufReader::new(socket.try_clone().map_err(silent)?);
        let head = match Head::read(&mut reader) {
            Ok(head) => head,
            Err(error) => return Err(self.io_error(&sent.err().unwrap_or(error))),
        };
        let body = Body::new(reader, &head);
        let mut answer = Response { head, body, socket };
        if answer.head.status < 400 {
            return Ok(answer);
        }
        let text = answer.text(self).unwrap_or_default();
        let refused = Refused::read(answer.head.status, &text);
        Err(Error::Refused(Box::new(refused)))
    }

    /// Asks for JSON.
    ///
    /// # Errors
    /// As [`Daemon::ask`], and where the answer is not JSON.
    pub fn request_json(&self, request: &Request) -> Result<Value, Error> {
        let text = self.request_text(request)?;
        serde_json::from_str(&text)
            .map_err(|error| Error::InvalidResponse(format!("its answer is not JSON: {error}")))
    }

    /// Asks for text.
    ///
    /// # Errors
    /// As [`Daemon::ask`], and where the answer is too long or not UTF-8.
    pub fn request_text(&self, request: &Request) -> Result<String, Error> {
        self.request(request)?.text(self)
    }

    /// What a failed read or write on the socket means.
    pub fn io_error(&self, error: &io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Error::Timeout {
                seconds: self.timeouts.response.as_secs(),
            },
            _ => Error::InvalidResponse(error.to_string()),
        }
    }

    /// A daemon that hangs with a full backlog blocks `connect` for ever, and
    /// the standard library has no time-out for it: so it is waited for from
    /// outside. The thread that is left behind ends with the program.
    fn connect(&self) -> Result<UnixStream, Error> {
        let (sender, receiver) = mpsc::channel();
        let path = self.socket.clone();
        std::thread::spawn(move || sender.send(UnixStream::connect(path)));
        match receiver.recv_timeout(self.timeouts.response) {
            Ok(Ok(socket)) => Ok(socket),
            Ok(Err(error)) => Err(connect_error(&self.socket, &error)),
            Err(_) => Err(Error::Timeout {
                seconds: self.timeouts.response.as_secs(),
            }),
        }
    }
}

fn connect_error(socket: &Path, error: &io::Error) -> Error {
    let socket = socket.to_owned();
    match error.kind() {
        io::ErrorKind::PermissionDenied => Error::PermissionDenied { socket },
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Error::NoDaemon { socket },
        _ => Error::Connect {
            socket,
            error: error.to_string(),
        },
    }
}

impl Response {
    /// The whole body as text.
    ///
    /// # Errors
    /// Where it is cut off, too long, or not UTF-8.
    pub fn text(&mut self, daemon: &Daemon) -> Result<String, Error> {
        let mut text = String::new();
        self.body
            .by_ref()
            .take(MAX_RESPONSE + 1)
            .read_to_string(&mut text)
            .map_err(|error| daemon.io_error(&error))?;
        if text.len() as u64 > MAX_RESPONSE {
            return Err(Error::InvalidResponse(format!(
                "its answer is longer than {} MiB",
                MAX_RESPONSE >> 20
            )));
        }
        Ok(text)
    }
}
