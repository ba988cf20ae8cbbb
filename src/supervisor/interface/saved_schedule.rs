//! The state of the schedule that outlives daemon and power: one small file in the state directory.

use super::{EntryKind, HistoryEntry, RuleOutcome};
use crate::config::{Display, Id};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What is saved, at most once an occurrence.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SavedSchedule {
    /// The boot of the machine for which boot rules ran.
    pub(in crate::supervisor) boot: String,
    /// The latest wall-clock time.
    pub(in crate::supervisor) position: Option<Stamp>,
    /// The periods that were handled.
    #[serde(rename = "lived")]
    pub(in crate::supervisor) elapsed: Vec<(Stamp, Stamp)>,
    /// Occurrences that were handled late.
    #[serde(rename = "caught_up")]
    pub(in crate::supervisor) handled_late: Vec<(Id, Stamp)>,
    /// The active overrides.
    #[serde(rename = "held")]
    pub(in crate::supervisor) active: BTreeMap<Id, ActiveOverride>,
    /// The stacks of overrides.
    pub(in crate::supervisor) stacks: Vec<OverrideStack>,
    /// The page overrides that browsers start with.
    #[serde(rename = "canvases")]
    pub(in crate::supervisor) start_pages: BTreeMap<Id, String>,
    /// The rest of the page overrides. Missing in files of the first release.
    #[serde(rename = "pages")]
    pub(in crate::supervisor) page_overrides: BTreeMap<Id, SavedPageOverride>,
    /// The power requests since the machine was booted. Missing in files of the first release.
    pub(in crate::supervisor) powers: Option<BTreeMap<Display, bool>>,
    /// Oldest first.
    #[serde(rename = "record")]
    pub(in crate::supervisor) history: Vec<SavedEntry>,
}

/// An active override.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::supervisor) struct ActiveOverride {
    pub begin: Stamp,
    pub end: Stamp,
    /// The action of the rule when it began; the rule may have been edited since.
    #[serde(rename = "deed")]
    pub action: Value,
    /// The settings that other changes replaced.
    #[serde(default)]
    pub overruled: Vec<(Setting, ChangedBy)>,
}

/// Who changed a setting that a rule overrides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::supervisor) enum ChangedBy {
    Operator,
    /// A rule without `until`.
    Rule,
}

/// A setting that a rule can override.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::supervisor) enum Setting {
    /// A field of a process in the document; `null` if it is not there.
    Field(Id, String),
    /// The page of a display process; `null` for the configured one.
    #[serde(rename = "Canvas")]
    Page(Id),
    /// Whether a process runs: `true`, `false`, or the id of the process that runs instead.
    Runs(Id),
    /// Whether a screen is on. Each display has its own stack; all displays at once occur only in the preview and in
    /// files of the first release.
    Power(Option<String>),
}

/// The overrides of a setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::supervisor) struct OverrideStack {
    #[serde(rename = "thing")]
    pub setting: Setting,
    /// The value below all overrides.
    pub base: Value,
    /// In the order in which they began.
    #[serde(rename = "layers")]
    pub overrides: Vec<Override>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::supervisor) struct Override {
    pub rule: Id,
    pub value: Value,
    /// It took effect: if the setting has another value since, another change set it.
    #[serde(rename = "laid")]
    pub is_applied: bool,
}

impl OverrideStack {
    /// The value in effect.
    pub fn top(&self) -> &Value {
        self.overrides
            .last()
            .map_or(&self.base, |override_| &override_.value)
    }

    /// Whether the value in effect was applied.
    pub fn is_applied(&self) -> bool {
        self.overrides
            .last()
            .is_some_and(|override_| override_.is_applied)
    }

    /// Whether a rule overrides the setting.
    pub fn has(&self, rule: &Id) -> bool {
        self.overrides
            .iter()
            .any(|override_| override_.rule == *rule)
    }

    /// The rules that override the setting.
    pub fn rules(&self) -> impl Iterator<Item = &Id> {
        self.overrides.iter().map(|override_| &override_.rule)
    }

    /// The rules whose value was not applied yet.
    pub fn unapplied(&self) -> impl Iterator<Item = &Id> {
        let unapplied = self
            .overrides
            .iter()
            .filter(|override_| !override_.is_applied);
        unapplied.map(|override_| &override_.rule)
    }
}

/// A page override as it is saved, next to the page that a browser starts with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::supervisor) struct SavedPageOverride {
    pub wanted: Option<String>,
    pub fallback: Option<String>,
    pub shown: Option<String>,
    /// The configured page that is overridden.
    pub in_place_of: Option<String>,
}

/// An instant, written as RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::supervisor) struct Stamp(pub Timestamp);

/// A history entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::supervisor) struct SavedEntry {
    rule: Id,
    name: String,
    at: Option<Stamp>,
    kind: String,
    outcome: Option<String>,
    detail: Option<String>,
}

impl SavedSchedule {
    /// Reads a file. Another version may have written it: items that this version cannot read are skipped.
    ///
    /// # Errors
    ///
    /// The file is not a JSON object.
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

    /// The bytes to write.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).expect("text and numbers can be written");
        bytes.push(b'\n');
        bytes
    }
}

/// A field of the document without the items that cannot be read.
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
    fn from(entry: SavedEntry) -> Self {
        let kind = EntryKind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == entry.kind);
        let mut outcomes = RuleOutcome::ALL.into_iter();
        let outcome = entry
            .outcome
            .and_then(|name| outcomes.find(|outcome| outcome.as_str() == name));
        Self {
            rule: entry.rule,
            name: entry.name,
            at: entry.at.map(|stamp| stamp.0),
            kind: kind.unwrap_or(EntryKind::Begin),
            outcome,
            detail: entry.detail,
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
