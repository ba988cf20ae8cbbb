//! One entry of `processes`: what it means once it was read without a problem.

pub(in crate::config) mod command;
pub(in crate::config) mod dependencies;
pub(in crate::config) mod page;
pub(in crate::config) mod program;
pub(in crate::config) mod quote;
pub(in crate::config) mod read;
pub(in crate::config) mod shell_words;
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
    /// What people read, 1 to 80 characters.
    pub name: String,
    /// `type`: a display process or any other program.
    pub kind: Kind,
    /// What to run, as the operator would type it. `None` only for a display process that has a `url`.
    pub command: Option<String>,
    /// The page a display process shows, where it is not inside `command`.
    pub url: Option<String>,
    /// The display it takes.
    pub display: Option<Display>,
    /// A disabled process cannot be started.
    pub enabled: bool,
    /// Started when the daemon starts.
    pub autostart: bool,
    /// When a run that ended by itself is followed by another.
    pub restart: Restart,
    /// Browser features of a display process.
    pub flags: Flags,
    /// The account it runs as; `None` leaves the choice to the daemon.
    pub user: Option<String>,
    /// Working directory; `None` is the account's home.
    pub cwd: Option<String>,
    /// Added to the environment, in the order written.
    pub env: Vec<(String, String)>,
    /// Processes that must be ready first.
    pub depends_on: Vec<Id>,
    /// What "ready" means for this process.
    pub ready: Ready,
    /// What it may use, enforced by cgroup v2.
    pub limits: Limits,
    /// The polite signal that asks it to end.
    pub stop_signal: StopSignal,
    /// How long the whole tree may take to end before it is killed.
    pub stop_timeout: Duration,
    /// What is kept of its output.
    pub log: Log,
}

impl Process {
    /// Whether it is started when the daemon starts.
    pub fn starts_at_boot(&self) -> bool {
        self.enabled && self.autostart
    }

    /// How long the whole tree may take to end where the operator says nothing else.
    pub const STOP_TIMEOUT: Duration = Duration::from_secs(10);

    /// Whether a run of `self` and a run of `other` would be the same program in
    /// the same surroundings: if so, a change from one to the other keeps the PID.
    ///
    /// A new name, another restart policy, readiness or log size needs no restart.
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

    /// Whether this is a display process, of which at most one runs.
    pub fn is_display(&self) -> bool {
        self.kind == Kind::Chromium
    }
}

/// `type` of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `"chromium"`: a display process, the browser on the screen.
    Chromium,
    /// `"custom"`: any other program.
    Custom,
}

/// What follows a run that ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// `restart_on_crash: false`.
    Never,
    /// `restart_on_crash: true`: after a non-zero exit or a signal.
    OnCrash,
    /// `restart: "always"`: after exit 0 as well.
    Always,
}

/// Browser features an operator switches on by name. The switches each one
/// stands for are listed in `browser::command_line`, and only there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Flags {
    /// Full screen, without anything around the page. On unless switched off.
    pub kiosk: bool,
    /// WebGPU, as LumenCanvas needs it.
    pub webgpu: bool,
    /// Sound and video start by themselves. On unless switched off.
    pub autoplay: bool,
    /// The mouse pointer is shown.
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

/// What "ready" means, and how long it may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The sign that is waited for.
    pub sign: ReadySign,
    /// A run that is not ready after this is ended and counts as crashed.
    pub timeout: Duration,
}

impl Ready {
    /// How long a process may take to be ready where the operator says nothing else.
    pub const TIMEOUT: Duration = Duration::from_secs(30);
}

/// The sign by which a process tells that others may rely on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadySign {
    /// It was started.
    Started,
    /// `{"type":"http","url":…}` answers below status 400.
    Http {
        /// An `http://` address.
        url: String,
    },
    /// `{"type":"tcp","port":…}` accepts on loopback.
    Tcp {
        /// 1 to 65535.
        port: u16,
    },
    /// `{"type":"command","command":…}` exits with 0.
    Command {
        /// As the operator would type it.
        command: String,
    },
    /// `{"type":"notify"}`: it says `READY=1` to `$NOTIFY_SOCKET`.
    Notify,
}

/// What a process may use; `None` is no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Bytes. More than this and the kernel kills it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_max: Option<u64>,
    /// Bytes. More than this and the kernel slows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_high: Option<u64>,
    /// Hundredths of one core; 150 is one and a half cores.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_percent: Option<u32>,
    /// How many processes and threads the tree may have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pids_max: Option<u32>,
}

/// The signals that may be asked for politely.
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
    /// SIGKILL: no politeness.
    Kill,
}

impl StopSignal {
    /// Its name without `SIG`, as it stands in the file.
    pub fn name(self) -> &'static str {
        match self {
            StopSignal::Term => "TERM",
            StopSignal::Int => "INT",
            StopSignal::Hup => "HUP",
            StopSignal::Quit => "QUIT",
            StopSignal::Usr1 => "USR1",
            StopSignal::Usr2 => "USR2",
            StopSignal::Kill => "KILL",
        }
    }
}

/// A text is not one of the signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopSignalError;

impl FromStr for StopSignal {
    type Err = StopSignalError;

    /// `TERM` or `SIGTERM`, in any case.
    fn from_str(text: &str) -> Result<StopSignal, StopSignalError> {
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        [
            StopSignal::Term,
            StopSignal::Int,
            StopSignal::Hup,
            StopSignal::Quit,
            StopSignal::Usr1,
            StopSignal::Usr2,
            StopSignal::Kill,
        ]
        .into_iter()
        .find(|signal| signal.name() == name)
        .ok_or(StopSignalError)
    }
}

impl fmt::Display for StopSignalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be TERM, INT, HUP, QUIT, USR1, USR2 or KILL")
    }
}

impl std::error::Error for StopSignalError {}

/// What is kept of a process's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Log {
    /// Size of the ring in memory, in KiB: 1 to 65,536; 256 by default.
    pub memory_kib: u32,
    /// Rotated files in the state directory; none by default, because SD cards wear out.
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
    /// A file that would grow beyond this is rotated.
    pub max_bytes: u64,
    /// How many files are kept, the current one included.
    pub files: u32,
}

impl Persist {
    /// `max_bytes` where the operator says nothing else: 1 MiB, a day of a talkative program.
    pub const MAX_BYTES: u64 = 1 << 20;

    /// `files` where the operator says nothing else.
    pub const FILES: u32 = 3;
}
