//! The resource usage of a process, and whether its limits are enforced.

use crate::config::Process;
use serde::Serialize;

/// Returns why limits of a process are not enforced; `None` if they are.
pub type WhyUnenforced = dyn Fn(&Process) -> Option<String>;

/// The usage of the process tree of a process; `None` where it is not measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Usage {
    /// Memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    /// Processes and threads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pids: Option<u64>,
}

/// Memory in bytes, with the page cache of its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Memory {
    /// The current value.
    pub current: u64,
    /// The peak of this run; not every kernel reports it.
    pub peak: Option<u64>,
}
