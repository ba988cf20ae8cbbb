//! What overrides set, what is restored when they end, and which other changes remove them.

use super::execution_queue::{Cause, ExecutionStep};
use super::override_stack::Revealed;
use super::page_override::PageOverride;
use super::rule_commands::enabled_field;
use super::{Intent, Scheduler};
use crate::config::{Display, Id, RuleAction};
use crate::supervisor::facts::Facts;
use crate::supervisor::interface::saved_schedule::{
    ActiveOverride, ChangedBy, OverrideStack, Setting, Stamp,
};
use crate::supervisor::interface::{Command, EntryKind, ExecutionId, RuleOutcome};
use crate::time::Moment;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::rc::Rc;

/// The settings that an action changes, and their values.
pub(super) fn settings_of(action: &RuleAction) -> Vec<(Setting, Value)> {
    let fields = |id: &Id, fields: &Map<String, Value>| {
        let pairs = fields.iter();
        let setting = |name: &String| Setting::Field(id.clone(), name.clone());
        pairs
            .map(|(name, value)| (setting(name), value.clone()))
            .collect()
    };
    match action {
        RuleAction::Update {
            process,
            fields: updates,
        } => fields(process, updates),
        RuleAction::Enable(id) => fields(id, &enabled_field(true)),
        RuleAction::Disable(id) => fields(id, &enabled_field(false)),
        RuleAction::Show { process, url } => vec![(Setting::Page(process.clone()), json!(url))],
        RuleAction::Start(id) => vec![(Setting::Runs(id.clone()), json!(true))],
        RuleAction::Stop(id) => vec![(Setting::Runs(id.clone()), json!(false))],
        RuleAction::Power { on, display } => vec![(
            Setting::Power(display.as_ref().map(ToString::to_string)),
            json!(on),
        )],
        RuleAction::Restart(_)
        | RuleAction::Refresh(_)
        | RuleAction::Run(_)
        | RuleAction::Reboot => Vec::new(),
    }
}

impl Scheduler {
    /// Begins the override of a rule.
    pub(super) fn begin_override(
        &mut self,
        facts: &Facts<'_>,
        index: usize,
        begin: Timestamp,
        end: Timestamp,
    ) {
        let rule = self.schedule.rules[index].clone();
        for (setting, value) in self.connected_settings_of(facts, &rule.action) {
            let base = self.base(facts, &setting);
            self.overrides.begin(&rule.id, setting, value, base);
        }
        let active = ActiveOverride {
            begin: Stamp(begin),
            end: Stamp(end),
            action: json!(rule.action),
            overruled: Vec::new(),
        };
        self.active.insert(rule.id.clone(), active);
        let cause = Cause {
            at: Some(begin),
            kind: EntryKind::Begin,
            client: None,
        };
        self.enqueue_execution(&rule, ExecutionStep::Begin(rule.action.clone()), cause);
    }

    /// The begin was carried out, or failed.
    pub(super) fn finish_begin(&mut self, rule: &Id, action: &RuleAction, outcome: RuleOutcome) {
        // A page that could not be shown is retried.
        let is_page = matches!(action, RuleAction::Show { .. });
        match outcome {
            RuleOutcome::Done => self.overrides.mark_applied(rule),
            _ if is_page => self.overrides.mark_applied(rule),
            _ => {
                self.overrides.end(rule);
            }
        }
    }

    /// Ends the override of a rule.
    pub(super) fn end_override(&mut self, id: &Id, at: Option<Timestamp>) {
        let active = self.active.remove(id);
        let overruled = active.map(|active| active.overruled).unwrap_or_default();
        // A change by an operator is reported first.
        let by_operator = overruled.iter().find(|(_, by)| *by == ChangedBy::Operator);
        let overruled = by_operator.or(overruled.first()).map(|(_, by)| *by);
        self.enqueue_end(id, at, overruled);
    }

