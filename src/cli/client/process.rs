//! `ossuary start`, `stop` and `restart`: sends the commands, then follows the events of the daemon until they are done.

use super::context::{Client, Done};
use super::error::Error;
use super::event_stream::{EventStream, Next};
use super::http::{Request, target};
use super::terminal::plain_text;
use crate::cli::{Exit, ProcessCommand};
use serde_json::Value;
use std::time::{Duration, Instant};

/// A process whose command is not done yet.
struct Pending<'a> {
    id: &'a str,
    command: ProcessCommand,
    /// The PID before a restart, which is not done while the process still has it.
    old_pid: Option<u64>,
    /// The newest state.
    view: Value,
    /// The last message about what it waits for.
    last_message: String,
}

/// The progress of a command.
#[derive(Debug, PartialEq, Eq)]
enum Progress {
    /// It succeeded or failed; with a message.
    Finished(Exit, String),
    /// It waits for another process; with a message.
    Waiting(String),
    /// It is in progress.
    Pending,
}

impl Client<'_, '_> {
    /// Sends the command for every process, then waits for all of them, at most `wait`.
    pub fn control(
        &mut self,
        command: ProcessCommand,
        ids: &[String],
        wait: Option<Duration>,
    ) -> Done {
        let until = wait.map(|wait| Instant::now() + wait);
        let mut pending = Vec::new();
        let exit = self.each(ids, |client, id| {
            let sent = client.send(command, id)?;
            for other in sent.view["stopped"].as_array().into_iter().flatten() {
                let other = plain_text(other);
                client
                    .terminal
                    .note(format_args!("stopping {other} for {id}"));
            }
            pending.push(sent);
            Ok(Exit::Done)
        })?;
        let Some(until) = until else {
            for Pending { id, view, .. } in pending {
                let status = plain_text(&view["status"]);
                self.show(view, format_args!("{id}: {status}"))?;
            }
            return Ok(exit);
        };
        self.wait_for(pending, until).map(|next| exit.or(next))
    }

    fn send<'i>(&self, command: ProcessCommand, id: &'i str) -> Result<Pending<'i>, Error> {
        let (verb, old_pid) = match command {
            ProcessCommand::Start => ("/start", None),
            ProcessCommand::Stop => ("/stop", None),
            ProcessCommand::Restart => {
                let before = self.daemon.request_json(&Request::get(target(id, "")))?;
                ("/restart", before["pid"].as_u64())
            }
        };
        Ok(Pending {
            id,
            command,
            old_pid,
            view: self.daemon.request_json(&Request::post(target(id, verb)))?,
            last_message: String::new(),
        })
    }

    fn wait_for(&mut self, mut pending: Vec<Pending<'_>>, until: Instant) -> Done {
        let mut exit = Exit::Done;
        let mut stream = None;
        loop {
            let mut still = Vec::with_capacity(pending.len());
            for mut process in pending {
                match process.progress() {
                    Progress::Finished(how, what) => {
                        self.report(&process, how, &what)?;
                        exit = exit.or(how);
                        continue;
                    }
                    Progress::Waiting(what) if what != process.last_message => {
                        self.terminal.note(format_args!("{}: {what}", process.id));
                        process.last_message = what;
                    }
                    Progress::Waiting(_) | Progress::Pending => {}
                }
                still.push(process);
            }
            pending = still;
            if pending.is_empty() {
                return Ok(exit);
            }
            let stream = match &mut stream {
                Some(stream) => stream,
                // Opened after the commands were sent, so that its first snapshot shows their effect.
                empty => empty.insert(EventStream::open(self.daemon, "/api/events")?),
            };
            match stream.next(Some(until))? {
                Next::Event(event) => {
                    let news = event.json()?;
                    for process in &mut pending {
                        process.update(&news, event.name == "snapshot");
                    }
                }
                Next::Lost => {} // the next connection starts with a snapshot
                Next::TimedOut => {
                    for process in &pending {
                        let status = plain_text(&process.view["status"]);
                        self.report(process, Exit::TimedOut, &format!("is still {status}"))?;
                    }
                    return Ok(exit.or(Exit::TimedOut));
                }
            }
        }
    }

    fn report(&mut self, process: &Pending<'_>, how: Exit, what: &str) -> Result<(), Error> {
        let line = format!("{}: {what}", process.id);
        if self.json {
            self.terminal.print(&process.view)?;
        }
        match how {
            Exit::Done if self.json => {}
            Exit::Done => self.terminal.print(line)?,
            _ => self.terminal.note(line),
        }
        Ok(())
    }
}

