//! Takes what has arrived as soon as it is there.

use smol::Async;
use smol::future::FutureExt;
use std::future::poll_fn;
use std::io;
use std::task::Poll;

/// What `take` yields once it need not wait (`WouldBlock`) for something to be read.
///
/// Every time we are woken it is tried again. The reactor is not asked first whether it has woken us for that, as
/// [`Async::readable`] and [`Async::read_with`] do: of what comes in the round in which it was told to watch, it says no,
/// and with a thread of its own in the middle of a round most of the time that is what comes. Its next round would say
/// yes, after two more system calls and another change of threads.
///
/// # Errors
/// Those of `take`, or the system refuses to watch.
pub async fn once_readable<T, R>(
    source: &Async<T>,
    mut take: impl FnMut(&T) -> io::Result<R>,
) -> io::Result<R> {
    loop {
        let mut readable = source.readable();
        let taken = poll_fn(|cx| match take(source.get_ref()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                readable.poll(cx).map_ok(|()| None)
            }
            result => Poll::Ready(result.map(Some)),
        });
        if let Some(taken) = taken.await? {
            return Ok(taken);
        }
    }
}
