//! `/metrics`: metrics in the text format of Prometheus (version 0.0.4).

use super::json::Context;
use crate::http::context::Api;
use crate::http::error::Error;
use crate::http::reply::{ApiRequest, Reply};
use crate::http::usage::Usage;
use crate::supervisor::{ProcessStatus, Snapshot, State};
use std::fmt::Write;
use std::rc::Rc;

/// `GET /metrics`. Names end in their unit; ids and states need no escaping.
pub async fn show(api: &Rc<Api>, _request: ApiRequest<'_>) -> Result<Reply, Error> {
    let status = api.feed.current();
    let now = Context::of(api).now().mono;
    let mut page = Page(String::new());
    page.gauge("build_info", "The version of the program.");
    page.line(
        "build_info",
        &format!("{{version=\"{}\"}}", api.about.version),
        1,
    );
    page.gauge("uptime_seconds", "How long the daemon has been running.");
    page.line("uptime_seconds", "", now.since(api.about.started).as_secs());
    page.gauge("last_start_info", "Why the daemon was started.");
    let reason = api.about.last_start.reason.as_str();
    page.line("last_start_info", &format!("{{reason=\"{reason}\"}}"), 1);
    page.gauge("generation", "Grows with every change.");
    page.line("generation", "", status.generation);
    if let Some(bytes) = (api.system)().memory.daemon {
        page.gauge("resident_memory_bytes", "Resident memory of the daemon.");
        page.line("resident_memory_bytes", "", bytes);
    }
    page.gauge("http_connections", "Connections that are open.");
    page.line("http_connections", "", api.connections.size());
    page.gauge("http_streams", "Event streams that are open.");
    page.line("http_streams", "", api.connections.streams());
    page.counter("http_requests_total", "Requests that reached a route.");
    page.line("http_requests_total", "", api.connections.requests());
    let mut each = |name: &str, help: &str, value: &dyn Fn(&ProcessStatus) -> u64| {
        page.gauge(name, help);
        for shown in &status.processes {
            let label = format!("{{process=\"{}\"}}", shown.process.id);
            page.line(name, &label, value(shown));
        }
    };
    each("process_up", "Whether the process runs.", &|shown| {
        u64::from(shown.state == State::Running)
    });
    each(
        "process_restarts",
        "How often it was restarted automatically since it was last started by an operator.",
        &|shown| u64::from(shown.restarts),
    );
    each(
        "process_uptime_seconds",
        "How long its run has lasted.",
        &|shown| {
            let started = shown.started.filter(|_| shown.pid.is_some());
            started.map_or(0, |started| now.since(started).as_secs())
        },
    );
    usage(&mut page, api, &status);
    page.gauge("process_state", "The state it is in.");
    for shown in &status.processes {
        let (id, state) = (&shown.process.id, shown.state.as_str());
        page.line(
            "process_state",
            &format!("{{process=\"{id}\",state=\"{state}\"}}"),
            1,
        );
    }
    Ok(Reply::bytes(
        200,
        "text/plain; version=0.0.4; charset=utf-8",
        page.0.into_bytes(),
    ))
}

/// The resource usage of the processes, as far as it is measured.
fn usage(page: &mut Page, api: &Api, status: &Snapshot) {
    let used: Vec<_> = (status.processes.iter())
        .map(|shown| (&shown.process.id, (api.usage)(&shown.process.id)))
        .collect();
    let mut each = |name: &str, help: &str, value: &dyn Fn(&Usage) -> Option<u64>| {
        let mut lines = (used.iter())
            .filter_map(|(id, usage)| Some((id, value(usage)?)))
            .peekable();
        if lines.peek().is_some() {
            page.gauge(name, help);
        }
        for (id, value) in lines {
            page.line(name, &format!("{{process=\"{id}\"}}"), value);
        }
    };
    each(
        "process_memory_bytes",
        "Memory of its whole tree, the cache of its files included.",
        &|usage| Some(usage.memory?.current),
    );
    each(
        "process_memory_peak_bytes",
        "The most it has been during its run.",
        &|usage| usage.memory?.peak,
    );
    each(
        "process_pids",
        "Processes and threads in its tree.",
        &|usage| usage.pids,
    );
}

/// The text. Writing to a string cannot fail.
struct Page(String);

impl Page {
    fn gauge(&mut self, name: &str, help: &str) {
        self.head(name, help, "gauge");
    }

    fn counter(&mut self, name: &str, help: &str) {
        self.head(name, help, "counter");
    }

    fn head(&mut self, name: &str, help: &str, kind: &str) {
        let _ = writeln!(
            self.0,
            "# HELP ossuary_{name} {help}\n# TYPE ossuary_{name} {kind}"
        );
    }

    fn line(&mut self, name: &str, labels: &str, value: impl std::fmt::Display) {
        let _ = writeln!(self.0, "ossuary_{name}{labels} {value}");
    }
}
