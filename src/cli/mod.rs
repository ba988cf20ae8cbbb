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
mod invocation;
mod listen;
mod nearest;
mod table;

pub use complete::{Candidates, More, complete};
pub use exit::Exit;
pub use fields::apply;
pub use help::Shell;
pub use invocation::{ClientCommand, DaemonOptions, Invocation, ProcessCommand, Task};
pub use nearest::nearest;

use grammar::{Argument, Command, Count, HELP, Kind, Opt, ParsedArgs, VERSION};
use std::ffi::{OsStr, OsString};

/// The command that the completion scripts call.
pub const COMPLETE: &str = "_complete";

/// The command that systemd runs before it starts a daemon whose runs continue. Not in the help, because only the unit
/// uses it.
pub const CLEAN_UP_STALE_RUNS: &str = "make-way";

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
        if let Some(command) = self.command {
            write!(f, " {command}")?;
        }
        f.write_str("`")
    }
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
        None => return Ok(Invocation::Print(help::overview(table::COMMANDS))),
        Some(lexopt::Arg::Value(name)) => name,
        Some(arg) if is_option(&arg, &HELP) => {
            return Ok(Invocation::Print(help::overview(table::COMMANDS)));
        }
        Some(arg) if is_option(&arg, &VERSION) => {
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
    let Some(command) = name.to_str().and_then(table::command) else {
        return Err(general(unknown_command(&name)));
    };
    parse_command(command, &mut parser).map_err(|message| UsageError {
        message,
        // The help of `help` adds nothing to the list of commands.
        command: Some(command.name).filter(|name| *name != "help"),
    })
}

fn parse_command(
    command: &'static Command,
    parser: &mut lexopt::Parser,
) -> Result<Invocation, String> {
    let mut args = ParsedArgs::default();
    while let Some(arg) = parser.next().map_err(|error| error.to_string())? {
        if let lexopt::Arg::Value(word) = arg {
            args.arguments.push_back(word);
            continue;
        }
        if is_option(&arg, &HELP) {
            return Ok(Invocation::Print(help::of(command)));
        }
        let Some(option) = command
            .options
            .iter()
            .find(|option| is_option(&arg, option))
        else {
            return Err(arg.unexpected().to_string());
        };
        let value = match option.value {
            None => OsString::new(),
            Some((_, kind)) => {
                let value = parser.value().map_err(|error| error.to_string())?;
                check_value(kind, &format!("--{}", option.long), &value)?;
                value
            }
        };
        args.options.push((option, value));
    }
    check_count(command, args.arguments.len())?;
    for (word, argument) in args.arguments.iter().zip(command.arguments) {
        check_value(argument.kind, command.name, word)?;
    }
    (command.build)(&mut args)
}

fn is_option(arg: &lexopt::Arg<'_>, option: &Opt) -> bool {
    match arg {
        lexopt::Arg::Short(short) => option.short == Some(*short),
        lexopt::Arg::Long(long) => option.long == *long,
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
    let names = table::COMMANDS.iter().map(|command| command.name);
    format!(
        "unknown command `{name}`{}",
        did_you_mean(nearest(&name, names))
    )
}

fn did_you_mean(near: Option<&str>) -> String {
    near.map_or(String::new(), |near| format!("; did you mean `{near}`?"))
}

/// Checks the number of arguments of a command.
fn check_count(command: &Command, given: usize) -> Result<(), String> {
    let needed = |argument: &&Argument| argument.count != Count::Optional;
    if let Some(missing) = command.arguments.iter().filter(needed).nth(given) {
        return Err(format!("`{}` needs {}", command.name, missing.name));
    }
    let endless = command
        .arguments
        .last()
        .is_some_and(|last| last.count == Count::OneOrMore);
    match command.arguments.len() {
        _ if endless => Ok(()),
        0 if given > 0 => Err(format!("`{}` takes no argument", command.name)),
        1 if given > 1 => Err(format!("`{}` takes one argument", command.name)),
        most if given > most => Err(format!("`{}` takes {most} arguments", command.name)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
