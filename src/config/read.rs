//! Reads a document of version 3 and finds all its problems.

use super::behaviors::Behaviors;
use super::displays::read_displays;
use super::document::VERSION;
use super::fields::{Fields, no_such_process, wrong_type};
use super::path::Path;
use super::problem::{Findings, Found};
use super::process::Process;
use super::process::dependencies::check_dependencies;
use super::process::read::read_process;
use super::schedule::read::read_schedule;
use super::{Display, Id, Rotation, Schedule};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::rc::Rc;

/// The most processes of a document: ten times what a small computer can run.
const MAX_PROCESSES: usize = 2000;

/// Fields of version 0.1 without effect. They stay in the file, without a warning, so that a downgrade is possible and
/// other tools find them.
const OBSOLETE_FIELDS: &[&str] = &[
    "saved_networks",
    "wifi_networks",
    "environment",
    "restart_delay",
    "max_restarts",
    "profiles",
    "active_profile",
];

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

/// Reads a document. The result is valid only if no problem was found.
pub(super) fn read(document: &Map<String, Value>) -> (Config, Found) {
    let findings = Findings::default();
    let fields = Fields::new(document, Path::Root, &findings);
    match fields.value("version") {
        Some(version) if version.as_u64() == Some(VERSION) => {}
        Some(version) => fields.problem("version", wrong_version(version)),
        None => fields.problem("version", "is required; the newest is 3"),
    }
    let processes = fields
        .object("processes")
        .map(|map| read_processes(map, &findings));
    let processes = processes.unwrap_or_default();
    let active_display = active_display(&fields, &processes);
    let rotations = fields.object("displays");
    let rotations = rotations.map(|map| read_displays(map, &findings));
    let behaviors = fields.nested("behaviors").map(Behaviors::read);
    let schedule = fields.object("schedule");
    let schedule = schedule.map(|map| read_schedule(map, document, &processes, &findings));
    for name in OBSOLETE_FIELDS {
        fields.has(name);
    }
    fields.finish();
    (
        Config {
            processes,
            active_display,
            rotations: rotations.unwrap_or_default(),
            behaviors: behaviors.unwrap_or_default(),
            schedule: Rc::new(schedule.unwrap_or_default()),
        },
        findings.finish(),
    )
}

/// The message about a wrong version.
pub(super) fn wrong_version(version: &Value) -> String {
    match version {
        Value::Number(number) if number.as_f64() > Some(VERSION as f64) => {
            format!("must be at most 3; {number} was written by a newer Ossuary")
        }
        Value::Number(number) => format!("must be 1, 2 or 3, not {number}"),
        other => wrong_type("a number", other),
    }
}

fn read_processes(map: &Map<String, Value>, findings: &Findings) -> Vec<Rc<Process>> {
    let path = Path::Root.field("processes");
    if map.len() > MAX_PROCESSES {
        let count = map.len();
        findings.problem(
            path,
            format!("must be at most {MAX_PROCESSES} processes, not {count}"),
        );
        return Vec::new();
    }
    let mut processes = Vec::with_capacity(map.len());
    for (key, value) in map {
        let path = path.field(key);
        match (key.parse::<Id>(), value) {
            (Err(error), value) => {
                findings.problem(path, format!("its id {error}"));
                check_process_without_id(value, path, findings);
            }
            (Ok(id), Value::Object(map)) => {
                processes.push(Rc::new(read_process(&id, map, path, findings)));
            }
            (Ok(_), other) => findings.problem(path, wrong_type("an object", other)),
        }
    }
    check_dependencies(&processes, map, path, findings);
    check_displays(&processes, path, findings);
    processes
}

/// Finds the other problems of a process that has no valid id.
fn check_process_without_id(value: &Value, path: Path<'_>, findings: &Findings) {
    let Value::Object(map) = value else {
        return findings.problem(path, wrong_type("an object", value));
    };
    let mut map = map.clone();
    // It repeats the key, whose problem is reported already.
    map.shift_remove("id");
    let any: Id = "unnamed".parse().expect("letters are an id");
    read_process(&any, &map, path, findings);
}

fn active_display(fields: &Fields, processes: &[Rc<Process>]) -> Option<Id> {
    const NAME: &str = "active_display_process";
    if fields.value(NAME).is_some_and(Value::is_null) {
        return None;
    }
    let name = fields.text(NAME)?;
    match processes.iter().find(|process| process.id.as_str() == name) {
        Some(process) if process.is_display() => return Some(process.id.clone()),
        Some(_) => fields.problem(NAME, "must be a process of type \"chromium\""),
        None => fields.problem(NAME, no_such_process(name)),
    }
    None
}

/// Warns about processes that would take a display from each other at every start.
fn check_displays(processes: &[Rc<Process>], path: Path<'_>, findings: &Findings) {
    let mut first: BTreeMap<&Display, &Id> = BTreeMap::new();
    for process in processes
        .iter()
        .filter(|process| process.enabled && process.autostart)
    {
        let Some(display) = &process.display else {
            continue;
        };
        if let Some(holder) = first.get(display) {
            findings.warning(
                path.field(process.id.as_str()).field("display"),
                format!(
                    "{holder} also starts on {display}, but a display holds one process at a time"
                ),
            );
        } else {
            first.insert(display, &process.id);
        }
    }
}
