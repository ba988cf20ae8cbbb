//! The time zones of the system: compiled files of the IANA time zone database (tzfile(5)).
//!
//! They are the system's and not the program's: a bundle would cost 400 KB of a binary of less than 1.5 MB, and would be as
//! old as the program when a government changes its mind.

use super::errand;
use super::errno::words;
use crate::config::Zone;
use crate::supervisor::Failure;
use jiff::tz::TimeZone;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

/// Where the zone of the system is; usually a link into [`DATABASE`].
pub(super) const LOCAL: &str = "/etc/localtime";

/// Where all of them are.
pub const DATABASE: &str = "/usr/share/zoneinfo";

/// The largest file of a zone: fifty times the largest there is.
const FILE_MAX: u64 = 256 * 1024;

/// Finds out what a zone is.
///
/// # Errors
/// There is no such zone on this system, or its file is broken. A system without a zone of its own is at UTC.
pub async fn find(zone: Zone) -> Result<TimeZone, Failure> {
    errand::run(move || look_up(&zone)).await
}

/// Whether there is a zone of this name in the database that lies at `database`.
///
/// # Errors
/// There is none; where to find those that there are.
pub fn exists(database: &Path, name: &str) -> Result<(), String> {
    match named(database, name) {
        Ok(_) => Ok(()),
        Err(failure) => Err(failure.message),
    }
}

fn look_up(zone: &Zone) -> Result<TimeZone, Failure> {
    match zone {
        Zone::Auto => local(Path::new(LOCAL)),
        // Where there is no database there is still this one.
        Zone::Named(name) if name == "UTC" => Ok(TimeZone::UTC),
        Zone::Named(name) => named(Path::new(DATABASE), name),
    }
}

fn local(path: &Path) -> Result<TimeZone, Failure> {
    let Ok(target) = path.canonicalize() else {
        return Ok(TimeZone::UTC);
    };
    let database = Path::new(DATABASE);
    let database = database.canonicalize().unwrap_or(database.to_owned());
    let name = target.strip_prefix(&database).ok();
    // Unless it is a copy, in which no name stands.
    let name = name.and_then(Path::to_str).unwrap_or("auto");
    load(&target, name)
}

fn named(database: &Path, name: &str) -> Result<TimeZone, Failure> {
    if name
        .split('/')
        .any(|part| part.is_empty() || part.starts_with('.'))
    {
        return Err(Failure::system(format!("{name} is no time zone")));
    }
    let path = database.join(name);
    if !path.is_file() {
        let way_out = match database.join("Europe").is_dir() {
            true => "see `timedatectl list-timezones`",
            false => "this system has no time zones: install the package tzdata",
        };
        return Err(Failure::system(format!(
            "there is no time zone {name}; {way_out}"
        )));
    }
    load(&path, name)
}

fn load(path: &Path, name: &str) -> Result<TimeZone, Failure> {
    let cannot = |why: &dyn std::fmt::Display| {
        Failure::system(format!(
            "cannot read the time zone {}: {why}",
            path.display()
        ))
    };
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(FILE_MAX).read_to_end(&mut bytes));
    read.map_err(|error| cannot(&words(&error)))?;
    TimeZone::tzif(name, &bytes).map_err(|error| cannot(&error))
}

/// Tells one state of the system's zone from another.
pub(super) fn fingerprint() -> Option<(std::path::PathBuf, std::time::SystemTime)> {
    let path = Path::new(LOCAL).canonicalize().ok()?;
    let changed = fs::metadata(&path).and_then(|file| file.modified()).ok()?;
    Some((path, changed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_found_by_its_name_and_a_wrong_one_is_told() {
        let database = Path::new(DATABASE);
        let berlin = named(database, "Europe/Berlin").unwrap();
        assert_eq!(berlin.iana_name(), Some("Europe/Berlin"));
        for name in ["Europe/Berln", "../etc/passwd", "Europe", "Europe//Berlin"] {
            assert!(named(database, name).is_err(), "{name}");
        }
        let bare = named(Path::new("/nowhere"), "Europe/Berlin").unwrap_err();
        assert!(
            bare.message.contains("install the package tzdata"),
            "{bare}"
        );
    }

    #[test]
    fn the_zone_of_the_system_is_where_its_link_leads() {
        let dir = crate::sys::test::Dir::new("zones");
        let link = dir.path().join("localtime");
        assert_eq!(local(&link).unwrap(), TimeZone::UTC);
        std::os::unix::fs::symlink("/usr/share/zoneinfo/Asia/Kathmandu", &link).unwrap();
        let zone = local(&link).unwrap();
        let now = jiff::Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(24 * 20_000);
        assert_eq!(zone.to_offset(now).seconds(), (5 * 60 + 45) * 60);
    }
}
