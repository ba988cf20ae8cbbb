//! What a process uses of the machine, as far as the system counts it, and whether its limits hold.

use crate::config::Process;
use serde::Serialize;

/// Tells why the limits of a process are not enforced, or not all of them; `None` where they are.
pub type WhyUnenforced = dyn Fn(&Process) -> Option<String>;

/// What the whole tree of a process uses now. What nobody counts is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Memory.
    pub memory: Option<Memory>,
    /// Processes and threads.
    pub pids: Option<u64>,
}

/// Memory in bytes, the cache of its files included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Now.
    pub current: u64,
    /// The most it has been during this run; not every kernel remembers.
    pub peak: Option<u64>,
}
