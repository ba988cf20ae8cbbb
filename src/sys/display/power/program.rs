//! Runs the programs that switch screens.

use crate::supervisor::Failure;
use crate::sys::process::children::Children;
use smol::Timer;
use smol::future::FutureExt;
use std::time::Duration;

/// How long a program may take. A television that wakes up answers after two or three seconds.
const TIMEOUT: Duration = Duration::from_secs(8);

/// Runs a program as the daemon's own user and gives back what it printed.
pub(super) async fn ask(children: &Children, argv: &[&str]) -> Result<String, Failure> {
    let words = argv.iter().map(|word| (*word).to_owned()).collect();
    let answer = async {
        let (status, output) = children.ask(words).await?;
        match status.success() {
            true => Ok(output),
            false => Err(Failure::system(format!("{} failed: {status}", argv[0]))),
        }
    };
    let late = async {
        Timer::after(TIMEOUT).await;
        let seconds = TIMEOUT.as_secs();
        Err(Failure::system(format!(
            "{} did not end within {seconds} s",
            argv[0]
        )))
    };
    answer.or(late).await
}
