//! Connects picoserve to smol: its timer and its socket.
//!
//! picoserve serves exactly one request per call: [`config`] has it close afterwards, so it never parses a second head,
//! and [`super::accept`] alone decides whether another request follows. The head was received and validated before
//! ([`super::head`]), so the buffer is exactly as large as the head, and reads end where the request ends.

use super::connection::ClientConnection;
use crate::http::limits::Limits;
use picoserve::io::{BaseWrite, ErrorType, Read, Socket, Write, embedded_io_async};
use picoserve::mem::{BorrowedBuffer, BorrowedCursor};
use picoserve::time::Duration;
use smol::Async;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use std::cell::Cell;
use std::fmt;
use std::io::{self, IoSlice};
use std::net::TcpStream;

/// Responses up to this size are gathered and written by one system call; larger bodies are written together with their
/// head without a copy.
const WRITE_BUFFER: usize = 4096;

/// The most that picoserve formats into a buffer at once.
const FORMAT_BUFFER: usize = 256;

/// A time-out that never fires: the head has arrived before picoserve waits for it.
const NEVER: Duration = Duration::from_millis(u64::MAX);

/// The name of the runtime for picoserve.
#[derive(Debug)]
pub struct Smol;

/// The timer for picoserve.
#[derive(Debug)]
pub struct Clock;

impl picoserve::Timer<Smol> for Clock {
    async fn delay(&self, duration: Duration) {
        if duration == NEVER {
            std::future::pending().await
        } else {
            smol::Timer::after(std::time::Duration::from_millis(duration.as_millis())).await;
        }
    }
}

/// Has picoserve serve a single request: it would read the next head from the socket without validation, which fails
/// `the_head_of_a_stream_can_be_requested_and_the_next_request_is_validated` in `tests/http/streams.rs`.
pub fn config(limits: &Limits) -> picoserve::Config {
    let limit = |time: std::time::Duration| {
        Duration::from_millis(time.as_millis().try_into().unwrap_or(u64::MAX))
    };
    picoserve::Config::new(picoserve::Timeouts {
        start_read_request: NEVER,
        persistent_start_read_request: NEVER,
        read_request: limit(limits.body),
        write: limit(limits.write),
    })
    .close_connection_after_response()
}

/// The progress of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// The body has not been read to its end.
    #[default]
    Receiving,
    /// The body has been read.
    Received,
    /// The response is being written. The rest of the body is not read any more, and must not be taken for the next
    /// request.
    Responding,
    /// The response is a stream. What the client sends is discarded, and its disconnect is noticed.
    Streaming,
}

/// State that the handling of a request shares with its socket.
#[derive(Debug, Default)]
pub struct RequestState {
    /// The progress.
    pub stage: Cell<Stage>,
    /// Whether to skip the next flush: picoserve flushes between head and body.
    pub hold_flush: Cell<bool>,
}

/// One request and its response, as a socket for picoserve.
#[derive(Debug)]
pub struct RequestSocket<'l> {
    socket: &'l Async<TcpStream>,
    inbox: &'l mut Vec<u8>,
    body_left: &'l mut usize,
    state: &'l RequestState,
    head: &'l [u8],
    expects_continue: bool,
    outbox: Vec<u8>,
}

impl<'l> RequestSocket<'l> {
    /// The socket of a request with this head; also returns the raw socket, for handlers that need to notice a
    /// disconnect.
    pub fn new(
        line: &'l mut ClientConnection,
        state: &'l RequestState,
        head: &'l [u8],
        expects_continue: bool,
    ) -> (Self, &'l Async<TcpStream>) {
        let ClientConnection {
            socket,
            received: inbox,
            body_left,
            ..
        } = line;
        let socket = &*socket;
        let exchange = Self {
            socket,
            inbox,
            body_left,
            state,
            head,
            expects_continue,
            outbox: Vec::new(),
        };
        (exchange, socket)
    }
}

impl Socket<Smol> for RequestSocket<'_> {
    type Error = ConnectionError;
    type ReadHalf<'a>
        = RequestReader<'a>
    where
        Self: 'a;
    type WriteHalf<'a>
        = ResponseWriter<'a>
    where
        Self: 'a;

    fn split(&mut self) -> (RequestReader<'_>, ResponseWriter<'_>) {
        let incoming = RequestReader {
            socket: self.socket,
            head: self.head,
            expects_continue: self.expects_continue,
            inbox: self.inbox,
            body_left: self.body_left,
            state: self.state,
        };
        let outgoing = ResponseWriter {
            socket: self.socket,
            outbox: &mut self.outbox,
            state: self.state,
        };
        (incoming, outgoing)
    }

    /// [`super::accept`] closes the connection.
    async fn abort<T: picoserve::Timer<Smol>>(
        self,
        _timeouts: &picoserve::Timeouts,
        _timer: &T,
    ) -> Result<(), picoserve::Error<ConnectionError>> {
        Ok(())
    }

    /// The request is over, but not the connection.
    async fn shutdown<T: picoserve::Timer<Smol>>(
        self,
        _timeouts: &picoserve::Timeouts,
        _timer: &T,
    ) -> Result<(), picoserve::Error<ConnectionError>> {
        Ok(())
    }
}

