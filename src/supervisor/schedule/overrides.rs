//! What a rule with an end overrides, what comes back when it ends, and what others have changed meanwhile.

use super::execution::{Occasion, Step};
use super::history::{Kind, Outcome};
use super::override_stack::{OverrideStack, Setting, Uncovered};
use super::page_override::PageOverride;
use super::rule_commands::enabled;
use super::saved::{Held, Stamp};
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
pub(super) enum By {
    Operator,
    /// A rule without an end.
    Rule,
}

/// What a deed sets, and to what.
pub(super) fn things_of(deed: &RuleAction) -> Vec<(Setting, Value)> {
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
        RuleAction::Enable(id) => fields(id, &enabled(true)),
        RuleAction::Disable(id) => fields(id, &enabled(false)),
        RuleAction::Show { process, url } => vec![(Setting::Canvas(process.clone()), json!(url))],
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
    pub(super) fn hold(&mut self, index: usize, begin: Timestamp, end: Timestamp) {
        let rule = self.agenda.schedule.rules[index].clone();
        for (thing, value) in self.things_here(&rule.action) {
            let base = self.base(&thing);
            self.agenda.layers.begin(&rule.id, thing, value, base);
        }
        let held = Held {
            begin: Stamp(begin),
            end: Stamp(end),
            deed: json!(rule.action),
            overruled: Vec::new(),
        };
        self.agenda.held.insert(rule.id.clone(), held);
        let occasion = Occasion {
            at: Some(begin),
            kind: Kind::Begin,
            client: None,
        };
        self.line_up(&rule, Step::Begin(rule.action.clone()), occasion);
    }

    /// It has begun, or could not.
    pub(super) fn conclude_begin(&mut self, rule: &Id, deed: &RuleAction, outcome: Outcome) {
        // A page that could not be shown is tried again.
        let is_page = matches!(deed, RuleAction::Show { .. });
        match outcome {
            Outcome::Done => self.agenda.layers.lay(rule),
            _ if is_page => self.agenda.layers.lay(rule),
            _ => {
                self.agenda.layers.end(rule);
            }
        }
    }

    /// A rule with an end is over.
    pub(super) fn release(&mut self, id: &Id, at: Option<Timestamp>) {
        let held = self.agenda.held.remove(id);
        let overruled = held.map(|held| held.overruled).unwrap_or_default();
        // An operator's change is named before that of a rule.
        let by_operator = overruled.iter().find(|(_, by)| *by == By::Operator);
        let overruled = by_operator.or(overruled.first()).map(|(_, by)| *by);
        self.line_up_end(id, at, overruled);
    }

    /// Puts back what was there.
    pub(super) fn undo(&mut self, number: u64, rule: &Id, overruled: Option<By>, now: Moment) {
        let changes = self.agenda.layers.end(rule);
        let is_nothing = changes.is_empty();
        let (mut mine, _): (Vec<_>, Vec<_>) =
            (changes.into_iter()).partition(|change| self.is_left(change));
        let Some(first) = mine.first() else {
            let why = match overruled {
                Some(By::Operator) => "an operator has changed it meanwhile, and it stays so",
                Some(By::Rule) => "another rule has changed it meanwhile, and it stays so",
                None if is_nothing => "there is nothing to undo",
                None => "it is not as the rule left it, and stays so",
            };
            return self.conclude_as(number, Outcome::Skipped, Some(why.to_owned()), now);
        };
        if let Setting::Field(id, _) = &first.thing {
            let id = id.clone();
            let field = |change: Uncovered| match change.thing {
                Setting::Field(_, name) => Some((name, change.value)),
                _ => None,
            };
            let fields = mine.into_iter().filter_map(field).collect();
            return self.change(number, id, fields, now);
        }
        if let Setting::Power(_) = &first.thing {
            return self.end_power(number, &mine, now);
        }
        let Uncovered {
            thing,
            value,
            before,
            base,
        } = mine.swap_remove(0);
        match thing {
            Setting::Canvas(id) => {
                let page = |value: &Value| {
                    let url = value.as_str().map(str::to_owned);
                    self.with_a_rule(&id, url)
                };
                let (value, base) = (page(&value), page(&base));
                let wanted = self.agenda.pages.get(&id).map(|page| &page.wanted);
                // A rule that came later wants another page, which could not be shown yet.
                let is_replaced = wanted.is_some_and(|wanted| json!(wanted) != before);
                match is_replaced {
                    true => self.fall_back(&id, base, number, now),
                    false => self.show_or(&id, value, base, number, now),
                }
            }
            Setting::Runs(id) => {
                let request = match value.as_str().and_then(|other| other.parse().ok()) {
                    Some(other) => Command::Start(other),
                    None if value == json!(true) => Command::Start(id),
                    None => Command::Stop(id),
                };
                self.turn(number, request, now);
            }
            Setting::Power(_) | Setting::Field(..) => {}
        }
    }

    /// What a deed sets on this kiosk: each display by its name.
    fn things_here(&self, deed: &RuleAction) -> Vec<(Setting, Value)> {
        match deed {
            RuleAction::Power { on, display: None } => {
                let things = self.present.iter().map(Setting::power);
                things.map(|thing| (thing, json!(on))).collect()
            }
            deed => things_of(deed),
        }
    }

    /// What comes back once no rule overrides a thing any more.
    fn base(&self, thing: &Setting) -> Value {
        match thing {
            Setting::Canvas(id) => {
                let page = self.agenda.pages.get(id);
                json!(page.and_then(PageOverride::base))
            }
            // Never a past "off": a screen that nothing keeps dark is on.
            Setting::Power(_) => json!(true),
            thing => self.there(thing),
        }
    }

    /// Whether what a rule has set is still so. Pages and screens are: a change of them by hand overrules the rule.
    fn is_left(&self, change: &Uncovered) -> bool {
        match &change.thing {
            Setting::Canvas(_) | Setting::Power(_) => true,
            // A process that has ended without a request is no change of mind.
            thing @ Setting::Runs(_) => {
                self.shows(thing, &change.before) || self.there(thing) == json!(false)
            }
            thing => self.shows(thing, &change.before),
        }
    }

    /// What is there now.
    fn there(&self, thing: &Setting) -> Value {
        match thing {
            Setting::Field(id, name) => {
                let processes = self.loaded.document.as_map().get("processes");
                let process = processes.and_then(|processes| processes.get(id.as_str()));
                let field = process.and_then(|process| process.get(name));
                field.cloned().unwrap_or(Value::Null)
            }
            Setting::Canvas(id) => match self.agenda.pages.get(id) {
                Some(page) => json!(page.wanted),
                None => Value::Null,
            },
            Setting::Runs(id) => self.whether_it_runs(id),
            Setting::Power(_) => Value::Null,
        }
    }

    /// Whether this is there now, in whatever way it is written.
    fn shows(&self, thing: &Setting, value: &Value) -> bool {
        let there = self.there(thing);
        if let (Setting::Field(id, name), true) = (thing, there != *value) {
            let process = self.loaded.config.process(id);
            let shown = process.and_then(|process| serde_json::to_value(&**process).ok());
            return shown.is_some_and(|shown| shown.get(name) == Some(value));
        }
        // Where it does not run, it does not matter who does.
        there == *value
            || matches!(thing, Setting::Runs(_)) && *value == json!(false) && there != json!(true)
    }

    fn whether_it_runs(&self, id: &Id) -> Value {
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
    pub(super) fn recall_powers(&mut self, kept: Option<BTreeMap<Display, bool>>, is_first: bool) {
        if kept.is_none() {
            let stacks = self.agenda.layers.stacks().iter();
            let stacks = stacks.filter(|stack| matches!(stack.thing, Setting::Power(_)));
            let stacks: Vec<OverrideStack> = stacks.cloned().collect();
            for (rule, held) in &mut self.agenda.held {
                let is_power = held.deed["type"] == "display_power";
                if is_power && !stacks.iter().any(|stack| stack.has(rule)) {
                    held.overruled.push((Setting::Power(None), By::Operator));
                }
            }
            for stack in stacks {
                self.agenda.layers.drop(&stack.thing);
            }
        }
        for (display, on) in kept.into_iter().flatten().filter(|_| !is_first) {
            let is_present = self.present.binary_search(&display).is_ok();
            self.screens.recall_request(&display, on, is_present);
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
                self.conclude_as(number, Outcome::Done, Some(why), now);
            }
        }
    }

    /// A rule that has switched screens ends.
    fn end_power(&mut self, number: u64, changes: &[Uncovered], now: Moment) {
        let mut refused = None;
        for Uncovered { thing, value, .. } in changes {
            let Setting::Power(Some(name)) = thing else {
                continue;
            };
            let Ok(display) = name.parse::<Display>() else {
                continue;
            };
            let on = value.as_bool().unwrap_or(true);
            if let Err(refusal) = self.ask_for_power(&display, on, now) {
                self.screens.request_for_later(&display, on);
                refused = Some(refusal.to_string());
            }
        }
        self.conclude_as(number, Outcome::Done, refused, now);
    }

    /// Has screens switched as the rules in force want it: those that have just appeared, and those that nothing was
    /// asked of since.
    pub(super) fn see_to_powers(&mut self, now: Moment) {
        for display in self.present.clone() {
            let thing = Setting::power(&display);
            let rules = self.power_rules(&display);
            let stack = self.agenda.layers.over(&thing);
            let has = |(rule, _): &(Id, Value)| stack.is_some_and(|stack| stack.has(rule));
            let is_complete = rules.iter().all(has);
            if !is_complete {
                let base = self.base(&thing);
                self.agenda.layers.rebuild(thing.clone(), base, rules);
                self.agenda.line.keep_soon();
            }
            let Some(stack) = self.agenda.layers.over(&thing).filter(|it| it.is_laid()) else {
                continue;
            };
            let Some(on) = stack.top().as_bool() else {
                continue;
            };
            let requested = self.screens.status(&display, None).power.requested;
            if !is_complete || requested.is_none() {
                // If it cannot be switched, its status says so.
                let _ = self.ask_for_power(&display, on, now);
            }
        }
    }

    /// The rules in force for a screen that were not overruled there, in the order in which they began.
    fn power_rules(&self, display: &Display) -> Vec<(Id, Value)> {
        let (one, all) = (Setting::power(display), Setting::Power(None));
        let held = self.agenda.held.iter().filter_map(|(id, held)| {
            let rule = self.agenda.rule(id)?;
            let RuleAction::Power { on, display: named } = &rule.action else {
                return None;
            };
            let is_overruled = (held.overruled.iter()).any(|(it, _)| *it == one || *it == all);
            let is_meant = named.as_ref().is_none_or(|named| named == display);
            let place = self.agenda.places.get(id)?;
            (is_meant && !is_overruled).then(|| ((held.begin, place), (id.clone(), json!(on))))
        });
        let mut held: Vec<_> = held.collect();
        held.sort_by_key(|(order, _)| *order);
        held.into_iter().map(|(_, rule)| rule).collect()
    }

    // ---- what others change meanwhile ----

    /// A client asks for something: what it touches no rule in force undoes.
    pub(in crate::supervisor) fn heed_client(&mut self, request: &Command) {
        self.heed(request, By::Operator);
    }

    /// A rule without an end, or one that an operator runs now, does something.
    pub(super) fn heed_deed(&mut self, deed: &RuleAction, by: By) {
        match deed {
            RuleAction::Start(id) => self.heed(&Command::Start(id.clone()), by),
            RuleAction::Restart(id) => self.heed(&Command::Restart(id.clone()), by),
            RuleAction::Stop(id) => self.heed(&Command::Stop(id.clone()), by),
            RuleAction::Power { on, display } => {
                for it in self.present.clone() {
                    if display.as_ref().is_none_or(|named| *named == it) {
                        let (display, on) = (it, *on);
                        self.heed(&Command::SwitchPower { display, on }, by);
                    }
                }
            }
            // Pages are heeded once they are shown, the document once it is saved.
            _ => {}
        }
    }

    fn heed(&mut self, request: &Command, by: By) {
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
                self.agenda.line.keep_soon();
            }
            _ => {}
        }
    }

    /// The display processes but this one that a rule in force starts or stops.
    fn display_processes_with_rules(&self, id: &Id) -> Vec<Id> {
        let stacks = self.agenda.layers.stacks().iter();
        let others = stacks.filter_map(|stack| match &stack.thing {
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
    pub(in crate::supervisor) fn heed_navigation(&mut self, id: &Id, url: &str) {
        let page = self.agenda.pages.get(id);
        if page.is_some_and(|page| page.wanted.as_deref() != Some(url)) {
            self.end_page_override(id, By::Operator);
            self.keep();
        }
    }

    /// A thing is set by others: the rules in force leave it so, unless they want the same.
    pub(super) fn overrule(&mut self, thing: &Setting, value: &Value, by: By) {
        let over = self.agenda.layers.over(thing);
        if over.is_some_and(|stack| stack.is_laid() && stack.top() != value) {
            self.replace(thing, by);
        }
    }

    /// A thing is no longer as rules have set it.
    pub(super) fn replace(&mut self, thing: &Setting, by: By) {
        for rule in self.agenda.layers.drop(thing) {
            if let Some(held) = self.agenda.held.get_mut(&rule) {
                held.overruled.push((thing.clone(), by));
            }
            self.agenda.is_news = true;
            self.agenda.line.keep_soon();
        }
    }

    /// The document is another: what a rule has set in it and is different now, others have changed.
    pub(super) fn heed_the_document(&mut self) {
        let document = &self.loaded.document;
        if Rc::ptr_eq(&self.agenda.document, document) {
            return;
        }
        self.agenda.document = document.clone();
        let by = self.agenda.line.changed_by().unwrap_or(By::Operator);
        let stacks = self.agenda.layers.stacks().iter();
        let over = stacks.filter(|stack| {
            let is_field = matches!(stack.thing, Setting::Field(..));
            is_field && stack.is_laid() && !self.shows(&stack.thing, stack.top())
        });
        let over: Vec<Setting> = over.map(|stack| stack.thing.clone()).collect();
        for thing in &over {
            self.replace(thing, by);
        }
        if self.end_page_overrides_of_the_past(by) {
            self.agenda.is_news = true;
            self.agenda.line.keep_soon();
        }
    }

    /// What rules have laid over the kiosk is so again; to be called when everything is about to start.
    pub(super) fn recall_layers(&mut self, now: Moment) {
        self.settle_half_begun();
        self.end_orphans();
        for stack in self.agenda.layers.stacks().to_vec() {
            let Setting::Runs(id) = &stack.thing else {
                continue;
            };
            let Some(index) = self.index_of(id) else {
                continue;
            };
            let machine = &self.machines[index];
            let runs = machine.is_wanted();
            if *stack.top() == json!(true) && !runs && machine.process.enabled {
                self.want(index);
            } else if *stack.top() == json!(false) && runs {
                let reason = Reason::StoppedBySchedule;
                self.with(index, |machine, out| machine.end(reason, now, out));
            }
        }
    }

    /// The power went between writing down that a rule begins and doing it, or right after: what is not there yet is begun
    /// again, what is there stays.
    fn settle_half_begun(&mut self) {
        let mut begun = Vec::new();
        let mut again = Vec::new();
        for stack in self.agenda.layers.stacks() {
            let is_done = match &stack.thing {
                // The stack is built, and the screen switched, by `see_to_powers`.
                Setting::Power(_) => false,
                Setting::Runs(_) => true,
                thing => self.shows(thing, stack.top()),
            };
            for rule in stack.unlaid() {
                let list = if is_done { &mut begun } else { &mut again };
                list.push((rule.clone(), stack.thing.clone()));
            }
        }
        for (rule, thing) in again {
            self.agenda.layers.end(&rule);
            if !matches!(thing, Setting::Power(_)) {
                self.agenda.held.remove(&rule);
            }
        }
        for (rule, _) in begun {
            self.agenda.layers.lay(&rule);
        }
    }

    /// The daemon ended between the end of a rule and undoing it: it is undone now.
    fn end_orphans(&mut self) {
        let stacks = self.agenda.layers.stacks().iter();
        let rules = stacks.flat_map(|stack| stack.rules());
        let orphans = rules.filter(|rule| !self.agenda.held.contains_key(*rule));
        let orphans: std::collections::BTreeSet<Id> = orphans.cloned().collect();
        for rule in orphans {
            self.line_up_end(&rule, None, None);
        }
    }
}
