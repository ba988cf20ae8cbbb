//! Reads `schedule`: its rules with their triggers and actions.
//!
//! A disabled rule may be invalid: its problems become warnings. A rule whose process was removed is disabled, and so is a
//! rule of version 0.1 that never worked.

use super::legacy::migrate_rule;
use super::{Days, Rule, RuleAction, Schedule, TimeOfDay, Trigger, Zone};
use crate::config::fields::{Fields, no_such_process, wrong_type};
use crate::config::path::{Path, excerpt};
use crate::config::problem::{Findings, Severity};
use crate::config::process::Process;
use crate::config::process::command::check_command;
use crate::config::process::read::read_process;
use crate::config::text_checks::check_name;
use crate::config::url::check_url;
use crate::config::{Display, Id};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::time::Duration;

/// The most rules of a schedule, more than a document has room for.
const MAX_RULES: usize = 10_000;

/// An interval: from a minute to four weeks.
const MINUTES: RangeInclusive<u64> = 1..=40_320;

/// The longest name of a time zone in bytes; the longest existing one has 32.
const MAX_ZONE: usize = 64;

/// The id of a rule that has neither an id nor a name.
const NAMELESS: &str = "rule";

/// What the rules refer to.
struct Context<'a> {
    document: &'a Map<String, Value>,
    processes: &'a [Rc<Process>],
}

/// Reads `map`, the value of `schedule` in `document`.
pub fn read_schedule(
    map: &Map<String, Value>,
    document: &Map<String, Value>,
    processes: &[Rc<Process>],
    findings: &Findings,
) -> Schedule {
    let path = Path::Root.field("schedule");
    let fields = Fields::new(map, path, findings);
    let mut schedule = Schedule::default();
    schedule.enabled = fields.boolean("enabled").unwrap_or(schedule.enabled);
    if let Some(name) = fields.checked("timezone", check_zone) {
        schedule.zone = match name {
            "auto" => Zone::Auto,
            name => Zone::Named(name.to_owned()),
        };
    }
    let rules = fields.list("rules").unwrap_or_default();
    fields.finish();
    if rules.len() > MAX_RULES {
        let count = rules.len();
        let message = format!("must be at most {MAX_RULES} rules, not {count}");
        findings.problem(path.field("rules"), message);
        return schedule;
    }
    let kiosk = Context {
        document,
        processes,
    };
    let path = path.field("rules");
    let mut taken = BTreeSet::new();
    for (index, (rule, id)) in rules.iter().zip(rule_ids(rules)).enumerate() {
        let path = path.item(index);
        let Value::Object(map) = rule else {
            findings.problem(path, wrong_type("an object", rule));
            continue;
        };
        if !taken.insert(id.clone()) {
            findings.problem(path.field("id"), "is the id of another rule");
            continue;
        }
        let own = Findings::default();
        let rule = kiosk.read_rule(&id, &migrate_rule(map, document), path, &own);
        let found = own.finish();
        let is_valid = found.problems.is_empty();
        let is_off = map.get("enabled") == Some(&Value::Bool(false));
        match rule {
            Some(rule) if is_valid => schedule.rules.push(Rc::new(rule)),
            _ => schedule.invalid.push(id),
        }
        let severity = match is_off {
            true => Severity::Warning,
            false => Severity::Problem,
        };
        findings.merge(found, severity);
    }
    schedule
}

/// The id of each rule: its own, or one made from its name.
fn rule_ids(rules: &[Value]) -> Vec<Id> {
    let written = |rule: &Value| rule.get("id")?.as_str()?.parse::<Id>().ok();
    let mut taken: BTreeSet<Id> = rules.iter().filter_map(written).collect();
    let make = |rule: &Value| {
        if let Some(id) = written(rule) {
            return id;
        }
        let name = rule.get("name").and_then(Value::as_str).unwrap_or_default();
        let id = Id::from_name(if name.trim().is_empty() {
            NAMELESS
        } else {
            name
        });
        let free = id.unless_taken(|id| taken.contains(id));
        taken.insert(free.clone());
        free
    };
    rules.iter().map(make).collect()
}

