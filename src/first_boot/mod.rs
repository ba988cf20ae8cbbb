//! `ossuary first-boot`: applies the first-boot file that an operator has put on the boot partition of the card.
//!
//! ```text
//! ossuary.json ── config::FirstBoot: is all of it valid? ── no ──► report in ossuary.txt
//!      │ yes
//! write everything to the data partition under temporary names ── fails ──► report in ossuary.txt
//!      │
//! rename everything ──► report in ossuary.txt ──► overwrite and remove ossuary.json
//! ```
//!
//! The daemon is not started yet, so it never sees half of the changes. After a power cut the file is still there, and
//! the next boot applies it again with the same result.

mod card;
mod iwd;
mod report;

use crate::auth::{self, Credentials, Hash};
use crate::cli::Exit;
use crate::config::{Access, Checks, FirstBoot};
use crate::supervisor::Failure;
use crate::sys::errno::failure;
use crate::sys::storage::credential_file;
use crate::sys::storage::file_set::FileSet;
use crate::sys::time::timezone;
use crate::text::visible;
use card::Card;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The mode of files with secrets.
const SECRET: u32 = 0o600;

/// The mode of other files.
const PUBLIC: u32 = 0o644;

/// What happened to the file, with the report.
enum Outcome {
    /// There is no file.
    Nothing,
    /// All of it was applied.
    Applied(String),
    /// Nothing of it was applied.
    Refused(String),
}

/// Applies the file on the boot partition that is mounted at `card`, if there is one, to the system at `root`. Prints the
/// report.
pub fn run(card: &Path, root: &Path) -> Exit {
    match apply_file(&Card::new(card), &System { root }) {
        Ok(Outcome::Nothing) => Exit::Done,
        Ok(Outcome::Applied(report)) => {
            print!("{}", visible(&report));
            Exit::Done
        }
        Ok(Outcome::Refused(report)) => {
            eprint!("{}", visible(&report));
            Exit::Refused
        }
        Err(failure) => {
            eprintln!("ossuary: {}", visible(&failure.to_string()));
            Exit::Refused
        }
    }
}

fn apply_file(card: &Card, system: &System<'_>) -> Result<Outcome, Failure> {
    let Some(bytes) = card.read()? else {
        return Ok(Outcome::Nothing);
    };
    let zone = |name: &str| timezone::exists(&system.at(timezone::DATABASE), name);
    let checks = Checks {
        password: &auth::check_password,
        password_hash: &|text| Hash::import(text).map(drop),
        timezone: &zone,
    };
    let wanted = match FirstBoot::read(&bytes, &checks) {
        Ok(wanted) => wanted,
        Err(problems) => return refuse(card, report::refused(&problems)),
    };
    if let Err(failure) = system.apply(&wanted) {
        return refuse(card, report::failed(&failure.message));
    }
    let report = report::applied(&wanted);
    card.write_report(&report)?;
    card.scrub()?;
    Ok(Outcome::Applied(report))
}

fn refuse(card: &Card, report: String) -> Result<Outcome, Failure> {
    card.write_report(&report)?;
    Ok(Outcome::Refused(report))
}

/// The system that is set up: its files are where the daemon, iwd and the units of the overlay expect them.
struct System<'a> {
    root: &'a Path,
}

impl System<'_> {
    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// Applies everything or nothing.
    fn apply(&self, wanted: &FirstBoot) -> Result<(), Failure> {
        let mut together = FileSet::default();
        if let Some(hostname) = &wanted.hostname {
            let line = format!("{hostname}\n");
            together.write(&self.at("/data/etc/hostname"), line.as_bytes(), PUBLIC)?;
        }
        if let Some(timezone) = &wanted.timezone {
            let zone = Path::new(timezone::DATABASE).join(timezone);
            together.link(&self.at("/data/etc/localtime"), &zone)?;
        }
        for network in &wanted.networks {
            let known = self.at("/var/lib/iwd");
            let content = iwd::content(network);
            together.write(
                &known.join(iwd::file_name(network)),
                content.as_bytes(),
                SECRET,
            )?;
            together.remove(&known.join(iwd::other_file_name(network)));
        }
        if let Some(access) = &wanted.access {
            let path = self
                .at("/var/lib/ossuary")
                .join(credential_file::CREDENTIALS);
            match with_password(&path, access)? {
                Some(credentials) => together.write(&path, &credentials.to_bytes(), SECRET)?,
                None => together.remove(&path),
            }
        }
        if let Some(configuration) = &wanted.configuration {
            let bytes = configuration.document.to_bytes();
            together.write(&self.at("/etc/ossuary/config.json"), &bytes, SECRET)?;
        }
        together.carry_out()
    }
}

/// The existing credentials with the new password; `None` if the password is removed.
fn with_password(path: &Path, access: &Access) -> Result<Option<Credentials>, Failure> {
    let hash = match access {
        Access::Reset => return Ok(None),
        Access::Hash(text) => Hash::import(text),
        Access::Password(password) => {
            let mut salt = [0; 16];
            credential_file::random(&mut salt);
            Hash::make(password, salt)
        }
    };
    let hash = hash.map_err(|why| Failure::system(format!("cannot set the password: {why}")))?;
    let there = match fs::read(path) {
        Ok(bytes) => Credentials::read(&bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Credentials::unreadable("there are none yet")
        }
        Err(error) => return Err(failure(format_args!("read {}", path.display()), &error)),
    };
    Ok(Some(there.with_password(hash)))
}
