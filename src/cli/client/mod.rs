//! The client commands: each sends requests to the daemon over its Unix socket and prints the responses. Blocking I/O.

mod access;
mod config;
mod connection;
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
mod suggest;
mod system;
mod terminal;
mod upgrade;

pub use connection::{Daemon, Timeouts};
pub use terminal::{Terminal, shows_colours};

use crate::cli::{Candidates, ClientCommand, Exit, More, Task};
use error::Error;
use http::Request;
use std::path::Path;
use std::time::Duration;
use suggest::suggest;

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
    let done = dispatch(daemon, command, terminal).and_then(|exit| {
        terminal.flush()?;
        Ok(exit)
    });
    done.unwrap_or_else(|error| {
        match &error {
            Error::Refused(refused) => {
                let printed = terminal.report_refusal(refused, None, command.json);
                if let Some(id) = process_of(&command.task) {
                    suggest(daemon, refused, id, terminal);
                }
                if refused.status == 412 && matches!(command.task, Task::ConfigPut { .. }) {
                    terminal.note(config::OUTDATED);
                }
                let _ = printed.and_then(|()| terminal.flush());
            }
            error if error.is_broken_pipe() => {}
            error => terminal.note(error),
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

fn dispatch(
    daemon: &Daemon,
    command: &ClientCommand,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Error> {
    let json = command.json;
    match &command.task {
        Task::Status(None) => status::all(daemon, json, terminal),
        Task::Status(Some(id)) => status::one(daemon, id, json, terminal),
        Task::Control { command, ids, wait } => {
            process::control(daemon, *command, ids, *wait, json, terminal)
        }
        Task::Logs {
            id,
            follow: false,
            lines,
        } => logs::print(daemon, id, *lines, json, terminal),
        Task::Logs {
            id,
            follow: true,
            lines,
        } => logs::follow(daemon, id, *lines, json, terminal),
        Task::Add(fields) => config::add(daemon, fields, json, terminal),
        Task::Set { id, changes } => config::set(daemon, id, changes, json, terminal),
        Task::Enable { ids, enabled } => config::enable(daemon, ids, *enabled, json, terminal),
        Task::Remove { ids, force } => config::remove(daemon, ids, *force, json, terminal),
        Task::ConfigGet(file) => config::config_get(daemon, file.as_deref(), json, terminal),
        Task::ConfigPut { file, if_match } => {
            let if_match = if_match.as_deref();
            config::config_put(daemon, file.as_deref(), if_match, json, terminal)
        }
        Task::ReloadPage(id) => page::reload(daemon, id, json, terminal),
        Task::Open { id, url, fade } => page::open(daemon, id, url, *fade, json, terminal),
        Task::Screenshot { id, file, width } => {
            page::screenshot(daemon, id, file.as_deref(), *width, terminal)
        }
        Task::SetPassword => access::set_password(daemon, terminal),
        Task::ResetPassword => access::reset(daemon, json, terminal),
        Task::AddToken { name, role } => access::add_token(daemon, name, role, json, terminal),
        Task::Tokens => access::tokens(daemon, json, terminal),
        Task::RemoveToken(id) => access::remove_token(daemon, id, json, terminal),
        Task::Reload => config::reload(daemon, json, terminal),
        Task::Upgrade => upgrade::upgrade(daemon, json, terminal),
        Task::Schedule => schedule::all(daemon, json, terminal),
        Task::RunRule(rule) => schedule::run(daemon, rule, json, terminal),
        Task::Displays => displays::displays(daemon, json, terminal),
        Task::Power { on, display } => {
            displays::power(daemon, *on, display.as_deref(), json, terminal)
        }
        Task::System => system::system(daemon, json, terminal),
        Task::Events => system::events(daemon, json, terminal),
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
    for (id, view) in status::processes(&answer)? {
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
