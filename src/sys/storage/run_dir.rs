//! The run directory: who holds it, and the PID files in it.

use crate::config::Id;
use crate::supervisor::{Failure, Memory, RunId};
use crate::sys::errno::{failure, words};
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The daemon's own PID file, which is its lock.
const MANAGER: &str = "manager.pid";

/// The name of the unix socket that the command line talks through.
pub const SOCKET: &str = "ossuary.sock";

/// The name of the page that shows how to reach and claim the kiosk.
pub const WELCOME: &str = "welcome.html";

/// The name of the script by which that page learns that another one lies there.
pub const WELCOME_SCRIPT: &str = "welcome.js";

/// The ending of what is kept for the next daemon.
const MEMORY: &str = "memory";

/// The ending of a PID file.
const PID: &str = "pid";

/// The ending of what is half written, behind the ending of what it will be.
const UNFINISHED: &str = "new";

/// How often to look again when the lock file was replaced while we took it. Each time means
/// that another instance has come and gone in between; more than a few is no accident.
const ATTEMPTS: usize = 16;

/// The run directory, held by this daemon until it is dropped.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
    /// Whether a daemon that was killed, or has become this one, was here before: only then can there be anything
    /// of a daemon. In any other directory the same names may belong to other programs.
    inherited: bool,
    /// Locked (flock(2)) for as long as it is open; a daemon that is killed lets go of it.
    _manager: File,
}

impl RunDir {
    /// Makes the directory where it is missing, takes it for this daemon and writes `manager.pid`.
    ///
    /// # Errors
    /// Another instance holds it (named by its PID), or the directory cannot be made or written.
    pub fn take(path: &Path) -> Result<Self, Failure> {
        fs::create_dir_all(path)
            .map_err(|e| failure(format_args!("make {}", path.display()), &e))?;
        let path = path
            .canonicalize()
            .map_err(|e| failure(format_args!("use {}", path.display()), &e))?;
        let inherited = path.join(MANAGER).exists();
        let manager = lock(&path)?;
        Ok(Self {
            path,
            inherited,
            _manager: manager,
        })
    }

    /// Whether a daemon lives that holds this directory.
    pub fn is_held(path: &Path) -> bool {
        let held = |file: File| matches!(file.try_lock(), Err(TryLockError::WouldBlock));
        File::open(path.join(MANAGER)).is_ok_and(held)
    }

