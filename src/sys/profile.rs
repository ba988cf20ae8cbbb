//! The directory in which a browser keeps what it remembers.

use super::accounts::Account;
use super::errno::failure;
use crate::config::{Id, Process};
use crate::supervisor::Failure;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::{DirBuilderExt, chown};
use std::path::{Path, PathBuf};

/// Makes `<state dir>/profiles/<id>`, a directory that belongs to the account the process
/// runs as, and that nobody else may look into. The directories above it may be passed
/// through, not listed.
///
/// # Errors
/// The account cannot be chosen, or the directory cannot be made.
pub fn of(process: &Process, state_dir: &Path) -> Result<PathBuf, Failure> {
    let account = Account::choose(process.user.as_deref(), process.kind)?;
    let profile = place(state_dir, &process.id);
    make(&profile, &account)
        .map_err(|error| failure(format_args!("make {}", profile.display()), &error))?;
    Ok(profile)
}

fn place(state_dir: &Path, id: &Id) -> PathBuf {
    state_dir.join("profiles").join(id.as_str())
}

fn make(profile: &Path, account: &Account) -> io::Result<()> {
    if let Some(above) = profile.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o711)
            .create(above)?;
    }
    match DirBuilder::new().mode(0o700).create(profile) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    match &account.switch {
        Some(switch) => chown(profile, Some(switch.uid), Some(switch.gid)),
        None => Ok(()),
    }
}

/// Whether a program of this name would be found by a child.
pub fn is_installed(program: &str) -> bool {
    use nix::unistd::{AccessFlags, access};
    let path = std::env::var_os("PATH").unwrap_or_else(|| super::launch::PATH.into());
    std::env::split_paths(&path).any(|directory| {
        let file = directory.join(program);
        file.is_file() && access(&file, AccessFlags::X_OK).is_ok()
    })
}
