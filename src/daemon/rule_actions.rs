//! Rule actions that do not concern a process: run a command, reboot the device.

use crate::config::CommandLine;
use crate::supervisor::Failure;
use crate::sys::process::children::Children;
use crate::timeout::within;
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
    let result = within(COMMAND_TIMEOUT, children.command(argv)).await;
    let status = result.unwrap_or_else(|| {
        let seconds = COMMAND_TIMEOUT.as_secs();
        Err(Failure::system(format!(
            "the command took longer than {seconds} s and was killed"
        )))
    })?;
    match status.success() {
        true => Ok(None),
        false => Err(Failure::system(format!("the command failed: {status}"))),
    }
}

/// Reboots the device.
///
/// # Errors
/// No reboot command works.
pub async fn reboot(children: &Children) -> Result<Option<String>, Failure> {
    let mut why = Failure::system("this system has no command that reboots it");
    for way in REBOOT_COMMANDS {
        match children.ask(way, REBOOT_TIMEOUT).await {
            Ok(_) => return Ok(Some("the device reboots".to_owned())),
            Err(failure) => why = failure,
        }
    }
    Err(why)
}
