//! The directory in which a browser keeps what it remembers.

use super::account::Account;
use crate::config::{Id, Process};
use crate::supervisor::Failure;
use crate::sys::errno::failure;
use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, symlinkat, unlinkat};
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::{DirBuilderExt, FileExt, chown};
use std::path::{Path, PathBuf};

/// Makes `<state dir>/profiles/<id>`, a directory that belongs to the account the process
/// runs as, and that no other account may read. The directories above it may be passed
/// through, not listed.
///
/// # Errors
/// The account cannot be chosen, or the directory cannot be made.
pub fn of(process: &Process, state_dir: &Path) -> Result<PathBuf, Failure> {
    let account = Account::choose(process.user.as_deref())?;
    let profile = place(state_dir, &process.id);
    make(&profile, &account)
        .map_err(|error| failure(format_args!("make {}", profile.display()), &error))?;
    Ok(profile)
}

/// Where the profile of a process is.
pub fn place(state_dir: &Path, id: &Id) -> PathBuf {
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
        Some(switch) => chown(
            profile,
            Some(switch.uid.as_raw()),
            Some(switch.gid.as_raw()),
        ),
        None => Ok(()),
    }
}

/// Takes away what the last browser has left in a profile, if it was killed: the lock that names a process which
/// is gone (or one of another machine, from which the card came), and the mark of a crash; and what the next one
/// would write all the time ([`METRICS`]). The caller knows that no other browser uses it. What cannot
/// be taken away is no reason not to start.
pub fn tidy(profile: &Path) {
    let directory = |at: BorrowedFd<'_>, name: &Path| {
        let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        openat(at, name, flags, Mode::empty()).ok()
    };
    let Some(profile) = directory(AT_FDCWD, profile) else {
        return;
    };
    for lock in ["SingletonLock", "SingletonSocket", "SingletonCookie"] {
        let _ = unlinkat(&profile, lock, UnlinkatFlags::NoRemoveDir);
    }
    if let Some(metrics) = directory(profile.as_fd(), Path::new(METRICS)) {
        // Entries of the opened directory, even if the path was replaced.
        let opened = format!("/proc/self/fd/{}", metrics.as_raw_fd());
        for entry in fs::read_dir(opened).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let _ = unlinkat(&metrics, name.as_os_str(), UnlinkatFlags::NoRemoveDir);
        }
        let _ = unlinkat(&profile, METRICS, UnlinkatFlags::RemoveDir);
    }
    let _ = symlinkat("/dev/null", &profile, METRICS);
    if let Some(default) = directory(profile.as_fd(), Path::new("Default")) {
        let flags = OFlag::O_RDWR | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let preferences = openat(&default, "Preferences", flags, Mode::empty());
        if let Ok(preferences) = preferences {
            let _ = unmark(&File::from(preferences));
        }
    }
}

/// Where Chromium keeps its metrics, mapped into its memory: some pages of it reach the disk every half a minute, for
/// as long as it runs, and nothing reads them. No switch changes that. Where this is no directory it counts in memory.
const METRICS: &str = "BrowserMetrics";

/// The marks of a crash, and their values after a clean end: JSON, of the same length, so that the
/// file is whole at any instant.
const MARKS: [(&[u8], &[u8]); 2] = [
    (b"\"exit_type\":\"Crashed\"", b"\"exit_type\":\"Normal\" "),
    (b"\"exited_cleanly\":false", b"\"exited_cleanly\":true "),
];

/// The largest file that is looked through; a kiosk's has some 10 KiB.
const PREFERENCES_MAX: u64 = 4 * 1024 * 1024;

fn unmark(preferences: &File) -> io::Result<()> {
    let about = preferences.metadata()?;
    if !about.is_file() || about.len() > PREFERENCES_MAX {
        return Ok(());
    }
    let mut text = Vec::new();
    preferences.take(PREFERENCES_MAX).read_to_end(&mut text)?;
    for (mark, orderly) in MARKS {
        for place in memchr::memmem::find_iter(&text, mark) {
            preferences.write_all_at(orderly, place as u64)?;
        }
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::test::Dir;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_a_killed_browser_left_is_taken_away_and_all_else_stays() {
        let dir = Dir::new("profile-tidy");
        let profile = dir.path();
        let preferences = profile.join("Default/Preferences");
        fs::create_dir(profile.join("Default")).unwrap();
        let before =
            r#"{"a":1,"profile":{"exit_type":"Crashed","exited_cleanly":false,"name":"Crashed"}}"#;
        fs::write(&preferences, before).unwrap();
        symlink("elsewhere-4711", profile.join("SingletonLock")).unwrap();
        fs::write(profile.join("Local State"), "{}").unwrap();
        tidy(profile);
        let after = fs::read_to_string(&preferences).unwrap();
        let after: serde_json::Value = serde_json::from_str(&after).unwrap();
        assert_eq!(after["profile"]["exit_type"], "Normal");
        assert_eq!(after["profile"]["exited_cleanly"], true);
        assert_eq!(after["profile"]["name"], "Crashed");
        assert!(fs::symlink_metadata(profile.join("SingletonLock")).is_err());
        assert!(profile.join("Local State").exists());
    }

    #[test]
    fn the_metrics_of_the_browser_are_not_written_to_the_disk() {
        let dir = Dir::new("profile-metrics");
        let metrics = dir.path().join(METRICS);
        let is_off = || fs::read_link(&metrics).is_ok_and(|to| to == Path::new("/dev/null"));
        tidy(dir.path());
        assert!(is_off(), "a new profile");
        tidy(dir.path());
        assert!(is_off(), "at the next start");
        fs::remove_file(&metrics).unwrap();
        fs::create_dir(&metrics).unwrap();
        fs::write(metrics.join("BrowserMetrics-1.pma"), "counts").unwrap();
        tidy(dir.path());
        assert!(is_off(), "a profile of another browser");
    }

    #[test]
    fn nothing_is_written_through_a_link() {
        let dir = Dir::new("profile-link");
        let marked = r#"{"exit_type":"Crashed"}"#;
        let (profile, other) = (dir.path().join("profile"), dir.path().join("other"));
        fs::create_dir_all(profile.join("Default")).unwrap();
        fs::create_dir(&other).unwrap();
        fs::write(other.join("Preferences"), marked).unwrap();
        symlink(
            other.join("Preferences"),
            profile.join("Default/Preferences"),
        )
        .unwrap();
        tidy(&profile);
        fs::remove_file(profile.join("Default/Preferences")).unwrap();
        fs::remove_dir(profile.join("Default")).unwrap();
        symlink(&other, profile.join("Default")).unwrap();
        tidy(&profile);
        assert_eq!(
            fs::read_to_string(other.join("Preferences")).unwrap(),
            marked
        );
    }
}
