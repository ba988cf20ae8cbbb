//! Where credentials are kept, and what else keeping them takes: randomness, and a thread for slow work.

use super::atomic_file;
use super::run_dir::RunDir;
use crate::supervisor::Failure;
use crate::sys::background;
use crate::sys::errno::failure;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// In the state directory. Only its owner may read the file, regardless of the directory's mode.
pub const CREDENTIALS: &str = "credentials.json";

/// In the run directory: it is gone with the boot.
const SESSIONS: &str = "sessions.json";

/// For the daemon's account alone.
const MODE: u32 = 0o600;

/// Far more than the tokens and sessions there can be take.
const FILE_MAX: u64 = 256 * 1024;

/// The two files.
#[derive(Clone, Debug)]
pub struct CredentialFiles {
    credentials: PathBuf,
    sessions: PathBuf,
}

impl CredentialFiles {
    /// The files in these directories. Nothing is read yet.
    pub fn new(state_dir: &Path, run_dir: &RunDir) -> Self {
        let credentials = state_dir.join(CREDENTIALS);
        atomic_file::clean(&credentials);
        Self {
            credentials,
            sessions: run_dir.path().join(SESSIONS),
        }
    }

    /// Where the credentials are.
    pub fn file(&self) -> &Path {
        &self.credentials
    }

    /// The credentials as they were written; `None` where there never were any. A file that others may read is closed
    /// to them.
    ///
    /// # Errors
    /// There is a file, and it cannot be read.
    pub async fn load(&self) -> Result<Option<Vec<u8>>, Failure> {
        let path = self.credentials.clone();
        background::run(move || match read(&path) {
            Ok(bytes) => {
                close_to_others(&path);
                Ok(Some(bytes))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failure(format_args!("read {}", path.display()), &error)),
        })
        .await
    }

    /// Writes the credentials durably.
    ///
    /// # Errors
    /// They could not be written; what was there still is.
    pub async fn save(&self, bytes: Vec<u8>) -> Result<(), Failure> {
        let path = self.credentials.clone();
        background::run(move || atomic_file::write(&path, &bytes)).await
    }

    /// The sessions of this boot; empty where there are none.
    pub fn load_sessions(&self) -> Vec<u8> {
        read(&self.sessions).unwrap_or_default()
    }

    /// Keeps the sessions: whole, or as they were before. In memory, as everything in the run directory.
    ///
    /// # Errors
    /// They could not be written: after the next start a user may have to sign in again, or may still be signed in.
    pub fn save_sessions(&self, bytes: &[u8]) -> Result<(), Failure> {
        let new = self.sessions.with_added_extension("new");
        let write = || {
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(MODE);
            options.open(&new)?.write_all(bytes)?;
            fs::rename(&new, &self.sessions)
        };
        let path = self.sessions.display();
        write().map_err(|error| failure(format_args!("write {path}"), &error))
    }
}

/// Fills `bytes` with unpredictable random data. Right after the first boot of a machine this waits until the kernel
/// has gathered enough.
pub fn random(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("Linux has getrandom(2) since 3.17");
}

/// Does slow work on a thread of its own.
pub async fn beside_the_loop(work: Box<dyn FnOnce() + Send>) {
    background::run(work).await;
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = OpenOptions::new().read(true).open(path)?;
    file.take(FILE_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn close_to_others(path: &Path) {
    let Ok(metadata) = fs::metadata(path) else {
        return;
    };
    if metadata.permissions().mode() & 0o077 == 0 {
        return;
    }
    log::warn!("{} was open to others; it is not any more", path.display());
    if let Err(error) = fs::set_permissions(path, Permissions::from_mode(MODE)) {
        log::error!("{}: {error}", path.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::test::Dir;
    use smol::block_on;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn credentials_and_sessions_are_for_the_daemon_alone() {
        let dir = Dir::new("vault");
        let run_dir = RunDir::take(&dir.path().join("run")).unwrap();
        let vault = CredentialFiles::new(dir.path(), &run_dir);
        assert!(block_on(vault.load()).unwrap().is_none());
        block_on(vault.save(b"one".to_vec())).unwrap();
        assert_eq!(mode(vault.file()), MODE);
        fs::set_permissions(vault.file(), Permissions::from_mode(0o644)).unwrap();
        assert_eq!(block_on(vault.load()).unwrap().unwrap(), b"one");
        assert_eq!(mode(vault.file()), MODE);

        assert!(vault.load_sessions().is_empty());
        vault.save_sessions(b"[]").unwrap();
        assert_eq!(vault.load_sessions(), b"[]");
        assert_eq!(mode(&vault.sessions), MODE);
    }

    #[test]
    fn a_file_that_is_there_and_cannot_be_read_is_not_taken_for_none() {
        let dir = Dir::new("vault-unreadable");
        let run_dir = RunDir::take(&dir.path().join("run")).unwrap();
        let vault = CredentialFiles::new(dir.path(), &run_dir);
        fs::create_dir(vault.file()).unwrap();
        assert!(block_on(vault.load()).is_err());
    }

    #[test]
    fn what_is_random_is_not_twice_the_same() {
        let (mut one, mut other) = ([0; 32], [0; 32]);
        random(&mut one);
        random(&mut other);
        assert_ne!(one, other);
    }
}
