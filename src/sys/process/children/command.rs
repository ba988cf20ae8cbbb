//! Executes a command that belongs to no process, as an ordinary account; its output goes to the daemon's log.

use super::Children;
use crate::config::Id;
use crate::supervisor::{Failure, RunId};
use crate::sys::process::launch::Launch;
use crate::sys::process::spawn::Output;
use crate::timeout::within;
use async_process::{Child, ExitStatus};
use smol::future::{or, pending, zip};
use smol::io::{AsyncRead, AsyncReadExt};
use std::time::Duration;

/// How much output of a command is logged. The rest is read, so that the command does not block, and dropped.
const LOGGED_MAX: usize = 16 * 1024;

/// How long what is left in the pipes is read after the end.
const REST: Duration = Duration::from_secs(1);

/// The longest line of the log.
const LINE: usize = 1024;

impl Children {
    /// Executes a command as the account of processes that name none, without a terminal, and waits for its end.
    /// Dropped before that, it kills it.
    ///
    /// # Errors
    /// It cannot be executed.
    pub async fn command(&self, argv: Vec<String>) -> Result<ExitStatus, Failure> {
        let account = self.0.accounts.borrow_mut().choose(None)?;
        let launch = Launch {
            cwd: None,
            ..Launch::plain(argv)
        };
        let id: Id = "manager-rule".parse().expect("it is a valid id");
        let log = async |child: &mut Child| {
            let (out, err) = (child.stdout.take(), child.stderr.take());
            let mut logging = std::pin::pin!(zip(log_lines(out), log_lines(err)));
            let mut is_logged = false;
            let meanwhile = async {
                logging.as_mut().await;
                is_logged = true;
                pending().await
            };
            let status = or(child.status(), meanwhile).await;
            if !is_logged {
                // A child that it left behind may keep the pipes open for ever.
                let _ = within(REST, logging.as_mut()).await;
            }
            status
        };
        self.execute(&id, RunId(0), &launch, &account, Output::Piped, log)
            .await
    }
}

/// Logs what comes out of a pipe, line by line.
async fn log_lines(pipe: Option<impl AsyncRead + Unpin>) {
    let Some(mut pipe) = pipe else { return };
    let (mut logged, mut line) = (0, Vec::new());
    let mut bytes = [0; 512];
    while let Ok(count @ 1..) = pipe.read(&mut bytes).await {
        for byte in &bytes[..count] {
            let is_end = *byte == b'\n';
            if !is_end {
                line.push(*byte);
            }
            if (is_end || line.len() == LINE) && logged < LOGGED_MAX {
                logged += line.len() + 1;
                say(&line);
            }
            if is_end || line.len() == LINE {
                line.clear();
            }
        }
    }
    if !line.is_empty() && logged < LOGGED_MAX {
        say(&line);
    }
}

fn say(line: &[u8]) {
    let text = String::from_utf8_lossy(line);
    log::info!("schedule: {}", text.replace(char::is_control, " "));
}
