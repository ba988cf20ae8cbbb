//! `/api/status`, `/api/system`, `/healthz`: how the daemon and the machine fare.

use super::json::{ConfigurationView, Context, ProcessCounts};
use super::schedule::ScheduleView;
use super::wall_time::Wallclock;
use crate::config::Id;
use crate::facts::MachineFacts;
use crate::http::Api;
use crate::http::auth_service::Caller;
use crate::http::error::{Error, ErrorKind};
use crate::http::reply::{ApiRequest, Reply};
use crate::supervisor::Command;
use serde::Serialize;
use serde_json::json;
use smol::Timer;
use smol::future::or;
use std::rc::Rc;
use std::time::Duration;

/// How long the loop may take to come round before `/healthz` says that it does not. Every
/// turn of it takes milliseconds; only a disk that hangs under the whole daemon takes longer.
const LOOP_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Serialize)]
struct StatusView<'a> {
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
    /// For whoever is on the machine itself, while nobody has claimed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    claim_code: Option<String>,
}

/// Why the daemon was started, and since when it has been running therefore.
#[derive(Serialize)]
struct LastStartView<'a> {
    reason: &'a str,
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
            reason: api.about.last_start.reason.as_str(),
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

/// `POST /api/upgrade`: answered once the installed program was tried, right before it takes over.
pub async fn upgrade(api: &Rc<Api>, _request: ApiRequest<'_>) -> Result<Reply, Error> {
    api.commands.send(Command::Upgrade).await?;
    Ok(Reply::json(202, &json!({"version": api.about.version})))
}

#[derive(Serialize)]
struct SystemView<'a> {
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

/// `GET /healthz`: `ok` once the daemon's loop has come round to ask for its next
/// event. That this is answered at all shows that the program runs; that the loop
/// asked shows that it decides. It says nothing of the processes, which have
/// `/api/status`: a daemon is not restarted because a command is misspelt.
pub async fn health(api: &Rc<Api>, _request: ApiRequest<'_>) -> Result<Reply, Error> {
    let comes_round = async {
        api.commands.ping().await;
        true
    };
    let is_late = async {
        Timer::after(LOOP_TIMEOUT).await;
        false
    };
    if or(comes_round, is_late).await {
        Ok(Reply::fixed("text/plain; charset=utf-8", b"ok\n"))
    } else {
        Err(Error::new(
            ErrorKind::Unresponsive,
            format!(
                "the daemon's loop has not come round for {} s",
                LOOP_TIMEOUT.as_secs()
            ),
        ))
    }
}
