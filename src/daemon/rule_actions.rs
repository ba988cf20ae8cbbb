//! Rule actions that do not concern a process: run a command, reboot the device.

use crate::config::CommandLine;
use crate::supervisor::Failure;
use crate::sys::process::children::Children;
use smol::Timer;
use smol::future::FutureExt;
use std::time::Duration;

/// How long a command may take: long enough for a backup over a slow line. A longer task should be a process.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(600);

/// How long a reboot command may take to return.
const REBOOT_TIMEOUT: Duration = Duration::from_secs(30);

/// Commands that reboot the device: through the service manager, else directly.
const REBOOT_COMMANDS: [&[&str]; 2] = [&["systemctl", "reboot"], &["reboot"]];

/// Runs a command as the same account as the processes. Its output goes to the daemon's log.
///
/// # Errors
/// It cannot be executed, fails, or takes too long: then it was killed.
pub async fn run(children: &Children, command: &str) -> Result<Option<String>, Failure> {
    let argv = match CommandLine::parse(command) {
        Ok(CommandLine::Direct { env, argv }) if env.is_empty() => argv,
        // Variables before a command need a shell.
        Ok(_) => vec!["/bin/sh".to_owned(), "-c".to_owned(), command.to_owned()],
        Err(error) => return Err(Failure::system(format!("command: {}", error.0))),
    };
    let work = async {
        let status = children.command(argv).await?;
        match status.success() {
            true => Ok(None),
            false => Err(Failure::system(format!("the command failed: {status}"))),
        }
    };
    let seconds = COMMAND_TIMEOUT.as_secs();
    let late = format!("the command took longer than {seconds} s and was killed");
    work.or(timeout(COMMAND_TIMEOUT, late)).await
}

/// Reboots the device.
///
/// # Errors
/// No reboot command works.
pub async fn reboot(children: &Children) -> Result<Option<String>, Failure> {
    let mut why = Failure::system("this system has no command that reboots it");
    for way in REBOOT_COMMANDS {
        let words = way.iter().map(|word| (*word).to_owned()).collect();
        let work = async {
            let (status, _) = children.ask(words).await?;
            match status.success() {
                true => Ok(Some("the device reboots".to_owned())),
                false => Err(Failure::system(format!("{} failed: {status}", way[0]))),
            }
        };
        let late = format!(
            "{} did not end within {} s",
            way[0],
            REBOOT_TIMEOUT.as_secs()
        );
        match work.or(timeout(REBOOT_TIMEOUT, late)).await {
            Ok(done) => return Ok(done),
            Err(failure) => why = failure,
        }
    }
    Err(why)
}

async fn timeout<T>(after: Duration, why: String) -> Result<T, Failure> {
    Timer::after(after).await;
    Err(Failure::system(why))
}
