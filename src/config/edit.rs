//! Edits of a configuration: each makes a new configuration that was read as a whole, or fails and changes nothing.

use super::Loaded;
use super::document::Section;
use super::fields::{no_such_process, wrong_type};
use super::id::Id;
use super::merge::relative_to_process;
use super::migrate::migrate;
use super::path::Path;
use super::problem::{Findings, Problem};
use super::process::Process;
use super::process::read::read_process;
use super::schedule::read::{disable_rules_of, write_rule_ids};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Fields of a process that only the daemon writes. They are ignored in requests, so that a client may send back what
/// it has read.
const RUNTIME_FIELDS: &[&str] = &[
    "status",
    "pid",
    "uptime",
    "restarts",
    "since",
    "reason",
    "run",
    "started",
    "waiting_for",
    "page",
];

const ACTIVE_DISPLAY: &str = "active_display_process";

impl Loaded {
    /// This configuration with another process, made from the fields that a client sent. Without an `id`, a unique one
    /// is made from the name. Fields that are `null`, and fields that only the daemon writes, are ignored.
    ///
    /// # Errors
    /// All problems; their paths start at the process (`command`, `env.PATH`).
    pub fn with_process(
        &self,
        mut fields: Map<String, Value>,
    ) -> Result<(Loaded, Id), Vec<Problem>> {
        let mut problems = Vec::new();
        let written = fields.shift_remove("id").filter(|id| !id.is_null());
        let written = written.and_then(|id| self.new_id(&id).map_err(|p| problems.push(p)).ok());
        let name = fields
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let id = written.unwrap_or_else(|| {
            Id::from_name(name).unless_taken(|id| self.config.process(id).is_some())
        });

        fields.retain(|name, _| !RUNTIME_FIELDS.contains(&name.as_str()));
        problems.extend(unknown_null_fields(&id, &fields, &Map::new()));
        let mut process = Map::new();
        process.insert("id".to_owned(), Value::from(id.as_str()));
        process.extend(fields.into_iter().filter(|(_, value)| !value.is_null()));

        let mut map = self.document.as_map().clone();
        processes_of(&mut map).insert(id.to_string(), Value::Object(process));
        match self.read_edited(map, |_| true) {
            Ok(loaded) if problems.is_empty() => Ok((loaded, id)),
            Ok(_) => Err(problems),
            Err(found) => {
                problems.extend(relative_to_process(&id, found));
                Err(problems)
            }
        }
    }

    /// This configuration with the given fields of one process replaced. A field set to `null` is removed, which gives
    /// it its default. Fields that only the daemon writes (`status`, `pid`, …) are ignored, and so are fields with the
    /// value that the API shows: a client may send back what it has read, and nothing changes. Of `restart` and
    /// `restart_on_crash`, the one that is given wins.
    ///
    /// # Errors
    /// All problems, unknown fields included; their paths start at the process.
    pub fn with_changes(
        &self,
        id: &Id,
        mut fields: Map<String, Value>,
    ) -> Result<Loaded, Vec<Problem>> {
        let mut map = self.document.as_map().clone();
        let Some(old) = self.config.process(id) else {
            return Err(vec![Problem::whole(no_such_process(id.as_str()))]);
        };
        let Some(Value::Object(process)) = processes_of(&mut map).get_mut(id.as_str()) else {
            unreachable!("the process was read from this object");
        };

        let mut problems = Vec::new();
        if fields
            .shift_remove("id")
            .is_some_and(|written| written != id.as_str())
        {
            problems.push(Problem::at(
                "id",
                "cannot be changed; add a process with the new id and delete this one",
            ));
        }
        fields.retain(|name, _| !RUNTIME_FIELDS.contains(&name.as_str()));
        drop_unchanged(old, &mut fields);
        problems.extend(unknown_null_fields(id, &fields, process));
        drop_contradicting_restart(process, &fields);

        let mut removed = BTreeSet::new();
        for (name, value) in fields {
            if value.is_null() {
                process.shift_remove(&name);
                removed.insert(vec!["processes".to_owned(), id.to_string(), name]);
            } else {
                process.insert(name, value);
            }
        }
        let still_display = process.get("type").is_some_and(|kind| kind == "chromium");
        if old.is_display() && !still_display && self.config.active_display.as_ref() == Some(id) {
            map.insert(ACTIVE_DISPLAY.to_owned(), Value::Null);
        }
        match self.read_edited(map, |names| !removed.contains(names)) {
            Ok(loaded) if problems.is_empty() => Ok(loaded),
            Ok(_) => Err(problems),
            Err(found) => {
                problems.extend(relative_to_process(id, found));
                Err(problems)
            }
        }
    }

    /// This configuration without one process and without the references to it (`depends_on`,
    /// `active_display_process`). Rules that name it are disabled instead of removed: the operator may want to name
    /// another process.
    ///
    /// # Errors
    /// What would be wrong without the process: a rule of version 0.1 without a `process_id` means the process that
    /// holds the display.
    pub fn without_process(&self, id: &Id) -> Result<Loaded, Vec<Problem>> {
        let mut map = self.document.as_map().clone();
        let processes = processes_of(&mut map);
        processes.shift_remove(id.as_str());
        for process in processes.values_mut().filter_map(Value::as_object_mut) {
            let Some(Value::Array(needed)) = process.get_mut("depends_on") else {
                continue;
            };
            let before = needed.len();
            needed.retain(|needed| needed != id.as_str());
            if needed.is_empty() && before > 0 {
                process.shift_remove("depends_on");
            }
        }
        if map
            .get(ACTIVE_DISPLAY)
            .is_some_and(|active| active == id.as_str())
        {
            map.insert(ACTIVE_DISPLAY.to_owned(), Value::Null);
        }
        disable_rules_of(id, &mut map);
        self.read_edited(map, |_| true)
    }

