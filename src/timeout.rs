//! Limits how long something is waited for.

use smol::Timer;
use smol::future::or;
use std::future::Future;
use std::time::{Duration, Instant};

/// The result of `work`, or `None` if it takes longer than `limit`: it is dropped then.
pub async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    unless(Timer::after(limit), work).await
}

/// The result of `work`, or `None` if there is none before `deadline`: it is dropped then.
pub async fn before<T>(deadline: Instant, work: impl Future<Output = T>) -> Option<T> {
    unless(Timer::at(deadline), work).await
}

async fn unless<T>(timer: Timer, work: impl Future<Output = T>) -> Option<T> {
    let timed_out = async {
        timer.await;
        None
    };
    or(async { Some(work.await) }, timed_out).await
}
