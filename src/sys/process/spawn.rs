//! Starts one program: the main process of a run, or a helper beside one.
//!
//! Each leads a session of its own (setsid(2)): no child has the terminal that the daemon was started from, so it can
//! neither be interrupted from it nor type into it (TIOCSTI). A session is a process group as well, which can be killed
//! in one stroke.
//!
//! A main process is start by our own hand ([`super::vfork`]): it is what a kiosk waits for after a crash. Helpers
//! come and go beside it and are left to async-process. What either does before it executes its program is the
//! same ([`ChildSetup`]).

#![expect(unsafe_code)]

use super::account::Account;
use super::child_setup::ChildSetup;
use super::environment::Environment;
use super::exec::Program;
use super::launch::{Launch, RunIdentity};
use super::vfork::{SpawnedChild, VforkSpawner};
use crate::supervisor::Failure;
use crate::sys::errno::failure;
use async_process::{Child, Command, Stdio};
use nix::unistd::setsid;
use smol::Async;
use std::fs::File;
use std::io::{self, PipeReader, PipeWriter};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

/// The main process of a run.
#[derive(Debug)]
pub(in crate::sys) struct Spawned {
    pub(in crate::sys) child: SpawnedChild,
    pub(in crate::sys) out: Async<PipeReader>,
    pub(in crate::sys) err: Async<PipeReader>,
    /// The daemon's end of the debugging socket.
    pub(in crate::sys) control: Option<UnixStream>,
    /// Problems that did not prevent the start.
    pub(in crate::sys) warnings: Vec<String>,
}

/// What becomes of the output of a helper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sys) enum Output {
    /// Two pipes.
    Piped,
    /// `/dev/null`.
    Discarded,
}

/// Executes the program of `launch` as `account`, with `/dev/null` as stdin, in the cgroup of
/// `procs_file` (its `cgroup.procs`) if there is one.
///
/// # Errors
/// It cannot be executed; in words that name it.
pub(in crate::sys) fn spawn(
    spawner: &mut VforkSpawner,
    launch: &Launch,
    account: &Account,
    identity: &RunIdentity<'_>,
    procs_file: Option<File>,
) -> Result<Spawned, Failure> {
    let mut warnings = Vec::new();
    let cwd = working_directory(launch, account, &mut warnings)?;
    let control = match launch.driven {
        true => Some(UnixStream::pair().map_err(|error| failure("make a socket", &error))?),
        false => None,
    };
    let (control, child_end) = control.unzip();
    let setup = ChildSetup::new(account, procs_file);
    let mut start = || {
        let environment = Environment::of(launch, account, identity)?;
        let program = Program::new(launch, environment, &cwd)?;
        let (out, its_out) = pipe()?;
        let (err, its_err) = pipe()?;
        let child = spawner.spawn(&program, &setup, [&its_out, &its_err], child_end.as_ref())?;
        Ok((child, out, err))
    };
    let (child, out, err) = start().map_err(|error| cannot_run(launch, &cwd, &error))?;
    Ok(Spawned {
        child,
        out,
        err,
        control,
        warnings,
    })
}

/// As [`spawn`], for a helper of a run. It has no driver, and its warnings were reported for the run.
///
/// # Errors
/// It cannot be executed; in words that name it.
pub(in crate::sys) fn spawn_helper(
    launch: &Launch,
    account: &Account,
    identity: &RunIdentity<'_>,
    output: Output,
    procs_file: Option<File>,
) -> Result<Child, Failure> {
    let cwd = working_directory(launch, account, &mut Vec::new())?;
    let setup = ChildSetup::new(account, procs_file);
    let start = || {
        let environment = Environment::of(launch, account, identity)?;
        let program = Program::new(launch, environment, &cwd)?;
        let mut command = std::process::Command::new(launch.program());
        command.current_dir(&cwd);
        // Here and not by the standard library, which would look for it in another way, and have a shell execute
        // what is no program.
        let execute = move || {
            setup.enter();
            setsid()?;
            setup.apply()?;
            Err(program.execute().into())
        };
        // SAFETY: after fork the closure makes system calls. It neither allocates nor locks.
        unsafe { command.pre_exec(execute) };
        // What is set before the conversion would be lost.
        let mut command = Command::from(command);
        let end = || match output {
            Output::Piped => Stdio::piped(),
            Output::Discarded => Stdio::null(),
        };
        command.stdin(Stdio::null()).stdout(end()).stderr(end());
        // The daemon reaps what async-process does not.
        command.reap_on_drop(false);
        command.spawn()
    };
    start().map_err(|error| cannot_run(launch, &cwd, &error))
}

/// Our end, which is waited at, and the child's.
fn pipe() -> io::Result<(Async<PipeReader>, PipeWriter)> {
    let (ours, child_end) = io::pipe()?;
    Ok((Async::new(ours)?, child_end))
}

/// The configured directory must exist; a home may be missing.
fn working_directory(
    launch: &Launch,
    account: &Account,
    warnings: &mut Vec<String>,
) -> Result<PathBuf, Failure> {
    match &launch.cwd {
        Some(cwd) if Path::new(cwd).is_dir() => Ok(cwd.into()),
        Some(cwd) => Err(Failure::system(format!(
            "the working directory {cwd} does not exist: create it, or change \"cwd\""
        ))),
        None if account.home.is_dir() => Ok(account.home.clone()),
        None => {
            let home = account.home.display();
            warnings.push(format!("runs in /, because its home {home} does not exist"));
            Ok("/".into())
        }
    }
}

fn cannot_run(launch: &Launch, cwd: &Path, error: &io::Error) -> Failure {
    let program = launch.program();
    let is_there = program.contains('/') && cwd.join(program).exists();
    if error.kind() == io::ErrorKind::NotFound && is_there {
        return Failure::system(format!(
            "cannot run {program}: the interpreter it names in its first line (or its loader) does not exist"
        ));
    }
    failure(format_args!("run {program}"), error)
}
