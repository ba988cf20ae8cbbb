//! Messages over the debugging pipe: JSON texts, each with a NUL behind it.
//!
//! Neither side waits for the other: what is to be written waits in a bounded outbox, and what comes in is shown
//! message by message from one buffer. The pipe may be taken over in the middle of a message, in either
//! direction: an end that nobody saw the beginning of is no JSON and falls away, and a NUL of our own ends what
//! another daemon had begun.

use event_listener::Event;
use smol::Async;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use std::cell::{Cell, RefCell};
use std::io;
use std::os::unix::net::UnixStream;

/// The longest message that is taken in: a picture of 16 MiB in base64, and what is around it. What is longer is
/// passed over.
pub const MESSAGE_MAX: usize = 22 * 1024 * 1024 + 64 * 1024;

/// What may wait to be written. A browser that takes in nothing is asked nothing more: a question is some hundred
/// bytes, the longest (a picture to fade from) some hundred KiB.
const OUTBOX_MAX: usize = 8 * 1024 * 1024;

/// How much is read in one go, and how much memory is held while nothing is.
const READ: usize = 16 * 1024;

/// Our end of the pipe.
#[derive(Debug)]
pub struct Pipe {
    stream: Async<UnixStream>,
    outbox: RefCell<Vec<u8>>,
    posted: Event,
    closed: Cell<bool>,
}

impl Pipe {
    /// The pipe behind this socket. `taken_over`: another daemon may have left it in the middle of a message.
    ///
    /// # Errors
    /// It is no socket.
    pub fn new(stream: UnixStream, taken_over: bool) -> io::Result<Self> {
        Ok(Self {
            stream: Async::new(stream)?,
            outbox: RefCell::new(if taken_over { vec![0] } else { Vec::new() }),
            posted: Event::new(),
            closed: Cell::new(false),
        })
    }

    /// Has a message written. False where the browser is gone, or takes in nothing any more.
    pub fn post(&self, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        let mut outbox = self.outbox.borrow_mut();
        if self.closed.get() || outbox.len() > OUTBOX_MAX {
            return false;
        }
        write(&mut outbox);
        outbox.push(0);
        self.posted.notify(1);
        true
    }

    /// Whether nobody is at the other end.
    pub fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// Carries messages both ways until the other end is closed; each that comes in is shown to `hear`.
    pub async fn flow(&self, hear: impl FnMut(&[u8])) {
        let read = self.read(hear);
        let write = self.write();
        if let Err(error) = smol::future::or(read, write).await {
            log::debug!("the debugging pipe has ended: {error}");
        }
        self.closed.set(true);
    }

    async fn write(&self) -> io::Result<()> {
        loop {
            let posted = self.posted.listen();
            let text = self.outbox.take();
            if text.is_empty() {
                posted.await;
            } else {
                (&self.stream).write_all(&text).await?;
            }
        }
    }

    async fn read(&self, mut hear: impl FnMut(&[u8])) -> io::Result<()> {
        let mut held = Vec::with_capacity(READ);
        let mut buffer = vec![0; READ];
        // In the middle of a message that is too long to be held.
        let mut passing = false;
        loop {
            let length = (&self.stream).read(&mut buffer).await?;
            if length == 0 {
                return Ok(());
            }
            let mut rest = &buffer[..length];
            while let Some(end) = memchr::memchr(0, rest) {
                match (passing, held.is_empty()) {
                    (true, _) => {}
                    (false, true) => hear(&rest[..end]),
                    (false, false) => {
                        held.extend_from_slice(&rest[..end]);
                        hear(&held);
                    }
                }
                passing = false;
                held.clear();
                held.shrink_to(READ);
                rest = &rest[end + 1..];
            }
            passing |= held.len() + rest.len() > MESSAGE_MAX;
            if passing {
                held.clear();
            } else {
                held.extend_from_slice(rest);
            }
            // Whoever floods the pipe has a turn at a time.
            smol::future::yield_now().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smol::future::{block_on, or};
    use std::io::Write;

    /// What is heard of these bytes, written piece by piece.
    fn heard(pieces: Vec<Vec<u8>>) -> Vec<String> {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let pipe = Pipe::new(ours, false).unwrap();
        let writer = std::thread::spawn(move || {
            for piece in pieces {
                theirs.write_all(&piece).unwrap();
            }
        });
        let mut heard = Vec::new();
        block_on(pipe.flow(|message| heard.push(String::from_utf8_lossy(message).into_owned())));
        writer.join().unwrap();
        assert!(pipe.is_closed());
        assert!(!pipe.post(|_| ()), "nobody is there to read it");
        heard
    }

    #[test]
    fn messages_are_told_apart_wherever_the_pieces_end() {
        let text = b"{\"id\":1}\0\0{\"id\":2}\0{\"cut off";
        let whole = ["{\"id\":1}", "", "{\"id\":2}"];
        assert_eq!(heard(vec![text.to_vec()]), whole);
        let pieces = text.iter().map(|byte| vec![*byte]).collect();
        assert_eq!(heard(pieces), whole);
    }

    #[test]
    fn a_message_that_is_too_long_is_passed_over_and_the_next_one_heard() {
        let long = vec![b'x'; MESSAGE_MAX + 2 * READ];
        assert_eq!(heard(vec![long, b"\0after\0".to_vec()]), ["after"]);
        let longest = vec![b'x'; MESSAGE_MAX];
        let heard = heard(vec![longest, b"\0after\0".to_vec()]);
        assert_eq!((heard[0].len(), heard[1].as_str()), (MESSAGE_MAX, "after"));
    }

    #[test]
    fn a_pipe_that_was_taken_over_ends_what_another_has_begun() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let theirs = Pipe::new(theirs, false).unwrap();
        let another = ours.try_clone().unwrap();
        (&another).write_all(b"{\"id\":7,\"meth").unwrap();
        let pipe = Pipe::new(ours, true).unwrap();
        assert!(pipe.post(|out| out.extend_from_slice(b"{}")));
        let mut heard = Vec::new();
        let (done, listen) = smol::channel::bounded::<()>(1);
        let hear = theirs.flow(|message| {
            heard.push(message.to_vec());
            if heard.len() == 2 {
                done.try_send(()).unwrap();
            }
        });
        let until = async { listen.recv().await.unwrap() };
        block_on(or(or(pipe.flow(|_| ()), hear), until));
        assert_eq!(heard, [b"{\"id\":7,\"meth".to_vec(), b"{}".to_vec()]);
    }

    #[test]
    fn a_browser_that_takes_nothing_in_costs_a_bounded_amount_of_memory() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let pipe = Pipe::new(ours, false).unwrap();
        let post = async {
            let mut posted = 0;
            while pipe.post(|out| out.resize(out.len() + 1024 * 1024, b'x')) {
                posted += 1;
                smol::future::yield_now().await;
            }
            posted
        };
        let posted = block_on(post);
        assert!((8..=9).contains(&posted), "{posted} MiB");
    }
}