    /// This configuration with another `active_display_process`; unchanged if `id` is not that of a display process.
    pub fn with_active_display(&self, id: Option<&Id>) -> Loaded {
        let fits = |id: &Id| {
            self.config
                .process(id)
                .is_some_and(|process| process.is_display())
        };
        if self.config.active_display.as_ref() == id || !id.is_none_or(fits) {
            return self.without_migration();
        }
        let mut map = self.document.as_map().clone();
        map.insert(
            ACTIVE_DISPLAY.to_owned(),
            id.map_or(Value::Null, |id| Value::from(id.as_str())),
        );
        // A long id can make a document too large.
        self.read_edited(map, |_| true)
            .unwrap_or_else(|_| self.without_migration())
    }

    /// This configuration with `behaviors` or `schedule` replaced. Rules without an id get one.
    ///
    /// # Errors
    /// All problems; their paths start at the document.
    pub fn with_section(&self, section: Section, mut value: Value) -> Result<Loaded, Vec<Problem>> {
        if section == Section::Schedule {
            write_rule_ids(&mut value);
        }
        let mut map = self.document.as_map().clone();
        map.insert(section.name().to_owned(), value);
        self.read_edited(map, |_| true)
    }

    /// The configuration that a client sent to replace this one. Unknown fields that this one has are kept; new ones
    /// are problems. A document of an older version is migrated. Rules without an id get one.
    ///
    /// # Errors
    /// All problems; their paths start at the document.
    pub fn replaced_by(&self, document: Value) -> Result<Loaded, Vec<Problem>> {
        match document {
            Value::Object(map) => {
                let (mut map, _) = migrate(map)?;
                if let Some(schedule) = map.get_mut(Section::Schedule.name()) {
                    write_rule_ids(schedule);
                }
                self.read_edited(map, |_| true)
            }
            other => Err(vec![Problem::whole(wrong_type("a JSON object", &other))]),
        }
    }

    /// This configuration as one that was not migrated.
    fn without_migration(&self) -> Loaded {
        Loaded {
            migration: None,
            ..self.clone()
        }
    }

    /// The id that a client chose for a new process.
    fn new_id(&self, written: &Value) -> Result<Id, Problem> {
        let Some(text) = written.as_str() else {
            return Err(Problem::at("id", wrong_type("a string", written)));
        };
        let id: Id = text
            .parse()
            .map_err(|error: super::IdError| Problem::at("id", error.0))?;
        if self.config.process(&id).is_some() {
            return Err(Problem::at("id", "is the id of another process"));
        }
        Ok(id)
    }
}

/// The object of the processes; an empty one is inserted if there is none.
fn processes_of(map: &mut Map<String, Value>) -> &mut Map<String, Value> {
    let processes = map
        .entry("processes")
        .or_insert_with(|| Value::Object(Map::new()));
    processes
        .as_object_mut()
        .expect("`processes` of a valid document is an object")
}

/// Drops the fields that a client sent back as the API shows them: `"64M"` in the file is shown as a number of bytes,
/// and a default is shown although it is not in the file. A change of the type changes the defaults, so then every
/// field counts.
fn drop_unchanged(process: &Process, fields: &mut Map<String, Value>) {
    let shown = serde_json::to_value(process).expect("a process can always be shown");
    if fields.get("type").is_none_or(|kind| *kind == shown["type"]) {
        fields.retain(|name, value| shown.get(name) != Some(value));
    }
}

/// Removes the one of `restart` and `restart_on_crash` that was not given, if it contradicts the one that was.
fn drop_contradicting_restart(process: &mut Map<String, Value>, fields: &Map<String, Value>) {
    match (fields.get("restart"), fields.get("restart_on_crash")) {
        (Some(restart), None) if !restart.is_null() => {
            let on_crash = Value::Bool(restart != "never");
            if process
                .get("restart_on_crash")
                .is_some_and(|old| *old != on_crash)
            {
                process.shift_remove("restart_on_crash");
            }
        }
        (None, Some(Value::Bool(on_crash))) => {
            let contradicts = |old: &Value| (old == "never") == *on_crash;
            if process.get("restart").is_some_and(contradicts) {
                process.shift_remove("restart");
            }
        }
        _ => {}
    }
}

/// Problems of unknown fields among those set to `null`. Unknown fields of the file may be removed.
fn unknown_null_fields(
    id: &Id,
    fields: &Map<String, Value>,
    in_file: &Map<String, Value>,
) -> Vec<Problem> {
    let mut nulls = fields.clone();
    nulls.retain(|name, value| value.is_null() && !in_file.contains_key(name));
    let findings = Findings::default();
    read_process(id, &nulls, Path::Root, &findings);
    let unknown = findings.finish().unknown.into_iter();
    unknown
        .map(|field| Problem::at(&field.path, "unknown field"))
        .collect()
}
