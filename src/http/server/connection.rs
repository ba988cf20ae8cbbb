//! The line to one client: a socket, what has arrived on it, and a deadline.

use super::deadline::Deadline;
use super::head::{self, Head};
use super::limits::{HEAD_MAX, Limits};
use super::proxy_protocol;
use crate::http::error::{Error, Kind};
use smol::{Async, io::AsyncWriteExt};
use std::io::{ErrorKind, Read};
use std::net::{IpAddr, Shutdown, TcpStream};
use std::time::Duration;

/// How much is read at once while a head is awaited: a whole head, nearly always.
const PIECE: usize = 2048;

/// More empty lines before a request than any client sends by mistake.
const EMPTY_MAX: u32 = 8;

/// After a refusal this much is still taken in, so that a client in the middle of a
/// body gets to read the refusal; more is cut off.
const LINGER_MAX: usize = 1024 * 1024;

/// A connection. While nothing is asked for it has no buffer at all.
#[derive(Debug)]
pub struct ClientConnection {
    /// A TCP stream, or a unix stream as one: both are read and written by the same system calls.
    pub socket: Async<TcpStream>,
    /// What has arrived beyond the current request head: its body, or requests sent in advance.
    pub inbox: Vec<u8>,
    /// Cuts off whatever the client is waited for.
    pub deadline: Deadline,
    /// What has not yet arrived of the body of the current request.
    pub body_left: usize,
}

/// What a client that was listened to has said.
#[derive(Debug)]
pub enum Next {
    /// A request, whose head this is; the body has not been looked at.
    Request(Head, Vec<u8>),
    /// Something that cannot be understood or was not said in time.
    Refused(Error),
    /// Nothing, and nothing will follow.
    Gone,
}

impl ClientConnection {
    /// A line over this socket.
    pub fn new(socket: Async<TcpStream>) -> Self {
        Self {
            socket,
            inbox: Vec::new(),
            deadline: Deadline::new(),
            body_left: 0,
        }
    }

    /// Waits at most `silence` for the first byte of a request, then at most
    /// [`Limits::head`] for the rest of its head, however it is dripped.
    pub async fn next(&mut self, silence: Duration, limits: &Limits) -> Next {
        let mut seen = 0;
        let mut empty = 0;
        let mut speaking = false;
        self.deadline.set(silence);
        loop {
            // RFC 9112, section 2.2: an empty line before a request is passed over. Whoever sends nothing else would
            // keep us busy.
            while self.inbox.starts_with(b"\r\n") {
                self.inbox.drain(..2);
                seen = 0;
                empty += 1;
                if empty > EMPTY_MAX {
                    let why = "there are too many empty lines before the request";
                    return Next::Refused(Error::new(Kind::Malformed, why));
                }
            }
            match head::end(&self.inbox, seen) {
                Ok(Some(length)) => return self.take_head(length),
                Ok(None) => seen = self.inbox.len(),
                Err(error) => return Next::Refused(error),
            }
            if !speaking && !self.inbox.is_empty() {
                speaking = true;
                self.deadline.set(limits.head);
            }
            match self.fill() {
                Ok(0) => return Next::Gone,
                Ok(_) => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => (),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return Next::Gone,
            }
            if self.inbox.is_empty() {
                self.inbox = Vec::new();
            }
            match self.deadline.cut(self.socket.readable()).await {
                Ok(Ok(())) => (),
                Ok(Err(_)) => return Next::Gone,
                Err(_) if !speaking => return Next::Gone,
                Err(_) => {
                    return Next::Refused(Error::new(
                        Kind::TooSlow,
                        "the request head did not arrive in time",
                    ));
                }
            }
        }
    }

    /// Waits for the line by which a proxy begins a connection. `None` where it does not come in time or is not one: who is
    /// behind it is unknown then, and nothing is answered.
    pub async fn proxied(&mut self, limits: &Limits) -> Option<IpAddr> {
        self.deadline.set(limits.head);
        loop {
            let seen = self.inbox.len().min(proxy_protocol::MAX);
            if let Some(end) = self.inbox[..seen].iter().position(|byte| *byte == b'\n') {
                let client = proxy_protocol::client(&self.inbox[..=end]);
                self.inbox.drain(..=end);
                return client;
            }
            if seen == proxy_protocol::MAX {
                return None;
            }
            match self.fill() {
                Ok(0) => return None,
                Ok(_) => continue,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => (),
                Err(_) => return None,
            }
            (self.deadline.cut(self.socket.readable()).await.ok()?).ok()?;
        }
    }

    /// Sends these bytes, unless that takes longer than `limit`. Whether they went out is all the same:
    /// the connection ends anyway.
    pub async fn say_last(&mut self, bytes: &[u8], limit: Duration) {
        self.deadline.set(limit);
        let socket = &self.socket;
        let _ = self
            .deadline
            .cut(async move { (&mut &*socket).write_all(bytes).await })
            .await;
    }

    /// Ends the connection so that the last answer is read: a socket that is closed with
    /// something unread in it takes back what was sent.
    pub async fn linger(&mut self, limit: Duration) {
        self.inbox = Vec::new();
        if self.socket.get_ref().shutdown(Shutdown::Write).is_err() {
            return;
        }
        self.deadline.set(limit);
        let mut taken = 0;
        while taken < LINGER_MAX {
            self.inbox.clear();
            match self.fill() {
                Ok(0) => return,
                Ok(count) => taken += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if !matches!(self.deadline.cut(self.socket.readable()).await, Ok(Ok(()))) {
                        return;
                    }
                }
                Err(_) => return,
            }
        }
    }

    fn take_head(&mut self, length: usize) -> Next {
        let rest = self.inbox.split_off(length);
        let mut bytes = std::mem::replace(&mut self.inbox, rest);
        match head::check(&bytes) {
            Ok(head) => {
                head::to_origin_form(&mut bytes, &head);
                self.body_left = head.body;
                Next::Request(head, bytes)
            }
            Err(error) => Next::Refused(error),
        }
    }

    /// Reads what has arrived, without waiting and without a buffer of its own.
    fn fill(&mut self) -> std::io::Result<usize> {
        let mut piece = [0; PIECE];
        let room = PIECE.min(HEAD_MAX.saturating_sub(self.inbox.len()));
        let count = self.socket.get_ref().read(&mut piece[..room])?;
        self.inbox.extend_from_slice(&piece[..count]);
        Ok(count)
    }
}
