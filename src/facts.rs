//! Facts about the machine: read in `sys`, published by `http`. An unknown fact is `None`.

use serde::Serialize;

/// Sizes are in bytes, times in seconds, temperatures in degrees Celsius.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MachineFacts {
    /// The host name.
    pub hostname: Option<String>,
    /// `PRETTY_NAME` of os-release.
    pub os: Option<String>,
    /// The release of the kernel.
    pub kernel: Option<String>,
    /// The processor architecture.
    pub architecture: Option<String>,
    /// The model of the board or PC.
    pub model: Option<String>,
    /// The time since boot.
    pub uptime: u64,
    /// The load averages of the last 1, 5 and 15 minutes.
    pub load: Option<[f64; 3]>,
    /// Main memory.
    pub memory: MemoryFacts,
    /// The file system of the state directory.
    pub disk: DiskFacts,
    /// The temperature of the warmest sensor.
    pub temperature: Option<f64>,
    /// Every interface except the loopback, sorted by name.
    pub network: Vec<InterfaceFacts>,
    /// The wall clock.
    pub clock: ClockFacts,
}

/// Main memory.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MemoryFacts {
    /// The memory of the machine.
    pub total: Option<u64>,
    /// The part that processes can still allocate.
    pub available: Option<u64>,
    /// The daemon's proportional share of resident memory.
    pub daemon: Option<u64>,
}

/// A file system.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DiskFacts {
    /// A directory on it.
    pub path: String,
    /// Its size.
    pub total: Option<u64>,
    /// The part that is free for ordinary accounts.
    pub available: Option<u64>,
    /// Whether its content is lost at a power cut.
    pub in_memory: Option<bool>,
}

/// A network interface.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct InterfaceFacts {
    /// Its name.
    pub interface: String,
    /// Whether it is up and running.
    pub up: bool,
    /// The addresses that a browser can open.
    pub addresses: Vec<String>,
}

/// The wall clock.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ClockFacts {
    /// The current time (RFC 3339).
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    pub now: String,
    /// Whether the clock was set over the network, or by a hardware clock with a battery.
    pub trusted: bool,
    /// The time zone, by its IANA name.
    pub timezone: String,
}
