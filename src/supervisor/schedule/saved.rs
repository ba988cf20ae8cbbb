//! What of the schedule outlives the daemon and the power: one small file in the state directory.

use super::history::{EntryKind, HistoryEntry, RuleOutcome};
use super::override_stack::{OverrideStack, Setting};
use super::overrides::ChangedBy;
use super::page_override::SavedPageOverride;
use crate::config::{Display, Id};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What is written down, at most once an occurrence.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SavedSchedule {
    /// The start of the machine that rules for starts were done for.
    pub(super) boot: String,
    /// Where the clock was.
    pub(super) position: Option<Stamp>,
    /// The time that was lived.
    #[serde(rename = "lived")]
    pub(super) elapsed: Vec<(Stamp, Stamp)>,
    /// What was done late.
    #[serde(rename = "caught_up")]
    pub(super) handled_late: Vec<(Id, Stamp)>,
    /// The rules that are in force until their end.
    #[serde(rename = "held")]
    pub(super) active: BTreeMap<Id, ActiveOverride>,
    /// What they have laid over the kiosk.
    pub(super) stacks: Vec<OverrideStack>,
    /// The page overrides that browsers start with.
    #[serde(rename = "canvases")]
    pub(super) start_pages: BTreeMap<Id, String>,
    /// Everything else about them. Missing in files of the first release.
    #[serde(rename = "pages")]
    pub(super) page_overrides: BTreeMap<Id, SavedPageOverride>,
    /// What was asked of each screen since the machine was booted. Missing in files of the first release.
    pub(super) powers: Option<BTreeMap<Display, bool>>,
    /// Oldest first.
    #[serde(rename = "record")]
    pub(super) history: Vec<SavedEntry>,
}

/// A rule that is in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ActiveOverride {
    pub begin: Stamp,
    pub end: Stamp,
    /// What it did: it may have been edited since.
    #[serde(rename = "deed")]
    pub action: Value,
    /// What others have changed since it began.
    #[serde(default)]
    pub overruled: Vec<(Setting, ChangedBy)>,
}

/// An instant, written as RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stamp(pub Timestamp);

/// An entry of the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SavedEntry {
    rule: Id,
    name: String,
    at: Option<Stamp>,
    kind: String,
    outcome: Option<String>,
    detail: Option<String>,
}

impl SavedSchedule {
    /// As it was read. What this version of the program cannot read is left out, item by item: another one wrote it.
    ///
    /// # Errors
    /// It is no such document at all: the schedule begins without a past.
    pub fn from_bytes(bytes: &[u8]) -> Result<SavedSchedule, String> {
        let document: Map<String, Value> =
            serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let readable = document.into_iter().filter_map(|(name, value)| {
            let value = only_readable(&name, value)?;
            Some((name, value))
        });
        let document = Value::Object(readable.collect());
        SavedSchedule::deserialize(document).map_err(|error| error.to_string())
    }

    /// As it is written.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).expect("text and numbers can be written");
        bytes.push(b'\n');
        bytes
    }
}

/// A field of the document, without those of its items that cannot be read.
fn only_readable(name: &str, value: Value) -> Option<Value> {
    let is_readable = |value: Value| SavedSchedule::deserialize(json!({ name: value })).is_ok();
    if is_readable(value.clone()) {
        return Some(value);
    }
    match value {
        Value::Array(items) => {
            let items = items.into_iter();
            Some(items.filter(|item| is_readable(json!([item]))).collect())
        }
        Value::Object(items) => {
            let items = items.into_iter();
            let items = items.filter(|(key, item)| is_readable(json!({ key: item })));
            Some(Value::Object(items.collect()))
        }
        _ => None,
    }
    .filter(|value| is_readable(value.clone()))
}

impl From<&HistoryEntry> for SavedEntry {
    fn from(entry: &HistoryEntry) -> Self {
        Self {
            rule: entry.rule.clone(),
            name: entry.name.clone(),
            at: entry.at.map(Stamp),
            kind: entry.kind.as_str().to_owned(),
            outcome: entry.outcome.map(|outcome| outcome.as_str().to_owned()),
            detail: entry.detail.clone(),
        }
    }
}

impl From<SavedEntry> for HistoryEntry {
    fn from(line: SavedEntry) -> Self {
        let kind = EntryKind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == line.kind);
        let mut outcomes = RuleOutcome::ALL.into_iter();
        let outcome = line
            .outcome
            .and_then(|name| outcomes.find(|outcome| outcome.as_str() == name));
        Self {
            rule: line.rule,
            name: line.name,
            at: line.at.map(|stamp| stamp.0),
            kind: kind.unwrap_or(EntryKind::Begin),
            outcome,
            detail: line.detail,
        }
    }
}

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Stamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Stamp, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Stamp).map_err(serde::de::Error::custom)
    }
}
