//! The JSON forms that several routes share.

use crate::config::{Id, Limits, Problem, Process, redact};
use crate::http::caller::Disclosure;
use crate::http::context::Api;
use crate::http::usage::Usage;
use crate::http::wall_time::{BootTime, Now, Wallclock};
use crate::supervisor::{ConfigurationStatus, ProcessStatus, Reason, Snapshot, Source, State};
use serde::ser::{Error as _, SerializeMap};
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::rc::Rc;

/// What is needed to show state: the clocks, read once, and the API context.
#[derive(Clone, Copy, Debug)]
pub struct Context<'l> {
    api: &'l Api,
    now: Now,
    boot: BootTime,
    disclosure: Disclosure,
}

impl<'l> Context<'l> {
    /// Reads the clocks. Output is redacted unless [`Context::disclosing`] changes that.
    pub fn of(api: &'l Api) -> Self {
        let now = (api.clock)();
        Self {
            api,
            now,
            boot: api.wall.of(now),
            disclosure: Disclosure::Redacted,
        }
    }

    /// The same for a caller with this disclosure.
    pub fn disclosing(self, disclosure: Disclosure) -> Self {
        Self { disclosure, ..self }
    }

    /// The current time.
    pub fn now(&self) -> Now {
        self.now
    }

    /// The time of the boot.
    pub fn boot(&self) -> BootTime {
        self.boot
    }

    /// The JSON form of a process.
    pub fn process<'a>(&self, shown: &'a ProcessStatus) -> ProcessView<'a> {
        let uptime = |started| self.now.mono.since(started).as_secs();
        let disclosure = self.disclosure;
        let text = |text: &'a Option<String>| text.as_deref().map(|text| disclosure.text(text));
        let has_limits = shown.process.limits != Limits::default();
        ProcessView {
            process: &shown.process,
            status: state(shown.state),
            pid: shown.pid,
            uptime: shown.started.filter(|_| shown.pid.is_some()).map(uptime),
            restarts: shown.restarts,
            since: self.boot.at(shown.since),
            reason: (shown.reason.as_ref()).map(|reason| match (reason, disclosure) {
                // The reason names the program.
                (Reason::NotStarted(_), Disclosure::Redacted) => "could not be started".to_owned(),
                _ => disclosure.text(&reason.to_string()).into_owned(),
            }),
            page: shown.page.as_deref().map(|page| PageView {
                state: page.state.as_str(),
                url: page.url.as_deref().map(|url| disclosure.url(url)),
                title: page.title.as_deref().map(|title| match disclosure {
                    Disclosure::Full => title.into(),
                    Disclosure::Redacted => redact::title(title, page.url.as_deref()).into(),
                }),
                since: self.boot.at(page.since),
                reason: text(&page.reason),
                server_reachable: page.server_reachable,
                last_painted: page.last_painted.map(|at| self.boot.at(at)),
                last_step: page.last_step.as_deref().map(|step| StepView {
                    at: self.boot.at(step.at),
                    state: step.state.as_str(),
                    what: disclosure.text(&step.what),
                    evidence: step.evidence.as_ref().map(|(at, _)| self.boot.at(*at)),
                }),
            }),
            unenforced: has_limits.then(|| (self.api.why_unenforced)(&shown.process)),
            usage: Usage::default(),
            stopped: None,
            disclosure,
        }
    }
}

/// The name of a state.
pub fn state(state: State) -> &'static str {
    match state {
        State::Stopped => "stopped",
        State::Waiting => "waiting",
        State::Starting => "starting",
        State::Running => "running",
        State::Stopping => "stopping",
        State::Backoff => "backoff",
        State::Failed => "failed",
    }
}

/// A process: its configuration and its state.
#[derive(Debug)]
pub struct ProcessView<'a> {
    process: &'a Process,
    status: &'static str,
    pid: Option<u32>,
    uptime: Option<u64>,
    restarts: u32,
    since: Wallclock,
    reason: Option<String>,
    page: Option<PageView<'a>>,
    /// For a process with limits: why they are not enforced, if so.
    unenforced: Option<Option<String>>,
    usage: Usage,
    stopped: Option<&'a [Id]>,
    disclosure: Disclosure,
}

impl<'a> ProcessView<'a> {
    /// The same with its resource usage.
    pub fn with_usage(self, usage: Usage) -> Self {
        Self { usage, ..self }
    }

    /// The same with the processes that were stopped for it.
    pub fn with_stopped(self, stopped: &'a [Id]) -> Self {
        Self {
            stopped: Some(stopped),
            ..self
        }
    }
}

