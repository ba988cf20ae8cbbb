//! `ossuary start`, `stop` and `restart`: asks, then watches the daemon's
//! events until it has happened.

use super::connection::Daemon;
use super::error::Error;
use super::event_stream::{EventStream, Next};
use super::http::Request;
use super::status::target;
use super::suggest;
use super::terminal::{Terminal, words};
use crate::cli::{Exit, ProcessCommand};
use serde_json::Value;
use std::time::{Duration, Instant};

/// A process that was asked to turn, and has not yet.
struct Pending<'a> {
    id: &'a str,
    turn: ProcessCommand,
    /// Its main process before a restart: the turn is not over while it is still this one.
    old_pid: Option<u64>,
    /// As last seen.
    view: Value,
    /// The last thing said about its waiting.
    said: String,
}

/// How far a turn is.
#[derive(Debug, PartialEq, Eq)]
enum Progress {
    /// It has happened, or will not; in words.
    Settled(Exit, String),
    /// It waits for something that others do.
    Waits(String),
    /// It is under way.
    Underway,
}

/// Asks for every process, then waits for all of them, no longer than `wait`.
pub fn turn(
    daemon: &Daemon,
    turn: ProcessCommand,
    ids: &[String],
    wait: Option<Duration>,
    json: bool,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Error> {
    let until = wait.map(|wait| Instant::now() + wait);
    let mut exit = Exit::Done;
    let mut pending = Vec::new();
    for id in ids {
        match ask(daemon, turn, id) {
            Ok(asked) => {
                for other in asked.view["stopped"].as_array().into_iter().flatten() {
                    terminal.remark(format_args!("{} makes way for {id}", words(other)));
                }
                pending.push(asked);
            }
            Err(Error::Refused(refused)) => {
                terminal.refuse(&refused, Some(id), json)?;
                suggest(daemon, &refused, id, terminal);
                exit = exit.or(Error::Refused(refused).exit());
            }
            Err(error) => return Err(error),
        }
    }
    let Some(until) = until else {
        for Pending { id, view, .. } in pending {
            match json {
                true => terminal.say(view)?,
                false => terminal.say(format_args!("{id}: {}", words(&view["status"])))?,
            }
        }
        return Ok(exit);
    };
    wait_for(daemon, pending, until, json, terminal).map(|next| exit.or(next))
}

fn ask<'a>(daemon: &Daemon, turn: ProcessCommand, id: &'a str) -> Result<Pending<'a>, Error> {
    let (verb, old_pid) = match turn {
        ProcessCommand::Start => ("/start", None),
        ProcessCommand::Stop => ("/stop", None),
        ProcessCommand::Restart => {
            let before = daemon.ask_json(&Request::get(target(id, "")))?;
            ("/restart", before["pid"].as_u64())
        }
    };
    let request = Request::new("POST", target(id, verb)).json("{}");
    Ok(Pending {
        id,
        turn,
        old_pid,
        view: daemon.ask_json(&request)?,
        said: String::new(),
    })
}

