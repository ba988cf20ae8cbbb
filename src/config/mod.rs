//! The configuration: its document, its meaning, and every problem that a document may have.
//!
//! A [`Document`] is the JSON of the file, unknown fields included. A [`Config`] is what it means. A [`Loaded`] is both,
//! of a document that was read without a problem; every edit makes a new one, so no edit is half applied.

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

/// The meaning of a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The processes in the order of the file, in which the web UI shows them.
    pub processes: Vec<Rc<Process>>,
    /// The display process that starts at boot.
    pub active_display: Option<Id>,
    /// The configured rotations.
    pub rotations: BTreeMap<Display, Rotation>,
    /// What happens when the connection is lost and regained.
    pub behaviors: Behaviors,
    /// The rules.
    pub schedule: Rc<Schedule>,
}

impl Config {
    /// The process with this id.
    pub fn process(&self, id: &Id) -> Option<&Rc<Process>> {
        self.processes.iter().find(|process| process.id == *id)
    }
}

/// A document that was read without a problem, and its meaning.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The document, as it is in the file or will be.
    pub document: Rc<Document>,
    /// The meaning of the document.
    pub config: Rc<Config>,
    /// What is harmless but probably a mistake, such as unknown fields.
    pub warnings: Rc<[Problem]>,
    /// What was changed to migrate an older document to version 3.
    pub migration: Option<Migration>,
}

impl Loaded {
    /// Reads the bytes of a configuration file of any version. An empty file (or only white space) is an empty
    /// configuration, not an error.
    ///
    /// # Errors
    /// All problems of the document, each with its path.
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

    /// The configuration of a new kiosk.
    pub fn empty() -> Loaded {
        Loaded {
            document: Rc::new(Document::empty()),
            config: Rc::default(),
            warnings: Rc::default(),
            migration: None,
        }
    }
}
