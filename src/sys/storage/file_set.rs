//! Changes several files so that all of them are changed or none: everything is on the disk under another name before
//! the first takes its place.
//!
//! Names are changed one after the other, and a power cut may come between two of them. A caller that needs more than that
//! keeps what the changes came from until [`FileSet::carry_out`] has returned, and makes them again.

use super::atomic_file::{create, directory, replaced_by, sync_directory, target, unfinished};
use crate::supervisor::Failure;
use crate::sys::errno::failure;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Changes that wait for each other. Dropped before it was carried out, it leaves nothing.
#[derive(Default)]
pub struct FileSet {
    changes: Vec<Change>,
}

enum Change {
    /// The first takes the place of the second.
    Arrives(PathBuf, PathBuf),
    /// It goes.
    Leaves(PathBuf),
}

impl FileSet {
    /// `path` is to have this content; a new file gets this mode, and one that is there keeps its own.
    ///
    /// # Errors
    /// The content could not be put onto the disk.
    pub fn write(&mut self, path: &Path, bytes: &[u8], mode: u32) -> Result<(), Failure> {
        let target = target(path);
        let unfinished = unfinished(&target);
        self.changes
            .push(Change::Arrives(unfinished.clone(), target.clone()));
        replaced_by(&target, &unfinished, bytes, mode)
            .map_err(|error| failure(format_args!("write {}", path.display()), &error))
    }

    /// `path` is to be a symbolic link that leads to `to`.
    ///
    /// # Errors
    /// There is no room for it.
    pub fn link(&mut self, path: &Path, to: &Path) -> Result<(), Failure> {
        let unfinished = unfinished(path);
        self.changes
            .push(Change::Arrives(unfinished.clone(), path.to_owned()));
        let make = || {
            fs::create_dir_all(directory(path))?;
            // What lies there was left by a power cut.
            drop(create(&unfinished)?);
            fs::remove_file(&unfinished)?;
            symlink(to, &unfinished)
        };
        make().map_err(|error| failure(format_args!("write {}", path.display()), &error))
    }

    /// `path` is to be gone.
    pub fn remove(&mut self, path: &Path) {
        self.changes.push(Change::Leaves(path.to_owned()));
    }

    /// Makes all changes, and returns when no power cut can take one back.
    ///
    /// # Errors
    /// One could not be made; those before it are.
    pub fn carry_out(mut self) -> Result<(), Failure> {
        let mut touched = BTreeSet::new();
        for change in std::mem::take(&mut self.changes) {
            let path = change.path().to_owned();
            change
                .make()
                .map_err(|error| failure(format_args!("replace {}", path.display()), &error))?;
            touched.insert(directory(&path).to_owned());
        }
        for directory in touched {
            sync_directory(&directory)
                .map_err(|error| failure(format_args!("write {}", directory.display()), &error))?;
        }
        Ok(())
    }
}

impl Change {
    fn path(&self) -> &Path {
        match self {
            Change::Arrives(_, path) | Change::Leaves(path) => path,
        }
    }

    fn make(&self) -> io::Result<()> {
        match self {
            Change::Arrives(from, to) => fs::rename(from, to),
            Change::Leaves(path) => match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
        }
    }
}

impl Drop for FileSet {
    fn drop(&mut self) {
        for change in &self.changes {
            if let Change::Arrives(unfinished, _) = change {
                let _ = fs::remove_file(unfinished);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::test::Dir;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn all_is_changed_at_once_and_nothing_is_left_over() {
        let dir = Dir::new("together");
        let path = |name: &str| dir.path().join(name);
        fs::write(path("old"), "old").unwrap();
        for _ in 0..2 {
            let mut together = FileSet::default();
            together.write(&path("deep/a"), b"a", 0o600).unwrap();
            together.write(&path("b"), b"b", 0o644).unwrap();
            together
                .link(&path("deep/zone"), Path::new("/zones/A"))
                .unwrap();
            together.remove(&path("old"));
            together.carry_out().unwrap();
        }
        assert_eq!(fs::read(path("deep/a")).unwrap(), b"a");
        let mode = |name| fs::metadata(path(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("deep/a"), mode("b")), (0o600, 0o644));
        assert_eq!(
            fs::read_link(path("deep/zone")).unwrap(),
            Path::new("/zones/A")
        );
        assert!(!path("old").exists());
        assert_eq!(fs::read_dir(path("deep")).unwrap().count(), 2);
    }

    #[test]
    fn where_one_cannot_be_written_none_is_changed() {
        let dir = Dir::new("together-none");
        let path = |name: &str| dir.path().join(name);
        fs::write(path("a"), "old").unwrap();
        fs::write(path("file"), "").unwrap();
        let mut together = FileSet::default();
        together.write(&path("a"), b"new", 0o600).unwrap();
        together.remove(&path("a"));
        assert!(together.write(&path("file/b"), b"b", 0o600).is_err());
        drop(together);
        assert_eq!(fs::read(path("a")).unwrap(), b"old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }
}
