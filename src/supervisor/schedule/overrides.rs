//! What a rule with an end overrides, what comes back when it ends, and what others have changed meanwhile.

use super::execution::{Cause, ExecutionStep};
use super::history::{EntryKind, RuleOutcome};
use super::override_stack::{OverrideStack, Revealed, Setting};
use super::page_override::PageOverride;
use super::rule_commands::enabled_field;
use super::saved::{ActiveOverride, Stamp};
use crate::config::{Display, Id, RuleAction};
use crate::supervisor::{Command, Reason, Supervisor};
use crate::time::Moment;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::rc::Rc;

/// Who changes something that a rule in force has set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ChangedBy {
    Operator,
    /// A rule without an end.
    Rule,
}

/// What a deed sets, and to what.
pub(super) fn settings_of(deed: &RuleAction) -> Vec<(Setting, Value)> {
    let fields = |id: &Id, fields: &Map<String, Value>| {
        let pairs = fields.iter();
        let thing = |name: &String| Setting::Field(id.clone(), name.clone());
        pairs
            .map(|(name, value)| (thing(name), value.clone()))
            .collect()
    };
    match deed {
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

impl Supervisor {
    /// A rule with an end begins.
    pub(super) fn begin_override(&mut self, index: usize, begin: Timestamp, end: Timestamp) {
        let rule = self.scheduler.schedule.rules[index].clone();
        for (thing, value) in self.connected_settings_of(&rule.action) {
            let base = self.base(&thing);
            self.scheduler.overrides.begin(&rule.id, thing, value, base);
        }
        let held = ActiveOverride {
            begin: Stamp(begin),
            end: Stamp(end),
            action: json!(rule.action),
            overruled: Vec::new(),
        };
        self.scheduler.active.insert(rule.id.clone(), held);
        let occasion = Cause {
            at: Some(begin),
            kind: EntryKind::Begin,
            client: None,
        };
        self.enqueue_execution(&rule, ExecutionStep::Begin(rule.action.clone()), occasion);
    }

    /// It has begun, or could not.
    pub(super) fn finish_begin(&mut self, rule: &Id, deed: &RuleAction, outcome: RuleOutcome) {
        // A page that could not be shown is tried again.
        let is_page = matches!(deed, RuleAction::Show { .. });
        match outcome {
            RuleOutcome::Done => self.scheduler.overrides.mark_applied(rule),
            _ if is_page => self.scheduler.overrides.mark_applied(rule),
            _ => {
                self.scheduler.overrides.end(rule);
            }
        }
    }

    /// A rule with an end is over.
    pub(super) fn end_override(&mut self, id: &Id, at: Option<Timestamp>) {
        let held = self.scheduler.active.remove(id);
        let overruled = held.map(|held| held.overruled).unwrap_or_default();
        // An operator's change is named before that of a rule.
        let by_operator = overruled.iter().find(|(_, by)| *by == ChangedBy::Operator);
        let overruled = by_operator.or(overruled.first()).map(|(_, by)| *by);
        self.enqueue_end(id, at, overruled);
    }

    /// Puts back what was there.
    pub(super) fn undo_override(
        &mut self,
        number: u64,
        rule: &Id,
        overruled: Option<ChangedBy>,
        now: Moment,
    ) {
        let changes = self.scheduler.overrides.end(rule);
        let is_nothing = changes.is_empty();
        let (mut mine, _): (Vec<_>, Vec<_>) =
            (changes.into_iter()).partition(|change| self.is_unchanged(change));
        let Some(first) = mine.first() else {
            let why = match overruled {
                Some(ChangedBy::Operator) => {
                    "an operator has changed it meanwhile, and it stays so"
                }
                Some(ChangedBy::Rule) => "another rule has changed it meanwhile, and it stays so",
                None if is_nothing => "there is nothing to undo",
                None => "it is not as the rule left it, and stays so",
            };
            return self.finish_execution(number, RuleOutcome::Skipped, Some(why.to_owned()), now);
        };
        if let Setting::Field(id, _) = &first.setting {
            let id = id.clone();
            let field = |change: Revealed| match change.setting {
                Setting::Field(_, name) => Some((name, change.value)),
                _ => None,
            };
            let fields = mine.into_iter().filter_map(field).collect();
            return self.change_fields(number, id, fields, now);
        }
        if let Setting::Power(_) = &first.setting {
            return self.end_power(number, &mine, now);
        }
        let Revealed {
            setting: thing,
            value,
            before,
            base,
        } = mine.swap_remove(0);
        match thing {
            Setting::Page(id) => {
                let page = |value: &Value| {
                    let url = value.as_str().map(str::to_owned);
                    self.if_shown_by_rule(&id, url)
                };
                let (value, base) = (page(&value), page(&base));
                let wanted = self
                    .scheduler
                    .page_overrides
                    .get(&id)
                    .map(|page| &page.wanted);
                // A rule that came later wants another page, which could not be shown yet.
                let is_replaced = wanted.is_some_and(|wanted| json!(wanted) != before);
                match is_replaced {
                    true => self.fall_back(&id, base, number, now),
                    false => self.show_page_or(&id, value, base, number, now),
                }
            }
            Setting::Runs(id) => {
                let request = match value.as_str().and_then(|other| other.parse().ok()) {
                    Some(other) => Command::Start(other),
                    None if value == json!(true) => Command::Start(id),
                    None => Command::Stop(id),
                };
                self.start_or_stop(number, request, now);
            }
            Setting::Power(_) | Setting::Field(..) => {}
        }
    }

    /// What a deed sets on this kiosk: each display by its name.
    fn connected_settings_of(&self, deed: &RuleAction) -> Vec<(Setting, Value)> {
        match deed {
            RuleAction::Power { on, display: None } => {
                let things = self.present.iter().map(Setting::power);
                things.map(|thing| (thing, json!(on))).collect()
            }
            deed => settings_of(deed),
        }
    }

    /// What comes back once no rule overrides a thing any more.
    fn base(&self, thing: &Setting) -> Value {
        match thing {
            Setting::Page(id) => {
                let page = self.scheduler.page_overrides.get(id);
                json!(page.and_then(PageOverride::base))
            }
            // Never a past "off": a screen that nothing keeps dark is on.
            Setting::Power(_) => json!(true),
            thing => self.current_value(thing),
        }
    }

    /// Whether what a rule has set is still so. Pages and screens are: a change of them by hand overrules the rule.
    fn is_unchanged(&self, change: &Revealed) -> bool {
        match &change.setting {
            Setting::Page(_) | Setting::Power(_) => true,
            // A process that has ended without a request is no change of mind.
            thing @ Setting::Runs(_) => {
                self.has_value(thing, &change.before) || self.current_value(thing) == json!(false)
            }
            thing => self.has_value(thing, &change.before),
        }
    }

    /// What is there now.
    fn current_value(&self, thing: &Setting) -> Value {
        match thing {
            Setting::Field(id, name) => {
                let processes = self.loaded.document.as_map().get("processes");
                let process = processes.and_then(|processes| processes.get(id.as_str()));
                let field = process.and_then(|process| process.get(name));
                field.cloned().unwrap_or(Value::Null)
            }
            Setting::Page(id) => match self.scheduler.page_overrides.get(id) {
                Some(page) => json!(page.wanted),
                None => Value::Null,
            },
            Setting::Runs(id) => self.run_value(id),
            Setting::Power(_) => Value::Null,
        }
    }

    /// Whether this is there now, in whatever way it is written.
    fn has_value(&self, thing: &Setting, value: &Value) -> bool {
        let there = self.current_value(thing);
        if let (Setting::Field(id, name), true) = (thing, there != *value) {
            let process = self.loaded.config.process(id);
            let shown = process.and_then(|process| serde_json::to_value(&**process).ok());
            return shown.is_some_and(|shown| shown.get(name) == Some(value));
        }
        // Where it does not run, it does not matter who does.
        there == *value
            || matches!(thing, Setting::Runs(_)) && *value == json!(false) && there != json!(true)
    }

    fn run_value(&self, id: &Id) -> Value {
        let Some(index) = self.index_of(id) else {
            return Value::Null;
        };
        let machine = &self.machines[index];
        if machine.is_wanted() {
            return json!(true);
        }
        let instead = self.machines.iter().find(|other| {
            machine.process.is_display() && other.process.is_display() && other.is_wanted()
        });
        instead.map_or(json!(false), |other| json!(other.process.id))
    }

    // ---- screens ----

    /// Restores what was asked of the screens, if the machine was not restarted since: a screen must not stay dark
    /// across a start for a reason that may be gone. The first release kept no requests, and one stack for all screens.
    pub(super) fn restore_power_requests(
        &mut self,
        kept: Option<BTreeMap<Display, bool>>,
        is_first: bool,
    ) {
        if kept.is_none() {
            let stacks = self.scheduler.overrides.stacks().iter();
            let stacks = stacks.filter(|stack| matches!(stack.setting, Setting::Power(_)));
            let stacks: Vec<OverrideStack> = stacks.cloned().collect();
            for (rule, held) in &mut self.scheduler.active {
                let is_power = held.action["type"] == "display_power";
                if is_power && !stacks.iter().any(|stack| stack.has(rule)) {
                    held.overruled
                        .push((Setting::Power(None), ChangedBy::Operator));
                }
            }
            for stack in stacks {
                self.scheduler.overrides.remove(&stack.setting);
            }
        }
        for (display, on) in kept.into_iter().flatten().filter(|_| !is_first) {
            let is_present = self.present.binary_search(&display).is_ok();
            self.screens.restore_request(&display, on, is_present);
        }
    }

    /// A rule that switches screens begins. One that is away is switched when it appears.
    pub(super) fn begin_power(
        &mut self,
        number: u64,
        on: bool,
        display: Option<&Display>,
        now: Moment,
    ) {
        let is_there = match display {
            Some(display) => self.present.binary_search(display).is_ok(),
            None => !self.present.is_empty(),
        };
        match is_there {
            true => self.switch_power(number, on, display.cloned(), now),
            false => {
                let why = "it is switched when its display appears".to_owned();
                self.finish_execution(number, RuleOutcome::Done, Some(why), now);
            }
        }
    }

    /// A rule that has switched screens ends.
    fn end_power(&mut self, number: u64, changes: &[Revealed], now: Moment) {
        let mut refused = None;
        for Revealed {
            setting: thing,
            value,
            ..
        } in changes
        {
            let Setting::Power(Some(name)) = thing else {
                continue;
            };
            let Ok(display) = name.parse::<Display>() else {
                continue;
            };
            let on = value.as_bool().unwrap_or(true);
            if let Err(refusal) = self.request_power(&display, on, now) {
                self.screens.request_for_later(&display, on);
                refused = Some(refusal.to_string());
            }
        }
        self.finish_execution(number, RuleOutcome::Done, refused, now);
    }

    /// Has screens switched as the rules in force want it: those that have just appeared, and those that nothing was
    /// asked of since.
    pub(super) fn apply_power_overrides(&mut self, now: Moment) {
        for display in self.present.clone() {
            let thing = Setting::power(&display);
            let rules = self.power_rules(&display);
            let stack = self.scheduler.overrides.stack_of(&thing);
            let has = |(rule, _): &(Id, Value)| stack.is_some_and(|stack| stack.has(rule));
            let is_complete = rules.iter().all(has);
            if !is_complete {
                let base = self.base(&thing);
                self.scheduler.overrides.rebuild(thing.clone(), base, rules);
                self.scheduler.executions.save_soon();
            }
            let Some(stack) = self
                .scheduler
                .overrides
                .stack_of(&thing)
                .filter(|it| it.is_applied())
            else {
                continue;
            };
            let Some(on) = stack.top().as_bool() else {
                continue;
            };
            let requested = self.screens.status(&display, None).power.requested;
            if !is_complete || requested.is_none() {
                // If it cannot be switched, its status says so.
                let _ = self.request_power(&display, on, now);
            }
        }
    }

    /// The rules in force for a screen that were not overruled there, in the order in which they began.
    fn power_rules(&self, display: &Display) -> Vec<(Id, Value)> {
        let (one, all) = (Setting::power(display), Setting::Power(None));
        let held = self.scheduler.active.iter().filter_map(|(id, held)| {
            let rule = self.scheduler.rule(id)?;
            let RuleAction::Power { on, display: named } = &rule.action else {
                return None;
            };
            let is_overruled = (held.overruled.iter()).any(|(it, _)| *it == one || *it == all);
            let is_meant = named.as_ref().is_none_or(|named| named == display);
            let place = self.scheduler.indexes.get(id)?;
            (is_meant && !is_overruled).then(|| ((held.begin, place), (id.clone(), json!(on))))
        });
        let mut held: Vec<_> = held.collect();
        held.sort_by_key(|(order, _)| *order);
        held.into_iter().map(|(_, rule)| rule).collect()
    }

    // ---- what others change meanwhile ----

    /// A client asks for something: what it touches no rule in force undoes.
    pub(in crate::supervisor) fn on_client_command(&mut self, request: &Command) {
        self.on_command(request, ChangedBy::Operator);
    }

    /// A rule without an end, or one that an operator runs now, does something.
    pub(super) fn on_rule_action(&mut self, deed: &RuleAction, by: ChangedBy) {
        match deed {
            RuleAction::Start(id) => self.on_command(&Command::Start(id.clone()), by),
            RuleAction::Restart(id) => self.on_command(&Command::Restart(id.clone()), by),
            RuleAction::Stop(id) => self.on_command(&Command::Stop(id.clone()), by),
            RuleAction::Power { on, display } => {
                for it in self.present.clone() {
                    if display.as_ref().is_none_or(|named| *named == it) {
                        let (display, on) = (it, *on);
                        self.on_command(&Command::SwitchPower { display, on }, by);
                    }
                }
            }
            // Pages are heeded once they are shown, the document once it is saved.
            _ => {}
        }
    }

    fn on_command(&mut self, request: &Command, by: ChangedBy) {
        match request {
            Command::Start(id) | Command::Restart(id) => {
                let process = self.loaded.config.process(id);
                let Some(process) = process.filter(|process| process.enabled) else {
                    return;
                };
                let others = match process.is_display() {
                    true => self.display_processes_with_rules(id),
                    false => Vec::new(),
                };
                self.overrule(&Setting::Runs(id.clone()), &json!(true), by);
                for other in others {
                    self.overrule(&Setting::Runs(other), &Value::Null, by);
                }
            }
            Command::Stop(id) => self.overrule(&Setting::Runs(id.clone()), &json!(false), by),
            Command::SwitchPower { display, on } if self.present.binary_search(display).is_ok() => {
                self.overrule(&Setting::power(display), &json!(on), by);
                // What was asked for by hand outlives the daemon.
                self.scheduler.executions.save_soon();
            }
            _ => {}
        }
    }

    /// The display processes but this one that a rule in force starts or stops.
    fn display_processes_with_rules(&self, id: &Id) -> Vec<Id> {
        let stacks = self.scheduler.overrides.stacks().iter();
        let others = stacks.filter_map(|stack| match &stack.setting {
            Setting::Runs(other) if other != id => Some(other),
            _ => None,
        });
        let is_display = |id: &&Id| {
            let process = self.loaded.config.process(id);
            process.is_some_and(|process| process.is_display())
        };
        others.filter(is_display).cloned().collect()
    }

    /// A client has opened another page.
    pub(in crate::supervisor) fn on_client_navigation(&mut self, id: &Id, url: &str) {
        let page = self.scheduler.page_overrides.get(id);
        if page.is_some_and(|page| page.wanted.as_deref() != Some(url)) {
            self.end_page_override(id, ChangedBy::Operator);
            self.save_schedule();
        }
    }

    /// A thing is set by others: the rules in force leave it so, unless they want the same.
    pub(super) fn overrule(&mut self, thing: &Setting, value: &Value, by: ChangedBy) {
        let over = self.scheduler.overrides.stack_of(thing);
        if over.is_some_and(|stack| stack.is_applied() && stack.top() != value) {
            self.remove_overrides(thing, by);
        }
    }

    /// A thing is no longer as rules have set it.
    pub(super) fn remove_overrides(&mut self, thing: &Setting, by: ChangedBy) {
        for rule in self.scheduler.overrides.remove(thing) {
            if let Some(held) = self.scheduler.active.get_mut(&rule) {
                held.overruled.push((thing.clone(), by));
            }
            self.scheduler.is_changed = true;
            self.scheduler.executions.save_soon();
        }
    }

    /// The document is another: what a rule has set in it and is different now, others have changed.
    pub(super) fn check_document(&mut self) {
        let document = &self.loaded.document;
        if Rc::ptr_eq(&self.scheduler.document, document) {
            return;
        }
        self.scheduler.document = document.clone();
        let by = self
            .scheduler
            .executions
            .changed_by()
            .unwrap_or(ChangedBy::Operator);
        let stacks = self.scheduler.overrides.stacks().iter();
        let over = stacks.filter(|stack| {
            let is_field = matches!(stack.setting, Setting::Field(..));
            is_field && stack.is_applied() && !self.has_value(&stack.setting, stack.top())
        });
        let over: Vec<Setting> = over.map(|stack| stack.setting.clone()).collect();
        for thing in &over {
            self.remove_overrides(thing, by);
        }
        if self.end_outdated_page_overrides(by) {
            self.scheduler.is_changed = true;
            self.scheduler.executions.save_soon();
        }
    }

    /// What rules have laid over the kiosk is so again; to be called when everything is about to start.
    pub(super) fn restore_overrides(&mut self, now: Moment) {
        self.restore_half_begun();
        self.end_orphans();
        for stack in self.scheduler.overrides.stacks().to_vec() {
            let Setting::Runs(id) = &stack.setting else {
                continue;
            };
            let Some(index) = self.index_of(id) else {
                continue;
            };
            let machine = &self.machines[index];
            let runs = machine.is_wanted();
            if *stack.top() == json!(true) && !runs && machine.process.enabled {
                self.start_process(index);
            } else if *stack.top() == json!(false) && runs {
                let reason = Reason::StoppedBySchedule;
                self.update_machine(index, |machine, out| machine.stop(reason, now, out));
            }
        }
    }

    /// The power went between writing down that a rule begins and doing it, or right after: what is not there yet is begun
    /// again, what is there stays.
    fn restore_half_begun(&mut self) {
        let mut begun = Vec::new();
        let mut again = Vec::new();
        for stack in self.scheduler.overrides.stacks() {
            let is_done = match &stack.setting {
                // The stack is built, and the screen switched, by `see_to_powers`.
                Setting::Power(_) => false,
                Setting::Runs(_) => true,
                thing => self.has_value(thing, stack.top()),
            };
            for rule in stack.unapplied() {
                let list = if is_done { &mut begun } else { &mut again };
                list.push((rule.clone(), stack.setting.clone()));
            }
        }
        for (rule, thing) in again {
            self.scheduler.overrides.end(&rule);
            if !matches!(thing, Setting::Power(_)) {
                self.scheduler.active.remove(&rule);
            }
        }
        for (rule, _) in begun {
            self.scheduler.overrides.mark_applied(&rule);
        }
    }

    /// The daemon ended between the end of a rule and undoing it: it is undone now.
    fn end_orphans(&mut self) {
        let stacks = self.scheduler.overrides.stacks().iter();
        let rules = stacks.flat_map(|stack| stack.rules());
        let orphans = rules.filter(|rule| !self.scheduler.active.contains_key(*rule));
        let orphans: std::collections::BTreeSet<Id> = orphans.cloned().collect();
        for rule in orphans {
            self.enqueue_end(&rule, None, None);
        }
    }
}
