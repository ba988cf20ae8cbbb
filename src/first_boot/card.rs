//! The FAT partition of the card: the file that somebody laid there, and the letter that is left beside it.
//!
//! FAT has no rename that a power cut respects, so nothing depends on one. The file stays what it is until
//! everything in it is done; then its first sector becomes a mark, in one write, and whoever finds the mark goes on with
//! overwriting and removing it.

use crate::supervisor::Failure;
use crate::sys::errno::failure;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// What is read.
pub const FILE: &str = "ossuary.json";

/// What is written.
const REPORT: &str = "ossuary.txt";

/// The largest file that is read: a configuration as large as there may be, and as much again.
const FILE_MAX: u64 = 512 * 1024;

/// What a file begins with that is done with. No JSON does.
const APPLIED: &[u8] = b"This was applied; see ossuary.txt.";

/// What cards write in one piece.
const SECTOR: usize = 512;

/// A directory: the partition where it is mounted.
pub struct Card {
    file: PathBuf,
    report: PathBuf,
}

impl Card {
    /// The card that is mounted here.
    pub fn new(place: &Path) -> Self {
        Self {
            file: place.join(FILE),
            report: place.join(REPORT),
        }
    }

    /// What stands in the file; `None` where there is none, or nothing any more but what was done already.
    ///
    /// # Errors
    /// It cannot be read, or could not be removed when everything is done: then nothing may be done.
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

    /// Leaves a letter. Nothing is written where it says so already: it may be the same at every start.
    ///
    /// # Errors
    /// It could not be written.
    pub fn write_report(&self, letter: &str) -> Result<(), Failure> {
        if fs::read(&self.report).is_ok_and(|there| there == letter.as_bytes()) {
            return Ok(());
        }
        let write = || {
            let mut file = File::create(&self.report)?;
            file.write_all(letter.as_bytes())?;
            file.sync_all()
        };
        let path = self.report.display();
        write().map_err(|error| failure(format_args!("write {path}"), &error))
    }

    /// Overwrites the file and removes it.
    ///
    /// # Errors
    /// It could not be overwritten in full.
    pub fn scrub(&self) -> Result<(), Failure> {
        let overwrite = || {
            let file = OpenOptions::new().write(true).open(&self.file)?;
            let length = file.metadata()?.len();
            let mut sector = [b' '; SECTOR];
            sector[..APPLIED.len()].copy_from_slice(APPLIED);
            file.write_all_at(&sector, 0)?;
            file.sync_all()?;
            let mut place = SECTOR as u64;
            while place < length {
                file.write_all_at(&[b' '; SECTOR], place)?;
                place += SECTOR as u64;
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

    /// A card of the test's own, removed at its end.
    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("ossuary-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_was_scrubbed_cannot_be_read_any_more() {
        let place = Place::new("card-scrub");
        for size in [10, 512, 5000] {
            let path = place.0.join(FILE);
            fs::write(&path, vec![b'#'; size]).unwrap();
            // Whoever holds the file open sees what becomes of its sectors.
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
    fn a_power_cut_while_it_is_overwritten_is_made_good_by_the_next_start() {
        let place = Place::new("card-cut");
        let path = place.0.join(FILE);
        let mut bytes = APPLIED.to_vec();
        bytes.resize(SECTOR, b' ');
        bytes.extend(b"\"passphrase\": \"secret\"");
        fs::write(&path, &bytes).unwrap();
        assert!(Card::new(&place.0).read().unwrap().is_none());
        assert!(!path.exists());
    }

    #[test]
    fn the_same_letter_is_not_written_twice() {
        let place = Place::new("card-letter");
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
