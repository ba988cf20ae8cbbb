//! Messages over the debugging pipe: JSON texts, each terminated by a NUL.
//!
//! Neither side waits for the other: outgoing messages wait in a bounded outbox, incoming ones are passed on from one
//! buffer. A daemon may adopt the pipe in the middle of a message, in either direction: the rest of an incoming one
//! is not JSON and is dropped, and a leading NUL ends what an earlier daemon began to write.

use event_listener::Event;
use smol::Async;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use std::cell::{Cell, RefCell};
use std::io;
use std::os::unix::net::UnixStream;

/// The longest incoming message: a screenshot of 16 MiB in base64, with its envelope. A longer one is skipped.
pub const MESSAGE_MAX: usize = 22 * 1024 * 1024 + 64 * 1024;

/// The bound of the outbox in bytes. A browser that does not read gets no further calls: a call has some hundred
/// bytes, the longest (with the screenshot to fade from) some hundred KiB.
const OUTBOX_MAX: usize = 8 * 1024 * 1024;

/// How much is read at once, and how much memory an idle pipe holds.
const READ_SIZE: usize = 16 * 1024;

/// The daemon's end of the pipe.
#[derive(Debug)]
pub struct Pipe {
    stream: Async<UnixStream>,
    outbox: RefCell<Vec<u8>>,
    queued: Event,
    closed: Cell<bool>,
}

impl Pipe {
    /// The pipe behind this socket. If it was `adopted`, an earlier daemon may have left it in the middle of a message.
    ///
    /// # Errors
    /// It is not a socket.
    pub fn new(stream: UnixStream, adopted: bool) -> io::Result<Self> {
        Ok(Self {
            stream: Async::new(stream)?,
            outbox: RefCell::new(if adopted { vec![0] } else { Vec::new() }),
            queued: Event::new(),
            closed: Cell::new(false),
        })
    }

    /// Queues a message. Returns false if the browser closed the pipe or does not read.
    pub fn send(&self, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        let mut outbox = self.outbox.borrow_mut();
        if self.closed.get() || outbox.len() > OUTBOX_MAX {
            return false;
        }
        write(&mut outbox);
        outbox.push(0);
        self.queued.notify(1);
        true
    }

    /// Whether the other end is closed.
    pub fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// Transfers messages until the other end is closed. Incoming ones are passed to `on_message`.
    pub async fn run(&self, on_message: impl FnMut(&[u8])) {
        let read = self.read(on_message);
        let write = self.write();
        if let Err(error) = smol::future::or(read, write).await {
            log::debug!("the debugging pipe has ended: {error}");
        }
        self.closed.set(true);
    }

    async fn write(&self) -> io::Result<()> {
        loop {
            let sent = self.queued.listen();
            let text = self.outbox.take();
            if text.is_empty() {
                sent.await;
            } else {
                (&self.stream).write_all(&text).await?;
            }
        }
    }

    async fn read(&self, mut on_message: impl FnMut(&[u8])) -> io::Result<()> {
        let mut held = Vec::with_capacity(READ_SIZE);
        let mut buffer = vec![0; READ_SIZE];
        // In the middle of a message that is too long.
        let mut skipping = false;
        loop {
            let length = (&self.stream).read(&mut buffer).await?;
            if length == 0 {
                return Ok(());
            }
            let mut rest = &buffer[..length];
            while let Some(end) = memchr::memchr(0, rest) {
                match (skipping, held.is_empty()) {
                    (true, _) => {}
                    (false, true) => on_message(&rest[..end]),
                    (false, false) => {
                        held.extend_from_slice(&rest[..end]);
                        on_message(&held);
                    }
                }
                skipping = false;
                held.clear();
                held.shrink_to(READ_SIZE);
                rest = &rest[end + 1..];
            }
            skipping |= held.len() + rest.len() > MESSAGE_MAX;
            if skipping {
                held.clear();
            } else {
                held.extend_from_slice(rest);
            }
            // A browser that floods the pipe must not block the loop.
            smol::future::yield_now().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smol::future::{block_on, or};
    use std::io::Write;

    /// The messages in these bytes, written piece by piece.
    fn messages(pieces: Vec<Vec<u8>>) -> Vec<String> {
        let (here, mut browser_end) = UnixStream::pair().unwrap();
        let pipe = Pipe::new(here, false).unwrap();
        let writer = std::thread::spawn(move || {
            for piece in pieces {
                browser_end.write_all(&piece).unwrap();
            }
        });
        let mut received = Vec::new();
        block_on(pipe.run(|message| received.push(String::from_utf8_lossy(message).into_owned())));
        writer.join().unwrap();
        assert!(pipe.is_closed());
        assert!(!pipe.send(|_| ()), "the other end is closed");
        received
    }

    #[test]
    fn messages_are_separated_wherever_the_pieces_end() {
        let text = b"{\"id\":1}\0\0{\"id\":2}\0{\"cut off";
        let whole = ["{\"id\":1}", "", "{\"id\":2}"];
        assert_eq!(messages(vec![text.to_vec()]), whole);
        let pieces = text.iter().map(|byte| vec![*byte]).collect();
        assert_eq!(messages(pieces), whole);
    }

    #[test]
    fn a_message_that_is_too_long_is_skipped_and_the_next_one_read() {
        let long = vec![b'x'; MESSAGE_MAX + 2 * READ_SIZE];
        assert_eq!(messages(vec![long, b"\0after\0".to_vec()]), ["after"]);
        let longest = vec![b'x'; MESSAGE_MAX];
        let found = messages(vec![longest, b"\0after\0".to_vec()]);
        assert_eq!((found[0].len(), found[1].as_str()), (MESSAGE_MAX, "after"));
    }

    #[test]
    fn an_adopted_pipe_ends_the_message_of_the_earlier_daemon() {
        let (here, browser_end) = UnixStream::pair().unwrap();
        let browser_end = Pipe::new(browser_end, false).unwrap();
        let earlier = here.try_clone().unwrap();
        (&earlier).write_all(b"{\"id\":7,\"meth").unwrap();
        let pipe = Pipe::new(here, true).unwrap();
        assert!(pipe.send(|out| out.extend_from_slice(b"{}")));
        let mut received = Vec::new();
        let (done, listen) = smol::channel::bounded::<()>(1);
        let other = browser_end.run(|message| {
            received.push(message.to_vec());
            if received.len() == 2 {
                done.try_send(()).unwrap();
            }
        });
        let until = async { listen.recv().await.unwrap() };
        block_on(or(or(pipe.run(|_| ()), other), until));
        assert_eq!(received, [b"{\"id\":7,\"meth".to_vec(), b"{}".to_vec()]);
    }

    #[test]
    fn a_browser_that_does_not_read_costs_bounded_memory() {
        let (here, _browser_end) = UnixStream::pair().unwrap();
        let pipe = Pipe::new(here, false).unwrap();
        let post = async {
            let mut sent = 0;
            while pipe.send(|out| out.resize(out.len() + 1024 * 1024, b'x')) {
                sent += 1;
                smol::future::yield_now().await;
            }
            sent
        };
        let sent = block_on(post);
        assert!((8..=9).contains(&sent), "{sent} MiB");
    }
}
