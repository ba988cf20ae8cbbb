//! What the API publishes: an immutable snapshot of everything, with a generation number.

mod summary;

use super::{Connector, PageStatus, Reason, RunId, ScheduleStatus, ScreenStatus};
use crate::config::{Display, Document, Id, Problem, Process};
use crate::time::Moment;
use std::fmt;
use std::rc::Rc;

/// The state of the kiosk. Each generation shares with the previous one what did not change, so parts are compared by
/// pointer.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Increases with every change.
    pub generation: u64,
    /// In the order of the file.
    pub processes: Vec<Rc<ProcessStatus>>,
    /// The display process that starts at boot and was last switched to.
    pub active_display: Option<Id>,
    /// Every display that exists or is configured, sorted.
    pub displays: Rc<[DisplayStatus]>,
    /// The connectors of the machine, sorted.
    pub connectors: Rc<[Connector]>,
    /// The schedule.
    pub schedule: Rc<ScheduleStatus>,
    /// The configuration in effect and the problems of the file.
    pub configuration: Rc<ConfigurationStatus>,
    /// Whether the daemon is shutting down.
    pub shutting_down: bool,
}

impl Snapshot {
    /// The process with this id.
    pub fn process(&self, id: &Id) -> Option<&Rc<ProcessStatus>> {
        self.processes
            .iter()
            .find(|status| status.process.id == *id)
    }
}

/// One process.
#[derive(Clone, Debug)]
pub struct ProcessStatus {
    /// Its configuration.
    pub process: Rc<Process>,
    /// Its state.
    pub state: State,
    /// When it entered the state.
    pub since: Moment,
    /// Why it is in this state.
    pub reason: Option<Reason>,
    /// The current run.
    pub run: Option<RunId>,
    /// Its main process.
    pub pid: Option<u32>,
    /// When it was started.
    pub started: Option<Moment>,
    /// How often it was restarted automatically since an operator or the daemon last started it.
    pub restarts: u32,
    /// The status of its page while a display process runs.
    pub page: Option<Rc<PageStatus>>,
}

/// `status` in the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not running, and should not.
    Stopped,
    /// Should run; waits for a dependency, its display, or another process to stop.
    Waiting,
    /// Executed, not yet ready.
    Starting,
    /// Running and ready.
    Running,
    /// Asked to stop.
    Stopping,
    /// Exited; restarted after a delay.
    Backoff,
    /// In a crash loop; still restarted after the longest delay.
    Failed,
}

names!(State {
    Stopped = "stopped",
    Waiting = "waiting",
    Starting = "starting",
    Running = "running",
    Stopping = "stopping",
    Backoff = "backoff",
    Failed = "failed",
});

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One display.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisplayStatus {
    /// Its name.
    pub display: Display,
    /// Whether it exists now.
    pub connected: bool,
    /// Its screen.
    pub screen: ScreenStatus,
    /// The process that occupies it.
    pub holder: Option<Id>,
    /// The processes that are configured for it.
    pub wanted_by: Vec<Id>,
}

/// The configuration in effect.
#[derive(Clone, Debug)]
pub struct ConfigurationStatus {
    /// The document.
    pub document: Rc<Document>,
    /// Where it came from.
    pub source: Source,
    /// The problems of the file, until they are solved.
    pub problems: Vec<Problem>,
    /// The warnings about the document in effect.
    pub warnings: Rc<[Problem]>,
    /// The file was changed by another program and not read since: a reload would apply it.
    pub file_differs: bool,
}

/// Where the configuration in effect came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The file.
    File,
    /// The configuration from before the file became invalid.
    Running,
    /// The last good copy, because the file is invalid.
    LastGood,
    /// There is no file: the kiosk is not set up yet.
    Empty,
}

names!(Source {
    File = "file",
    Running = "running",
    LastGood = "last_good",
    Empty = "empty",
});