/// Yields the head, then the body, then the end.
#[derive(Debug)]
pub struct RequestReader<'a> {
    socket: &'a Async<TcpStream>,
    head: &'a [u8],
    expects_continue: bool,
    inbox: &'a mut Vec<u8>,
    body_left: &'a mut usize,
    state: &'a RequestState,
}

impl ErrorType for RequestReader<'_> {
    type Error = ConnectionError;
}

impl Read for RequestReader<'_> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ConnectionError> {
        if !self.head.is_empty() {
            let (now, later) = self.head.split_at(buf.len().min(self.head.len()));
            buf[..now.len()].copy_from_slice(now);
            self.head = later;
            return Ok(now.len());
        }
        match self.state.stage.get() {
            Stage::Receiving => (),
            Stage::Received | Stage::Responding => return Ok(0),
            Stage::Streaming => return Ok(AsyncReadExt::read(&mut &*self.socket, buf).await?),
        }
        let room = buf.len().min(*self.body_left);
        if room == 0 {
            return Ok(0);
        }
        let count = if self.inbox.is_empty() {
            // picoserve does not, which fails `a_client_that_expects_100_continue_gets_it` in `tests/http/limits.rs`.
            if std::mem::take(&mut self.expects_continue) {
                AsyncWriteExt::write_all(&mut &*self.socket, b"HTTP/1.1 100 Continue\r\n\r\n")
                    .await?;
            }
            AsyncReadExt::read(&mut &*self.socket, &mut buf[..room]).await?
        } else {
            let count = room.min(self.inbox.len());
            buf[..count].copy_from_slice(&self.inbox[..count]);
            self.inbox.drain(..count);
            count
        };
        *self.body_left -= count;
        Ok(count)
    }
}

/// Gathers the response, so that one system call writes it.
#[derive(Debug)]
pub struct ResponseWriter<'a> {
    socket: &'a Async<TcpStream>,
    outbox: &'a mut Vec<u8>,
    state: &'a RequestState,
}

impl ResponseWriter<'_> {
    /// Writes what was gathered, followed by `more`.
    async fn send(&mut self, more: &[u8]) -> Result<(), ConnectionError> {
        let mut sent = 0;
        let gathered = self.outbox.len();
        while sent < gathered + more.len() {
            let parts = [
                IoSlice::new(&self.outbox[sent.min(gathered)..]),
                IoSlice::new(&more[sent.saturating_sub(gathered)..]),
            ];
            match AsyncWriteExt::write_vectored(&mut &*self.socket, &parts).await? {
                0 => return Err(ConnectionError(io::ErrorKind::WriteZero)),
                count => sent += count,
            }
        }
        self.outbox.clear();
        Ok(())
    }
}

impl ErrorType for ResponseWriter<'_> {
    type Error = ConnectionError;
}

impl BaseWrite for ResponseWriter<'_> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, ConnectionError> {
        if self.outbox.len() + buf.len() <= WRITE_BUFFER {
            self.outbox.extend_from_slice(buf);
        } else {
            self.send(buf).await?;
        }
        Ok(buf.len())
    }

    async fn flush(&mut self) -> Result<(), ConnectionError> {
        if self.state.hold_flush.take() {
            return Ok(());
        }
        self.send(&[]).await
    }
}

impl Write for ResponseWriter<'_> {
    async fn write_with<F: FnOnce(BorrowedCursor<'_>) -> R, R>(
        &mut self,
        f: F,
    ) -> Result<R, ConnectionError> {
        let mut lent = [0; FORMAT_BUFFER];
        let mut lent = BorrowedBuffer::new(&mut lent);
        let output = f(lent.unfilled());
        BaseWrite::write(self, lent.filled()).await?;
        Ok(output)
    }

    /// For status line and fields, which are short.
    async fn write_fmt(&mut self, args: fmt::Arguments<'_>) -> Result<(), ConnectionError> {
        io::Write::write_fmt(self.outbox, args).map_err(ConnectionError::from)
    }
}

/// The connection failed, or the client was too slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionError(pub io::ErrorKind);

impl From<io::Error> for ConnectionError {
    fn from(error: io::Error) -> Self {
        Self(error.kind())
    }
}

impl fmt::Display for ConnectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for ConnectionError {}

impl embedded_io_async::Error for ConnectionError {
    fn kind(&self) -> embedded_io_async::ErrorKind {
        embedded_io_async::ErrorKind::Other
    }
}