/// Adds to each rule without an id the one that it is read with, so that the id does not change with the name.
pub fn write_rule_ids(schedule: &mut Value) {
    let Some(Value::Array(rules)) = schedule.get_mut("rules") else {
        return;
    };
    let ids = rule_ids(rules);
    for (rule, id) in rules.iter_mut().zip(ids) {
        if let Value::Object(map) = rule
            && map.get("id").is_none_or(Value::is_null)
        {
            map.shift_remove("id");
            map.shift_insert(0, "id".to_owned(), Value::from(id.as_str()));
        }
    }
}

/// Disables every rule that names a process that is about to be removed.
pub fn disable_rules_of(id: &Id, document: &mut Map<String, Value>) {
    let rules = document
        .get_mut("schedule")
        .and_then(|it| it.get_mut("rules"));
    for rule in rules.and_then(Value::as_array_mut).into_iter().flatten() {
        let action = &rule["action"];
        let needed = action["updates"]["depends_on"].as_array();
        let names = action["process_id"] == id.as_str()
            || needed.is_some_and(|needed| needed.iter().any(|needed| needed == id.as_str()));
        if let (true, Value::Object(rule)) = (names, rule) {
            rule.insert("enabled".to_owned(), Value::Bool(false));
        }
    }
}

impl Context<'_> {
    /// Reads a rule; `None` if a required part is missing or invalid.
    fn read_rule(
        &self,
        id: &Id,
        map: &Map<String, Value>,
        path: Path<'_>,
        findings: &Findings,
    ) -> Option<Rule> {
        let fields = Fields::new(map, path, findings);
        let _: Option<Id> = fields.parsed("id");
        let name = fields.checked("name", check_name).unwrap_or(id.as_str());
        let enabled = fields.boolean("enabled").unwrap_or(true);
        let trigger = fields.object(fields.required("trigger"));
        let trigger = trigger.and_then(|map| read_trigger(map, path.field("trigger"), findings));
        let action = fields.object(fields.required("action"));
        let action = action.and_then(|map| self.read_action(map, path.field("action"), findings));
        let until: Option<TimeOfDay> = fields.parsed("until");
        let catch_up = fields.boolean("catch_up").unwrap_or(false);
        fields.finish();
        let (trigger, action) = (trigger?, action?);
        if check_until(until, &trigger, &action).is_err_and(|why| {
            findings.problem(path.field("until"), why);
            true
        }) {
            return None;
        }
        if action == RuleAction::Reboot && trigger == Trigger::Boot {
            let why = "must not be used with the trigger \"boot\": the device would reboot forever";
            findings.problem(path.field("action").field("type"), why);
        }
        Some(Rule {
            id: id.clone(),
            name: name.to_owned(),
            enabled,
            trigger,
            action,
            until,
            catch_up,
        })
    }

    fn read_action(
        &self,
        map: &Map<String, Value>,
        path: Path<'_>,
        findings: &Findings,
    ) -> Option<RuleAction> {
        let fields = Fields::new(map, path, findings);
        let process = || self.process(&fields);
        let action = match fields.text("type") {
            Some("update_process") => {
                // Read also if the process does not exist, so that all problems are found.
                let updates = fields.object(fields.required("updates"));
                process().zip(updates).map(|(process, updates)| {
                    self.check_updates(&process, updates, path.field("updates"), findings);
                    RuleAction::Update {
                        process,
                        fields: updates.clone(),
                    }
                })
            }
            Some("switch_canvas") => {
                let url = fields.checked(fields.required("url"), check_url);
                let url = url.map(str::to_owned);
                self.display_process(&fields)
                    .zip(url)
                    .map(|(process, url)| RuleAction::Show { process, url })
            }
            Some("start_process") => process().map(RuleAction::Start),
            Some("stop_process") => process().map(RuleAction::Stop),
            Some("restart_process") => process().map(RuleAction::Restart),
            Some("enable_process") => process().map(RuleAction::Enable),
            Some("disable_process") => process().map(RuleAction::Disable),
            Some("refresh_page") => match fields.has("process_id") {
                true => self
                    .display_process(&fields)
                    .map(|id| RuleAction::Refresh(Some(id))),
                false => Some(RuleAction::Refresh(None)),
            },
            Some("display_power") => read_power(&fields),
            Some("run_command") => {
                let command = fields.checked(fields.required("command"), check_command);
                command.map(|command| RuleAction::Run(command.to_owned()))
            }
            Some("reboot") => Some(RuleAction::Reboot),
            Some(other) => {
                let message = "must be \"update_process\", \"switch_canvas\", \"start_process\", \
                               \"stop_process\", \"restart_process\", \"enable_process\", \
                               \"disable_process\", \"refresh_page\", \"display_power\", \
                               \"run_command\" or \"reboot\"";
                fields.problem("type", format!("{message}, not \"{}\"", excerpt(other)));
                return None;
            }
            None => {
                fields.required("type");
                return None;
            }
        };
        fields.finish();
        action
    }

    /// The process that an action names.
    fn process(&self, fields: &Fields<'_>) -> Option<Id> {
        const NAME: &str = "process_id";
        let name = fields.text(fields.required(NAME))?;
        let written = self.document.get("processes");
        let exists = written.is_some_and(|processes| processes.get(name).is_some());
        match name.parse::<Id>() {
            Ok(id) if exists => Some(id),
            _ => {
                fields.problem(NAME, no_such_process(name));
                None
            }
        }
    }

    fn display_process(&self, fields: &Fields<'_>) -> Option<Id> {
        let id = self.process(fields)?;
        match self.find(&id) {
            Some(process) if !process.is_display() => {
                fields.problem("process_id", "must be a process of type \"chromium\"");
                None
            }
            _ => Some(id),
        }
    }

    fn find(&self, id: &Id) -> Option<&Rc<Process>> {
        self.processes.iter().find(|process| process.id == *id)
    }

    /// Reads the process as it would be with the updates, and records the problems of the updated fields.
    fn check_updates(
        &self,
        id: &Id,
        updates: &Map<String, Value>,
        path: Path<'_>,
        findings: &Findings,
    ) {
        if updates.is_empty() {
            findings.problem(path, "must change at least one field");
        }
        if updates.contains_key("id") {
            findings.problem(path.field("id"), "cannot be changed");
        }
        let written = self.document.get("processes");
        let written = written.and_then(|processes| processes.get(id.as_str()));
        let Some(Value::Object(process)) = written else {
            return;
        };
        let mut process = process.clone();
        for (name, value) in updates.iter().filter(|(name, _)| *name != "id") {
            match value {
                Value::Null => process.shift_remove(name),
                value => process.insert(name.clone(), value.clone()),
            };
        }
        let own = Findings::default();
        read_process(id, &process, path, &own);
        let found = own.finish();
        let is_valid = self.find(id).is_some();
        let here = path.to_string();
        let concerns = |place: &str| {
            let rest = place.strip_prefix(&here).unwrap_or_default();
            let name = rest.trim_start_matches('.').split(['.', '[']).next();
            name.is_some_and(|name| updates.contains_key(name))
        };
        let unknown = found.unknown.iter().filter(|field| concerns(&field.path));
        for field in unknown {
            findings.problem_at(&field.path, "unknown field");
        }
        for problem in found.problems {
            if is_valid || concerns(&problem.path) {
                findings.problem_at(&problem.path, problem.message);
            }
        }
        for (index, needed) in updates
            .get("depends_on")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .enumerate()
        {
            let exists = needed
                .as_str()
                .is_some_and(|name| self.processes.iter().any(|it| it.id.as_str() == name));
            if let (false, Some(name)) = (exists, needed.as_str()) {
                findings.problem(path.field("depends_on").item(index), no_such_process(name));
            }
        }
    }
}

