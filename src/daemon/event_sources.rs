//! All sources of events, as one stream.

use crate::http::{CommandQueue, ListenerLiveness};
use crate::supervisor::Event;
use crate::sys::service::signals::{SignalRequest, Signals};
use crate::sys::time::clock;
use crate::time::Moment;
use smol::Timer;
use smol::channel::Receiver;
use smol::future::{self, FutureExt};
use std::rc::Rc;

/// The sources of events.
pub struct Sources {
    /// Reports of tasks: ends of runs, saves, displays.
    pub reports: Receiver<Event>,
    /// Commands of clients.
    pub commands: Rc<CommandQueue>,
    /// Signals of the service manager or a terminal.
    pub signals: Signals,
}

impl Sources {
    /// Returns the next event: [`Event::Tick`] at `timeout`, or once all listeners have answered the probe.
    pub async fn next(
        &mut self,
        timeout: Option<Moment>,
        listeners: Option<&ListenerLiveness>,
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
            match listeners {
                Some(listeners) => {
                    listeners.answered().await;
                    Event::Tick
                }
                None => future::pending().await,
            }
        };
        report
            .or(signal)
            .or(self.commands.next())
            .or(answer)
            .or(tick)
            .await
    }
}
