//! Carries requests to an X server, and answers and events back.

use super::authority;
use crate::config::Display;
use crate::supervisor::Failure;
use crate::sys::errno::{failure, words};
use smol::Async;
use smol::future::yield_now;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use std::io;
use std::marker::PhantomData;
use std::os::unix::net::UnixStream;
use std::path::Path;
use x11rb_protocol::connect::Connect;
use x11rb_protocol::protocol::randr;
use x11rb_protocol::protocol::xproto::{
    CONFIGURE_NOTIFY_EVENT, GE_GENERIC_EVENT, MAP_NOTIFY_EVENT, QueryExtensionRequest,
};
use x11rb_protocol::x11_utils::{ReplyRequest, TryParse, VoidRequest};

/// The longest answer that is taken. A list of outputs and modes is some kilobytes long.
const ANSWER_MAX: usize = 1 << 20;

/// How much is read at once. Before each piece the other tasks have their turn.
const PIECE: usize = 4096;

/// What every packet of a server has at least.
const PACKET: usize = 32;

/// What the first byte of a packet says: an error, an answer, or else which event.
const ERROR: u8 = 0;
const ANSWER: u8 = 1;

/// An extension of the server, by the numbers it has there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extension {
    /// What its requests begin with.
    pub major: u8,
    /// The first of its events.
    pub first_event: u8,
}

/// A request whose answer is still to be read.
#[derive(Debug)]
pub(super) struct Pending<R> {
    sequence: u16,
    /// What it was, for messages.
    major: u8,
    minor: u8,
    _reply: PhantomData<R>,
}

/// A connection to an X server.
#[derive(Debug)]
pub(super) struct Connection {
    display: Display,
    stream: Async<UnixStream>,
    root: u32,
    /// The number of the last request, as the server counts them.
    sequence: u16,
    /// What has come and was not taken yet.
    inbox: Vec<u8>,
    /// Requests that are not written yet.
    outbox: Vec<u8>,
    randr: Option<Extension>,
    dpms: Option<Extension>,
    /// A relevant event has arrived that was not reported yet.
    news: bool,
}

impl Connection {
    /// Opens a connection.
    pub(super) async fn open(display: &Display, socket: &Path) -> Result<Self, Failure> {
        let cannot =
            |error: &io::Error| failure(format_args!("ask {display} for its screen"), error);
        let mut stream = Async::<UnixStream>::connect(socket)
            .await
            .map_err(|error| cannot(&error))?;
        let (name, cookie) = authority::cookie(display, &stream).await;
        let (mut connect, request) = Connect::with_authorization(name, cookie);
        stream
            .write_all(&request)
            .await
            .map_err(|error| cannot(&error))?;
        loop {
            let length = stream.read(connect.buffer()).await;
            match length.map_err(|error| cannot(&error))? {
                0 => return Err(cannot(&io::ErrorKind::UnexpectedEof.into())),
                length if connect.advance(length) => break,
                _ => {}
            }
        }
        let setup = connect.into_setup().map_err(|error| {
            // The server's own sentence ends with a line.
            let why = error.to_string().replace('\n', "");
            Failure::system(format!("{display} does not let us in: {why}"))
        })?;
        let Some(screen) = setup.roots.first() else {
            return Err(Failure::system(format!("{display} has no screen")));
        };
        Ok(Self {
            display: display.clone(),
            stream,
            root: screen.root,
            sequence: 0,
            inbox: Vec::new(),
            outbox: Vec::new(),
            randr: None,
            dpms: None,
            news: false,
        })
    }

    /// The window behind all windows.
    pub(super) fn root(&self) -> u32 {
        self.root
    }

    /// The display's name, for messages.
    pub(super) fn display(&self) -> &Display {
        &self.display
    }

    /// Looks for an extension.
    pub(super) async fn extension(&mut self, name: &str) -> Result<Option<Extension>, Failure> {
        let request = QueryExtensionRequest {
            name: name.as_bytes().into(),
        };
        let answer = self.ask(0, request).await?;
        let found = answer.present.then_some(Extension {
            major: answer.major_opcode,
            first_event: answer.first_event,
        });
        match name {
            randr::X11_EXTENSION_NAME => self.randr = found,
            _ => self.dpms = found,
        }
        Ok(found)
    }

    /// Sends a request that is not answered. What the server thinks of it is not waited for.
    pub(super) async fn send(
        &mut self,
        major: u8,
        request: impl VoidRequest,
    ) -> Result<(), Failure> {
        self.queue_void(major, request);
        self.flush().await
    }

    /// Sends a request and waits for its answer.
    ///
    /// # Errors
    /// The server refuses, or the connection is gone.
    pub(super) async fn ask<R: ReplyRequest>(
        &mut self,
        major: u8,
        request: R,
    ) -> Result<R::Reply, Failure> {
        let pending = self.queue(major, request);
        self.flush().await?;
        self.answer(pending).await
    }

    /// Has a request sent with the next [`Connection::flush`]; its answer is read by [`Connection::answer`].
    pub(super) fn queue<R: ReplyRequest>(&mut self, major: u8, request: R) -> Pending<R> {
        let (bytes, _) = request.serialize(major);
        let minor = bytes[1];
        Pending {
            sequence: self.enqueue(&bytes),
            major,
            minor,
            _reply: PhantomData,
        }
    }

