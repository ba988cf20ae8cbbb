//! Runs the programs that switch screens.

use crate::supervisor::Failure;
use crate::sys::process::children::Children;
use crate::timeout::within;
use std::time::Duration;

/// How long a program may take. A television that wakes up answers after two or three seconds.
const TIMEOUT: Duration = Duration::from_secs(8);

/// Runs a program as the daemon's own user and gives back what it printed.
pub(super) async fn ask(children: &Children, argv: &[&str]) -> Result<String, Failure> {
    let words = argv.iter().map(|word| (*word).to_owned()).collect();
    let answer = within(TIMEOUT, children.ask(words)).await;
    let (status, output) = answer.unwrap_or_else(|| {
        let seconds = TIMEOUT.as_secs();
        Err(Failure::system(format!(
            "{} did not end within {seconds} s",
            argv[0]
        )))
    })?;
    match status.success() {
        true => Ok(output),
        false => Err(Failure::system(format!("{} failed: {status}", argv[0]))),
    }
}
