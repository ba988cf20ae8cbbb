//! The types that describe the command line: commands, arguments and options.

use super::invocation::Invocation;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::PathBuf;

/// A command: `ossuary NAME …`.
pub(super) struct Command {
    /// The name.
    pub name: &'static str,
    /// The heading in the help.
    pub group: Group,
    /// The arguments in order; only the last may be repeated.
    pub arguments: &'static [Argument],
    /// The options, except `--help`.
    pub options: &'static [&'static Opt],
    /// One line for the list of commands.
    pub summary: &'static str,
    /// Further text for the help of the command; may be empty.
    pub about: &'static str,
    /// Builds the invocation.
    pub build: fn(&mut ParsedArgs) -> Result<Invocation, String>,
}

/// A heading in the help.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    /// Commands that do not need a daemon.
    Kiosk,
    /// Processes and their output.
    Processes,
    /// The configuration.
    Configuration,
    /// Access over the network.
    Access,
    /// The machine and this program.
    Machine,
}

impl Group {
    /// In the order of the help.
    pub const ALL: [Group; 5] = [
        Group::Kiosk,
        Group::Processes,
        Group::Configuration,
        Group::Access,
        Group::Machine,
    ];

    /// The heading.
    pub fn title(self) -> &'static str {
        match self {
            Group::Kiosk => "Run a kiosk",
            Group::Processes => "Processes",
            Group::Configuration => "Configuration",
            Group::Access => "Access",
            Group::Machine => "Machine",
        }
    }
}

/// A positional argument.
pub(super) struct Argument {
    /// The name in the help.
    pub name: &'static str,
    /// How often it may be given.
    pub count: Count,
    /// What it may be, for completion and parsing.
    pub kind: Kind,
}

/// How often an argument may be given.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    /// Exactly once.
    One,
    /// At most once.
    Optional,
    /// Once or more.
    OneOrMore,
}

/// What an argument or the value of an option may be.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// The id of a process of the running daemon.
    Process,
    /// A file.
    File,
    /// A directory.
    Directory,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A command of this program.
    Command,
    /// Anything else.
    Text,
}

/// An option, with a value or without.
pub(super) struct Opt {
    /// `-f`.
    pub short: Option<char>,
    /// `--follow`.
    pub long: &'static str,
    /// The name and kind of its value, if it takes one.
    pub value: Option<(&'static str, Kind)>,
    /// Whether it may be given several times.
    pub repeated: bool,
    /// The text for the help.
    pub help: &'static str,
}

pub(super) const fn flag(long: &'static str, help: &'static str) -> Opt {
    Opt {
        short: None,
        long,
        value: None,
        repeated: false,
        help,
    }
}

pub(super) const fn option(
    long: &'static str,
    value: &'static str,
    kind: Kind,
    help: &'static str,
) -> Opt {
    Opt {
        short: None,
        long,
        value: Some((value, kind)),
        repeated: false,
        help,
    }
}

pub(super) const fn argument(name: &'static str, count: Count, kind: Kind) -> Argument {
    Argument { name, count, kind }
}

pub(super) static HELP: Opt = Opt {
    short: Some('h'),
    ..flag("help", "Print this help")
};

pub(super) static VERSION: Opt = Opt {
    short: Some('V'),
    ..flag("version", "Print the version")
};

/// The options and arguments of a command, not yet interpreted.
#[derive(Default)]
pub(super) struct ParsedArgs {
    pub options: Vec<(&'static Opt, OsString)>,
    pub arguments: VecDeque<OsString>,
}

impl ParsedArgs {
    pub fn values(&self, long: &str) -> impl Iterator<Item = &OsString> {
        let named = move |(switch, _): &&(&'static Opt, OsString)| switch.long == long;
        self.options.iter().filter(named).map(|(_, value)| value)
    }

    pub fn has(&self, long: &str) -> bool {
        self.values(long).next().is_some()
    }

    /// The last value counts, so that a shell alias can be overridden.
    pub fn path(&self, long: &str) -> Option<PathBuf> {
        self.values(long).last().map(PathBuf::from)
    }

    pub fn text(&self, long: &str) -> Result<Option<String>, String> {
        self.values(long).last().map(text).transpose()
    }

    /// The next argument, which exists: the arguments were counted before.
    pub fn next_argument(&mut self) -> Result<String, String> {
        text(&self.arguments.pop_front().unwrap_or_default())
    }

    /// The remaining arguments.
    pub fn remaining_arguments(&mut self) -> Result<Vec<String>, String> {
        self.arguments.drain(..).map(|word| text(&word)).collect()
    }
}

/// The text of an argument.
pub(super) fn text(word: &OsString) -> Result<String, String> {
    match word.to_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(format!("`{}` is not UTF-8", word.to_string_lossy())),
    }
}
