//! What the system says about the machine: read in `sys`, shown in `http`. What cannot be found out is `None`.

use serde::Serialize;

/// Sizes are in bytes, times in seconds, temperatures in degrees Celsius.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct MachineFacts {
    /// Its name.
    pub hostname: Option<String>,
    /// As os-release calls it.
    pub os: Option<String>,
    /// The release of the kernel.
    pub kernel: Option<String>,
    /// The processor architecture.
    pub architecture: Option<String>,
    /// The board, or the PC.
    pub model: Option<String>,
    /// Of the machine.
    pub uptime: u64,
    /// Of the last 1, 5 and 15 minutes.
    pub load: Option<[f64; 3]>,
    /// Main memory.
    pub memory: MemoryFacts,
    /// What the state directory is on.
    pub disk: DiskFacts,
    /// Of the warmest sensor.
    pub temperature: Option<f64>,
    /// Every interface but the loopback, by name.
    pub network: Vec<InterfaceFacts>,
    /// The wall clock.
    pub clock: ClockFacts,
}

/// Main memory.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct MemoryFacts {
    /// Of the machine.
    pub total: Option<u64>,
    /// Of that, what processes can still get.
    pub available: Option<u64>,
    /// The daemon's own share, resident.
    pub daemon: Option<u64>,
}

/// A file system.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DiskFacts {
    /// A directory on it.
    pub path: String,
    /// Its size.
    pub total: Option<u64>,
    /// Of that, what is free for ordinary accounts.
    pub available: Option<u64>,
    /// Whether it is gone with the power.
    pub in_memory: Option<bool>,
}

/// A network interface.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct InterfaceFacts {
    /// Its name.
    pub interface: String,
    /// Whether it is up and running.
    pub up: bool,
    /// Those that a browser takes.
    pub addresses: Vec<String>,
}

/// The wall clock.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ClockFacts {
    /// RFC 3339.
    pub now: String,
    /// Whether it was set over the network, or by a clock that keeps time without power.
    pub trusted: bool,
    /// By its IANA name.
    pub timezone: String,
}
