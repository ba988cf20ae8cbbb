//! Carries what the processes print from their pipes into their logs.

use crate::logs::Writer;
use crate::sys::time::clock;
use smol::future::{poll_fn, yield_now};
use smol::io::AsyncRead;
use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Poll, ready};

/// One read takes at most what a pipe holds by default (pipe(7)).
const READ_MAX: usize = 64 * 1024;

/// A process that floods its output gets this many reads before everybody else has a turn:
/// a quarter of a MiB, well under a millisecond of work.
const BURST: usize = 4;

/// How much is taken in one go from the pipe of a process that has ended. It holds 64 KiB; what
/// is more comes from a grandchild that continues to print, and is read later.
const LAST_READS: usize = 2;

/// What all readers share: one buffer, because only one of them reads at a time.
#[derive(Debug)]
pub(in crate::sys) struct Buffer(RefCell<Box<[u8]>>);

impl Buffer {
    pub(in crate::sys) fn new() -> Rc<Self> {
        Rc::new(Self(RefCell::new(vec![0; READ_MAX].into_boxed_slice())))
    }
}

/// The reading end of a pipe to a child.
pub(in crate::sys) trait Pipe: AsyncRead + AsFd + Unpin {}

impl<T: AsyncRead + AsFd + Unpin> Pipe for T {}

/// One stream of one run.
pub(in crate::sys) struct Tap {
    buffer: Rc<Buffer>,
    stream: RefCell<(Box<dyn Pipe>, Writer)>,
}

impl Tap {
    pub(in crate::sys) fn new(
        pipe: impl Pipe + 'static,
        writer: Writer,
        buffer: &Rc<Buffer>,
    ) -> Rc<Self> {
        Rc::new(Self {
            buffer: buffer.clone(),
            stream: RefCell::new((Box::new(pipe), writer)),
        })
    }

    /// The pipe, for the next daemon.
    pub(in crate::sys) fn pipe(&self) -> io::Result<OwnedFd> {
        self.stream.borrow().0.as_fd().try_clone_to_owned()
    }

    /// Reads until the other end is closed: the process itself may be long gone
    /// while a grandchild still prints.
    pub(in crate::sys) async fn flow(self: Rc<Self>) {
        let mut reads = 0;
        loop {
            match poll_fn(|cx| self.poll_read(cx)).await {
                Ok(0) => break,
                Ok(_) => reads += 1,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    log::warn!("the output of a process can no longer be read: {error}");
                    break;
                }
            }
            if reads == BURST {
                reads = 0;
                yield_now().await;
            }
        }
        self.stream.borrow_mut().1.end(clock::now());
    }

    /// Takes what is in the pipe right now, so that the last words of a process
    /// stand in its log before the news of its end.
    pub(in crate::sys) fn drain(&self) {
        let (pipe, writer) = &mut *self.stream.borrow_mut();
        let buffer = &mut *self.buffer.0.borrow_mut();
        for _ in 0..LAST_READS {
            match nix::unistd::read(pipe.as_fd(), buffer) {
                // Empty, or ended: the flow sees to the latter.
                Err(_) | Ok(0) => break,
                Ok(length) => writer.append(&buffer[..length], clock::now()),
            }
        }
    }

    fn poll_read(&self, cx: &mut std::task::Context<'_>) -> Poll<io::Result<usize>> {
        let (pipe, writer) = &mut *self.stream.borrow_mut();
        let buffer = &mut *self.buffer.0.borrow_mut();
        let length = ready!(Pin::new(pipe).poll_read(cx, buffer))?;
        if length > 0 {
            writer.append(&buffer[..length], clock::now());
        }
        Poll::Ready(Ok(length))
    }
}
