//! Why a process is in its state, as the operator reads it.

use super::{Ending, Failure};
use crate::config::{Display, Id};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// The cause of the current state of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// It exited, or was killed by another program.
    Ended(Ending),
    /// It could not be executed.
    NotStarted(Failure),
    /// It was not ready in time.
    NotReady(Duration),
    /// The operator stopped it.
    StoppedByOperator,
    /// The operator restarted it.
    RestartedByOperator,
    /// A rule of the schedule stopped it.
    StoppedBySchedule,
    /// A rule of the schedule restarted it.
    RestartedBySchedule,
    /// It is no longer configured.
    Removed,
    /// Its configuration was changed.
    ConfigurationChanged,
    /// Another process took the screen or the display.
    #[serde(rename = "MadeWayFor")]
    DisplacedBy(Id),
    /// It waits until this process is ready.
    WaitsForProcess(Id),
    /// It waits until this process has ended.
    WaitsForEndOf(Id),
    /// It waits for a display to appear.
    WaitsForDisplay(Display),
    /// `autostart` is off, and it was not started yet.
    NotStartedYet,
    /// It is disabled.
    Disabled,
    /// Another process runs, or waits to run, in its place.
    DisplayTaken(Id),
    /// Its page did not recover otherwise, or a behavior restarts it.
    #[serde(rename = "ForThePage")]
    PageRecovery(String),
    /// The daemon is shutting down.
    ShuttingDown,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Ended(ending) => ending.fmt(f),
            Reason::NotStarted(failure) => failure.fmt(f),
            Reason::NotReady(after) => write!(f, "not ready after {} s", after.as_secs()),
            Reason::StoppedByOperator => f.write_str("stopped by the operator"),
            Reason::RestartedByOperator => f.write_str("restarted by the operator"),
            Reason::StoppedBySchedule => f.write_str("stopped by the schedule"),
            Reason::RestartedBySchedule => f.write_str("restarted by the schedule"),
            Reason::Removed => f.write_str("no longer configured"),
            Reason::ConfigurationChanged => f.write_str("configuration changed"),
            Reason::DisplacedBy(id) => write!(f, "replaced by {id}"),
            Reason::WaitsForProcess(id) => write!(f, "waits until {id} is ready"),
            Reason::WaitsForEndOf(id) => write!(f, "waits until {id} has ended"),
            Reason::WaitsForDisplay(display) => write!(f, "waits for display {display}"),
            Reason::NotStartedYet => f.write_str("not started yet"),
            Reason::Disabled => f.write_str("disabled"),
            Reason::DisplayTaken(id) => write!(f, "the display is taken by {id}"),
            Reason::PageRecovery(why) => write!(f, "restarted: {why}"),
            Reason::ShuttingDown => f.write_str("shutting down"),
        }
    }
}