impl Pending<'_> {
    /// Applies an event: a snapshot of everything, or a change.
    fn update(&mut self, news: &Value, everything: bool) {
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
            return Progress::Finished(Exit::NotFound, "was removed".into());
        };
        let reason = plain_text(&self.view["reason"]);
        let pid = self.view["pid"].as_u64();
        match (self.command, status) {
            (ProcessCommand::Stop, "stopped") => Progress::Finished(Exit::Done, "stopped".into()),
            (ProcessCommand::Stop, _) | (_, "starting" | "stopping") => Progress::Pending,
            (ProcessCommand::Restart, _) if pid.is_some() && pid == self.old_pid => {
                Progress::Pending
            }
            (_, "running") => {
                let pid = pid.map_or(String::new(), |pid| format!(", pid {pid}"));
                Progress::Finished(Exit::Done, format!("running{pid}"))
            }
            // A dependency that becomes ready or a process that ends resolves this. A display that is not connected may
            // never be.
            (_, "waiting") if reason.starts_with("waits until ") => Progress::Waiting(reason),
            (_, "waiting") => Progress::Finished(Exit::NotRunning, reason),
            // A process that ended successfully before its state was read.
            (_, "stopped") if reason == "exit code 0" => {
                Progress::Finished(Exit::Done, format!("has ended: {reason}"))
            }
            (_, "stopped") => Progress::Finished(Exit::NotRunning, format!("stopped: {reason}")),
            (_, _) => Progress::Finished(Exit::Refused, format!("{status}: {reason}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn progress(command: ProcessCommand, old_pid: Option<u64>, view: Value) -> Progress {
        let said = String::new();
        Pending {
            id: "x",
            command,
            old_pid,
            view,
            last_message: said,
        }
        .progress()
    }

    #[test]
    fn a_start_is_done_when_the_process_runs_or_fails() {
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
            let settled = settled.map(|(exit, what)| Progress::Finished(exit, what.into()));
            let got = progress(ProcessCommand::Start, None, view);
            match settled {
                Some(settled) => assert_eq!(got, settled, "{status}, {reason}"),
                None => assert!(!matches!(got, Progress::Finished(..)), "{status}, {reason}"),
            }
        }
    }

    #[test]
    fn a_restart_is_not_done_while_the_old_run_continues() {
        let view = |pid| json!({"status": "running", "pid": pid});
        assert_eq!(
            progress(ProcessCommand::Restart, Some(7), view(7)),
            Progress::Pending
        );
        assert_eq!(
            progress(ProcessCommand::Restart, Some(7), view(8)),
            Progress::Finished(Exit::Done, "running, pid 8".into())
        );
    }

    #[test]
    fn a_stop_is_done_only_when_the_process_has_stopped() {
        for status in ["running", "stopping", "backoff", "failed", "waiting"] {
            let view = json!({"status": status, "reason": ""});
            assert_eq!(
                progress(ProcessCommand::Stop, None, view),
                Progress::Pending
            );
        }
        assert_eq!(
            progress(
                ProcessCommand::Stop,
                None,
                json!({"status": "stopped", "reason": "exit code 143"})
            ),
            Progress::Finished(Exit::Done, "stopped".into())
        );
    }
}
