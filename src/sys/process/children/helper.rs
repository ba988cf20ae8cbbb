//! Executes a program for the daemon itself, and hands back what it printed.

use super::Children;
use crate::config::Id;
use crate::supervisor::{Failure, RunId};
use crate::sys::errno::failure;
use crate::sys::process::account::Account;
use crate::sys::process::launch::Launch;
use crate::sys::process::spawn::Output;
use async_process::ExitStatus;
use smol::io::AsyncReadExt;

/// How much of an answer is taken; a program that prints more ends by SIGPIPE.
const ANSWER_MAX: u64 = 16 * 1024;

impl Children {
    /// Executes a program as the daemon's own user, waits for its end, and gives back how it ended and what it
    /// printed to its standard output. Dropped before that, it kills it.
    ///
    /// # Errors
    /// It cannot be executed.
    pub async fn ask(&self, argv: Vec<String>) -> Result<(ExitStatus, String), Failure> {
        let account = Account::own()?;
        let launch = Launch::plain(argv);
        let id: Id = "manager-ask".parse().expect("it is a valid id");
        let mut helper = self.helper(&id, RunId(0), &launch, &account, Output::Piped)?;
        // What it complains of stays in its pipe: one that complains without end hangs, and is killed in time.
        let mut answer = Vec::new();
        if let Some(pipe) = helper.child.stdout.take() {
            // What could be read is enough.
            let _ = pipe.take(ANSWER_MAX).read_to_end(&mut answer).await;
        }
        let status = helper.child.status().await;
        drop(helper);
        self.0.look().await;
        let status =
            status.map_err(|e| failure(format_args!("wait for {}", launch.argv[0]), &e))?;
        Ok((status, String::from_utf8_lossy(&answer).into_owned()))
    }
}
