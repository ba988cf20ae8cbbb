//! Reads an edited document against the one it replaces: existing unknown fields are kept, new ones are refused.

use super::document::Document;
use super::problem::{Found, Problem};
use super::process::Process;
use super::read::read;
use super::{Config, Id, Loaded};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

impl Loaded {
    /// Reads `map`, which is to replace this document.
    ///
    /// Unknown fields of this document that `map` lacks are restored if `keep` returns true for them, provided that the
    /// object that contained them is still there. New unknown fields are problems.
    pub(super) fn read_edited(
        &self,
        mut map: Map<String, Value>,
        keep: impl Fn(&[String]) -> bool,
    ) -> Result<Loaded, Vec<Problem>> {
        let (_, before) = read(self.document.as_map());
        let before: BTreeSet<&[String]> = before
            .unknown
            .iter()
            .map(|field| &field.names[..])
            .collect();
        for names in before.iter().filter(|names| keep(names)) {
            restore_unknown(&mut map, self.document.as_map(), names);
        }

        let (
            config,
            Found {
                mut problems,
                warnings,
                unknown,
            },
        ) = read(&map);
        let new = unknown
            .into_iter()
            .filter(|field| !before.contains(&field.names[..]));
        problems.extend(new.map(|field| Problem::at(&field.path, "unknown field")));
        match Document::new(map) {
            Ok(document) if problems.is_empty() => Ok(Loaded {
                document: Rc::new(document),
                config: Rc::new(self.share_unchanged(config)),
                warnings: warnings.into(),
                migration: None,
            }),
            Ok(_) => Err(problems),
            Err(problem) => {
                problems.push(problem);
                Err(problems)
            }
        }
    }

    /// `config`, sharing with this configuration every process that has not changed, and the schedule if it has not.
    fn share_unchanged(&self, mut config: Config) -> Config {
        let old: BTreeMap<&Id, &Rc<Process>> = self
            .config
            .processes
            .iter()
            .map(|process| (&process.id, process))
            .collect();
        for process in &mut config.processes {
            if let Some(same) = old.get(&process.id).filter(|old| **old == process) {
                *process = Rc::clone(same);
            }
        }
        if config.schedule == self.config.schedule {
            config.schedule = Rc::clone(&self.config.schedule);
        }
        config
    }
}

/// Restores an unknown field, provided that the object that contained it is still there.
fn restore_unknown(into: &mut Map<String, Value>, from: &Map<String, Value>, names: &[String]) {
    let Some((name, rest)) = names.split_first() else {
        return;
    };
    match (from.get(name), into.get_mut(name)) {
        (Some(value), None) if rest.is_empty() => {
            into.insert(name.clone(), value.clone());
        }
        (Some(Value::Object(from)), Some(Value::Object(into))) if !rest.is_empty() => {
            restore_unknown(into, from, rest);
        }
        _ => {}
    }
}

/// Makes the paths of problems relative to the process that was changed. A cycle of dependencies may be reported at
/// another process of the cycle; it is caused by this one.
pub(super) fn relative_to_process(
    id: &Id,
    problems: Vec<Problem>,
) -> impl Iterator<Item = Problem> {
    let here = format!("processes.{id}");
    problems.into_iter().map(move |mut problem| {
        match problem.path.strip_prefix(&here) {
            Some("") => problem.path.clear(),
            Some(rest) if rest.starts_with(['.', '[']) => {
                problem.path = rest.strip_prefix('.').unwrap_or(rest).to_owned();
            }
            _ if problem.path.ends_with(".depends_on") => problem.path = "depends_on".to_owned(),
            _ => {}
        }
        problem
    })
}