    /// Where it is, without symbolic links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes `<id>.pid`. From now on there is a `<id>.memory` beside it, if only an empty one: that
    /// is how the next daemon recognises the PID files of a daemon.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_pid(&self, id: &Id, pid: u32) -> Result<(), Failure> {
        let path = self.pid_file(id);
        let _ = to_write().append(true).open(self.memory_file(id));
        fs::write(&path, format!("{pid}\n"))
            .map_err(|e| failure(format_args!("write {}", path.display()), &e))
    }

    /// Removes `<id>.pid`; that there is none is no error.
    pub fn remove_pid(&self, id: &Id) {
        let _ = fs::remove_file(self.pid_file(id));
    }

    /// Keeps what is remembered of a process for the next daemon, in `<id>.memory`: whole, or as it was before.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn remember(&self, memory: &Memory) -> Result<(), Failure> {
        let path = self.memory_file(&memory.process.id);
        let text = serde_json::to_vec(memory).expect("a memory has no keys but names");
        let new = path.with_added_extension(UNFINISHED);
        let write = || {
            let mut options = to_write();
            options.truncate(true).open(&new)?.write_all(&text)
        };
        write()
            .and_then(|()| fs::rename(&new, &path))
            .map_err(|e| failure(format_args!("write {}", path.display()), &e))
    }

    /// Forgets what was remembered of a process.
    pub fn forget(&self, id: &Id) {
        let _ = fs::remove_file(self.memory_file(id));
    }

    /// What an earlier daemon has remembered, in no order.
    pub fn memories(&self) -> Vec<Memory> {
        let read = |path: PathBuf| {
            let text = fs::read(&path).ok().filter(|text| !text.is_empty())?;
            serde_json::from_slice(&text)
                .inspect_err(|error| log::warn!("{} is damaged: {error}", path.display()))
                .ok()
        };
        let memories = self.inherited().filter(|path| is_memory(path));
        memories.filter_map(read).collect()
    }

    /// Removes what a killed daemon left here. To be called once its processes are gone
    /// ([`crate::sys::process::stale_runs`]).
    pub fn clean(&self) {
        remove(self.inherited());
    }

    /// Removes what neither the memories need nor the adopted runs need: PID files are written again, and what is
    /// listened on by name.
    pub fn tidy(&self, kept: &BTreeSet<RunId>) {
        let listens = |path: &PathBuf| {
            let run = path
                .file_stem()
                .and_then(|stem| stem.to_str()?.parse().ok());
            has_ending(path, "notify") && run.is_some_and(|run| kept.contains(&RunId(run)))
        };
        let needed = |path: &PathBuf| is_memory(path) || listens(path);
        remove(self.inherited().filter(|path| !needed(path)));
    }

    /// What an earlier daemon has left here.
    fn inherited(&self) -> impl Iterator<Item = PathBuf> {
        let ours = if self.inherited {
            self.ours()
        } else {
            Vec::new()
        };
        ours.into_iter()
    }

    /// What a daemon has put here, but for its lock; PID files first, because they are known by what is beside them.
    fn ours(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.path).into_iter().flatten().flatten();
        let ours = entries
            .map(|entry| entry.path())
            .filter(|path| is_ours(path));
        let mut ours: Vec<PathBuf> = ours.collect();
        ours.sort_by_key(|path| !has_ending(path, PID));
        ours
    }

    /// Removes the daemon's files and releases the directory.
    pub fn leave(&self) {
        remove(self.ours().into_iter());
        // Still locked: a daemon that waits for it finds that the file was replaced.
        let _ = fs::remove_file(self.path.join(MANAGER));
    }

    fn memory_file(&self, id: &Id) -> PathBuf {
        self.path.join(format!("{}.{MEMORY}", id.as_str()))
    }

    fn pid_file(&self, id: &Id) -> PathBuf {
        self.path.join(format!("{}.{PID}", id.as_str()))
    }
}

/// Memories contain the secrets of the configuration.
fn to_write() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).mode(0o600);
    options
}

/// Whether a daemon has put this into its run directory, by its name alone. `crond.pid` could be a configured process
/// and could be cron: it is ours where something is remembered of a process of that name.
fn is_ours(path: &Path) -> bool {
    let Some((stem, ending)) = path
        .file_name()
        .and_then(|name| name.to_str()?.split_once('.'))
    else {
        return false;
    };
    let is_id = || stem.parse::<Id>().is_ok();
    match ending {
        "sock" => path.ends_with(SOCKET),
        "html" => path.ends_with(WELCOME),
        "js" => path.ends_with(WELCOME_SCRIPT),
        "notify" => stem.parse::<u64>().is_ok(),
        "memory" | "memory.new" => is_id(),
        "pid" => is_id() && path.with_extension(MEMORY).exists(),
        _ => false,
    }
}

fn is_memory(path: &Path) -> bool {
    has_ending(path, MEMORY)
}

fn has_ending(path: &Path, ending: &str) -> bool {
    path.extension().is_some_and(|there| there == ending)
}

fn remove(files: impl Iterator<Item = PathBuf>) {
    for path in files {
        let _ = fs::remove_file(path);
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        self.leave();
    }
}

fn lock(dir: &Path) -> Result<File, Failure> {
    let path = dir.join(MANAGER);
    let failed = |e| failure(format_args!("write {}", path.display()), &e);
    for _ in 0..ATTEMPTS {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(dir, &mut file)),
            Err(TryLockError::Error(error)) => {
                let why = words(&error);
                return Err(Failure::system(format!(
                    "cannot lock {}: {why}",
                    path.display()
                )));
            }
        }
        // The one before may have removed the file between our opening and our locking it.
        let ours = file.metadata().map_err(failed)?;
        if !fs::metadata(&path).is_ok_and(|now| now.dev() == ours.dev() && now.ino() == ours.ino())
        {
            continue;
        }
        file.set_len(0).map_err(failed)?;
        file.rewind().map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        return Ok(file);
    }
    Err(Failure::system(format!(
        "cannot lock {}: it is replaced again and again",
        path.display()
    )))
}

