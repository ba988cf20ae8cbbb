//! Reads a document of version 3: every problem at once, each with its path.

use super::behaviors::Behaviors;
use super::displays::read_displays;
use super::fields::{Fields, no_such_process, wrong_type};
use super::path::Path;
use super::problem::{Findings, Found};
use super::process::Process;
use super::process::dependencies::check_dependencies;
use super::process::read::read_process;
use super::schedule::read::read_schedule;
use super::{Config, Display, Id};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::rc::Rc;

/// The newest version of the document, and the only one that is read without migration.
pub(super) const VERSION: u64 = 3;

/// The most processes of one document. Ten times what one small computer can run,
/// and no more than a document of 256 KiB has room for anyway.
const MAX_PROCESSES: usize = 2000;

/// What the older program wrote and this one has no use for. It stays in the file,
/// so that the way back is open and other tools find it, and nobody is warned of it.
const OBSOLETE_FIELDS: &[&str] = &[
    "saved_networks",
    "wifi_networks",
    "environment",
    "restart_delay",
    "max_restarts",
    "profiles",
    "active_profile",
];

/// Reads a document. What it means is worth something only if no problem was found.
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
    let behaviors = fields.object("behaviors").map(|map| {
        let path = Path::Root.field("behaviors");
        Behaviors::read(map, path, &findings)
    });
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

/// What is wrong with a version, in one sentence.
pub(super) fn wrong_version(version: &Value) -> String {
    match version {
        Value::Number(number) if number.as_f64() > Some(VERSION as f64) => {
            format!("must be 3 at most; {number} was written by a newer Ossuary")
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

/// Finds what else is wrong with a process that has no usable id.
fn check_process_without_id(value: &Value, path: Path<'_>, findings: &Findings) {
    let Value::Object(map) = value else {
        return findings.problem(path, wrong_type("an object", value));
    };
    let mut map = map.clone();
    // It is the key again, and the key was told of.
    map.shift_remove("id");
    let any: Id = "unnamed".parse().expect("it is made of letters");
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

/// Warns of processes that would take a display from each other at every start.
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
                format!("{holder} starts on {display}, too; a display has one process at a time"),
            );
        } else {
            first.insert(display, &process.id);
        }
    }
}