fn read_power(fields: &Fields<'_>) -> Option<RuleAction> {
    let choices = [("on", true), ("off", false)];
    // `on` is the field of the API, `power` that of the file.
    let on = match (fields.has("on"), fields.has("power")) {
        (true, _) => fields.boolean("on"),
        (_, true) => fields.one_of("power", &choices),
        _ => {
            fields.problem("power", "is required: \"on\" or \"off\"");
            None
        }
    };
    let display: Option<Display> = match fields.value("display") {
        None | Some(Value::Null) => None,
        Some(_) => Some(fields.parsed("display")?),
    };
    on.map(|on| RuleAction::Power { on, display })
}

fn read_trigger(map: &Map<String, Value>, path: Path<'_>, findings: &Findings) -> Option<Trigger> {
    let fields = Fields::new(map, path, findings);
    let trigger = match fields.text(fields.required("type")) {
        Some("time") => {
            let at = fields.parsed(fields.required("time"));
            let days = read_days(&fields, path, findings);
            at.zip(days).map(|(at, days)| Trigger::Time { at, days })
        }
        Some("interval") => {
            let minutes = fields.integer(fields.required("minutes"), MINUTES);
            minutes.map(|minutes| Trigger::Interval(Duration::from_secs(minutes * 60)))
        }
        Some("boot") => Some(Trigger::Boot),
        Some("connection") => {
            let choices = [("lost", false), ("regained", true)];
            let regained = fields.one_of(fields.required("event"), &choices);
            regained.map(|regained| match regained {
                true => Trigger::Regained,
                false => Trigger::Lost,
            })
        }
        Some(other) => {
            let message = "must be \"time\", \"interval\", \"boot\" or \"connection\"";
            fields.problem("type", format!("{message}, not \"{}\"", excerpt(other)));
            return None;
        }
        None => return None,
    };
    fields.finish();
    trigger
}

