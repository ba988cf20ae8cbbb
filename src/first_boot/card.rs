//! The boot partition of the card: the first-boot file, and the report beside it.
//!
//! On FAT a rename is not atomic if the power is cut, so none is used. The file is unchanged until everything in it is
//! applied. Then one write replaces its first sector with a marker; a later boot that finds the marker continues with
//! overwriting and removing the file.

use crate::supervisor::Failure;
use crate::sys::errno::failure;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The first-boot file.
pub const FILE: &str = "ossuary.json";

/// The report.
const REPORT: &str = "ossuary.txt";

/// The largest file: twice the largest configuration.
const FILE_MAX: u64 = 512 * 1024;

/// The marker at the start of a file that was applied. JSON does not start with it.
const APPLIED: &[u8] = b"This was applied; see ossuary.txt.";

/// What an SD card writes atomically.
const SECTOR: usize = 512;

/// The boot partition, mounted at a directory.
pub struct Card {
    file: PathBuf,
    report: PathBuf,
}

impl Card {
    /// The boot partition that is mounted at this directory.
    pub fn new(directory: &Path) -> Self {
        Self {
            file: directory.join(FILE),
            report: directory.join(REPORT),
        }
    }

    /// Reads the file; `None` if there is none. A file that was applied already is erased.
    ///
    /// # Errors
    /// The file cannot be read, or cannot be erased.
    pub fn read(&self) -> Result<Option<Vec<u8>>, Failure> {
        let mut file = match OpenOptions::new().read(true).write(true).open(&self.file) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.cannot("change", &error)),
        };
        let mut bytes = Vec::new();
        let read = (&mut file).take(FILE_MAX + 1).read_to_end(&mut bytes);
        read.map_err(|error| self.cannot("read", &error))?;
        if bytes.len() as u64 > FILE_MAX {
            let (file, most) = (self.file.display(), FILE_MAX);
            return Err(Failure::system(format!(
                "{file} has more than {most} bytes"
            )));
        }
        if bytes.starts_with(APPLIED) {
            self.scrub()?;
            return Ok(None);
        }
        Ok(Some(bytes))
    }

    /// Writes the report, unless it is unchanged: a refused file has the same report at every boot.
    ///
    /// # Errors
    /// The report cannot be written.
    pub fn write_report(&self, report: &str) -> Result<(), Failure> {
        if fs::read(&self.report).is_ok_and(|there| there == report.as_bytes()) {
            return Ok(());
        }
        let write = || {
            let mut file = File::create(&self.report)?;
            file.write_all(report.as_bytes())?;
            file.sync_all()
        };
        let path = self.report.display();
        write().map_err(|error| failure(format_args!("write {path}"), &error))
    }

    /// Overwrites the file and removes it.
    ///
    /// # Errors
    /// The file cannot be overwritten or removed.
    pub fn scrub(&self) -> Result<(), Failure> {
        let overwrite = || {
            let file = OpenOptions::new().write(true).open(&self.file)?;
            let length = file.metadata()?.len();
            let mut sector = [b' '; SECTOR];
            sector[..APPLIED.len()].copy_from_slice(APPLIED);
            file.write_all_at(&sector, 0)?;
            file.sync_all()?;
            let mut offset = SECTOR as u64;
            while offset < length {
                file.write_all_at(&[b' '; SECTOR], offset)?;
                offset += SECTOR as u64;
            }
            file.sync_all()?;
            fs::remove_file(&self.file)
        };
        overwrite().map_err(|error| self.cannot("erase", &error))
    }

    fn cannot(&self, what: &str, error: &io::Error) -> Failure {
        failure(format_args!("{what} {}", self.file.display()), error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A temporary directory.
    struct TempDir(PathBuf);

    impl TempDir {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("ossuary-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for TempDir {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_scrubbed_file_is_overwritten() {
        let place = TempDir::new("card-scrub");
        for size in [10, 512, 5000] {
            let path = place.0.join(FILE);
            fs::write(&path, vec![b'#'; size]).unwrap();
            // A descriptor that is open still reads the sectors of the removed file.
            let held = File::open(&path).unwrap();
            Card::new(&place.0).scrub().unwrap();
            assert!(!path.exists());
            let mut left = Vec::new();
            (&held).read_to_end(&mut left).unwrap();
            assert!(left.starts_with(APPLIED) && left.len() >= size);
            assert!(!left.contains(&b'#'));
        }
    }

    #[test]
    fn after_a_power_cut_the_next_boot_continues_to_overwrite_the_file() {
        let place = TempDir::new("card-cut");
        let path = place.0.join(FILE);
        let mut bytes = APPLIED.to_vec();
        bytes.resize(SECTOR, b' ');
        bytes.extend(b"\"passphrase\": \"secret\"");
        fs::write(&path, &bytes).unwrap();
        assert!(Card::new(&place.0).read().unwrap().is_none());
        assert!(!path.exists());
    }

    #[test]
    fn the_same_report_is_not_written_twice() {
        let place = TempDir::new("card-report");
        let card = Card::new(&place.0);
        card.write_report("one").unwrap();
        let written = fs::metadata(place.0.join(REPORT))
            .unwrap()
            .modified()
            .unwrap();
        card.write_report("one").unwrap();
        let again = fs::metadata(place.0.join(REPORT))
            .unwrap()
            .modified()
            .unwrap();
        assert_eq!(written, again);
        card.write_report("other").unwrap();
        assert_eq!(fs::read(place.0.join(REPORT)).unwrap(), b"other");
    }
}
