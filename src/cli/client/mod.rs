//! The client commands: each sends requests to the daemon over its Unix socket and prints the responses. Blocking I/O.

mod access;
mod config;
mod connection;
mod context;
mod displays;
mod error;
mod event_stream;
mod http;
mod logs;
mod page;
mod problem;
mod process;
mod schedule;
mod status;
mod system;
mod terminal;
mod upgrade;

pub use connection::{Daemon, Timeouts};
pub use terminal::{Terminal, shows_colours};

use crate::cli::{Candidates, ClientCommand, Exit, More, Task};
use context::{Client, Done, object};
use error::Error;
use http::Request;
use std::path::Path;
use std::time::Duration;

/// How long completion waits for the ids of processes.
const COMPLETION_TIMEOUT: Duration = Duration::from_secs(1);

/// Runs a client command.
pub fn run(command: &ClientCommand, terminal: &mut Terminal<'_>) -> Exit {
    let daemon = Daemon {
        socket: command.socket.clone(),
        timeouts: Timeouts::default(),
    };
    run_with(&daemon, command, terminal)
}

/// Runs a client command against a daemon with other timeouts.
pub fn run_with(daemon: &Daemon, command: &ClientCommand, terminal: &mut Terminal<'_>) -> Exit {
    let mut client = Client {
        daemon,
        json: command.json,
        terminal,
    };
    let done = client.run(&command.task).and_then(|exit| {
        client.terminal.flush()?;
        Ok(exit)
    });
    done.unwrap_or_else(|error| {
        match &error {
            Error::Refused(refused) => {
                let printed = client.report_refusal(refused, None, process_of(&command.task));
                if refused.status == 412 && matches!(command.task, Task::ConfigPut { .. }) {
                    client.terminal.note(config::OUTDATED);
                }
                let _ = printed.and_then(|()| client.terminal.flush());
            }
            error if error.is_broken_pipe() => {}
            error => client.terminal.note(error),
        }
        error.exit()
    })
}

/// The process that a task names, if it names one.
fn process_of(task: &Task) -> Option<&str> {
    match task {
        Task::Status(id) => id.as_deref(),
        Task::Logs { id, .. }
        | Task::Set { id, .. }
        | Task::Open { id, .. }
        | Task::Screenshot { id, .. }
        | Task::ReloadPage(id) => Some(id),
        _ => None,
    }
}

impl Client<'_, '_> {
    fn run(&mut self, task: &Task) -> Done {
        match task {
            Task::Status(None) => self.print_all_processes(),
            Task::Status(Some(id)) => self.print_process(id),
            Task::Control { command, ids, wait } => self.control(*command, ids, *wait),
            Task::Logs { id, follow, lines } => match follow {
                false => self.print_log(id, *lines),
                true => self.follow_log(id, *lines),
            },
            Task::Add(fields) => self.add(fields),
            Task::Set { id, changes } => self.set(id, changes),
            Task::Enable { ids, enabled } => self.enable(ids, *enabled),
            Task::Remove { ids, force } => self.remove(ids, *force),
            Task::ConfigGet(file) => self.config_get(file.as_deref()),
            Task::ConfigPut { file, if_match } => {
                self.config_put(file.as_deref(), if_match.as_deref())
            }
            Task::ReloadPage(id) => self.reload_page(id),
            Task::Open { id, url, fade } => self.open(id, url, *fade),
            Task::Screenshot { id, file, width } => self.screenshot(id, file.as_deref(), *width),
            Task::SetPassword => self.set_password(),
            Task::ResetPassword => self.reset_password(),
            Task::AddToken { name, role } => self.add_token(name, role),
            Task::Tokens => self.print_tokens(),
            Task::RemoveToken(id) => self.remove_token(id),
            Task::Reload => self.reload(),
            Task::Upgrade => self.upgrade(),
            Task::Schedule => self.print_rules(),
            Task::RunRule(rule) => self.run_rule(rule),
            Task::Displays => self.print_displays(),
            Task::Power { on, display } => self.power(*on, display.as_deref()),
            Task::System => self.print_system(),
            Task::Events => self.print_events(),
        }
    }
}

/// Prints completion candidates for the completion scripts: one word a line, with a tab before its description. Errors
/// are ignored, because a completion script cannot show them.
pub fn complete(candidates: &Candidates, terminal: &mut Terminal<'_>) {
    for (word, meaning) in &candidates.words {
        let _ = terminal.print(format_args!("{word}\t{meaning}"));
    }
    let _ = match &candidates.more {
        More::Nothing => Ok(()),
        More::Files => terminal.print(":files"),
        More::Directories => terminal.print(":directories"),
        More::Processes {
            socket,
            prefix,
            except,
        } => print_process_ids(socket, prefix, except, terminal),
    };
    let _ = terminal.flush();
}

fn print_process_ids(
    socket: &Path,
    prefix: &str,
    except: &[String],
    terminal: &mut Terminal<'_>,
) -> Result<(), Error> {
    let daemon = Daemon {
        socket: socket.to_owned(),
        timeouts: Timeouts {
            response: COMPLETION_TIMEOUT,
            ..Timeouts::default()
        },
    };
    let answer = daemon.request_json(&Request::get("/api/processes"))?;
    for (id, view) in object(&answer, "processes")? {
        if id.starts_with(prefix) && !except.contains(id) {
            let name = terminal::plain_text(&view["name"]);
            let status = terminal::plain_text(&view["status"]);
            terminal.print(format_args!("{id}\t{name}, {status}"))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
