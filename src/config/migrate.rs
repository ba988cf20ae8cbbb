//! Migrates a document of Ossuary 0.1 (versions 1 and 2) to version 3 without losing a setting.

use super::Id;
use super::document::VERSION;
use super::fields::wrong_type;
use super::path::excerpt;
use super::problem::Problem;
use super::process::legacy::main_display;
use super::process::shell_words::is_name;
use super::read::read;
use super::schedule::legacy::migrate_rule;
use super::text_checks::check_value;
use serde_json::{Map, Value, json};

/// What was changed in an older document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    /// The version it had: 1 (or none) or 2. The old file is kept as `config.json.vN.bak`.
    pub from: u64,
    /// What changed, one sentence each, for `ossuary check` and the log.
    pub notes: Vec<String>,
}

/// The id of the process that is made from `startup_command`, if it is free.
const ID: &str = "main-display";

/// A document of version 3, and what was changed to make it one.
type Migrated = (Map<String, Value>, Option<Migration>);

/// Migrates a document to version 3. A document of version 3 or of an unknown version is returned unchanged.
///
/// Only `startup_command` is removed; a process is made from it. Processes that are there already (in a file without
/// `version` that was written by hand) are kept.
///
/// # Errors
/// A `startup_command` that cannot be run.
pub(super) fn migrate(mut old: Map<String, Value>) -> Result<Migrated, Vec<Problem>> {
    let from = match old.get("version").map(Value::as_u64) {
        None | Some(Some(0 | 1)) => 1,
        Some(Some(2)) => 2,
        Some(_) => return Ok((old, None)),
    };
    let mut processes = match old.shift_remove("processes") {
        None => Map::new(),
        Some(Value::Object(processes)) => processes,
        Some(other) => {
            return Err(vec![Problem::at(
                "processes",
                wrong_type("an object", &other),
            )]);
        }
    };

    let mut notes = Vec::new();
    let id: Id = ID.parse().expect("`main-display` is an id");
    let id = id.unless_taken(|id| processes.contains_key(id.as_str()));
    let mut main = main_display(&id, &old, &mut notes).map_err(|problem| vec![problem])?;
    old.shift_remove("startup_command");
    if let Some(main) = &mut main {
        add_environment(&id, &old, main, &mut notes);
    }
    note_obsolete_fields(&old, &mut notes);

    let mut active = old.shift_remove("active_display_process");
    if let Some(main) = main {
        if main["type"] == "chromium" && active.as_ref().is_none_or(Value::is_null) {
            active = Some(json!(id));
        }
        processes.insert(id.to_string(), Value::Object(main));
    }

    let mut new = Map::new();
    new.insert("version".to_owned(), json!(VERSION));
    new.insert("processes".to_owned(), Value::Object(processes));
    new.extend(active.map(|active| ("active_display_process".to_owned(), active)));
    old.shift_remove("version");
    new.append(&mut old);
    migrate_rules(&mut new, &mut notes);
    Ok((new, Some(Migration { from, notes })))
}

/// Migrates the rules. An invalid rule (version 0.1 accepted anything) is disabled: it never did anything, and must not
/// make the whole document invalid.
fn migrate_rules(new: &mut Map<String, Value>, notes: &mut Vec<String>) {
    let Some(Value::Object(mut schedule)) = new.get("schedule").cloned() else {
        return;
    };
    // In version 0.1 the schedule is disabled by default.
    schedule.entry("enabled").or_insert(json!(false));
    let rules = schedule.get_mut("rules").and_then(Value::as_array_mut);
    for rule in rules.into_iter().flatten() {
        let modern = rule
            .as_object()
            .map(|rule| migrate_rule(rule, new).into_owned());
        if let Some(modern) = modern
            && rule.as_object() != Some(&modern)
        {
            notes.push(format!("the rule {} is converted", rule_name(&modern)));
            *rule = Value::Object(modern);
        }
    }
    new.insert("schedule".to_owned(), Value::Object(schedule));
    let problems = read(new).1.problems;
    let Some(Value::Array(rules)) = new.get_mut("schedule").and_then(|it| it.get_mut("rules"))
    else {
        return;
    };
    for (index, rule) in rules.iter_mut().enumerate() {
        let here = format!("schedule.rules[{index}].");
        let problem = problems.iter().find(|it| it.path.starts_with(&here));
        if let (Some(problem), Value::Object(rule)) = (problem, rule) {
            rule.insert("enabled".to_owned(), json!(false));
            let called = rule_name(rule);
            notes.push(format!("the rule {called} is disabled: {problem}"));
        }
    }
}

/// The name of a rule, or its id.
fn rule_name(rule: &Map<String, Value>) -> String {
    let names = ["name", "id"].into_iter();
    let name = names.filter_map(|name| rule.get(name)?.as_str()).next();
    excerpt(name.unwrap_or("without a name"))
}

/// Converts `environment` of version 1 to `env`, if all of it is valid.
fn add_environment(
    id: &Id,
    old: &Map<String, Value>,
    process: &mut Map<String, Value>,
    notes: &mut Vec<String>,
) {
    let Some(environment) = old.get("environment").and_then(Value::as_object) else {
        return;
    };
    let fits = |(name, value): (&String, &Value)| is_name(name) && check_value(value).is_ok();
    if environment.is_empty() {
        return;
    }
    if environment.iter().all(fits) {
        process.insert("env".to_owned(), Value::Object(environment.clone()));
        notes.push(format!("environment becomes the env of {id}"));
    } else {
        notes.push(
            "environment is not migrated: not every entry is a valid name with a string".into(),
        );
    }
}

fn note_obsolete_fields(old: &Map<String, Value>, notes: &mut Vec<String>) {
    for (name, instead) in [
        ("environment", "replaced by env of a process"),
        (
            "restart_delay",
            "the delay before a restart grows automatically from 0 to 30 s",
        ),
        (
            "max_restarts",
            "a process in a crash loop is retried without limit",
        ),
        ("wifi_networks", "the operating system manages networks"),
        ("saved_networks", "the operating system manages networks"),
        ("active_profile", "replaced by active_display_process"),
        ("profiles", "replaced by processes"),
    ] {
        if old.contains_key(name) {
            notes.push(format!(
                "{name} stays in the file without effect: {instead}"
            ));
        }
    }
}