impl Serialize for ProcessView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self.disclosure {
            Disclosure::Full => self.process.serialize_fields(&mut map)?,
            Disclosure::Redacted => {
                let fields = serde_json::to_value(self.process).map_err(S::Error::custom)?;
                let fields = redact::outline(&fields);
                for (name, value) in fields.as_object().into_iter().flatten() {
                    map.serialize_entry(name, value)?;
                }
            }
        }
        map.serialize_entry("status", self.status)?;
        map.serialize_entry("pid", &self.pid)?;
        map.serialize_entry("uptime", &self.uptime)?;
        map.serialize_entry("restarts", &self.restarts)?;
        map.serialize_entry("since", &self.since)?;
        map.serialize_entry("reason", &self.reason)?;
        if let Some(page) = &self.page {
            map.serialize_entry("page", page)?;
        }
        if let Some(why) = &self.unenforced {
            map.serialize_entry("limits_enforced", &why.is_none())?;
            if let Some(note) = why {
                map.serialize_entry("limits_note", note)?;
            }
        }
        if let Some(memory) = &self.usage.memory {
            map.serialize_entry("memory", memory)?;
        }
        if let Some(pids) = &self.usage.pids {
            map.serialize_entry("pids", pids)?;
        }
        if let Some(stopped) = self.stopped {
            map.serialize_entry("stopped", stopped)?;
        }
        map.end()
    }
}

/// The state of the page of a display process.
#[derive(Debug, Serialize)]
struct PageView<'a> {
    state: &'static str,
    url: Option<Cow<'a, str>>,
    title: Option<Cow<'a, str>>,
    since: Wallclock,
    reason: Option<Cow<'a, str>>,
    server_reachable: Option<bool>,
    last_painted: Option<Wallclock>,
    last_step: Option<StepView<'a>>,
}

/// The last recovery step for a page.
#[derive(Debug, Serialize)]
struct StepView<'a> {
    at: Wallclock,
    state: &'static str,
    what: Cow<'a, str>,
    /// When the screenshot that `/evidence` returns was taken.
    evidence: Option<Wallclock>,
}

/// Processes by id, in the order of the file.
#[derive(Debug)]
pub struct ProcessesView<'a> {
    /// The processes.
    pub shown: &'a [Rc<ProcessStatus>],
    /// The context for showing them.
    pub context: Context<'a>,
}

impl Serialize for ProcessesView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.shown.len()))?;
        for shown in self.shown {
            map.serialize_entry(&shown.process.id, &self.context.process(shown))?;
        }
        map.end()
    }
}

/// The ids of the processes, in the order of the file.
#[derive(Debug)]
pub struct ProcessOrder<'a>(pub &'a [Rc<ProcessStatus>]);

impl Serialize for ProcessOrder<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|shown| &shown.process.id))
    }
}

/// The source of the configuration in force, and its problems.
#[derive(Debug, Serialize)]
pub struct ConfigurationView<'a> {
    file: &'a str,
    source: &'static str,
    problems: Cow<'a, [Problem]>,
    warnings: Cow<'a, [Problem]>,
    file_differs: bool,
}

impl<'a> ConfigurationView<'a> {
    /// The configuration in force. The message of a problem can quote a value, so a redacted form names only the field.
    pub fn of(api: &'a Api, shown: &'a ConfigurationStatus, disclosure: Disclosure) -> Self {
        let problems = |problems: &'a [Problem]| match disclosure {
            Disclosure::Full => problems.into(),
            Disclosure::Redacted => (problems.iter())
                .map(|problem| Problem {
                    path: problem.path.clone(),
                    message: "sign in as administrator to read what is wrong here".to_owned(),
                })
                .collect(),
        };
        Self {
            file: &api.about.config_file,
            source: match shown.source {
                Source::File => "file",
                Source::Running => "running",
                Source::LastGood => "last_good",
                Source::Empty => "empty",
            },
            problems: problems(&shown.problems),
            warnings: problems(&shown.warnings),
            file_differs: shown.file_differs,
        }
    }
}

/// The number of processes, in total and by state.
#[derive(Debug, Serialize)]
pub struct ProcessCounts {
    total: usize,
    running: usize,
    waiting: usize,
    failed: usize,
}

impl ProcessCounts {
    /// Counts the processes of a snapshot.
    pub fn of(status: &Snapshot) -> Self {
        let count = |state| {
            (status.processes.iter())
                .filter(|shown| shown.state == state)
                .count()
        };
        Self {
            total: status.processes.len(),
            running: count(State::Running),
            waiting: count(State::Waiting),
            failed: count(State::Failed),
        }
    }
}
