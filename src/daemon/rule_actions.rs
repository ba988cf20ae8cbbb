//! What a rule of the schedule has done beside the processes: a command, a restart of the device.

use crate::config::CommandLine;
use crate::supervisor::Failure;
use crate::sys::process::children::Children;
use smol::Timer;
use smol::future::FutureExt;
use std::time::Duration;

/// How long a command may take: long enough for a backup over a slow line. Whatever takes longer is a process.
const COMMAND: Duration = Duration::from_secs(600);

/// How long the service manager may take to agree.
const AGREEMENT: Duration = Duration::from_secs(30);

/// What restarts a device: the service manager, or where there is none whatever the system has.
const WAYS: [&[&str]; 2] = [&["systemctl", "reboot"], &["reboot"]];

/// Executes a command as the processes are; what it prints goes into the daemon's log.
///
/// # Errors
/// It cannot be executed, fails, or takes too long: then it was killed.
pub async fn run(children: &Children, command: &str) -> Result<Option<String>, Failure> {
    let argv = match CommandLine::parse(command) {
        Ok(CommandLine::Direct { env, argv }) if env.is_empty() => argv,
        // The shell knows what to do with variables before a command.
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
    let seconds = COMMAND.as_secs();
    let late = format!("the command took longer than {seconds} s and was killed");
    work.or(too_late(COMMAND, late)).await
}

/// Restarts the device.
///
/// # Errors
/// Nothing on this system does so.
pub async fn reboot(children: &Children) -> Result<Option<String>, Failure> {
    let mut why = Failure::system("nothing on this system restarts it");
    for way in WAYS {
        let words = way.iter().map(|word| (*word).to_owned()).collect();
        let work = async {
            let (status, _) = children.ask(words).await?;
            match status.success() {
                true => Ok(Some("the device restarts".to_owned())),
                false => Err(Failure::system(format!("{} failed: {status}", way[0]))),
            }
        };
        let late = format!("{} did not end within {} s", way[0], AGREEMENT.as_secs());
        match work.or(too_late(AGREEMENT, late)).await {
            Ok(done) => return Ok(done),
            Err(failure) => why = failure,
        }
    }
    Err(why)
}

async fn too_late<T>(after: Duration, why: String) -> Result<T, Failure> {
    Timer::after(after).await;
    Err(Failure::system(why))
}
