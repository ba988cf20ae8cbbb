//! Executes a program for the daemon itself, and hands back what it printed.

use super::Children;
use crate::config::Id;
use crate::supervisor::{Failure, RunId};
use crate::sys::process::account::Account;
use crate::sys::process::launch::Launch;
use crate::sys::process::spawn::Output;
use crate::timeout::within;
use async_process::{Child, ExitStatus};
use smol::io::AsyncReadExt;
use std::time::Duration;

/// How much of an answer is taken; a program that prints more ends by SIGPIPE.
const ANSWER_MAX: u64 = 16 * 1024;

impl Children {
    /// Executes a program as the daemon's own user, and returns what it printed to its standard output.
    ///
    /// # Errors
    /// It cannot be executed, fails, or takes longer than `limit`: then it was killed.
    pub async fn ask(&self, argv: &[&str], limit: Duration) -> Result<String, Failure> {
        let words = argv.iter().map(|word| (*word).to_owned()).collect();
        let result = within(limit, self.output(words)).await;
        let (status, output) = result.unwrap_or_else(|| {
            let (name, seconds) = (argv[0], limit.as_secs());
            Err(Failure::system(format!(
                "{name} did not end within {seconds} s"
            )))
        })?;
        match status.success() {
            true => Ok(output),
            false => Err(Failure::system(format!("{} failed: {status}", argv[0]))),
        }
    }

    /// Executes a program as the daemon's own user, waits for its end, and returns how it ended and what it
    /// printed to its standard output. Dropped before that, it kills it.
    ///
    /// # Errors
    /// It cannot be executed.
    pub async fn output(&self, argv: Vec<String>) -> Result<(ExitStatus, String), Failure> {
        let account = Account::own()?;
        let launch = Launch::plain(argv);
        let id: Id = "manager-ask".parse().expect("it is a valid id");
        let read = async |child: &mut Child| {
            // What it complains of stays in its pipe: one that complains without end hangs, and is killed in time.
            let mut answer = Vec::new();
            if let Some(pipe) = child.stdout.take() {
                // What could be read is enough.
                let _ = pipe.take(ANSWER_MAX).read_to_end(&mut answer).await;
            }
            let status = child.status().await?;
            Ok((status, String::from_utf8_lossy(&answer).into_owned()))
        };
        self.execute(&id, RunId(0), &launch, &account, Output::Piped, read)
            .await
    }
}
