//! The run directory: who holds it, and the PID files in it.

use super::errno::{failure, words};
use crate::config::Id;
use crate::supervisor::{Failure, Memory};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The daemon's own PID file, which is its lock.
const MANAGER: &str = "manager.pid";

/// The ending of what is kept for the next daemon.
const MEMORY: &str = "memory";

/// How often to look again when the lock file was replaced while we took it. Each time means
/// that another instance has come and gone in between; more than a few is no accident.
const ATTEMPTS: usize = 16;

/// The run directory, held by this daemon until it is dropped.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
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
        let manager = lock(&path)?;
        Ok(Self {
            path,
            _manager: manager,
        })
    }

    /// Where it is, without symbolic links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes `<id>.pid`.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_pid(&self, id: &Id, pid: u32) -> Result<(), Failure> {
        let path = self.pid_file(id);
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
        let new = path.with_extension("new");
        let write = || {
            // Whatever is secret in the configuration is so here.
            let mut options = OpenOptions::new();
            let file = options.write(true).create(true).truncate(true).mode(0o600);
            file.open(&new)?.write_all(&text)
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
            let memory = serde_json::from_slice(&fs::read(&path).ok()?);
            memory
                .inspect_err(|error| log::warn!("{} is damaged: {error}", path.display()))
                .ok()
        };
        self.files(&[MEMORY]).filter_map(read).collect()
    }

    /// Removes what a killed daemon left here. To be called once its processes are gone
    /// ([`super::leftovers`]).
    pub fn clean(&self) {
        for path in self.files(&["pid", "notify", "sock", "new", MEMORY]) {
            let _ = fs::remove_file(path);
        }
    }

    /// Removes only what nobody needs whose processes live on: PID files are written anew, and what is
    /// listened on by name.
    pub fn tidy(&self) {
        for path in self.files(&["pid", "sock", "new"]) {
            let _ = fs::remove_file(path);
        }
    }

    /// Our files with one of these endings.
    fn files(&self, endings: &[&str]) -> impl Iterator<Item = PathBuf> {
        let is_ours = |path: &PathBuf| {
            let ending = path.extension().and_then(|ending| ending.to_str());
            ending.is_some_and(|ending| endings.contains(&ending)) && !path.ends_with(MANAGER)
        };
        let entries = fs::read_dir(&self.path).into_iter().flatten().flatten();
        let files: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_ours).collect();
        files.into_iter()
    }

    /// Removes everything of ours and gives the directory free.
    pub fn leave(&self) {
        self.clean();
        // Still locked: whoever waits for it finds that the file was replaced.
        let _ = fs::remove_file(self.path.join(MANAGER));
    }

    fn memory_file(&self, id: &Id) -> PathBuf {
        self.path.join(format!("{}.{MEMORY}", id.as_str()))
    }

    fn pid_file(&self, id: &Id) -> PathBuf {
        self.path.join(format!("{}.pid", id.as_str()))
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
    fn a_second_instance_is_told_who_holds_the_directory() {
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
        run_dir.clean();
        assert!(!file.exists() && run_dir.path().join(MANAGER).exists());
    }
}
