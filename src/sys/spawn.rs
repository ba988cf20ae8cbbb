//! Starts one program.
//!
//! Each run leads a process group of its own, not a session: that keeps the keys of a terminal
//! (`ossuary demo`) away from it just as well, makes the group killable in one stroke, and leaves the
//! standard library its fast path (posix_spawn), which a closure in the child would close.

#![allow(unsafe_code)]

use super::accounts::{Account, Switch};
use super::control::Control;
use super::errno::{failure, words};
use super::launch::{Belonging, Launch, environment};
use super::limits;
use crate::supervisor::Failure;
use async_process::{Child, Command, Stdio};
use nix::libc;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

/// What becomes of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// Two pipes.
    Piped,
    /// `/dev/null`.
    Discarded,
}

/// A program that runs.
#[derive(Debug)]
pub(super) struct Spawned {
    pub(super) child: Child,
    /// Our end of the socket that it is driven over, where it is.
    pub(super) control: Option<UnixStream>,
    /// What is odd but did not hinder it.
    pub(super) warnings: Vec<String>,
}

/// Executes the program of `launch` as `account`, `/dev/null` at its stdin, born in the cgroup that
/// `entrance` leads to (its `cgroup.procs`), where there is one.
///
/// # Errors
/// It cannot be executed; in words that name it.
pub(super) fn spawn(
    launch: &Launch,
    account: &Account,
    belonging: &Belonging<'_>,
    output: Output,
    entrance: Option<File>,
) -> Result<Spawned, Failure> {
    let program = launch.argv.first().map(String::as_str).unwrap_or_default();
    let mut warnings = Vec::new();
    let cwd = working_directory(launch, account, &mut warnings)?;

    let mut command = std::process::Command::new(program);
    command.args(launch.argv.get(1..).unwrap_or_default());
    command.current_dir(&cwd);
    command.process_group(0);
    for (name, value) in environment(launch, account, belonging, |name| std::env::var_os(name)) {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    if let Some(entrance) = entrance {
        enter(&mut command, entrance);
    }
    let control = match launch.driven {
        true => Some(Control::new().map_err(|error| failure("make a socket", &error))?),
        false => None,
    };
    if let Some(control) = &control {
        control.give_to(&mut command);
    }
    if let Some(switch) = &account.switch {
        take_on(&mut command, switch.clone());
    }

    // What is set before the conversion would be lost.
    let mut command = Command::from(command);
    let end = || match output {
        Output::Piped => Stdio::piped(),
        Output::Discarded => Stdio::null(),
    };
    command.stdin(Stdio::null()).stdout(end()).stderr(end());
    // We reap whatever async-process does not.
    command.reap_on_drop(false);
    let child = command
        .spawn()
        .map_err(|error| Failure::system(cannot_run(program, &cwd, &error)))?;
    if account.switch.is_none() {
        limits::give_back(child.id());
    }
    Ok(Spawned {
        child,
        control: control.map(Control::into_ours),
        warnings,
    })
}

/// Makes the child enter a cgroup before anything else, so that all it ever forks is born in there. That it
/// cannot is no reason to stay dark: whoever started it looks whether it did.
fn enter(command: &mut std::process::Command, mut entrance: File) {
    let enter = move || {
        // 0 stands for whoever writes it.
        let _ = entrance.write(b"0");
        Ok(())
    };
    // SAFETY: between fork and exec the closure makes one system call, on a descriptor that was
    // opened before. It neither allocates nor locks.
    unsafe { command.pre_exec(enter) };
}

/// Makes the child become another user before it executes its program.
fn take_on(command: &mut std::process::Command, switch: Switch) {
    let limit = limits::inherited();
    let become_user = move || {
        let groups = switch.groups.as_ptr();
        // SAFETY: the pointer and length are those of a live vector of group ids.
        check(unsafe { libc::setgroups(switch.groups.len(), groups) })?;
        // SAFETY: takes an integer and touches no memory of ours.
        check(unsafe { libc::setgid(switch.gid) })?;
        // SAFETY: takes an integer and touches no memory of ours.
        check(unsafe { libc::setuid(switch.uid) })?;
        if let Some(limit) = &limit {
            // SAFETY: `limit` is a live `rlimit` that the call only reads.
            check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, limit) })?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec the closure makes four system calls. It neither allocates
    // nor locks: the vector was filled before, and errors are built from errno alone.
    unsafe { command.pre_exec(become_user) };
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
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

fn cannot_run(program: &str, cwd: &Path, error: &io::Error) -> String {
    let is_there = program.contains('/') && cwd.join(program).exists();
    if error.kind() == io::ErrorKind::NotFound && is_there {
        return format!(
            "cannot run {program}: the interpreter it names in its first line (or its loader) does not exist"
        );
    }
    format!("cannot run {program}: {}", words(error))
}
