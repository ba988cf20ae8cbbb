//! What a command line is made of: commands, arguments and options.

use super::{Invocation, ParsedArgs};

/// A command: `ossuary NAME …`.
pub(super) struct Command {
    /// What is typed.
    pub name: &'static str,
    /// The heading it stands under in the help.
    pub group: Group,
    /// What comes after it, in order; only the last may be repeated.
    pub arguments: &'static [Argument],
    /// What may be switched, beside `--help`.
    pub options: &'static [&'static Opt],
    /// One line for the list of commands.
    pub summary: &'static str,
    /// More for its own help; may be empty.
    pub about: &'static str,
    /// Makes the invocation of what was given.
    pub build: fn(&mut ParsedArgs) -> Result<Invocation, String>,
}

/// A heading in the help.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    /// What does not talk to a daemon.
    Kiosk,
    /// Processes and what they print.
    Processes,
    /// The configuration.
    Configuration,
    /// Who may come in over the network.
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
            Group::Processes => "Its processes",
            Group::Configuration => "Its configuration",
            Group::Access => "Who may use it",
            Group::Machine => "Around it",
        }
    }
}

/// A word after the command.
pub(super) struct Argument {
    /// As the help calls it.
    pub name: &'static str,
    /// How often it may stand there.
    pub count: Count,
    /// What it is: completion offers it, and parsing refuses another word.
    pub kind: Kind,
}

/// How often an argument may stand there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    /// Exactly once.
    One,
    /// Once or not at all.
    Optional,
    /// Once or more.
    OneOrMore,
}

/// What a word is.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// The id of a process of the running daemon.
    Process,
    /// A file.
    File,
    /// A directory.
    Directory,
    /// One of these; another word is a usage error.
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
    /// The name and kind of its value, where it takes one.
    pub value: Option<(&'static str, Kind)>,
    /// Whether it may be given several times.
    pub repeated: bool,
    /// One line for the help.
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
