//! The JSON forms that several routes share.

use crate::config::{Limits, Problem, Process, redact};
use crate::http::caller::Disclosure;
use crate::http::context::Api;
use crate::http::usage::Usage;
use crate::http::wall_time::{BootTime, Now, Wallclock};
use crate::supervisor::{
    ConfigurationStatus, PageState, ProcessStatus, Reason, Snapshot, Source, State,
};
use serde::ser::Error as _;
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
        let unenforced = has_limits.then(|| (self.api.why_unenforced)(&shown.process));
        ProcessView {
            fields: ProcessFields(&shown.process, disclosure),
            status: shown.state,
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
                state: page.state,
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
                    state: step.state,
                    what: disclosure.text(&step.what),
                    evidence: step.evidence.as_ref().map(|(at, _)| self.boot.at(*at)),
                }),
            }),
            limits_enforced: unenforced.as_ref().map(Option::is_none),
            limits_note: unenforced.flatten(),
            usage: Usage::default(),
        }
    }
}

/// A process: its configuration and its state.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ProcessView<'a> {
    #[serde(flatten)]
    #[cfg_attr(test, schemars(schema_with = "super::openapi::tests::process_fields"))]
    fields: ProcessFields<'a>,
    status: State,
    pid: Option<u32>,
    uptime: Option<u64>,
    restarts: u32,
    since: Wallclock,
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<PageView<'a>>,
    /// For a process with limits: whether they are enforced, and if not, why.
    #[serde(skip_serializing_if = "Option::is_none")]
    limits_enforced: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limits_note: Option<String>,
    #[serde(flatten)]
    usage: Usage,
}

impl ProcessView<'_> {
    /// The same with its resource usage.
    pub fn with_usage(self, usage: Usage) -> Self {
        Self { usage, ..self }
    }
}

/// The configuration of a process, as far as the caller may read it.
#[derive(Debug)]
struct ProcessFields<'a>(&'a Process, Disclosure);

impl Serialize for ProcessFields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(process, disclosure) = self;
        match disclosure {
            Disclosure::Full => process.serialize(serializer),
            Disclosure::Redacted => {
                let fields = serde_json::to_value(process).map_err(S::Error::custom)?;
                redact::outline(&fields).serialize(serializer)
            }
        }
    }
}

/// The state of the page of a display process.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct PageView<'a> {
    state: PageState,
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct StepView<'a> {
    at: Wallclock,
    state: PageState,
    what: Cow<'a, str>,
    /// When the screenshot that `/evidence` returns was taken.
    evidence: Option<Wallclock>,
}

/// Processes by id, in the order of the file.
#[derive(Debug)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(with = "std::collections::BTreeMap<String, ProcessView<'a>>")
)]
pub struct ProcessesView<'a> {
    /// The processes.
    pub shown: &'a [Rc<ProcessStatus>],
    /// The context for showing them.
    pub context: Context<'a>,
}

impl Serialize for ProcessesView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let shown = self.shown.iter();
        serializer.collect_map(shown.map(|shown| (&shown.process.id, self.context.process(shown))))
    }
}

/// The ids of the processes, in the order of the file.
#[derive(Debug)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(with = "Vec<String>"))]
pub struct ProcessOrder<'a>(pub &'a [Rc<ProcessStatus>]);

impl Serialize for ProcessOrder<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|shown| &shown.process.id))
    }
}

/// The source of the configuration in force, and its problems.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ConfigurationView<'a> {
    file: &'a str,
    source: Source,
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
            source: shown.source,
            problems: problems(&shown.problems),
            warnings: problems(&shown.warnings),
            file_differs: shown.file_differs,
        }
    }
}

/// The number of processes, in total and by state.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
