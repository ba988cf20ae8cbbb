//! Writes a file so that a power cut leaves the old one or the new one, and nothing in between.

use crate::supervisor::Failure;
use crate::sys::errno::{failure, words};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

/// What is behind the name of a file while it is being written.
const UNFINISHED: &str = ".new";

/// A configuration may hold addresses with secrets in them: a new file is for its owner alone.
const MODE: u32 = 0o600;

/// Replaces the content of `path` (or makes the file): temporary file in the same directory, fsync,
/// rename, fsync of the directory. Mode and owner stay what they were, and a symbolic link stays one.
///
/// # Errors
/// It could not be written in full; the file is what it was.
pub(in crate::sys) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    replace(path, bytes, sync_directory)
}

fn replace(
    path: &Path,
    bytes: &[u8],
    sync_directory: impl Fn(&Path) -> io::Result<()>,
) -> Result<(), Failure> {
    let target = target(path);
    let unfinished = unfinished(&target);
    let written = replaced_by(&target, &unfinished, bytes, MODE)
        .and_then(|()| fs::rename(&unfinished, &target));
    if let Err(error) = written {
        let _ = fs::remove_file(&unfinished);
        return Err(failure(format_args!("write {}", path.display()), &error));
    }
    // The new content is on the disk and under its name: readers of the file find it, and a disk that
    // has just said no would not take the old one back. All that is uncertain is a power cut in this instant.
    if let Err(error) = sync_directory(directory(&target)) {
        let (path, why) = (path.display(), words(&error));
        log::warn!("{path} is written, but a power cut may bring the old one back: {why}");
    }
    Ok(())
}

/// Removes what a daemon left that was killed while it wrote `path` or a copy beside it (`path.bad`).
pub(in crate::sys) fn clean(path: &Path) {
    let target = target(path);
    let hidden = format!(
        ".{}",
        target.file_name().unwrap_or_default().to_string_lossy()
    );
    let Ok(entries) = fs::read_dir(directory(&target)) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(&hidden) && name.ends_with(UNFINISHED) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// The file itself, where `path` is a symbolic link; the link may point to nothing yet.
pub(in crate::sys) fn target(path: &Path) -> PathBuf {
    if let Ok(target) = path.canonicalize() {
        return target;
    }
    match (fs::read_link(path), path.parent()) {
        (Ok(link), Some(dir)) => dir.join(link),
        _ => path.to_owned(),
    }
}

/// Hidden, and the same each time: what is left behind never piles up.
pub(in crate::sys) fn unfinished(target: &Path) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!(".{name}{UNFINISHED}"))
}

/// Puts onto the disk what is to take the place of `target`: with its mode and owner, or `mode` where there is none yet.
pub(in crate::sys) fn replaced_by(
    target: &Path,
    unfinished: &Path,
    bytes: &[u8],
    mode: u32,
) -> io::Result<()> {
    let dir = directory(target);
    if !dir.exists() {
        fs::create_dir_all(dir)?;
    }
    let before = fs::metadata(target).ok();
    let mut file = create(unfinished)?;
    file.write_all(bytes)?;
    if before.is_none() {
        file.set_permissions(fs::Permissions::from_mode(mode))?;
    }
    if let Some(before) = before {
        // Only root may give files away; where we are not, it is our file already.
        let _ = fchown(&file, Some(before.uid()), Some(before.gid()));
        let mode = before.permissions().mode() & 0o7777;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
    }
    file.sync_all()
}

pub(in crate::sys) fn sync_directory(dir: &Path) -> io::Result<()> {
    match File::open(dir)?.sync_all() {
        // Some file systems (FAT among them) have no notion of it.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        result => result,
    }
}

pub(in crate::sys) fn directory(target: &Path) -> &Path {
    match target.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    }
}

/// Always a new file: what lies there may be a link that another account placed.
pub(in crate::sys) fn create(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(MODE)
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::test::Dir;

    #[test]
    fn mode_and_link_stay_what_they_were() {
        let dir = Dir::new("durable-mode");
        let (file, link) = (dir.path().join("real.json"), dir.path().join("link.json"));
        write(&file, b"one").unwrap();
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink("real.json", &link).unwrap();
        write(&link, b"two").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"two");
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o640
        );
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[test]
    fn a_directory_that_cannot_be_synced_does_not_make_the_new_file_an_error() {
        let dir = Dir::new("durable-sync");
        let file = dir.path().join("config.json");
        write(&file, b"one").unwrap();
        let refuses = |_: &Path| Err(io::Error::from_raw_os_error(5));
        replace(&file, b"two", refuses).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"two");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_to_nothing_is_followed() {
        let dir = Dir::new("durable-dangling");
        let link = dir.path().join("link.json");
        std::os::unix::fs::symlink("data/real.json", &link).unwrap();
        write(&link, b"one").unwrap();
        assert_eq!(fs::read(dir.path().join("data/real.json")).unwrap(), b"one");
    }

    #[test]
    fn the_owner_stays_who_it_was() {
        let dir = Dir::new("durable-owner");
        let file = dir.path().join("config.json");
        write(&file, b"one").unwrap();
        if std::os::unix::fs::chown(&file, Some(12_345), Some(12_346)).is_err() {
            return; // Only root can try.
        }
        write(&file, b"two").unwrap();
        let metadata = fs::metadata(&file).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (12_345, 12_346));
    }

    #[test]
    fn what_is_left_behind_is_removed_and_harms_nothing() {
        let dir = Dir::new("durable-left");
        let file = dir.path().join("config.json");
        write(&file, b"one").unwrap();
        let left = dir.path().join(".config.json.new");
        std::os::unix::fs::symlink("config.json", &left).unwrap();
        write(&file, b"two").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"two");
        fs::write(&left, b"half").unwrap();
        clean(&file);
        assert!(!left.exists());
    }
}
