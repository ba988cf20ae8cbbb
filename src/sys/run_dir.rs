//! The run directory: who holds it, and the PID files in it.

use super::errno::{failure, words};
use crate::config::Id;
use crate::supervisor::Failure;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The daemon's own PID file, which is its lock.
const MANAGER: &str = "manager.pid";

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

    /// Removes what a killed daemon left here: PID files and sockets. To be called
    /// once its processes are gone ([`super::leftovers`]).
    pub fn clean(&self) {
        let Ok(entries) = fs::read_dir(&self.path) else {
            return;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let ours = [".pid", ".notify", ".sock"]
                .iter()
                .any(|ending| name.ends_with(ending));
            if ours && name != MANAGER {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Removes everything of ours and gives the directory free.
    pub fn leave(&self) {
        self.clean();
        // Still locked: whoever waits for it finds that the file was replaced.
        let _ = fs::remove_file(self.path.join(MANAGER));
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
