//! The command line: argv in, an [`Invocation`] out.
//!
//! One table describes it all ([`table`](self)); parsing, help and completion
//! follow from it, so they cannot disagree.

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

/// The word behind which the completion scripts ask what may come next.
pub const COMPLETE: &str = "_complete";

/// What the service manager runs before it starts a daemon again whose runs live on. Not in the help: nobody else has a use for it.
pub const CLEAN_UP_STALE_RUNS: &str = "make-way";

/// What the program was asked to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Invocation {
    /// The supervisor, its API and page.
    Daemon(DaemonOptions),
    /// The same with the embedded configuration.
    Demo {
        /// Where to serve; never empty.
        listen: Vec<SocketAddr>,
    },
    /// Reads a configuration and says what is wrong with it.
    Check {
        /// The file.
        file: PathBuf,
        /// Print the findings as JSON.
        json: bool,
    },
    /// Sets a kiosk up by a file on its card.
    FirstBoot {
        /// Where the card's FAT partition is mounted.
        card: PathBuf,
        /// The root of the system that is set up.
        root: PathBuf,
    },
    /// Talks to the daemon.
    Client(ClientCommand),
    /// Prints this and leaves: help, version, a completion script.
    Print(String),
    /// Lets a new daemon into the cgroup of its unit.
    CleanUpStaleRuns,
    /// Prints what may come next: the words behind the program's name, the last one unfinished.
    Complete(Vec<String>),
}

/// Where a daemon finds its things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaemonOptions {
    /// The configuration file.
    pub config: PathBuf,
    /// What outlives a restart.
    pub state_dir: PathBuf,
    /// PID files and the socket.
    pub run_dir: PathBuf,
    /// Where to serve; never empty.
    pub listen: Vec<SocketAddr>,
    /// Names by which a browser may call the kiosk, beside its own.
    pub hosts: Vec<String>,
    /// Where to serve proxies that say whose connection they pass on.
    pub trusted_proxies: Vec<SocketAddr>,
}

/// Something the daemon is to be asked.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientCommand {
    /// Its socket.
    pub socket: PathBuf,
    /// Print the API's own JSON.
    pub json: bool,
    /// What.
    pub task: Task,
}

/// What the daemon is to be asked. Ids are as the operator typed them: the daemon judges them.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// How every process fares, or one.
    Status(Option<String>),
    /// Start, stop or restart processes.
    Control {
        /// Which of the three.
        command: ProcessCommand,
        /// At least one.
        ids: Vec<String>,
        /// How long to wait until it has happened; `None` does not wait.
        wait: Option<Duration>,
    },
    /// What a process printed.
    Logs {
        /// Who.
        id: String,
        /// Go on with what is new.
        follow: bool,
        /// The newest lines.
        lines: u32,
    },
    /// Add a process.
    Add(Map<String, Value>),
    /// Change fields of a process.
    Set {
        /// Who.
        id: String,
        /// A path into the fields (`flags`, `webgpu`) and the new value, never empty.
        changes: Vec<(Vec<String>, Value)>,
    },
    /// Allow or forbid processes to be started.
    Enable {
        /// At least one.
        ids: Vec<String>,
        /// Allow or forbid.
        enabled: bool,
    },
    /// Remove processes.
    Remove {
        /// At least one.
        ids: Vec<String>,
        /// Also those that rules name, which switches the rules off.
        force: bool,
    },
    /// Print the whole configuration.
    ConfigGet(Option<PathBuf>),
    /// Replace the whole configuration.
    ConfigPut {
        /// Where it is read from; standard input without.
        file: Option<PathBuf>,
        /// The entity tag that the configuration must still have; any with `--force`.
        if_match: Option<String>,
    },
    /// Load the page of a display process anew.
    ReloadPage(String),
    /// Show another page on a display process.
    Open {
        /// Who.
        id: String,
        /// The address of the page.
        url: String,
        /// Fade into it.
        fade: bool,
    },
    /// Photograph what a display process shows.
    Screenshot {
        /// Who.
        id: String,
        /// Where the picture goes; standard output without.
        file: Option<PathBuf>,
        /// Scaled down to this width, in pixels.
        width: Option<u32>,
    },
    /// Set the password, which is asked for.
    SetPassword,
    /// Forget password, tokens and sessions.
    ResetPassword,
    /// Make a token.
    AddToken {
        /// What people call it.
        name: String,
        /// What its holder may do.
        role: String,
    },
    /// Every token.
    Tokens,
    /// Revoke a token.
    RemoveToken(String),
    /// Read the configuration file again.
    Reload,
    /// Let the installed program take over.
    Upgrade,
    /// Every rule of the schedule.
    Schedule,
    /// Do now what a rule says.
    RunRule(String),
    /// Every display.
    Displays,
    /// Switch the screen of a display, or of all that are there.
    Power {
        /// Or off.
        on: bool,
        /// Which, as it was written.
        display: Option<String>,
    },
    /// The machine.
    System,
    /// Every change as it happens.
    Events,
}

/// The three things that can be done with a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessCommand {
    /// Run it, if it does not run.
    Start,
    /// End it, and keep it ended.
    Stop,
    /// End it if it runs, and run it.
    Restart,
}

/// The command line was not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageError {
    /// What was wrong, and what would be right.
    pub message: String,
    /// The command it was about.
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

/// What was given to a command, before it is known what it means.
#[derive(Default)]
struct ParsedArgs {
    options: Vec<(&'static Opt, OsString)>,
    arguments: std::collections::VecDeque<OsString>,
}

/// Understands a command line; `argv` is what comes after the program's name.
///
/// # Errors
/// A sentence, where it is not understood.
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
        // The help of `help` says nothing that the list of commands does not.
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

/// Refuses a word that is not one of those that may stand there. The functions that build an invocation rely on it:
/// to them, what is not `on` is `off`.
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

/// Whether a command got as many words as it takes.
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
