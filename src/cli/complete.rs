//! Completion of an unfinished command line.

use super::build::socket;
use super::grammar::{Command, Count, HELP, Kind, Opt, VERSION};
use super::table;
use std::path::PathBuf;

/// Candidates for the last word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidates {
    /// Words with their descriptions; all of them start with what was typed.
    pub words: Vec<(String, &'static str)>,
    /// Candidates that are not in the table of commands.
    pub more: More,
}

/// Candidates that are not in the table of commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum More {
    /// None.
    Nothing,
    /// Files, which the shell completes.
    Files,
    /// Directories, which the shell completes.
    Directories,
    /// Ids of processes of a daemon.
    Processes {
        /// The socket of the daemon.
        socket: PathBuf,
        /// What was typed of the id.
        prefix: String,
        /// Ids that are on the command line already.
        except: Vec<String>,
    },
}

/// Completes the last of `words`, which are those after the name of the program.
pub fn complete(words: &[String]) -> Candidates {
    // bash splits `--run-dir=/x` into `--run-dir`, `=`, `/x`.
    let words: Vec<&str> = words
        .iter()
        .map(String::as_str)
        .filter(|word| *word != "=")
        .collect();
    let Some((&last, before)) = words.split_last() else {
        return commands("");
    };
    let Some((&name, before)) = before.split_first() else {
        return if last.starts_with('-') {
            options(&[&HELP, &VERSION], &[], last)
        } else {
            commands(last)
        };
    };
    let Some(command) = table::command(name) else {
        return nothing();
    };
    let line = PartialCommandLine::read(command, before);
    if let Some(kind) = line.pending_value {
        return line.candidates(kind, last);
    }
    if last.starts_with('-') && !line.options_ended {
        let mut offered = command.options.to_vec();
        offered.push(&HELP);
        return options(&offered, &line.given, last);
    }
    match line.argument(command) {
        Some(kind) => line.candidates(kind, last),
        None => nothing(),
    }
}

/// The command line before the unfinished word.
#[derive(Default)]
struct PartialCommandLine {
    given: Vec<&'static str>,
    arguments: Vec<String>,
    /// The value that the last word, an option, still needs.
    pending_value: Option<Kind>,
    options_ended: bool,
    run_dir: Option<PathBuf>,
    socket: Option<PathBuf>,
}

impl PartialCommandLine {
    fn read(command: &Command, words: &[&str]) -> PartialCommandLine {
        let mut line = PartialCommandLine::default();
        let mut pending: Option<&'static Opt> = None;
        for &word in words {
            if let Some(option) = pending.take() {
                line.note(option, word);
            } else if word == "--" && !line.options_ended {
                line.options_ended = true;
            } else if word.starts_with('-') && word.len() > 1 && !line.options_ended {
                let (name, value) = match word.split_once('=') {
                    Some((name, value)) => (name, Some(value)),
                    None => (word, None),
                };
                let Some(option) = command
                    .options
                    .iter()
                    .find(|option| is_option(option, name))
                else {
                    continue;
                };
                line.given.push(option.long);
                match value {
                    Some(value) => line.note(option, value),
                    None if option.value.is_some() => pending = Some(option),
                    None => {}
                }
            } else {
                line.arguments.push(word.to_owned());
            }
        }
        line.pending_value = pending
            .and_then(|option| option.value)
            .map(|(_, kind)| kind);
        line
    }

    fn note(&mut self, option: &Opt, value: &str) {
        if option.long == table::RUN_DIR.long {
            self.run_dir = Some(value.into());
        } else if option.long == table::SOCKET.long {
            self.socket = Some(value.into());
        }
    }

    /// The kind of the next argument.
    fn argument(&self, command: &Command) -> Option<Kind> {
        let next = command.arguments.get(self.arguments.len());
        let last = command
            .arguments
            .last()
            .filter(|last| last.count == Count::OneOrMore);
        next.or(last).map(|argument| argument.kind)
    }

    fn candidates(&self, kind: Kind, prefix: &str) -> Candidates {
        let more = match kind {
            Kind::OneOf(words) => {
                let words = words.iter().filter(|word| word.starts_with(prefix));
                return Candidates {
                    words: words.map(|word| ((*word).to_owned(), "")).collect(),
                    more: More::Nothing,
                };
            }
            Kind::Command => return commands(prefix),
            Kind::File => More::Files,
            Kind::Directory => More::Directories,
            Kind::Text => More::Nothing,
            Kind::Process => More::Processes {
                socket: socket(self.socket.clone(), self.run_dir.clone()),
                prefix: prefix.to_owned(),
                except: self.arguments.clone(),
            },
        };
        Candidates {
            words: Vec::new(),
            more,
        }
    }
}

fn is_option(option: &Opt, word: &str) -> bool {
    match word.strip_prefix("--") {
        Some(long) => option.long == long,
        None => word.chars().nth(1) == option.short && word.chars().count() == 2,
    }
}

fn commands(prefix: &str) -> Candidates {
    let matching = table::COMMANDS
        .iter()
        .filter(|command| command.name.starts_with(prefix));
    Candidates {
        words: matching
            .map(|command| (command.name.to_owned(), command.summary))
            .collect(),
        more: More::Nothing,
    }
}

/// Options that may still be given, by their long names.
fn options(offered: &[&'static Opt], given: &[&'static str], prefix: &str) -> Candidates {
    let prefix = prefix.trim_start_matches('-');
    let open = offered
        .iter()
        .filter(|option| option.repeated || !given.contains(&option.long))
        .filter(|option| option.long.starts_with(prefix));
    Candidates {
        words: open
            .map(|option| {
                let help = option.help.lines().next().unwrap_or_default();
                (format!("--{}", option.long), help)
            })
            .collect(),
        more: More::Nothing,
    }
}

fn nothing() -> Candidates {
    Candidates {
        words: Vec::new(),
        more: More::Nothing,
    }
}
