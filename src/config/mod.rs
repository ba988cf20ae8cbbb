//! What an operator may write: the configuration document, its meaning, and every problem it may have.
//!
//! A [`Document`] is the JSON as it stands in the file, unknown fields and all.
//! A [`Config`] is what it means. [`Loaded`] is a document that was read without
//! a problem, both halves together; every edit makes a new one, so that nothing
//! is ever half applied.

mod behaviors;
mod check_report;
mod display;
mod displays;
mod document;
mod edit;
mod fields;
mod first_boot;
mod id;
mod json;
mod merge;
mod migrate;
mod path;
mod problem;
mod process;
mod read;
pub mod redact;
mod schedule;
mod text_checks;
mod url;

pub use behaviors::{Behaviors, WhenLost, WhenRegained};
pub use check_report::{report, report_as_json};
pub use display::{Display, DisplayError};
pub use displays::Rotation;
pub use document::{Document, Etag, EtagError, Section};
pub use first_boot::{Access, Checks, FirstBoot, Network};
pub use id::{Id, IdError};
pub use json::parse_json;
pub use migrate::Migration;
pub use problem::Problem;
pub use process::command::{CommandError, CommandLine};
pub use process::page::page_of;
pub use process::program::starts_chromium;
pub use process::quote::quote;
pub use process::{
    Flags, Kind, Limits, Log, Persist, Process, Ready, ReadySign, Restart, StopSignal,
    StopSignalError,
};
pub use schedule::read::check_zone;
pub use schedule::{Days, Rule, RuleAction, Schedule, TimeOfDay, TimeOfDayError, Trigger, Zone};
pub use url::{Authority, Origin, Scheme, Url, check_url};

use std::collections::BTreeMap;
use std::rc::Rc;

/// What a document means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// In the order of the file, which is the order of the cards on the page.
    pub processes: Vec<Rc<Process>>,
    /// The display process that starts at boot.
    pub active_display: Option<Id>,
    /// How the displays are turned that have it configured.
    pub rotations: BTreeMap<Display, Rotation>,
    /// What is done when the network goes and comes back.
    pub behaviors: Behaviors,
    /// What is done at which times.
    pub schedule: Rc<Schedule>,
}

impl Config {
    /// The process with this id.
    pub fn process(&self, id: &Id) -> Option<&Rc<Process>> {
        self.processes.iter().find(|process| process.id == *id)
    }
}

/// A document that was read without a problem, and what it means.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// As it stands in the file, or will.
    pub document: Rc<Document>,
    /// Its meaning.
    pub config: Rc<Config>,
    /// What is odd about it but harms nothing, unknown fields above all.
    pub warnings: Rc<[Problem]>,
    /// What was done to bring an older document to version 3, where that was needed.
    pub migration: Option<Migration>,
}

impl Loaded {
    /// Reads the bytes of a configuration file, whatever its version.
    ///
    /// An empty file (white space only) is an empty kiosk, not an error.
    ///
    /// # Errors
    /// Every problem of the document at once, each with its path.
    pub fn from_bytes(bytes: &[u8]) -> Result<Loaded, Vec<Problem>> {
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        if text.trim_ascii().is_empty() {
            return Ok(Loaded::empty());
        }
        let (map, migration) = migrate::migrate(Document::parse(bytes)?.into_map())?;
        let (config, mut found) = read::read(&map);
        match Document::new(map) {
            Ok(document) if found.problems.is_empty() => Ok(Loaded {
                document: Rc::new(document),
                config: Rc::new(config),
                warnings: found.warnings.into(),
                migration,
            }),
            Ok(_) => Err(found.problems),
            Err(problem) => {
                found.problems.push(problem);
                Err(found.problems)
            }
        }
    }

    /// A kiosk nobody has set up yet.
    pub fn empty() -> Loaded {
        Loaded {
            document: Rc::new(Document::empty()),
            config: Rc::default(),
            warnings: Rc::default(),
            migration: None,
        }
    }
}
