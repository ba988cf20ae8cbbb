//! Another version of the program goes on in our place: same PID, same children, no black screen.

use crate::supervisor::Failure;
use crate::sys::errno::words;
use crate::sys::process::children::Children;
use crate::sys::service::{fd_store, notify};
use smol::Timer;
use smol::future::FutureExt;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a program may take to say its version, on a slow card that has just been written to.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the program is said to be when exec(3) has failed twice (EX_OSERR of sysexits.h).
const NOT_EXECUTED: i32 = 71;

/// The program that an upgrade becomes: whatever is installed, by then, where this one was started from.
pub fn installed() -> Result<PathBuf, Failure> {
    if std::env::args_os().nth(1).as_deref() != Some(OsStr::new("daemon")) {
        return Err(Failure::system(
            "only `ossuary daemon` is upgraded in place",
        ));
    }
    std::env::current_exe()
        .map_err(|error| Failure::system(format!("cannot tell what runs: {}", words(&error))))
}

/// Sees whether the installed program runs at all on this machine.
pub async fn try_out(
    children: &Children,
    program: Result<PathBuf, Failure>,
) -> Result<(), Failure> {
    let program = program?;
    let name = program.display().to_string();
    let says_version = async {
        let argv = vec![name.clone(), "--version".to_owned()];
        match children.try_out(argv).await {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(Failure::system(format!("{name} does not work: {status}"))),
            Err(failure) => Err(failure),
        }
    };
    let is_late = async {
        Timer::after(PATIENCE).await;
        let seconds = PATIENCE.as_secs();
        Err(Failure::system(format!(
            "{name} does not say its version within {seconds} s"
        )))
    };
    says_version.or(is_late).await
}

/// Becomes the installed program, or itself where that fails after all. Without a service manager that starts us
/// again there is nobody to go on if both fail, so this does not return.
pub fn become_it(program: &Path, hand: Vec<(String, OwnedFd)>) -> ! {
    notify::reloading();
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let error = fd_store::execute(program, &arguments, hand);
    log::error!("cannot execute {}: {}", program.display(), words(&error));
    std::process::exit(NOT_EXECUTED)
}
