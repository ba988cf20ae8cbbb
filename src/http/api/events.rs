//! `/api/events`: a snapshot, then changes, until the client disconnects.

use super::displays::{ConnectorsView, DisplaysView};
use super::json::{ConfigurationView, Context, ProcessOrder, ProcessesView};
use super::schedule::ScheduleView;
use crate::config::Id;
use crate::http::caller::Disclosure;
use crate::http::context::Api;
use crate::http::error::Error;
use crate::http::future::BoxFuture;
use crate::http::reply::{ApiRequest, EventSource, Reply, write_event};
use crate::supervisor::{ProcessStatus, Snapshot};
use serde::Serialize;
use smol::Timer;
use std::rc::Rc;
use std::time::Instant;

/// `GET /api/events`. A client that reconnects gets a new snapshot, which is hardly larger than the changes that it may
/// have missed.
pub async fn stream(api: &Rc<Api>, request: ApiRequest<'_>) -> Result<Reply, Error> {
    Ok(Reply::events(
        request.caller.clone(),
        SnapshotStream {
            api: api.clone(),
            disclosure: request.caller.disclosure(),
            sent: None,
        },
    ))
}

struct SnapshotStream {
    api: Rc<Api>,
    /// Fixed, because a session or token never changes its role.
    disclosure: Disclosure,
    /// The last snapshot that was sent, and when.
    sent: Option<(Rc<Snapshot>, Instant)>,
}

impl EventSource for SnapshotStream {
    fn next<'a>(&'a mut self, out: &'a mut Vec<u8>) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let status = match &self.sent {
                None => {
                    let status = self.api.feed.current();
                    write_snapshot(out, &self.api, &status, self.disclosure);
                    status
                }
                Some((sent, at)) => {
                    self.api.feed.changed(sent.generation).await;
                    // Under load, many changes are merged into one event.
                    let gap = self.api.limits.event_gap.saturating_sub(at.elapsed());
                    if !gap.is_zero() {
                        Timer::after(gap).await;
                    }
                    let status = self.api.feed.current();
                    write_change(out, &self.api, sent, &status, self.disclosure);
                    status
                }
            };
            self.sent = Some((status, Instant::now()));
            true
        })
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Event<'a> {
    generation: u64,
    processes: ProcessesView<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    removed: Option<Vec<&'a Id>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<ProcessOrder<'a>>,
    active_display: Option<&'a Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    displays: Option<DisplaysView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connectors: Option<ConnectorsView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    configuration: Option<ConfigurationView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schedule: Option<ScheduleView<'a>>,
    shutting_down: bool,
}

fn displays_of<'a>(api: &'a Api, status: &'a Snapshot) -> DisplaysView<'a> {
    DisplaysView {
        shown: &status.displays,
        context: Context::of(api),
    }
}

fn write_snapshot(out: &mut Vec<u8>, api: &Api, status: &Snapshot, disclosure: Disclosure) {
    let event = Event {
        generation: status.generation,
        processes: ProcessesView {
            shown: &status.processes,
            context: Context::of(api).disclosing(disclosure),
        },
        removed: None,
        order: Some(ProcessOrder(&status.processes)),
        active_display: status.active_display.as_ref(),
        displays: Some(displays_of(api, status)),
        connectors: Some(ConnectorsView(status)),
        configuration: Some(ConfigurationView::of(
            api,
            &status.configuration,
            disclosure,
        )),
        schedule: Some(ScheduleView::of(status, disclosure)),
        shutting_down: status.shutting_down,
    };
    write_event(out, "snapshot", Some(status.generation), &event);
}

/// Finds the differences by pointer: snapshots share what a generation has not changed.
fn write_change(
    out: &mut Vec<u8>,
    api: &Api,
    before: &Snapshot,
    status: &Snapshot,
    disclosure: Disclosure,
) {
    let is_shared = |shown: &&Rc<ProcessStatus>| {
        let earlier = before.process(&shown.process.id);
        earlier.is_some_and(|earlier| Rc::ptr_eq(earlier, shown))
    };
    let changed: Vec<_> = (status.processes.iter())
        .filter(|shown| !is_shared(shown))
        .cloned()
        .collect();
    let ids = |status: &Snapshot| -> Vec<Id> {
        let processes = status.processes.iter();
        processes.map(|shown| shown.process.id.clone()).collect()
    };
    let removed = (before.processes.iter())
        .map(|shown| &shown.process.id)
        .filter(|id| status.process(id).is_none());
    // A connector names its display, so both change together.
    let is_rearranged = !Rc::ptr_eq(&before.displays, &status.displays)
        || !Rc::ptr_eq(&before.connectors, &status.connectors);
    let event = Event {
        generation: status.generation,
        processes: ProcessesView {
            shown: &changed,
            context: Context::of(api).disclosing(disclosure),
        },
        removed: Some(removed.collect()),
        order: (ids(before) != ids(status)).then_some(ProcessOrder(&status.processes)),
        active_display: status.active_display.as_ref(),
        displays: is_rearranged.then(|| displays_of(api, status)),
        connectors: is_rearranged.then_some(ConnectorsView(status)),
        configuration: (!Rc::ptr_eq(&before.configuration, &status.configuration))
            .then(|| ConfigurationView::of(api, &status.configuration, disclosure)),
        schedule: (!Rc::ptr_eq(&before.schedule, &status.schedule))
            .then_some(ScheduleView::of(status, disclosure)),
        shutting_down: status.shutting_down,
    };
    write_event(out, "change", Some(status.generation), &event);
}
