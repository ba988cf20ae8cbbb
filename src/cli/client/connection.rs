//! Sends a request to the daemon over its Unix socket and reads the response.

use super::error::Error;
use super::http::{Body, Head, Request};
use super::problem::Refused;
use serde_json::Value;
use std::io::{self, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

/// The largest response that is read into memory: a thousand processes take some hundred kilobytes. Logs are streamed
/// and not bounded by this.
const MAX_RESPONSE: u64 = 16 << 20;

/// Timeouts of a request.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For each read while the response is incomplete. A change is saved before it is answered, and a worn SD card may
    /// take seconds.
    pub response: Duration,
    /// Between attempts to reopen a broken stream.
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

/// A daemon and how to reach it.
#[derive(Clone, Debug)]
pub struct Daemon {
    /// The socket on which it listens.
    pub socket: PathBuf,
    /// How long requests may take.
    pub timeouts: Timeouts,
}

/// A successful response whose body is not yet read.
pub struct Response {
    /// Status and headers.
    pub head: Head,
    /// The body.
    pub body: Body<BufReader<UnixStream>>,
    /// The socket of the body, to set its timeouts.
    pub socket: UnixStream,
}

impl Daemon {
    /// Sends a request on a connection of its own.
    ///
    /// # Errors
    /// There is no daemon, no response in time, or a refusal.
    pub fn request(&self, request: &Request) -> Result<Response, Error> {
        let mut socket = self.connect()?;
        let silent = |error: io::Error| self.io_error(&error);
        socket
            .set_read_timeout(Some(self.timeouts.response))
            .and_then(|()| socket.set_write_timeout(Some(self.timeouts.response)))
            .map_err(silent)?;
        // The daemon may refuse a long request before it has read all of it. Its response is then more useful than the
        // error of our write.
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

    /// Sends a request and parses the response as JSON.
    ///
    /// # Errors
    /// As [`Daemon::request`], or the response is not JSON.
    pub fn request_json(&self, request: &Request) -> Result<Value, Error> {
        parse(&self.request_text(request)?)
    }

    /// Sends a request and reads the response as text.
    ///
    /// # Errors
    /// As [`Daemon::request`], or the response is too long or not UTF-8.
    pub fn request_text(&self, request: &Request) -> Result<String, Error> {
        self.request(request)?.text(self)
    }

    /// Converts an error of the socket.
    pub fn io_error(&self, error: &io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Error::Timeout {
                seconds: self.timeouts.response.as_secs(),
            },
            _ => Error::InvalidResponse(error.to_string()),
        }
    }

    /// Connects in a thread, because `connect` blocks forever if the daemon hangs and its backlog is full, and the
    /// standard library has no timeout for it. After a timeout the thread ends with the program.
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

/// Parses a response as JSON.
pub fn parse(text: &str) -> Result<Value, Error> {
    serde_json::from_str(text)
        .map_err(|error| Error::InvalidResponse(format!("its response is not JSON: {error}")))
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
    /// Reads the whole body as text.
    ///
    /// # Errors
    /// The body is incomplete, too long, or not UTF-8.
    pub fn text(&mut self, daemon: &Daemon) -> Result<String, Error> {
        let mut text = String::new();
        self.body
            .by_ref()
            .take(MAX_RESPONSE + 1)
            .read_to_string(&mut text)
            .map_err(|error| daemon.io_error(&error))?;
        if text.len() as u64 > MAX_RESPONSE {
            return Err(Error::InvalidResponse(format!(
                "its response is longer than {} MiB",
                MAX_RESPONSE >> 20
            )));
        }
        Ok(text)
    }
}
