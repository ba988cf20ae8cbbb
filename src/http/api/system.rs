//! `/api/status`, `/api/system`, `/healthz`: the state of the daemon and the machine.

use super::json::{ConfigurationView, Context, ProcessCounts};
use super::schedule::ScheduleView;
use crate::config::Id;
use crate::facts::MachineFacts;
use crate::http::caller::Caller;
use crate::http::context::Api;
use crate::http::error::{Error, ErrorKind};
use crate::http::reply::{ApiRequest, Bytes, Reply};
use crate::http::wall_time::Wallclock;
use crate::supervisor::{Command, StartReason};
use crate::timeout::within;
use serde::Serialize;
use std::rc::Rc;
use std::time::Duration;

/// How long the loop may take before `/healthz` reports that it hangs. A turn of it takes milliseconds; only a disk
/// that hangs takes longer.
const LOOP_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct StatusView<'a> {
    version: &'a str,
    generation: u64,
    uptime: u64,
    started: Wallclock,
    last_start: LastStartView<'a>,
    hostname: String,
    active_display: Option<&'a Id>,
    configuration: ConfigurationView<'a>,
    processes: ProcessCounts,
    schedule: ScheduleView<'a>,
    shutting_down: bool,
    /// For a client on the machine itself, while the kiosk is unclaimed.
    #[serde(skip_serializing_if = "Option::is_none")]
    claim_code: Option<String>,
}

/// Why the daemon was started, and when.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct LastStartView<'a> {
    reason: StartReason,
    detail: &'a str,
    since: Wallclock,
}

/// `GET /api/status`
pub async fn status(api: &Rc<Api>, request: ApiRequest<'_>) -> Result<Reply, Error> {
    let status = api.feed.current();
    let context = Context::of(api);
    let disclosure = request.caller.disclosure();
    let started = context.boot().at(api.about.started);
    let shown = StatusView {
        version: api.about.version,
        generation: status.generation,
        uptime: context.now().mono.since(api.about.started).as_secs(),
        started,
        last_start: LastStartView {
            reason: api.about.last_start.reason,
            detail: &api.about.last_start.detail,
            since: started,
        },
        hostname: (api.about.hostname)(),
        active_display: status.active_display.as_ref(),
        configuration: ConfigurationView::of(api, &status.configuration, disclosure),
        processes: ProcessCounts::of(&status),
        schedule: ScheduleView::of(&status, disclosure),
        shutting_down: status.shutting_down,
        claim_code: (api.auth.claim_code()).filter(|_| request.caller == Caller::Local),
    };
    Ok(Reply::json(200, &shown))
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Upgraded<'a> {
    version: &'a str,
}

/// `POST /api/upgrade`: answers once the installed program was tested, right before it takes over.
pub async fn upgrade(api: &Rc<Api>, _request: ApiRequest<'_>) -> Result<Reply, Error> {
    api.commands.send(Command::Upgrade).await?;
    let version = api.about.version;
    Ok(Reply::json(202, &Upgraded { version }))
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct SystemView<'a> {
    #[serde(flatten)]
    facts: MachineFacts,
    version: &'a str,
}

/// `GET /api/system`
pub async fn system(api: &Rc<Api>, _request: ApiRequest<'_>) -> Result<Reply, Error> {
    let shown = SystemView {
        facts: (api.system)(),
        version: api.about.version,
    };
    Ok(Reply::json(200, &shown))
}

/// `GET /healthz`: `ok` once the loop of the daemon polls for its next event. A response shows that the program runs;
/// that the loop polls shows that it decides. It does not report processes, which `/api/status` does: a misspelt
/// command is no reason to restart the daemon.
pub async fn health(api: &Rc<Api>, _request: ApiRequest<'_>) -> Result<Reply, Error> {
    let response = within(LOOP_TIMEOUT, api.commands.ping()).await;
    if response.is_some() {
        Ok(Reply::fixed(
            "text/plain; charset=utf-8",
            Bytes::Static(b"ok\n"),
        ))
    } else {
        Err(Error::new(
            ErrorKind::Unresponsive,
            format!(
                "the daemon's loop has not responded for {} s",
                LOOP_TIMEOUT.as_secs()
            ),
        ))
    }
}