    /// Restores the values below an override.
    pub(super) fn undo_override(
        &mut self,
        facts: &Facts<'_>,
        execution: ExecutionId,
        rule: &Id,
        overruled: Option<ChangedBy>,
        now: Moment,
    ) {
        let changes = self.overrides.end(rule);
        let is_nothing = changes.is_empty();
        let (mut changes, _): (Vec<_>, Vec<_>) =
            (changes.into_iter()).partition(|change| self.is_unchanged(facts, change));
        let Some(first) = changes.first() else {
            let why = match overruled {
                Some(ChangedBy::Operator) => "an operator has changed it, and that is kept",
                Some(ChangedBy::Rule) => "another rule has changed it, and that is kept",
                None if is_nothing => "there is nothing to undo",
                None => "it was changed, and that is kept",
            };
            return self.finish_execution(
                execution,
                RuleOutcome::Skipped,
                Some(why.to_owned()),
                now,
            );
        };
        if let Setting::Field(id, _) = &first.setting {
            let id = id.clone();
            let field = |change: Revealed| match change.setting {
                Setting::Field(_, name) => Some((name, change.value)),
                _ => None,
            };
            let fields = changes.into_iter().filter_map(field).collect();
            return self.change_fields(execution, id, fields);
        }
        if let Setting::Power(_) = &first.setting {
            return self.end_power(facts, execution, &changes, now);
        }
        let Revealed {
            setting,
            value,
            before,
            base,
        } = changes.swap_remove(0);
        match setting {
            Setting::Page(id) => {
                let page = |value: &Value| {
                    let url = value.as_str().map(str::to_owned);
                    self.if_shown_by_rule(facts, &id, url)
                };
                let (value, base) = (page(&value), page(&base));
                let wanted = self.page_overrides.get(&id).map(|page| &page.wanted);
                // A later rule wants another page, which could not be shown yet.
                let is_replaced = wanted.is_some_and(|wanted| json!(wanted) != before);
                match is_replaced {
                    true => self.fall_back(facts, &id, base, execution, now),
                    false => self.show_page_or(facts, &id, value, base, execution, now),
                }
            }
            Setting::Runs(id) => {
                let request = match value.as_str().and_then(|other| other.parse().ok()) {
                    Some(other) => Command::Start(other),
                    None if value == json!(true) => Command::Start(id),
                    None => Command::Stop(id),
                };
                self.start_or_stop(execution, request);
            }
            Setting::Power(_) | Setting::Field(..) => {}
        }
    }

    /// The settings that an action changes, with one entry for each connected display.
    fn connected_settings_of(
        &self,
        facts: &Facts<'_>,
        action: &RuleAction,
    ) -> Vec<(Setting, Value)> {
        match action {
            RuleAction::Power { on, display: None } => {
                let settings = facts.present.iter().map(Setting::power);
                settings.map(|setting| (setting, json!(on))).collect()
            }
            action => settings_of(action),
        }
    }

    /// The value to restore once no rule overrides a setting.
    fn base(&self, facts: &Facts<'_>, setting: &Setting) -> Value {
        match setting {
            Setting::Page(id) => {
                let page = self.page_overrides.get(id);
                json!(page.and_then(PageOverride::base))
            }
            // Never an earlier "off": a screen without an override is on.
            Setting::Power(_) => json!(true),
            setting => self.current_value(facts, setting),
        }
    }

    /// Whether the setting still has the value of the override. A manual change of a page or screen removes its
    /// overrides, so those have.
    fn is_unchanged(&self, facts: &Facts<'_>, change: &Revealed) -> bool {
        match &change.setting {
            Setting::Page(_) | Setting::Power(_) => true,
            // It exited; no one changed the setting.
            setting @ Setting::Runs(_) => {
                self.has_value(facts, setting, &change.before)
                    || self.current_value(facts, setting) == json!(false)
            }
            setting => self.has_value(facts, setting, &change.before),
        }
    }

    /// The current value.
    fn current_value(&self, facts: &Facts<'_>, setting: &Setting) -> Value {
        match setting {
            Setting::Field(id, name) => {
                let processes = facts.loaded.document.as_map().get("processes");
                let process = processes.and_then(|processes| processes.get(id.as_str()));
                let field = process.and_then(|process| process.get(name));
                field.cloned().unwrap_or(Value::Null)
            }
            Setting::Page(id) => match self.page_overrides.get(id) {
                Some(page) => json!(page.wanted),
                None => Value::Null,
            },
            Setting::Runs(id) => self.run_value(facts, id),
            Setting::Power(_) => Value::Null,
        }
    }

