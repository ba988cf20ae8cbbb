//! Changes a configuration: every change makes a new one, read as a whole, or none.

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

/// What only the daemon writes of a process. A client that sends back what it has
/// read means none of it.
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
    /// This configuration with one more process, made from what a client sent.
    /// Where `fields` has no `id`, one is made from the name and made unique. Fields
    /// that are `null`, and those only the daemon writes, are passed over.
    ///
    /// # Errors
    /// Every problem at once; paths begin at the process (`command`, `env.PATH`).
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
        let id = written.unwrap_or_else(|| self.free_id(name));

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

    /// This configuration with the named fields of one process replaced and the rest left.
    /// A field set to `null` is removed, and so has its default again. Fields that only
    /// the daemon writes (`status`, `pid`, …) are passed over, and so is what is sent back as
    /// it was shown: what a client read it may send, and nothing changes. Of `restart` and
    /// `restart_on_crash` the one that is named wins.
    ///
    /// # Errors
    /// Every problem at once; paths begin at the process. An unknown field is one.
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
            unreachable!("a process was read from here");
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

    /// This configuration without one process, nor what named it (`depends_on`, `active_display_process`). Rules
    /// that name it are switched off: somebody wrote them, and may want to name another.
    ///
    /// # Errors
    /// What would be wrong without it: a rule of the older program that names nothing means what is on the screen.
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

    /// This configuration with another `active_display_process`. It stays as it is where
    /// `id` names no display process.
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
        // An id of 63 letters can carry a document that is full over its bound.
        self.read_edited(map, |_| true)
            .unwrap_or_else(|_| self.without_migration())
    }

    /// This configuration with `behaviors` or `schedule` replaced. Rules without an id get one.
    ///
    /// # Errors
    /// Every problem at once, with its path from the top of the document.
    pub fn with_section(&self, section: Section, mut value: Value) -> Result<Loaded, Vec<Problem>> {
        if section == Section::Schedule {
            write_rule_ids(&mut value);
        }
        let mut map = self.document.as_map().clone();
        map.insert(section.name().to_owned(), value);
        self.read_edited(map, |_| true)
    }

    /// The whole document as a client sent it in place of this one. Unknown fields that
    /// stand in this one already are kept; new ones are an error that names them. A document
    /// of an older version is migrated. Rules without an id get one.
    ///
    /// # Errors
    /// Every problem at once, with its path from the top of the document.
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

    /// This configuration, its migration a thing of the past.
    fn without_migration(&self) -> Loaded {
        Loaded {
            migration: None,
            ..self.clone()
        }
    }

    /// The id a client chose for a new process.
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

    /// An id made from `name` that no process has.
    fn free_id(&self, name: &str) -> Id {
        let id = Id::from_name(name);
        let numbered = (2..).map(|number| id.numbered(number));
        let mut ids = std::iter::once(id.clone()).chain(numbered);
        let free = ids.find(|id| self.config.process(id).is_none());
        free.expect("there are more numbers than processes")
    }
}

/// The object of the processes; an empty one is put where there is none.
fn processes_of(map: &mut Map<String, Value>) -> &mut Map<String, Value> {
    let processes = map
        .entry("processes")
        .or_insert_with(|| Value::Object(Map::new()));
    processes
        .as_object_mut()
        .expect("the document was read without a problem")
}

/// Drops what a client sent back as the API had shown it: `"64M"` in the file is shown as
/// a number of bytes, and a default that stands nowhere in the file is shown, too. With
/// another type the defaults are others, and everything that is named counts.
fn drop_unchanged(process: &Process, fields: &mut Map<String, Value>) {
    let shown = serde_json::to_value(process).expect("a process can always be shown");
    if fields.get("type").is_none_or(|kind| *kind == shown["type"]) {
        fields.retain(|name, value| shown.get(name) != Some(value));
    }
}

/// Removes whichever of `restart` and `restart_on_crash` was not named and says
/// otherwise than the one that was.
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

/// The fields that are `null`, about to vanish, and unknown all the same; those that
/// stand in the file may be removed.
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
