//! What a command line asks for: an [`Invocation`].

use serde_json::{Map, Value};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Invocation {
    /// Runs the daemon.
    Daemon(DaemonOptions),
    /// Runs the daemon with the demo configuration.
    Demo {
        /// The addresses to listen on; never empty.
        listen: Vec<SocketAddr>,
    },
    /// Checks a configuration file.
    Check {
        /// The file.
        file: PathBuf,
        /// Whether to print the report as JSON.
        json: bool,
    },
    /// Applies the first-boot file.
    FirstBoot {
        /// Where the boot partition of the card is mounted.
        card: PathBuf,
        /// The root directory of the system that is set up.
        root: PathBuf,
    },
    /// Runs a client command.
    Client(ClientCommand),
    /// Prints this text: help, version, or a completion script.
    Print(String),
    /// Prepares the cgroup of the unit for a new daemon.
    CleanUpStaleRuns,
    /// Prints candidates for the last of these words, which follow the name of the program.
    Complete(Vec<String>),
}

/// The options of the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaemonOptions {
    /// The configuration file.
    pub config: PathBuf,
    /// The directory for state that survives a restart.
    pub state_dir: PathBuf,
    /// The directory for PID files and the socket.
    pub run_dir: PathBuf,
    /// The addresses to listen on; never empty.
    pub listen: Vec<SocketAddr>,
    /// Further host names under which browsers reach the kiosk.
    pub hosts: Vec<String>,
    /// The addresses to listen on for proxies that send the PROXY protocol.
    pub trusted_proxies: Vec<SocketAddr>,
}

/// A client command.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientCommand {
    /// The socket of the daemon.
    pub socket: PathBuf,
    /// Whether to print the JSON of the API.
    pub json: bool,
    /// What to do.
    pub task: Task,
}

/// What a client command does. Ids are as the operator typed them; the daemon checks them.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// Print the state of all processes, or of one.
    Status(Option<String>),
    /// Start, stop or restart processes.
    Control {
        /// The command.
        command: ProcessCommand,
        /// The processes, at least one.
        ids: Vec<String>,
        /// How long to wait until it is done; `None` does not wait.
        wait: Option<Duration>,
    },
    /// Print the log of a process.
    Logs {
        /// The process.
        id: String,
        /// Whether to continue with new lines.
        follow: bool,
        /// The number of newest lines.
        lines: u32,
    },
    /// Add a process.
    Add(Map<String, Value>),
    /// Change fields of a process.
    Set {
        /// The process.
        id: String,
        /// Paths into the fields (`flags`, `webgpu`), never empty, with the new values.
        changes: Vec<(Vec<String>, Value)>,
    },
    /// Enable or disable processes.
    Enable {
        /// The processes, at least one.
        ids: Vec<String>,
        /// Whether to enable them.
        enabled: bool,
    },
    /// Remove processes.
    Remove {
        /// The processes, at least one.
        ids: Vec<String>,
        /// Whether to remove also processes that rules name, which disables these rules.
        force: bool,
    },
    /// Print the whole configuration, or write it to a file.
    ConfigGet(Option<PathBuf>),
    /// Replace the whole configuration.
    ConfigPut {
        /// The file with the new configuration; `None` is standard input.
        file: Option<PathBuf>,
        /// The entity tag that the configuration must still have; `None` with `--force`.
        if_match: Option<String>,
    },
    /// Reload the page of a display process.
    ReloadPage(String),
    /// Show another page on a display process.
    Open {
        /// The process.
        id: String,
        /// The URL of the page.
        url: String,
        /// Whether to fade to the page.
        fade: bool,
    },
    /// Take a screenshot of a display process.
    Screenshot {
        /// The process.
        id: String,
        /// The file for the screenshot; `None` is standard output.
        file: Option<PathBuf>,
        /// The width in pixels to scale it down to.
        width: Option<u32>,
    },
    /// Ask for a password and set it.
    SetPassword,
    /// Remove the password, tokens and sessions.
    ResetPassword,
    /// Create a token.
    AddToken {
        /// The name of the token.
        name: String,
        /// The role of the token.
        role: String,
    },
    /// List the tokens.
    Tokens,
    /// Revoke a token.
    RemoveToken(String),
    /// Reload the configuration file.
    Reload,
    /// Replace the running program with the installed one.
    Upgrade,
    /// List the rules of the schedule.
    Schedule,
    /// Run a rule now.
    RunRule(String),
    /// List the displays.
    Displays,
    /// Switch the screen of a display, or of all connected ones.
    Power {
        /// Whether to switch the screen on.
        on: bool,
        /// The display; `None` is every connected one.
        display: Option<String>,
    },
    /// Print facts about the machine.
    System,
    /// Print every change as it happens.
    Events,
}

/// What to do with a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessCommand {
    /// Start it, unless it runs.
    Start,
    /// Stop it.
    Stop,
    /// Stop it if it runs, and start it.
    Restart,
}
