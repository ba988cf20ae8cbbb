//! The connection to one client: a socket, the bytes received, and a deadline.

use super::deadline::Deadline;
use super::head::{self, Head};
use super::proxy_protocol;
use crate::auth::ClientAddress;
use crate::http::error::{Error, ErrorKind};
use crate::http::limits::{HEAD_MAX, Limits};
use smol::{Async, io::AsyncWriteExt};
use std::io::{self, Read};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// How much is read at once while waiting for a head: nearly always a whole head.
const READ_SIZE: usize = 2048;

/// The most empty lines before a request; more than any client sends by mistake.
const EMPTY_LINES_MAX: u32 = 8;

/// How much is still read after an error, so that a client in the middle of a body can read the response.
const LINGER_MAX: usize = 1024 * 1024;

/// A connection. While idle it has no buffer.
#[derive(Debug)]
pub struct ClientConnection {
    /// A TCP stream, or a unix stream as one (see [`super::accept`]).
    pub socket: Async<TcpStream>,
    /// The bytes received after the current request head: its body, or pipelined requests.
    pub received: Vec<u8>,
    /// Limits every wait for the client.
    pub deadline: Deadline,
    /// How much of the body of the current request is still to be received.
    pub body_left: usize,
}

/// The next request of a client.
#[derive(Debug)]
pub enum NextRequest {
    /// A valid head and its bytes; the body has not been read.
    Request(Head, Vec<u8>),
    /// A malformed or late head.
    Refused(Error),
    /// The connection has ended.
    Closed,
}

impl ClientConnection {
    /// A connection over this socket.
    pub fn new(socket: Async<TcpStream>) -> Self {
        Self {
            socket,
            received: Vec::new(),
            deadline: Deadline::new(),
            body_left: 0,
        }
    }

    /// Waits at most `silence` for the first byte of a request, then at most [`Limits::head`] for the rest of its head.
    pub async fn next_request(&mut self, silence: Duration, limits: &Limits) -> NextRequest {
        let mut seen = 0;
        let mut empty = 0;
        let mut speaking = false;
        self.deadline.set(silence);
        loop {
            // RFC 9112, section 2.2: an empty line before a request is ignored. A client could send nothing else for
            // ever.
            while self.received.starts_with(b"\r\n") {
                self.received.drain(..2);
                seen = 0;
                empty += 1;
                if empty > EMPTY_LINES_MAX {
                    let why = "there are too many empty lines before the request";
                    return NextRequest::Refused(Error::new(ErrorKind::Malformed, why));
                }
            }
            match head::find_end(&self.received, seen) {
                Ok(Some(length)) => return self.take_head(length),
                Ok(None) => seen = self.received.len(),
                Err(error) => return NextRequest::Refused(error),
            }
            if !speaking && !self.received.is_empty() {
                speaking = true;
                self.deadline.set(limits.head);
            }
            match self.receive() {
                Ok(0) => return NextRequest::Closed,
                Ok(_) => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => (),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return NextRequest::Closed,
            }
            if self.received.is_empty() {
                self.received = Vec::new();
            }
            match self.deadline.timeout(self.socket.readable()).await {
                Ok(Ok(())) => (),
                Ok(Err(_)) => return NextRequest::Closed,
                Err(_) if !speaking => return NextRequest::Closed,
                Err(_) => {
                    return NextRequest::Refused(Error::new(
                        ErrorKind::TooSlow,
                        "the request head did not arrive in time",
                    ));
                }
            }
        }
    }

    /// Waits for the PROXY line of a proxy. `None` if it is late or malformed: the client is unknown then, and gets no
    /// response.
    pub async fn read_proxy_line(&mut self, limits: &Limits) -> Option<ClientAddress> {
        self.deadline.set(limits.head);
        loop {
            let seen = self.received.len().min(proxy_protocol::MAX);
            if let Some(end) = self.received[..seen].iter().position(|byte| *byte == b'\n') {
                let client = proxy_protocol::client(&self.received[..=end]);
                self.received.drain(..=end);
                return client.map(ClientAddress::from);
            }
            if seen == proxy_protocol::MAX {
                return None;
            }
            match self.receive() {
                Ok(0) => return None,
                Ok(_) => continue,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => (),
                Err(_) => return None,
            }
            (self.deadline.timeout(self.socket.readable()).await.ok()?).ok()?;
        }
    }

    /// Writes these bytes for at most `limit`. The result does not matter, because the connection ends anyway.
    pub async fn write_last(&mut self, bytes: &[u8], limit: Duration) {
        self.deadline.set(limit);
        let socket = &self.socket;
        let _ = self
            .deadline
            .timeout(async move { (&mut &*socket).write_all(bytes).await })
            .await;
    }

    /// Ends the connection such that the client reads the last response: closing a socket with unread bytes resets the
    /// connection and discards what was sent.
    pub async fn linger(&mut self, limit: Duration) {
        self.received = Vec::new();
        if self.socket.get_ref().shutdown(Shutdown::Write).is_err() {
            return;
        }
        self.deadline.set(limit);
        let mut taken = 0;
        while taken < LINGER_MAX {
            self.received.clear();
            match self.receive() {
                Ok(0) => return,
                Ok(count) => taken += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if !matches!(
                        self.deadline.timeout(self.socket.readable()).await,
                        Ok(Ok(()))
                    ) {
                        return;
                    }
                }
                Err(_) => return,
            }
        }
    }

    fn take_head(&mut self, length: usize) -> NextRequest {
        let rest = self.received.split_off(length);
        let mut bytes = std::mem::replace(&mut self.received, rest);
        match head::check(&bytes) {
            Ok(head) => {
                head::to_origin_form(&mut bytes, &head);
                self.body_left = head.body;
                NextRequest::Request(head, bytes)
            }
            Err(error) => NextRequest::Refused(error),
        }
    }

    /// Reads the bytes that have arrived, without waiting.
    fn receive(&mut self) -> io::Result<usize> {
        let mut piece = [0; READ_SIZE];
        let room = READ_SIZE.min(HEAD_MAX.saturating_sub(self.received.len()));
        let count = self.socket.get_ref().read(&mut piece[..room])?;
        self.received.extend_from_slice(&piece[..count]);
        Ok(count)
    }
}