    /// Whether a setting has this value, in any notation.
    fn has_value(&self, facts: &Facts<'_>, setting: &Setting, value: &Value) -> bool {
        let current = self.current_value(facts, setting);
        if let (Setting::Field(id, name), true) = (setting, current != *value) {
            let process = facts.loaded.config.process(id);
            let shown = process.and_then(|process| serde_json::to_value(&**process).ok());
            return shown.is_some_and(|shown| shown.get(name) == Some(value));
        }
        // If the process does not run, it does not matter which other one does.
        current == *value
            || matches!(setting, Setting::Runs(_))
                && *value == json!(false)
                && current != json!(true)
    }

    fn run_value(&self, facts: &Facts<'_>, id: &Id) -> Value {
        let Some(machine) = facts.processes.get(id) else {
            return Value::Null;
        };
        if machine.is_wanted() {
            return json!(true);
        }
        let instead = facts.processes.iter().find(|other| {
            machine.process.is_display() && other.process.is_display() && other.is_wanted()
        });
        instead.map_or(json!(false), |other| json!(other.process.id))
    }

    // ---- screens ----

    /// Restores the power requests, unless the machine was rebooted: the reason for a dark screen may be gone. The
    /// first release saved no requests and had one stack for all screens.
    pub(super) fn restore_power_requests(
        &mut self,
        kept: Option<BTreeMap<Display, bool>>,
        is_first: bool,
    ) {
        if kept.is_none() {
            let stacks = self.overrides.stacks().iter();
            let stacks = stacks.filter(|stack| matches!(stack.setting, Setting::Power(_)));
            let stacks: Vec<OverrideStack> = stacks.cloned().collect();
            for (rule, active) in &mut self.active {
                let is_power = active.action["type"] == "display_power";
                if is_power && !stacks.iter().any(|stack| stack.has(rule)) {
                    active
                        .overruled
                        .push((Setting::Power(None), ChangedBy::Operator));
                }
            }
            for stack in stacks {
                self.overrides.remove(&stack.setting);
            }
        }
        for (display, on) in kept.into_iter().flatten().filter(|_| !is_first) {
            self.intents.push_back(Intent::RestorePower(display, on));
        }
    }

    /// Begins an override of screens. A display that is not connected is switched when it appears.
    pub(super) fn begin_power(
        &mut self,
        facts: &Facts<'_>,
        execution: ExecutionId,
        on: bool,
        display: Option<&Display>,
        now: Moment,
    ) {
        let is_there = match display {
            Some(display) => facts.present.binary_search(display).is_ok(),
            None => !facts.present.is_empty(),
        };
        match is_there {
            true => self.switch_power(facts, execution, on, display.cloned(), now),
            false => {
                let why = "it is switched when its display appears".to_owned();
                self.finish_execution(execution, RuleOutcome::Done, Some(why), now);
            }
        }
    }

    /// Ends an override of screens.
    fn end_power(
        &mut self,
        facts: &Facts<'_>,
        execution: ExecutionId,
        changes: &[Revealed],
        now: Moment,
    ) {
        let mut refused = None;
        for Revealed { setting, value, .. } in changes {
            let Setting::Power(Some(name)) = setting else {
                continue;
            };
            let Ok(display) = name.parse::<Display>() else {
                continue;
            };
            let on = value.as_bool().unwrap_or(true);
            match facts.power_refusal(&display) {
                None => self.intents.push_back(Intent::SwitchPower(display, on)),
                Some(refusal) => {
                    refused = Some(refusal.to_string());
                    self.intents
                        .push_back(Intent::SwitchPowerLater(display, on));
                }
            }
        }
        self.finish_execution(execution, RuleOutcome::Done, refused, now);
    }