/// Reads `["mon", "tue"]`, `["*"]` or `"*"`; every day if the field is missing.
fn read_days(fields: &Fields<'_>, path: Path<'_>, findings: &Findings) -> Option<Days> {
    let path = path.field("days");
    let list = match fields.value("days") {
        None => return Some(Days::ALL),
        Some(Value::String(all)) if all == "*" => return Some(Days::ALL),
        Some(_) => fields.list("days")?,
    };
    let mut days = Days::NONE;
    let mut is_right = true;
    for (index, value) in list.iter().enumerate() {
        let name = value.as_str().unwrap_or_default();
        if name == "*" {
            days = Days::ALL;
        } else if let Some(day) = Days::NAMES.iter().position(|day| *day == name) {
            days = days.with(day as u8);
        } else {
            is_right = false;
            findings.problem(
                path.item(index),
                format!("must be mon, tue, wed, thu, fri, sat, sun or *, not {value}"),
            );
        }
    }
    if is_right && days == Days::NONE {
        findings.problem(path, "must name at least one day");
        return None;
    }
    is_right.then_some(days)
}

/// Checks whether a rule may have an `until`.
fn check_until(
    until: Option<TimeOfDay>,
    trigger: &Trigger,
    action: &RuleAction,
) -> Result<(), &'static str> {
    let Some(until) = until else { return Ok(()) };
    match trigger {
        Trigger::Time { at, .. } if *at == until => Err("must differ from the time of the trigger"),
        Trigger::Time { .. } if !action.is_state() => {
            Err("is not allowed: an action of this type cannot be undone")
        }
        Trigger::Time { .. } => Ok(()),
        _ => Err("is only allowed with a trigger of type \"time\""),
    }
}

/// Checks the syntax of the name of a time zone, but not whether the system has it.
///
/// # Errors
/// What it must be.
pub fn check_zone(name: &str) -> Result<(), &'static str> {
    let plain = |part: &str| {
        let byte = |byte: u8| byte.is_ascii_alphanumeric() || b"_+-".contains(&byte);
        !part.is_empty() && part.bytes().all(byte)
    };
    match name.len() <= MAX_ZONE && name.split('/').all(plain) {
        true => Ok(()),
        false => Err("must be \"auto\" or the name of a time zone such as \"Europe/Berlin\""),
    }
}

#[cfg(test)]
mod tests;
