//! picoserve on smol: its clock, its socket, and nothing else it need know of our runtime.
//!
//! picoserve serves exactly one request each time it is called: [`config`] always tells it to close afterwards, so
//! it never looks for a second head, and [`super::accept`] alone decides whether another request follows. The head has
//! arrived and was judged before ([`super::head`]), so its buffer is exactly as large as that head, and what it can
//! read ends where the request ends.

use super::connection::ClientConnection;
use super::deadline::Deadline;
use super::limits::Limits;
use picoserve::io::{BaseWrite, ErrorType, Read, Socket, Write, embedded_io_async};
use picoserve::mem::{BorrowedBuffer, BorrowedCursor};
use picoserve::time::Duration;
use smol::Async;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use std::cell::Cell;
use std::fmt;
use std::io::{self, IoSlice};
use std::net::TcpStream;

/// Answers up to this size are put together and sent by one system call; larger
/// bodies are sent from where they lie, together with their head.
const WRITE_BUFFER: usize = 4096;

/// The most that picoserve formats into a lent buffer at once.
const FORMAT_BUFFER: usize = 256;

/// Longer than any daemon lives: a time-out that is never waited for, because
/// [`Line::deadline`] watches reading, and arms a timer only when it must.
const NEVER: Duration = Duration::from_millis(u64::MAX);

/// The runtime's name to picoserve.
#[derive(Debug)]
pub struct Smol;

/// picoserve's clock.
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

/// How picoserve is to serve a request: this one and no other. It would read the next head from the socket, unchecked.
pub fn config(limits: &Limits) -> picoserve::Config {
    picoserve::Config::new(picoserve::Timeouts {
        start_read_request: NEVER,
        persistent_start_read_request: NEVER,
        read_request: NEVER,
        write: Duration::from_millis(limits.write.as_millis().try_into().unwrap_or(u64::MAX)),
    })
    .close_connection_after_response()
}

/// How far an exchange has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// The body of the request has not been read to its end.
    #[default]
    Receiving,
    /// It has.
    Received,
    /// The answer is written. What was not read of the body is not read any more: least
    /// of all as the next request.
    Responding,
    /// The answer goes on for as long as the client listens: what it says meanwhile
    /// is thrown away, and its leaving is noticed.
    Streaming,
}

/// What the handling of a request tells the socket under it.
#[derive(Debug, Default)]
pub struct RequestState {
    /// How far it has come.
    pub stage: Cell<Stage>,
    /// The next flush is not the end of the answer (picoserve flushes between head and body).
    pub hold_flush: Cell<bool>,
}

/// One request and its answer, as a socket for picoserve.
#[derive(Debug)]
pub struct RequestSocket<'l> {
    socket: &'l Async<TcpStream>,
    inbox: &'l mut Vec<u8>,
    body_left: &'l mut usize,
    deadline: &'l mut Deadline,
    signals: &'l RequestState,
    head: &'l [u8],
    expects_continue: bool,
    outbox: Vec<u8>,
}

impl<'l> RequestSocket<'l> {
    /// The exchange that begins with this head. The socket is lent, for a handler that has to know whether the client is
    /// still there.
    pub fn new(
        line: &'l mut ClientConnection,
        signals: &'l RequestState,
        head: &'l [u8],
        expects_continue: bool,
    ) -> (Self, &'l Async<TcpStream>) {
        let ClientConnection {
            socket,
            received: inbox,
            deadline,
            body_left,
        } = line;
        let socket = &*socket;
        let exchange = Self {
            socket,
            inbox,
            body_left,
            deadline,
            signals,
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
            deadline: self.deadline,
            signals: self.signals,
        };
        let outgoing = ResponseWriter {
            socket: self.socket,
            outbox: &mut self.outbox,
            signals: self.signals,
        };
        (incoming, outgoing)
    }

    /// Whoever holds the [`Line`] ends it.
    async fn abort<T: picoserve::Timer<Smol>>(
        self,
        _timeouts: &picoserve::Timeouts,
        _timer: &T,
    ) -> Result<(), picoserve::Error<ConnectionError>> {
        Ok(())
    }

    /// The request is over, not the connection.
    async fn shutdown<T: picoserve::Timer<Smol>>(
        self,
        _timeouts: &picoserve::Timeouts,
        _timer: &T,
    ) -> Result<(), picoserve::Error<ConnectionError>> {
        Ok(())
    }
}

/// The request: its head, then its body, then nothing.
#[derive(Debug)]
pub struct RequestReader<'a> {
    socket: &'a Async<TcpStream>,
    head: &'a [u8],
    expects_continue: bool,
    inbox: &'a mut Vec<u8>,
    body_left: &'a mut usize,
    deadline: &'a mut Deadline,
    signals: &'a RequestState,
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
        match self.signals.stage.get() {
            Stage::Receiving => (),
            Stage::Received | Stage::Responding => return Ok(0),
            Stage::Streaming => return Ok(AsyncReadExt::read(&mut &*self.socket, buf).await?),
        }
        let room = buf.len().min(*self.body_left);
        if room == 0 {
            return Ok(0);
        }
        let count = if self.inbox.is_empty() {
            if std::mem::take(&mut self.expects_continue) {
                AsyncWriteExt::write_all(&mut &*self.socket, b"HTTP/1.1 100 Continue\r\n\r\n")
                    .await?;
            }
            self.deadline
                .timeout(AsyncReadExt::read(&mut &*self.socket, &mut buf[..room]))
                .await
                .map_err(|_| ConnectionError(io::ErrorKind::TimedOut))??
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

/// The answer, gathered so that one system call sends it.
#[derive(Debug)]
pub struct ResponseWriter<'a> {
    socket: &'a Async<TcpStream>,
    outbox: &'a mut Vec<u8>,
    signals: &'a RequestState,
}

impl ResponseWriter<'_> {
    /// Sends what is gathered and `more` behind it.
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
        if self.signals.hold_flush.take() {
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

    /// Status line and fields: all of them are ours, and short.
    async fn write_fmt(&mut self, args: fmt::Arguments<'_>) -> Result<(), ConnectionError> {
        io::Write::write_fmt(self.outbox, args).map_err(ConnectionError::from)
    }
}

/// The connection broke, or the client was too slow for it to go on.
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
        match self.0 {
            io::ErrorKind::TimedOut => embedded_io_async::ErrorKind::TimedOut,
            _ => embedded_io_async::ErrorKind::Other,
        }
    }
}