fn wait_for(
    daemon: &Daemon,
    mut pending: Vec<Pending<'_>>,
    until: Instant,
    json: bool,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Error> {
    let mut exit = Exit::Done;
    let mut feed = None;
    loop {
        let mut still = Vec::with_capacity(pending.len());
        for mut process in pending {
            match process.progress() {
                Progress::Settled(how, what) => {
                    process.report(how, &what, json, terminal)?;
                    exit = exit.or(how);
                    continue;
                }
                Progress::Waits(what) if what != process.said => {
                    terminal.remark(format_args!("{}: {what}", process.id));
                    process.said = what;
                }
                Progress::Waits(_) | Progress::Underway => {}
            }
            still.push(process);
        }
        pending = still;
        if pending.is_empty() {
            return Ok(exit);
        }
        let feed = match &mut feed {
            Some(feed) => feed,
            // Opened after the question: its snapshot shows what came of it.
            empty => empty.insert(EventStream::open(daemon, "/api/events")?),
        };
        match feed.next(Some(until))? {
            Next::Event(event) => {
                let news: Value = serde_json::from_str(&event.data)
                    .map_err(|error| Error::Confused(format!("its event is not JSON: {error}")))?;
                for process in &mut pending {
                    process.hear(&news, event.name == "snapshot");
                }
            }
            Next::Lost => {} // the next snapshot tells everything again
            Next::TimeUp => {
                for process in &pending {
                    let status = words(&process.view["status"]);
                    let what = format!("is still {status}");
                    process.report(Exit::TimedOut, &what, json, terminal)?;
                }
                return Ok(exit.or(Exit::TimedOut));
            }
        }
    }
}

impl Pending<'_> {
    /// Takes in a snapshot of everything, or a change.
    fn hear(&mut self, news: &Value, everything: bool) {
        let removed = news["removed"].as_array().into_iter().flatten();
        let view = &news["processes"][self.id];
        if !view.is_null() {
            self.view = view.clone();
        } else if everything || removed.into_iter().any(|id| id == self.id) {
            self.view = Value::Null;
        }
    }

    fn progress(&self) -> Progress {
        let Some(status) = self.view["status"].as_str() else {
            return Progress::Settled(Exit::NotFound, "was removed".into());
        };
        let reason = words(&self.view["reason"]);
        let pid = self.view["pid"].as_u64();
        match (self.turn, status) {
            (ProcessCommand::Stop, "stopped") => Progress::Settled(Exit::Done, "stopped".into()),
            (ProcessCommand::Stop, _) | (_, "starting" | "stopping") => Progress::Underway,
            (ProcessCommand::Restart, _) if pid.is_some() && pid == self.old_pid => {
                Progress::Underway
            }
            (_, "running") => {
                let pid = pid.map_or(String::new(), |pid| format!(", pid {pid}"));
                Progress::Settled(Exit::Done, format!("running{pid}"))
            }
            // What others do settles it: a dependency becomes ready, a display
            // process makes way. A display that is not there may never come.
            (_, "waiting") if reason.starts_with("waits until ") => Progress::Waits(reason),
            (_, "waiting") => Progress::Settled(Exit::NotRunning, reason),
            // A job that was done before anybody looked.
            (_, "stopped") if reason == "exit code 0" => {
                Progress::Settled(Exit::Done, format!("has ended: {reason}"))
            }
            (_, "stopped") => Progress::Settled(Exit::NotRunning, format!("stopped: {reason}")),
            (_, _) => Progress::Settled(Exit::Refused, format!("{status}: {reason}")),
        }
    }

    fn report(
        &self,
        how: Exit,
        what: &str,
        json: bool,
        terminal: &mut Terminal<'_>,
    ) -> Result<(), Error> {
        if json {
            terminal.say(&self.view)?;
        }
        match how {
            Exit::Done if json => {}
            Exit::Done => terminal.say(format_args!("{}: {what}", self.id))?,
            _ => terminal.remark(format_args!("{}: {what}", self.id)),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn progress(turn: ProcessCommand, old_pid: Option<u64>, view: Value) -> Progress {
        let said = String::new();
        Pending {
            id: "x",
            turn,
            old_pid,
            view,
            said,
        }
        .progress()
    }

    #[test]
    fn a_start_is_over_when_the_process_runs_or_cannot() {
        for (status, reason, settled) in [
            ("running", "", Some((Exit::Done, "running, pid 7"))),
            ("starting", "", None),
            ("waiting", "waits until api is ready", None),
            (
                "waiting",
                "waits for display :0",
                Some((Exit::NotRunning, "waits for display :0")),
            ),
            (
                "backoff",
                "exit code 3",
                Some((Exit::Refused, "backoff: exit code 3")),
            ),
            (
                "failed",
                "killed by SIGSEGV",
                Some((Exit::Refused, "failed: killed by SIGSEGV")),
            ),
            (
                "stopped",
                "exit code 0",
                Some((Exit::Done, "has ended: exit code 0")),
            ),
            (
                "stopped",
                "exit code 1",
                Some((Exit::NotRunning, "stopped: exit code 1")),
            ),
        ] {
            let view = json!({"status": status, "reason": reason, "pid": 7});
            let settled = settled.map(|(exit, what)| Progress::Settled(exit, what.into()));
            let got = progress(ProcessCommand::Start, None, view);
            match settled {
                Some(settled) => assert_eq!(got, settled, "{status}, {reason}"),
                None => assert!(!matches!(got, Progress::Settled(..)), "{status}, {reason}"),
            }
        }
    }

    #[test]
    fn a_restart_is_not_over_while_the_old_run_still_runs() {
        let view = |pid| json!({"status": "running", "pid": pid});
        assert_eq!(
            progress(ProcessCommand::Restart, Some(7), view(7)),
            Progress::Underway
        );
        assert_eq!(
            progress(ProcessCommand::Restart, Some(7), view(8)),
            Progress::Settled(Exit::Done, "running, pid 8".into())
        );
    }

    #[test]
    fn a_stop_is_over_only_when_the_process_has_stopped() {
        for status in ["running", "stopping", "backoff", "failed", "waiting"] {
            let view = json!({"status": status, "reason": ""});
            assert_eq!(
                progress(ProcessCommand::Stop, None, view),
                Progress::Underway
            );
        }
        assert_eq!(
            progress(
                ProcessCommand::Stop,
                None,
                json!({"status": "stopped", "reason": "exit code 143"})
            ),
            Progress::Settled(Exit::Done, "stopped".into())
        );
    }
}
