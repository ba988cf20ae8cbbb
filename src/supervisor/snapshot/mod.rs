//! What the API and the page show: an immutable picture of everything, with a generation number.

pub(in crate::supervisor) mod build;
mod summary;

use super::{Connector, PageStatus, Reason, RunId, ScheduleStatus, ScreenStatus};
use crate::config::{Display, Document, Id, Problem, Process};
use crate::time::Moment;
use std::fmt;
use std::rc::Rc;

/// A picture of the kiosk. A new one is made for each generation; what has not changed
/// is shared with the one before, so two pictures are compared by pointer.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Grows with every change.
    pub generation: u64,
    /// In the order of the file.
    pub processes: Vec<Rc<ProcessStatus>>,
    /// The display process that starts at boot and was last switched to.
    pub active_display: Option<Id>,
    /// Every display that exists or is configured, sorted.
    pub displays: Rc<[DisplayStatus]>,
    /// The sockets of the machine for screens, sorted.
    pub connectors: Rc<[Connector]>,
    /// What is done at which times.
    pub schedule: Rc<ScheduleStatus>,
    /// The configuration in force and what is wrong with the file.
    pub configuration: Rc<ConfigurationStatus>,
    /// Everything is being ended.
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

/// One process and how it fares.
#[derive(Clone, Debug)]
pub struct ProcessStatus {
    /// Its configuration.
    pub process: Rc<Process>,
    /// How it fares.
    pub state: State,
    /// Since when it is in this state.
    pub since: Moment,
    /// Why, where there is something to say.
    pub reason: Option<Reason>,
    /// The current run, where there is one.
    pub run: Option<RunId>,
    /// Its main process.
    pub pid: Option<u32>,
    /// When it was started.
    pub started: Option<Moment>,
    /// How often it was restarted by itself since it was last started by hand or by the daemon.
    pub restarts: u32,
    /// How its page fares: of a display process that runs.
    pub page: Option<Rc<PageStatus>>,
}

/// `status` in the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not running, and not meant to.
    Stopped,
    /// Meant to run; waits for a dependency, its display, or another process to make way.
    Waiting,
    /// Executed, not yet ready.
    Starting,
    /// Running and ready.
    Running,
    /// Asked to end.
    Stopping,
    /// Ended by itself; started again after a while.
    Backoff,
    /// In a crash loop (still tried at the longest delay).
    Failed,
}

impl State {
    /// Its name in the API and on the page.
    pub const fn as_str(self) -> &'static str {
        match self {
            State::Stopped => "stopped",
            State::Waiting => "waiting",
            State::Starting => "starting",
            State::Running => "running",
            State::Stopping => "stopping",
            State::Backoff => "backoff",
            State::Failed => "failed",
        }
    }
}

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
    /// What is known of its screen.
    pub screen: ScreenStatus,
    /// The process that holds it.
    pub holder: Option<Id>,
    /// The processes that are configured for it.
    pub wanted_by: Vec<Id>,
}

/// The configuration in force.
#[derive(Clone, Debug)]
pub struct ConfigurationStatus {
    /// The document.
    pub document: Rc<Document>,
    /// Where it came from.
    pub source: Source,
    /// What is wrong with the file on disk, until it is solved.
    pub problems: Vec<Problem>,
    /// What is odd about the document in force.
    pub warnings: Rc<[Problem]>,
}

/// Where the configuration in force came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The file.
    File,
    /// What ran before the file was broken: it was read again and cannot be used.
    Running,
    /// The last good copy, because the file is broken.
    LastGood,
    /// There is no file: a kiosk nobody has set up yet.
    Empty,
}
