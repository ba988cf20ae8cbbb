//! A deadline for a connection before and after a request. picoserve ends a late head without a response, which fails
//! `a_slow_head_times_out_however_steadily_it_arrives` in `tests/http/limits.rs`.

use smol::Timer;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// The deadline has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedOut;

/// The deadline of a connection. It can be moved often: the timer is armed only when there is something to wait for,
/// and a timer that fires too early is armed again. So a busy connection arms a timer once a minute instead of twice a
/// request.
#[derive(Debug)]
pub struct Deadline {
    until: Instant,
    armed: Option<(Instant, Timer)>,
}

impl Deadline {
    /// A deadline that has passed; set it before use.
    pub fn new() -> Self {
        Self {
            until: Instant::now(),
            armed: None,
        }
    }

    /// Sets the deadline to `after` from now.
    pub fn set(&mut self, after: Duration) {
        self.until = Instant::now() + after;
    }

    /// The output of `future`, unless the deadline comes first.
    ///
    /// # Errors
    /// The deadline came first.
    pub async fn timeout<T>(&mut self, future: impl Future<Output = T>) -> Result<T, TimedOut> {
        let mut future = pin!(future);
        poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Ok(output)),
            Poll::Pending => self.poll(cx).map(Err),
        })
        .await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<TimedOut> {
        loop {
            if self.until <= Instant::now() {
                return Poll::Ready(TimedOut);
            }
            match &mut self.armed {
                Some((at, timer)) if *at <= self.until => {
                    if Pin::new(timer).poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                    self.armed = None;
                }
                armed => *armed = Some((self.until, Timer::at(self.until))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};

    #[test]
    fn a_ready_future_arms_no_timer() {
        let mut deadline = Deadline::new();
        assert_eq!(smol::block_on(deadline.timeout(ready(7))), Ok(7));
        assert!(deadline.armed.is_none());
    }

    #[test]
    fn a_future_that_never_resolves_times_out() {
        let mut deadline = Deadline::new();
        deadline.set(Duration::from_millis(1));
        assert_eq!(
            smol::block_on(deadline.timeout(pending::<()>())),
            Err(TimedOut)
        );
    }

    #[test]
    fn an_earlier_deadline_applies_although_a_later_one_is_armed() {
        let mut deadline = Deadline::new();
        deadline.set(Duration::from_secs(3600));
        let waits = smol::block_on(smol::future::poll_once(deadline.timeout(pending::<()>())));
        assert!(waits.is_none());
        deadline.set(Duration::from_millis(1));
        assert_eq!(
            smol::block_on(deadline.timeout(pending::<()>())),
            Err(TimedOut)
        );
    }
}
