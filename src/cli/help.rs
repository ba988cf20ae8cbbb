//! The help, made from the table of commands.

use super::exit::Exit;
use super::grammar::{Argument, Command, Count, Group, HELP, Opt, VERSION};
use std::fmt::Write;

/// A shell with a completion script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    /// bash
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
}

impl Shell {
    /// The shell of this name; the name was checked before.
    pub fn of(name: &str) -> Shell {
        match name {
            "bash" => Shell::Bash,
            "zsh" => Shell::Zsh,
            _ => Shell::Fish,
        }
    }

    /// The completion script. It only calls `ossuary _complete`, so it does not change with the commands.
    pub fn script(self) -> &'static str {
        match self {
            Shell::Bash => include_str!("completion/ossuary.bash"),
            Shell::Zsh => include_str!("completion/ossuary.zsh"),
            Shell::Fish => include_str!("completion/ossuary.fish"),
        }
    }
}

/// `ossuary --version`.
pub(super) fn version() -> String {
    concat!("ossuary ", env!("CARGO_PKG_VERSION"), "\n").to_owned()
}

/// `ossuary --help`: every command, then the exit codes.
pub(super) fn overview(commands: &[Command]) -> String {
    let mut text = String::from(
        "Runs one browser on the screen and any number of other processes.\n\n\
         Usage: ossuary COMMAND [OPTION]...\n",
    );
    let width = commands.iter().map(|command| command.name.len()).max();
    for group in Group::ALL {
        append(&mut text, format_args!("\n{}:\n", group.title()));
        let members = commands.iter().filter(|command| command.group == group);
        let padded = |name| format!("{name:0$}", width.unwrap_or(0));
        rows(
            &mut text,
            members.map(|command| (padded(command.name), command.summary)),
        );
    }
    text.push_str("\nOptions:\n");
    let options = [&HELP, &VERSION];
    rows(&mut text, options.map(|o| (title(o), o.help)));
    text.push_str("\nExit codes:\n");
    let codes = Exit::ALL.map(|exit| ((exit as u8).to_string(), exit.meaning()));
    rows(&mut text, codes);
    text.push_str("\nSee `ossuary help COMMAND` for a command.\n");
    text
}

/// `ossuary COMMAND --help`.
pub(super) fn of(command: &Command) -> String {
    let mut text = format!("{}\n\nUsage: ossuary {}", command.summary, command.name);
    if !command.options.is_empty() {
        text.push_str(" [OPTION]...");
    }
    for argument in command.arguments {
        append(&mut text, format_args!(" {}", usage(argument)));
    }
    text.push('\n');
    if !command.about.is_empty() {
        append(&mut text, format_args!("\n{}\n", command.about));
    }
    text.push_str("\nOptions:\n");
    let options = command.options.iter().copied().chain([&HELP]);
    rows(
        &mut text,
        options.map(|option| (title(option), option.help)),
    );
    text
}

fn usage(argument: &Argument) -> String {
    match argument.count {
        Count::One => argument.name.to_owned(),
        Count::Optional => format!("[{}]", argument.name),
        Count::OneOrMore => format!("{}...", argument.name),
    }
}

/// `-n, --lines N`, with the long names aligned.
fn title(option: &Opt) -> String {
    let mut title = match option.short {
        Some(short) => format!("-{short}, --{}", option.long),
        None => format!("    --{}", option.long),
    };
    if let Some((value, _)) = option.value {
        title.push(' ');
        title.push_str(value);
    }
    title
}

/// Appends rows of two columns; further lines of the right column are indented.
fn rows<'a>(text: &mut String, rows: impl IntoIterator<Item = (String, &'a str)>) {
    let rows: Vec<_> = rows.into_iter().collect();
    let width = rows.iter().map(|(left, _)| left.len()).max().unwrap_or(0);
    for (left, right) in rows {
        for (index, line) in right.lines().enumerate() {
            let left = if index == 0 { left.as_str() } else { "" };
            append(text, format_args!("  {left:width$}  {line}\n"));
        }
    }
}

fn append(text: &mut String, words: std::fmt::Arguments<'_>) {
    text.write_fmt(words)
        .expect("writing to a String does not fail");
}
