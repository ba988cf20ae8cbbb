//! The time zones of the system: compiled files of the IANA time zone database (tzfile(5)).
//!
//! They are the system's and not the program's: a bundle would cost 400 KB of a binary of less than 1.5 MB, and would be as
//! old as the program when a government changes its mind.

use crate::config::Zone;
use crate::supervisor::Failure;
use crate::sys::background;
use crate::sys::errno::words;
use jiff::tz::TimeZone;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

/// Where the zone of the system is; usually a link into [`DATABASE`].
pub(in crate::sys) const LOCAL: &str = "/etc/localtime";

/// The name of the system's zone, on systems whose [`LOCAL`] is a copy.
const LOCAL_NAME: &str = "/etc/timezone";

/// Where all of them are.
pub const DATABASE: &str = "/usr/share/zoneinfo";

/// The largest file of a zone: fifty times the largest there is.
const FILE_MAX: u64 = 256 * 1024;

/// Finds out what a zone is.
///
/// # Errors
/// There is no such zone on this system, or its file is broken. A system without a zone of its own is at UTC.
pub async fn find(zone: Zone) -> Result<TimeZone, Failure> {
    background::run(move || look_up(&zone)).await
}

/// Whether there is a zone of this name in the database that lies at `database`.
///
/// # Errors
/// There is none; where to find those that there are.
pub fn exists(database: &Path, name: &str) -> Result<(), String> {
    match named_or_utc(database, name) {
        Ok(_) => Ok(()),
        Err(failure) => Err(failure.message),
    }
}

/// Whether a named zone can be used on this system.
///
/// # Errors
/// It cannot; why, and where to find those that can.
pub async fn check(name: String) -> Result<(), String> {
    let zone = Zone::Named(name);
    let found = background::run(move || look_up(&zone)).await;
    found.map(drop).map_err(|failure| failure.message)
}

/// The name of the system's zone, as the schedule names it: `auto` where it has none.
pub fn system_name() -> String {
    let zone = look_up(&Zone::Auto).ok();
    let name = zone.as_ref().and_then(TimeZone::iana_name);
    name.unwrap_or(Zone::Auto.as_str()).to_owned()
}

fn look_up(zone: &Zone) -> Result<TimeZone, Failure> {
    match zone {
        Zone::Auto => local(std::env::var("TZ").ok().as_deref(), Path::new(LOCAL)),
        Zone::Named(name) => named_or_utc(Path::new(DATABASE), name),
    }
}

fn named_or_utc(database: &Path, name: &str) -> Result<TimeZone, Failure> {
    match name {
        // Where there is no database there is still this one.
        "UTC" => Ok(TimeZone::UTC),
        name => named(database, name),
    }
}

/// The zone of the system, as all its programs find it (tzset(3)): what `TZ` says, otherwise what `link` leads to.
fn local(tz: Option<&str>, link: &Path) -> Result<TimeZone, Failure> {
    match tz.map(|tz| tz.strip_prefix(':').unwrap_or(tz)) {
        None => file(link),
        Some("") => Ok(TimeZone::UTC),
        Some(path) if path.starts_with('/') => file(Path::new(path)),
        Some(text) => named_or_utc(Path::new(DATABASE), text).or_else(|failure| {
            let rules = TimeZone::posix(text);
            rules.map_err(|_| Failure::system(format!("TZ: {failure}")))
        }),
    }
}

fn file(path: &Path) -> Result<TimeZone, Failure> {
    let Ok(target) = path.canonicalize() else {
        return Ok(TimeZone::UTC);
    };
    let database = Path::new(DATABASE);
    let database = database.canonicalize().unwrap_or(database.to_owned());
    let name = target.strip_prefix(&database).ok();
    let name = name.and_then(Path::to_str).map(str::to_owned);
    // A copy has no name in it.
    let written = || {
        let name = fs::read_to_string(LOCAL_NAME).ok()?;
        let name = name.trim().to_owned();
        named(Path::new(DATABASE), &name).is_ok().then_some(name)
    };
    let is_of_system = path == Path::new(LOCAL);
    let name = name.or_else(|| written().filter(|_| is_of_system));
    load(&target, name.as_deref().unwrap_or(Zone::Auto.as_str()))
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

/// Identifies a state of the system's zone.
pub(in crate::sys) fn fingerprint() -> Option<(std::path::PathBuf, std::time::SystemTime)> {
    let path = Path::new(LOCAL).canonicalize().ok()?;
    let changed = fs::metadata(&path).and_then(|file| file.modified()).ok()?;
    Some((path, changed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_found_by_its_name_and_an_unknown_one_is_reported() {
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
        assert_eq!(local(None, &link).unwrap(), TimeZone::UTC);
        std::os::unix::fs::symlink("/usr/share/zoneinfo/Asia/Kathmandu", &link).unwrap();
        let zone = local(None, &link).unwrap();
        let now = jiff::Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(24 * 20_000);
        assert_eq!(zone.to_offset(now).seconds(), (5 * 60 + 45) * 60);
    }

    #[test]
    fn the_environment_names_the_zone_of_the_system() {
        let link = Path::new("/nowhere");
        let name = |tz: &str| {
            let zone = local(Some(tz), link);
            zone.map(|zone| zone.iana_name().map(str::to_owned))
        };
        for (tz, expected) in [
            ("Asia/Kathmandu", Some("Asia/Kathmandu")),
            (":Europe/Berlin", Some("Europe/Berlin")),
            ("/usr/share/zoneinfo/Europe/Berlin", Some("Europe/Berlin")),
            ("", Some("UTC")),
            // Rules of its own, and no name.
            ("CET-1CEST,M3.5.0,M10.5.0/3", None),
        ] {
            assert_eq!(name(tz).unwrap().as_deref(), expected, "{tz:?}");
        }
        let wrong = name("Mars/Olympus").unwrap_err();
        assert!(
            wrong.message.starts_with("TZ: there is no time zone"),
            "{wrong}"
        );
    }
}