    /// Applies the overrides to displays that have just appeared, and to those without a request.
    pub(super) fn apply_power_overrides(&mut self, facts: &Facts<'_>) {
        for display in facts.present {
            let setting = Setting::power(display);
            let rules = self.power_rules(display);
            let stack = self.overrides.stack_of(&setting);
            let has = |(rule, _): &(Id, Value)| stack.is_some_and(|stack| stack.has(rule));
            let is_complete = rules.iter().all(has);
            if !is_complete {
                let base = self.base(facts, &setting);
                self.overrides.rebuild(setting.clone(), base, rules);
                self.executions.save_soon();
            }
            let Some(stack) = self
                .overrides
                .stack_of(&setting)
                .filter(|it| it.is_applied())
            else {
                continue;
            };
            let Some(on) = stack.top().as_bool() else {
                continue;
            };
            let requested = facts.screens.status(display, None).power.requested;
            if !is_complete || requested.is_none() {
                // If it cannot be switched, its status says so.
                self.intents
                    .push_back(Intent::SwitchPower(display.clone(), on));
            }
        }
    }

    /// The active power rules of a display, without those that another change replaced, in the order in which they
    /// began.
    fn power_rules(&self, display: &Display) -> Vec<(Id, Value)> {
        let (one, all) = (Setting::power(display), Setting::Power(None));
        let active = self.active.iter().filter_map(|(id, active)| {
            let rule = self.rule(id)?;
            let RuleAction::Power { on, display: named } = &rule.action else {
                return None;
            };
            let is_overruled = (active.overruled.iter()).any(|(it, _)| *it == one || *it == all);
            let is_meant = named.as_ref().is_none_or(|named| named == display);
            let place = self.indexes.get(id)?;
            (is_meant && !is_overruled).then(|| ((active.begin, place), (id.clone(), json!(on))))
        });
        let mut active: Vec<_> = active.collect();
        active.sort_by_key(|(order, _)| *order);
        active.into_iter().map(|(_, rule)| rule).collect()
    }

    // ---- changes by others ----

    /// A client sends a command: its change removes overrides.
    pub fn on_client_command(&mut self, facts: &Facts<'_>, request: &Command) {
        self.on_command(facts, request, ChangedBy::Operator);
    }

    /// A rule without `until`, or one that an operator runs, changes a setting.
    pub(super) fn on_rule_action(&mut self, facts: &Facts<'_>, action: &RuleAction, by: ChangedBy) {
        match action {
            RuleAction::Start(id) => self.on_command(facts, &Command::Start(id.clone()), by),
            RuleAction::Restart(id) => self.on_command(facts, &Command::Restart(id.clone()), by),
            RuleAction::Stop(id) => self.on_command(facts, &Command::Stop(id.clone()), by),
            RuleAction::Power { on, display } => {
                for it in facts.present {
                    if display.as_ref().is_none_or(|named| named == it) {
                        let (display, on) = (it.clone(), *on);
                        self.on_command(facts, &Command::SwitchPower { display, on }, by);
                    }
                }
            }
            // Pages are handled once they are shown, the document once it is saved.
            _ => {}
        }
    }

    fn on_command(&mut self, facts: &Facts<'_>, request: &Command, by: ChangedBy) {
        match request {
            Command::Start(id) | Command::Restart(id) => {
                let process = facts.loaded.config.process(id);
                let Some(process) = process.filter(|process| process.enabled) else {
                    return;
                };
                let others = match process.is_display() {
                    true => self.display_processes_with_rules(facts, id),
                    false => Vec::new(),
                };
                self.overrule(&Setting::Runs(id.clone()), &json!(true), by);
                for other in others {
                    self.overrule(&Setting::Runs(other), &Value::Null, by);
                }
            }
            Command::Stop(id) => self.overrule(&Setting::Runs(id.clone()), &json!(false), by),
            Command::SwitchPower { display, on }
                if facts.present.binary_search(display).is_ok() =>
            {
                self.overrule(&Setting::power(display), &json!(on), by);
                // A manual request must be saved.
                self.executions.save_soon();
            }
            _ => {}
        }
    }

    /// The other display processes that an active override starts or stops.
    fn display_processes_with_rules(&self, facts: &Facts<'_>, id: &Id) -> Vec<Id> {
        let stacks = self.overrides.stacks().iter();
        let others = stacks.filter_map(|stack| match &stack.setting {
            Setting::Runs(other) if other != id => Some(other),
            _ => None,
        });
        let is_display = |id: &&Id| {
            let process = facts.loaded.config.process(id);
            process.is_some_and(|process| process.is_display())
        };
        others.filter(is_display).cloned().collect()
    }