fn held(dir: &Path, file: &mut File) -> Failure {
    let mut pid = String::new();
    let _ = file.read_to_string(&mut pid);
    let holder = match pid.trim() {
        "" => "another instance".to_owned(),
        pid => format!("another instance, PID {pid},"),
    };
    Failure::system(format!(
        "{holder} holds {}: stop it first, or give this one another --run-dir",
        dir.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::test::Dir;

    #[test]
    fn a_second_instance_reports_who_holds_the_directory() {
        let dir = Dir::new("run-dir-lock");
        let first = RunDir::take(&dir.path().join("deep/run")).unwrap();
        let refused = RunDir::take(first.path()).unwrap_err();
        let pid = std::process::id().to_string();
        assert!(
            refused.message.contains(&format!("PID {pid},")),
            "{refused}"
        );
        let path = first.path().to_owned();
        drop(first);
        assert!(!path.join(MANAGER).exists());
        RunDir::take(&path).unwrap();
    }

    #[test]
    fn pid_files_come_and_go() {
        let dir = Dir::new("run-dir-pid");
        let run_dir = RunDir::take(dir.path()).unwrap();
        let id: Id = "sync".parse().unwrap();
        run_dir.write_pid(&id, 42).unwrap();
        let file = run_dir.path().join("sync.pid");
        assert_eq!(fs::read_to_string(&file).unwrap(), "42\n");
        run_dir.remove_pid(&id);
        assert!(!file.exists());
        run_dir.write_pid(&id, 42).unwrap();
        drop(run_dir);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn the_files_of_a_killed_daemon_are_removed_and_foreign_files_stay() {
        let dir = Dir::new("run-dir-foreign");
        let foreign_files = [
            "crond.pid",
            "x.sock",
            "notes.new",
            "a.b.memory",
            "0.notify.pid",
        ];
        for name in foreign_files {
            fs::write(dir.path().join(name), "1").unwrap();
        }
        let all_there = || {
            foreign_files
                .iter()
                .all(|name| dir.path().join(name).exists())
        };
        let first = RunDir::take(dir.path()).unwrap();
        first.clean();
        first.tidy(&BTreeSet::new());
        assert!(all_there());
        first.write_pid(&"sync".parse().unwrap(), 42).unwrap();
        fs::write(dir.path().join(SOCKET), "").unwrap();
        for name in ["7.notify", "8.notify"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        fs::write(dir.path().join("sync.memory.new"), "").unwrap();
        // As if it were killed.
        let _ = first._manager.unlock();
        let second = RunDir::take(dir.path()).unwrap();
        assert!(second.memories().is_empty());
        second.tidy(&BTreeSet::from([RunId(7)]));
        assert!(dir.path().join("7.notify").exists() && !dir.path().join("8.notify").exists());
        second.clean();
        assert!(all_there());
        let left = fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(left, foreign_files.len() + 1, "and the lock");
    }

    #[test]
    fn in_a_directory_that_is_not_ours_even_our_names_are_left_alone() {
        let dir = Dir::new("run-dir-foreign");
        let names = [SOCKET, "1.notify", "crond.memory", "crond.pid"];
        for name in names {
            fs::write(dir.path().join(name), "1").unwrap();
        }
        let run_dir = RunDir::take(dir.path()).unwrap();
        run_dir.clean();
        run_dir.tidy(&BTreeSet::new());
        for name in names {
            assert!(dir.path().join(name).exists(), "{name}");
        }
    }

    #[test]
    fn a_running_daemon_holds_the_directory_and_a_killed_one_does_not() {
        let dir = Dir::new("run-dir-held");
        assert!(!RunDir::is_held(dir.path()));
        let run_dir = RunDir::take(dir.path()).unwrap();
        assert!(RunDir::is_held(dir.path()));
        let _ = run_dir._manager.unlock();
        assert!(dir.path().join(MANAGER).exists() && !RunDir::is_held(dir.path()));
    }
}
