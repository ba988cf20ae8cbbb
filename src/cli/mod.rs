//! The command line: parses argv into an [`Invocation`].
//!
//! One table describes all commands ([`table`]); parsing, help and completion use it, so they agree.

mod build;
pub mod client;
mod complete;
mod exit;
mod fields;
mod grammar;
mod help;
mod listen;
mod nearest;
mod table;

pub use complete::{Candidates, More, complete};
pub use exit::Exit;
pub use fields::apply;
pub use help::Shell;
pub use nearest::nearest;

use grammar::{Argument, Command, Count, Kind, Opt};
use serde_json::{Map, Value};
use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The command that the completion scripts call.
pub const COMPLETE: &str = "_complete";

/// The command that systemd runs before it starts a daemon whose runs continue. Not in the help, because only the unit
/// uses it.
pub const CLEAN_UP_STALE_RUNS: &str = "make-way";

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

/// The command line is invalid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageError {
    /// What is wrong, and what is allowed.
    pub message: String,
    /// The command, if it is known.
    pub command: Option<&'static str>,
}

impl std::fmt::Display for UsageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let see = match self.message.ends_with('?') {
            true => " See",
            false => "; see",
        };
        write!(f, "{}{see} `ossuary help", self.message)?;
        if let Some(verb) = self.command {
            write!(f, " {verb}")?;
        }
        f.write_str("`")
    }
}

/// The options and arguments of a command, not yet interpreted.
#[derive(Default)]
struct ParsedArgs {
    options: Vec<(&'static Opt, OsString)>,
    arguments: std::collections::VecDeque<OsString>,
}

/// Parses a command line; `argv` is what follows the name of the program.
///
/// # Errors
/// The command line is invalid.
pub fn parse(argv: impl IntoIterator<Item = OsString>) -> Result<Invocation, UsageError> {
    let mut parser = lexopt::Parser::from_args(argv);
    let general = |message: String| UsageError {
        message,
        command: None,
    };
    let name = match parser.next().map_err(|error| general(error.to_string()))? {
        None => return Ok(Invocation::Print(help::overview())),
        Some(lexopt::Arg::Value(name)) => name,
        Some(arg) if is_option(&arg, &table::HELP) => {
            return Ok(Invocation::Print(help::overview()));
        }
        Some(arg) if is_option(&arg, &table::VERSION) => {
            return Ok(Invocation::Print(help::version()));
        }
        Some(arg) => return Err(general(arg.unexpected().to_string())),
    };
    if name == COMPLETE {
        let words = parser.raw_args().map_err(|e| general(e.to_string()))?;
        return Ok(Invocation::Complete(
            words
                .map(|word| word.to_string_lossy().into_owned())
                .collect(),
        ));
    }
    if name == CLEAN_UP_STALE_RUNS {
        return match parser.next().map_err(|error| general(error.to_string()))? {
            None => Ok(Invocation::CleanUpStaleRuns),
            Some(arg) => Err(general(arg.unexpected().to_string())),
        };
    }
    let Some(verb) = name.to_str().and_then(table::command) else {
        return Err(general(unknown_command(&name)));
    };
    parse_command(verb, &mut parser).map_err(|message| UsageError {
        message,
        // The help of `help` adds nothing to the list of commands.
        command: Some(verb.name).filter(|name| *name != "help"),
    })
}

fn parse_command(
    verb: &'static Command,
    parser: &mut lexopt::Parser,
) -> Result<Invocation, String> {
    let mut given = ParsedArgs::default();
    while let Some(arg) = parser.next().map_err(|error| error.to_string())? {
        if let lexopt::Arg::Value(word) = arg {
            given.arguments.push_back(word);
            continue;
        }
        if is_option(&arg, &table::HELP) {
            return Ok(Invocation::Print(help::of(verb)));
        }
        let Some(switch) = verb.options.iter().find(|switch| is_option(&arg, switch)) else {
            return Err(arg.unexpected().to_string());
        };
        let value = match switch.value {
            None => OsString::new(),
            Some((_, kind)) => {
                let value = parser.value().map_err(|error| error.to_string())?;
                check_value(kind, &format!("--{}", switch.long), &value)?;
                value
            }
        };
        given.options.push((switch, value));
    }
    check_count(verb, given.arguments.len())?;
    for (word, argument) in given.arguments.iter().zip(verb.arguments) {
        check_value(argument.kind, verb.name, word)?;
    }
    (verb.build)(&mut given)
}

fn is_option(arg: &lexopt::Arg<'_>, switch: &Opt) -> bool {
    match arg {
        lexopt::Arg::Short(short) => switch.short == Some(*short),
        lexopt::Arg::Long(long) => switch.long == *long,
        lexopt::Arg::Value(_) => false,
    }
}

/// Refuses a word that is not allowed. The functions that build an invocation rely on this: for them, anything but `on` is
/// `off`.
fn check_value(kind: Kind, before: &str, word: &OsStr) -> Result<(), String> {
    match kind {
        Kind::OneOf(allowed) if !allowed.iter().any(|known| word == *known) => {
            let word = word.to_string_lossy();
            let meant = did_you_mean(nearest(&word, allowed.iter().copied()));
            let allowed = match allowed.split_last() {
                Some((last, others)) if !others.is_empty() => {
                    format!("{} or {last}", others.join(", "))
                }
                _ => allowed.concat(),
            };
            Err(format!("`{before} {word}`: must be {allowed}{meant}"))
        }
        Kind::Command if word.to_str().and_then(table::command).is_none() => {
            Err(unknown_command(word))
        }
        _ => Ok(()),
    }
}

fn unknown_command(name: &OsStr) -> String {
    let name = name.to_string_lossy();
    let verbs = table::COMMANDS.iter().map(|verb| verb.name);
    format!(
        "unknown command `{name}`{}",
        did_you_mean(nearest(&name, verbs))
    )
}

fn did_you_mean(near: Option<&str>) -> String {
    near.map_or(String::new(), |near| format!("; did you mean `{near}`?"))
}

/// Checks the number of arguments of a command.
fn check_count(verb: &Command, given: usize) -> Result<(), String> {
    let needed = |argument: &&Argument| argument.count != Count::Optional;
    if let Some(missing) = verb.arguments.iter().filter(needed).nth(given) {
        return Err(format!("`{}` needs {}", verb.name, missing.name));
    }
    let endless = verb
        .arguments
        .last()
        .is_some_and(|last| last.count == Count::OneOrMore);
    match verb.arguments.len() {
        _ if endless => Ok(()),
        0 if given > 0 => Err(format!("`{}` takes no argument", verb.name)),
        1 if given > 1 => Err(format!("`{}` takes one argument", verb.name)),
        most if given > most => Err(format!("`{}` takes {most} arguments", verb.name)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
