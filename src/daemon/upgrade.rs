//! Upgrade: replaces the program in place (exec). PID and children stay, the screen does not go dark.

use crate::supervisor::Failure;
use crate::sys::errno::words;
use crate::sys::process::children::Children;
use crate::sys::service::{fd_store, notify};
use crate::timeout::within;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a program may take to print its version, on a slow card that was just written to.
const VERSION_TIMEOUT: Duration = Duration::from_secs(10);

/// The exit code after exec(3) has failed twice (EX_OSERR of sysexits.h).
const NOT_EXECUTED: i32 = 71;

/// The program that an upgrade executes: the one installed at the path this one was started from.
pub fn installed() -> Result<PathBuf, Failure> {
    if std::env::args_os().nth(1).as_deref() != Some(OsStr::new("daemon")) {
        return Err(Failure::system(
            "only `ossuary daemon` is upgraded in place",
        ));
    }
    std::env::current_exe().map_err(|error| {
        Failure::system(format!(
            "cannot find the running program: {}",
            words(&error)
        ))
    })
}

/// Checks whether the installed program runs on this machine.
pub async fn check(children: &Children, program: Result<PathBuf, Failure>) -> Result<(), Failure> {
    let program = program?;
    let name = program.display().to_string();
    let argv = vec![name.clone(), "--version".to_owned()];
    let output = within(VERSION_TIMEOUT, children.output(argv)).await;
    let (status, _) = output.unwrap_or_else(|| {
        let seconds = VERSION_TIMEOUT.as_secs();
        Err(Failure::system(format!(
            "{name} does not print its version within {seconds} s"
        )))
    })?;
    match status.success() {
        true => Ok(()),
        false => Err(Failure::system(format!("{name} does not work: {status}"))),
    }
}

/// Executes the installed program, or this one again if that fails. If both fail the process exits: the service
/// manager starts the daemon again.
pub fn execute(program: &Path, descriptors: Vec<(String, OwnedFd)>) -> ! {
    notify::reloading();
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let error = fd_store::execute(program, &arguments, descriptors);
    log::error!("cannot execute {}: {}", program.display(), words(&error));
    std::process::exit(NOT_EXECUTED)
}
