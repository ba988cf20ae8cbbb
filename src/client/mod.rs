//! The operator's command line: everything the API can do, over the daemon's socket.
//!
//! Blocking throughout: a command asks one thing, prints the answer and leaves.

mod access;
mod changes;
mod connection;
mod displays;
mod error;
mod feed;
mod logs;
mod machine;
mod message;
mod problem;
mod schedule;
mod screen;
mod status;
mod terminal;
mod turn;
mod upgrade;

pub use connection::{Daemon, Patience};
pub use terminal::{Terminal, shows_colours};

use crate::args::{Candidates, Exit, More, Order, Task};
use error::Error;
use message::Request;
use std::path::Path;
use std::time::Duration;

/// Pressing Tab may not feel slow: a daemon that takes longer has no ids to offer.
const COMPLETION: Duration = Duration::from_secs(1);

/// Carries out an order and prints the answer.
pub fn run(order: &Order, terminal: &mut Terminal<'_>) -> Exit {
    let daemon = Daemon {
        socket: order.socket.clone(),
        patience: Patience::default(),
    };
    run_with(&daemon, order, terminal)
}

/// The same with a daemon whose patience is known.
pub fn run_with(daemon: &Daemon, order: &Order, terminal: &mut Terminal<'_>) -> Exit {
    let done = carry_out(daemon, order, terminal).and_then(|exit| {
        terminal.flush()?;
        Ok(exit)
    });
    done.unwrap_or_else(|error| {
        match &error {
            Error::Refused(refused) => {
                let told = terminal.refuse(refused, None, order.json);
                let _ = told.and_then(|()| terminal.flush());
            }
            error if error.is_unheard() => {}
            error => terminal.remark(error),
        }
        error.exit()
    })
}

fn carry_out(daemon: &Daemon, order: &Order, terminal: &mut Terminal<'_>) -> Result<Exit, Error> {
    let json = order.json;
    match &order.task {
        Task::Status(None) => status::all(daemon, json, terminal),
        Task::Status(Some(id)) => status::one(daemon, id, json, terminal),
        Task::Turn { turn, ids, wait } => turn::turn(daemon, *turn, ids, *wait, json, terminal),
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
        Task::Add(fields) => changes::add(daemon, fields, json, terminal),
        Task::Set { id, changes } => changes::set(daemon, id, changes, json, terminal),
        Task::Enable { ids, enabled } => changes::enable(daemon, ids, *enabled, json, terminal),
        Task::Remove(ids) => changes::remove(daemon, ids, json, terminal),
        Task::ConfigGet(file) => changes::config_get(daemon, file.as_deref(), terminal),
        Task::ConfigPut(file) => changes::config_put(daemon, file.as_deref(), json, terminal),
        Task::ReloadPage(id) => screen::reload(daemon, id, json, terminal),
        Task::Open { id, url, fade } => screen::open(daemon, id, url, *fade, json, terminal),
        Task::Screenshot { id, file, width } => {
            screen::picture(daemon, id, file.as_deref(), *width, terminal)
        }
        Task::SetPassword => access::set_password(daemon, terminal),
        Task::ResetPassword => access::reset(daemon, json, terminal),
        Task::AddToken { name, role } => access::add_token(daemon, name, role, json, terminal),
        Task::Tokens => access::tokens(daemon, json, terminal),
        Task::RemoveToken(id) => access::remove_token(daemon, id, json, terminal),
        Task::Reload => changes::reload(daemon, json, terminal),
        Task::Upgrade => upgrade::upgrade(daemon, json, terminal),
        Task::Schedule => schedule::all(daemon, json, terminal),
        Task::RunRule(rule) => schedule::run(daemon, rule, json, terminal),
        Task::Displays => displays::displays(daemon, json, terminal),
        Task::Power { on, display } => {
            displays::power(daemon, *on, display.as_deref(), json, terminal)
        }
        Task::System => machine::system(daemon, json, terminal),
        Task::Events => machine::events(daemon, json, terminal),
    }
}

/// Prints what may come next, a word a line with its meaning behind a tab, as
/// the completion scripts read it. Never fails: there is nobody to tell.
pub fn complete(candidates: &Candidates, terminal: &mut Terminal<'_>) {
    for (word, meaning) in &candidates.words {
        let _ = terminal.say(format_args!("{word}\t{meaning}"));
    }
    let _ = match &candidates.more {
        More::Nothing => Ok(()),
        More::Files => terminal.say(":files"),
        More::Directories => terminal.say(":directories"),
        More::Processes {
            socket,
            prefix,
            except,
        } => processes(socket, prefix, except, terminal),
    };
    let _ = terminal.flush();
}

fn processes(
    socket: &Path,
    prefix: &str,
    except: &[String],
    terminal: &mut Terminal<'_>,
) -> Result<(), Error> {
    let daemon = Daemon {
        socket: socket.to_owned(),
        patience: Patience {
            answer: COMPLETION,
            ..Patience::default()
        },
    };
    let answer = daemon.ask_json(&Request::get("/api/processes"))?;
    for (id, view) in status::processes(&answer)? {
        if id.starts_with(prefix) && !except.contains(id) {
            let name = terminal::words(&view["name"]);
            let status = terminal::words(&view["status"]);
            terminal.say(format_args!("{id}\t{name}, {status}"))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
