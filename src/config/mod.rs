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
mod loaded;
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
pub use loaded::Loaded;
pub use migrate::Migration;
pub use problem::Problem;
pub use process::command::CommandLine;
pub use process::page::page_of;
pub use process::program::starts_chromium;
pub use process::quote::quote;
pub use process::shell_words::CommandError;
pub use process::{
    Flags, Kind, Limits, Log, Persist, Process, Ready, ReadySign, Restart, StopSignal,
    StopSignalError,
};
pub use read::Config;
pub use schedule::read::check_zone;
pub use schedule::{Days, Rule, RuleAction, Schedule, TimeOfDay, TimeOfDayError, Trigger, Zone};
pub use url::{Authority, Origin, Scheme, Url, check_url};
