//! Everything that can happen, as one stream of events.

use crate::http::{CommandQueue, ListenerLiveness};
use crate::supervisor::Event;
use crate::sys::service::signals::{SignalRequest, Signals};
use crate::sys::time::clock;
use crate::time::Moment;
use smol::Timer;
use smol::channel::Receiver;
use smol::future::{self, FutureExt};
use std::rc::Rc;

/// Where events come from.
pub struct Sources {
    /// What the hands report: ends of runs, saves, displays.
    pub reports: Receiver<Event>,
    /// What clients ask.
    pub requests: Rc<CommandQueue>,
    /// What the service manager, or a terminal, asks.
    pub signals: Signals,
}

impl Sources {
    /// The next thing that happens; [`Event::Tick`] once `timeout` has come, or the doors have answered
    /// what they were asked.
    pub async fn next(
        &mut self,
        timeout: Option<Moment>,
        doors: Option<&ListenerLiveness>,
    ) -> Event {
        let report = async {
            match self.reports.recv().await {
                Ok(event) => event,
                Err(_) => future::pending().await,
            }
        };
        let signal = async {
            match self.signals.next().await {
                Ok(SignalRequest::Shutdown) => Event::Shutdown,
                Ok(SignalRequest::Reload) => Event::Reload,
                Err(error) => {
                    log::error!("cannot read signals: {error}");
                    future::pending().await
                }
            }
        };
        let tick = async {
            match timeout {
                Some(moment) => {
                    Timer::after(moment.since(clock::now())).await;
                    Event::Tick
                }
                None => future::pending().await,
            }
        };
        let answer = async {
            match doors {
                Some(doors) => {
                    doors.answered().await;
                    Event::Tick
                }
                None => future::pending().await,
            }
        };
        report
            .or(signal)
            .or(self.requests.next())
            .or(answer)
            .or(tick)
            .await
    }
}
