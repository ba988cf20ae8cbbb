//! The meaning of one entry of `processes`.

pub mod command;
pub mod dependencies;
pub mod legacy;
pub mod page;
pub mod program;
pub mod quote;
pub mod read;
pub mod shell_words;
mod show;

use super::{Display, Id};
use serde::Serialize;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A process as the operator configured it, defaults filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// The key in `processes`.
    pub id: Id,
    /// The display name, 1 to 80 characters.
    pub name: String,
    /// `type`: a display process or any other program.
    pub kind: Kind,
    /// The command, as the operator types it. `None` only for a display process that has a `url`.
    pub command: Option<String>,
    /// The URL of the page that a display process shows, unless it is part of `command`.
    pub url: Option<String>,
    /// The display that it takes.
    pub display: Option<Display>,
    /// A disabled process cannot be started.
    pub enabled: bool,
    /// Whether it starts when the daemon starts.
    pub autostart: bool,
    /// Whether another run follows one that ended without being stopped.
    pub restart: Restart,
    /// Browser features of a display process.
    pub flags: Flags,
    /// The account it runs as; `None` leaves the choice to the daemon.
    pub user: Option<String>,
    /// The working directory; `None` is the home directory of the account.
    pub cwd: Option<String>,
    /// Added to the environment, in the order of the file.
    pub env: Vec<(String, String)>,
    /// Processes that must be ready first.
    pub depends_on: Vec<Id>,
    /// When it counts as ready.
    pub ready: Ready,
    /// Resource limits, enforced by cgroup v2.
    pub limits: Limits,
    /// The signal that asks it to end.
    pub stop_signal: StopSignal,
    /// How long its process tree may take to end before it is killed.
    pub stop_timeout: Duration,
    /// How much of its output is kept.
    pub log: Log,
}

impl Process {
    /// Whether it starts when the daemon starts.
    pub fn starts_at_boot(&self) -> bool {
        self.enabled && self.autostart
    }

    /// The default of `stop_timeout`.
    pub const STOP_TIMEOUT: Duration = Duration::from_secs(10);

    /// Whether runs of `self` and `other` would be the same. If so, a change from one to the other needs no restart, as
    /// for another name, restart policy, readiness or log size.
    pub fn runs_like(&self, other: &Process) -> bool {
        self.id == other.id
            && self.kind == other.kind
            && self.command == other.command
            && self.url == other.url
            && self.display == other.display
            && self.flags == other.flags
            && self.user == other.user
            && self.cwd == other.cwd
            && self.env == other.env
            && self.limits == other.limits
    }

    /// Whether this is a display process; at most one runs.
    pub fn is_display(&self) -> bool {
        self.kind == Kind::Chromium
    }
}

/// `type` of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `"chromium"`: a display process, a browser on the screen.
    Chromium,
    /// `"custom"`: any other program.
    Custom,
}

names!(Kind {
    Chromium = "chromium",
    Custom = "custom",
});

/// When another run follows one that ended without being stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// `restart_on_crash: false`: never.
    Never,
    /// `restart_on_crash: true`: after a non-zero exit or a signal.
    OnCrash,
    /// `restart: "always"`: also after exit code 0.
    Always,
}

/// Browser features. `browser::command_line` maps each to command line switches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Flags {
    /// Full screen without browser controls; on by default.
    pub kiosk: bool,
    /// WebGPU, which LumenCanvas needs; off by default.
    pub webgpu: bool,
    /// Sound and video start without a user gesture; on by default.
    pub autoplay: bool,
    /// The mouse pointer is shown; off by default.
    pub cursor: bool,
}

impl Default for Flags {
    fn default() -> Self {
        Self {
            kiosk: true,
            webgpu: false,
            autoplay: true,
            cursor: false,
        }
    }
}

/// When a process counts as ready, and how long that may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The readiness check.
    pub sign: ReadySign,
    /// A run that is not ready after this time is stopped and counts as crashed.
    pub timeout: Duration,
}

impl Ready {
    /// The default of `timeout`.
    pub const TIMEOUT: Duration = Duration::from_secs(30);
}

/// The check that a process is ready, so that processes that depend on it may start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadySign {
    /// It is ready as soon as it is started.
    Started,
    /// `{"type":"http","url":…}`: the URL answers with a status below 400.
    Http {
        /// An `http://` URL.
        url: String,
    },
    /// `{"type":"tcp","port":…}`: the port accepts a connection on loopback.
    Tcp {
        /// 1 to 65535.
        port: u16,
    },
    /// `{"type":"command","command":…}`: the command exits with 0.
    Command {
        /// The command, as the operator types it.
        command: String,
    },
    /// `{"type":"notify"}`: it sends `READY=1` to `$NOTIFY_SOCKET`.
    Notify,
}

/// Resource limits of a process; `None` is no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// In bytes. The kernel kills a process tree that exceeds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_max: Option<u64>,
    /// In bytes. The kernel throttles a process tree that exceeds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_high: Option<u64>,
    /// In percent of one core; 150 is one and a half cores.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_percent: Option<u32>,
    /// The most processes and threads of the process tree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pids_max: Option<u32>,
}

/// The signals that may stop a process, named without `SIG`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopSignal {
    /// SIGTERM, the default.
    Term,
    /// SIGINT.
    Int,
    /// SIGHUP.
    Hup,
    /// SIGQUIT.
    Quit,
    /// SIGUSR1.
    Usr1,
    /// SIGUSR2.
    Usr2,
    /// SIGKILL.
    Kill,
}

names!(StopSignal {
    Term = "TERM",
    Int = "INT",
    Hup = "HUP",
    Quit = "QUIT",
    Usr1 = "USR1",
    Usr2 = "USR2",
    Kill = "KILL",
});

/// A text is not the name of a [`StopSignal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopSignalError;

impl FromStr for StopSignal {
    type Err = StopSignalError;

    /// Parses `TERM` or `SIGTERM`, in upper or lower case.
    fn from_str(text: &str) -> Result<StopSignal, StopSignalError> {
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        (StopSignal::ALL.into_iter())
            .find(|signal| signal.as_str() == name)
            .ok_or(StopSignalError)
    }
}

impl fmt::Display for StopSignalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be TERM, INT, HUP, QUIT, USR1, USR2 or KILL")
    }
}

impl std::error::Error for StopSignalError {}

/// How much of the output of a process is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Log {
    /// The size of the ring buffer in KiB: 1 to 65,536; 256 by default.
    pub memory_kib: u32,
    /// Log files in the state directory; none by default, because SD cards wear out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub persist: Option<Persist>,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            memory_kib: 256,
            persist: None,
        }
    }
}

/// Rotated log files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Persist {
    /// A file that would exceed this size is rotated.
    pub max_bytes: u64,
    /// How many files are kept, the current one included.
    pub files: u32,
}

impl Persist {
    /// The default of `max_bytes`: 1 MiB, a day of a verbose program.
    pub const MAX_BYTES: u64 = 1 << 20;

    /// The default of `files`.
    pub const FILES: u32 = 3;
}