    /// A client has opened another page.
    pub fn on_client_navigation(&mut self, id: &Id, url: &str) {
        let page = self.page_overrides.get(id);
        if page.is_some_and(|page| page.wanted.as_deref() != Some(url)) {
            self.end_page_override(id, ChangedBy::Operator);
            self.save_schedule();
        }
    }

    /// Another change sets a setting: its overrides are removed unless they set the same value.
    pub(super) fn overrule(&mut self, setting: &Setting, value: &Value, by: ChangedBy) {
        let over = self.overrides.stack_of(setting);
        if over.is_some_and(|stack| stack.is_applied() && stack.top() != value) {
            self.remove_overrides(setting, by);
        }
    }

    /// Removes the overrides of a setting.
    pub(super) fn remove_overrides(&mut self, setting: &Setting, by: ChangedBy) {
        for rule in self.overrides.remove(setting) {
            if let Some(active) = self.active.get_mut(&rule) {
                active.overruled.push((setting.clone(), by));
            }
            self.is_changed = true;
            self.executions.save_soon();
        }
    }

    /// Compares a new document with the overridden fields: a field with another value was changed by others.
    pub(super) fn check_document(&mut self, facts: &Facts<'_>) {
        let document = &facts.loaded.document;
        if Rc::ptr_eq(&self.document, document) {
            return;
        }
        self.document = document.clone();
        let by = self.executions.changed_by().unwrap_or(ChangedBy::Operator);
        let stacks = self.overrides.stacks().iter();
        let over = stacks.filter(|stack| {
            let is_field = matches!(stack.setting, Setting::Field(..));
            is_field && stack.is_applied() && !self.has_value(facts, &stack.setting, stack.top())
        });
        let over: Vec<Setting> = over.map(|stack| stack.setting.clone()).collect();
        for setting in &over {
            self.remove_overrides(setting, by);
        }
        if self.end_outdated_page_overrides(facts, by) {
            self.is_changed = true;
            self.executions.save_soon();
        }
    }

    /// Applies restored overrides; called before anything starts.
    pub(super) fn restore_overrides(&mut self, facts: &Facts<'_>) {
        self.restore_half_begun(facts);
        self.end_orphans();
        for stack in self.overrides.stacks().to_vec() {
            let Setting::Runs(id) = &stack.setting else {
                continue;
            };
            if let Some(runs) = stack.top().as_bool() {
                self.intents.push_back(Intent::SetRunning(id.clone(), runs));
            }
        }
    }

    /// Handles overrides whose begin was saved but perhaps not applied before the power was cut: those that were not
    /// applied begin again.
    fn restore_half_begun(&mut self, facts: &Facts<'_>) {
        let mut begun = Vec::new();
        let mut again = Vec::new();
        for stack in self.overrides.stacks() {
            let is_done = match &stack.setting {
                // `apply_power_overrides` builds the stack and switches the screen.
                Setting::Power(_) => false,
                Setting::Runs(_) => true,
                setting => self.has_value(facts, setting, stack.top()),
            };
            for rule in stack.unapplied() {
                let list = if is_done { &mut begun } else { &mut again };
                list.push((rule.clone(), stack.setting.clone()));
            }
        }
        for (rule, setting) in again {
            self.overrides.end(&rule);
            if !matches!(setting, Setting::Power(_)) {
                self.active.remove(&rule);
            }
        }
        for (rule, _) in begun {
            self.overrides.mark_applied(&rule);
        }
    }

    /// Ends the overrides that had ended but were not undone when the daemon ended.
    fn end_orphans(&mut self) {
        let stacks = self.overrides.stacks().iter();
        let rules = stacks.flat_map(|stack| stack.rules());
        let orphans = rules.filter(|rule| !self.active.contains_key(*rule));
        let orphans: std::collections::BTreeSet<Id> = orphans.cloned().collect();
        for rule in orphans {
            self.enqueue_end(&rule, None, None);
        }
    }
}