    /// Has a request without an answer sent with the next [`Connection::flush`].
    pub(super) fn queue_void(&mut self, major: u8, request: impl VoidRequest) {
        let (bytes, _) = request.serialize(major);
        self.enqueue(&bytes);
    }

    fn enqueue(&mut self, bytes: &[u8]) -> u16 {
        self.outbox.extend_from_slice(bytes);
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }

    /// Writes everything that is queued, in one piece where the socket takes it. May be dropped at any time: the next
    /// one writes the rest, so a request never arrives in part.
    pub(super) async fn flush(&mut self) -> Result<(), Failure> {
        while !self.outbox.is_empty() {
            match self.stream.write(&self.outbox).await {
                Ok(length) => drop(self.outbox.drain(..length)),
                Err(error) => return Err(self.lost(&error)),
            }
        }
        Ok(())
    }

    /// Waits for the answer to a request. Answers are to be waited for in the order of their requests.
    ///
    /// # Errors
    /// The server refuses, or the connection is gone.
    pub(super) async fn answer<R: ReplyRequest>(
        &mut self,
        pending: Pending<R>,
    ) -> Result<R::Reply, Failure> {
        loop {
            let packet = self.packet().await?;
            let is_ours = u16::from_ne_bytes([packet[2], packet[3]]) == pending.sequence;
            match packet[0] {
                ERROR if is_ours => {
                    let (code, display) = (packet[1], &self.display);
                    let (major, minor) = (pending.major, pending.minor);
                    return Err(Failure::system(format!(
                        "{display} refuses a request ({major}.{minor}: error {code})"
                    )));
                }
                ANSWER if is_ours => {
                    let display = &self.display;
                    return match R::Reply::try_parse(&packet) {
                        Ok((reply, _)) => Ok(reply),
                        Err(error) => Err(Failure::system(format!(
                            "{display} does not speak X: {error}"
                        ))),
                    };
                }
                ERROR | ANSWER => {}
                _ => self.notice(&packet),
            }
        }
    }

    /// Resolves once something has happened that is worth a look. May be dropped at any time: nothing is lost.
    pub(super) async fn news(&mut self) -> Result<(), Failure> {
        loop {
            // All events of one read are one change.
            while let Some(packet) = self.take()? {
                self.notice(&packet);
            }
            if std::mem::take(&mut self.news) {
                return Ok(());
            }
            self.receive().await?;
        }
    }

    /// The next packet of any kind.
    async fn packet(&mut self) -> Result<Vec<u8>, Failure> {
        loop {
            if let Some(packet) = self.take()? {
                return Ok(packet);
            }
            self.receive().await?;
        }
    }

    /// Takes a packet out of what has come, once it is whole.
    fn take(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        if self.inbox.len() < PACKET {
            return Ok(None);
        }
        let word = [self.inbox[4], self.inbox[5], self.inbox[6], self.inbox[7]];
        let more = match self.inbox[0] & 0x7f {
            ANSWER | GE_GENERIC_EVENT => u32::from_ne_bytes(word) as usize,
            _ => 0,
        };
        let length = PACKET.saturating_add(more.saturating_mul(4));
        if length > ANSWER_MAX {
            let display = &self.display;
            return Err(Failure::system(format!("{display} sends too much")));
        }
        if self.inbox.len() < length {
            return Ok(None);
        }
        Ok(Some(self.inbox.drain(..length).collect()))
    }

    async fn receive(&mut self) -> Result<(), Failure> {
        // A server that sends without pause must not keep the loop from its other tasks.
        yield_now().await;
        let mut buffer = [0; PIECE];
        let length = self.stream.read(&mut buffer).await;
        match length {
            Ok(0) => Err(self.lost(&io::ErrorKind::UnexpectedEof.into())),
            Ok(length) => {
                self.inbox.extend_from_slice(&buffer[..length]);
                Ok(())
            }
            Err(error) => Err(self.lost(&error)),
        }
    }

    /// An event: is it worth a look?
    fn notice(&mut self, packet: &[u8]) {
        let kind = packet[0] & 0x7f;
        let window = u32::from_ne_bytes([packet[4], packet[5], packet[6], packet[7]]);
        let of_randr = |randr: Extension| {
            [randr::SCREEN_CHANGE_NOTIFY_EVENT, randr::NOTIFY_EVENT]
                .iter()
                .any(|event| kind == randr.first_event.wrapping_add(*event))
        };
        self.news |= match kind {
            MAP_NOTIFY_EVENT => true,
            CONFIGURE_NOTIFY_EVENT => window == self.root,
            GE_GENERIC_EVENT => self.dpms.is_some_and(|dpms| dpms.major == packet[1]),
            _ => self.randr.is_some_and(of_randr),
        };
    }

    fn lost(&self, error: &io::Error) -> Failure {
        let display = &self.display;
        Failure::system(format!(
            "the connection to {display} is lost: {}",
            words(error)
        ))
    }
}
