//! What a rule with an end lays over the kiosk, what comes back when it ends, and who has the last word.

use super::deeds::enabled;
use super::kept::{Held, Stamp};
use super::layers::Thing;
use super::line::{Occasion, Step};
use super::record::{Kind, Outcome};
use crate::config::{Deed, Display, Id};
use crate::supervisor::{Reason, Request, Supervisor};
use crate::time::Moment;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::rc::Rc;

/// What a deed sets, and to what.
pub(super) fn things_of(deed: &Deed) -> Vec<(Thing, Value)> {
    let fields = |id: &Id, fields: &Map<String, Value>| {
        let pairs = fields.iter();
        let thing = |name: &String| Thing::Field(id.clone(), name.clone());
        pairs
            .map(|(name, value)| (thing(name), value.clone()))
            .collect()
    };
    match deed {
        Deed::Update {
            process,
            fields: updates,
        } => fields(process, updates),
        Deed::Enable(id) => fields(id, &enabled(true)),
        Deed::Disable(id) => fields(id, &enabled(false)),
        Deed::Show { process, url } => vec![(Thing::Canvas(process.clone()), json!(url))],
        Deed::Start(id) => vec![(Thing::Runs(id.clone()), json!(true))],
        Deed::Stop(id) => vec![(Thing::Runs(id.clone()), json!(false))],
        Deed::Power { on, display } => vec![(Thing::power(display.as_ref()), json!(on))],
        Deed::Restart(_) | Deed::Refresh(_) | Deed::Run(_) | Deed::Reboot => Vec::new(),
    }
}

impl Supervisor {
    /// A rule with an end begins.
    pub(super) fn hold(&mut self, index: usize, begin: Timestamp, end: Timestamp) {
        let rule = self.agenda.schedule.rules[index].clone();
        for (thing, value) in things_of(&rule.deed) {
            let over = self.agenda.layers.over(&thing);
            let is_overruled =
                over.is_some_and(|stack| stack.is_laid() && !self.shows(&thing, stack.top()));
            if is_overruled {
                self.agenda.layers.drop(&thing);
            }
            let there = self.there(&thing);
            self.agenda.layers.begin(&rule.id, thing, value, there);
        }
        let held = Held {
            begin: Stamp(begin),
            end: Stamp(end),
            deed: json!(rule.deed),
        };
        self.agenda.held.insert(rule.id.clone(), held);
        let occasion = Occasion {
            at: Some(begin),
            kind: Kind::Begin,
            client: None,
        };
        self.line_up(&rule, Step::Begin(rule.deed.clone()), occasion);
    }

    /// It has begun, or could not.
    pub(super) fn conclude_begin(&mut self, rule: &Id, deed: &Deed, outcome: Outcome) {
        // A page that could not be shown is tried again.
        let is_page = matches!(deed, Deed::Show { .. });
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
        self.agenda.held.remove(id);
        self.line_up_end(id, at);
    }

    /// Puts back what was there.
    pub(super) fn undo(&mut self, number: u64, rule: &Id, now: Moment) {
        let changes = self.agenda.layers.end(rule);
        let (mine, others): (Vec<_>, Vec<_>) = changes
            .into_iter()
            .partition(|(thing, _, before)| self.shows(thing, before));
        let mut mine = mine
            .into_iter()
            .map(|(thing, value, _)| (thing, value))
            .peekable();
        let Some((thing, _)) = mine.peek() else {
            let why = match others.is_empty() {
                true => "there is nothing to undo",
                false => "somebody has changed it meanwhile, and it stays so",
            };
            return self.conclude_as(number, Outcome::Skipped, Some(why.to_owned()), now);
        };
        if let Thing::Field(id, _) = thing {
            let id = id.clone();
            let field = |(thing, value)| match thing {
                Thing::Field(_, name) => Some((name, value)),
                _ => None,
            };
            let fields = mine.filter_map(field).collect();
            return self.change(number, id, fields, now);
        }
        let Some((thing, value)) = mine.next() else {
            return;
        };
        match thing {
            Thing::Canvas(id) => {
                let url = value.as_str().map(str::to_owned);
                self.show(&id, url, Some(number), now);
            }
            Thing::Runs(id) => {
                let request = match value.as_str().and_then(|other| other.parse().ok()) {
                    Some(other) => Request::Start(other),
                    None if value == json!(true) => Request::Start(id),
                    None => Request::Stop(id),
                };
                self.turn(number, request, now);
            }
            Thing::Power(display) => {
                let display = display.and_then(|name| name.parse().ok());
                // Nobody had asked for anything: a screen that nobody asks about is on.
                let on = value.as_bool().unwrap_or(true);
                self.switch_power(number, on, display, now);
            }
            Thing::Field(..) => {}
        }
    }

    /// What is there now.
    fn there(&self, thing: &Thing) -> Value {
        match thing {
            Thing::Field(id, name) => {
                let processes = self.loaded.document.as_map().get("processes");
                let process = processes.and_then(|processes| processes.get(id.as_str()));
                let field = process.and_then(|process| process.get(name));
                field.cloned().unwrap_or(Value::Null)
            }
            Thing::Canvas(id) => match self.agenda.canvases.get(id) {
                Some(canvas) => json!(canvas.url),
                None => Value::Null,
            },
            Thing::Runs(id) => self.whether_it_runs(id),
            Thing::Power(display) => match self.power_asked_for(display.as_deref()) {
                Some(on) => json!(on),
                None => Value::Null,
            },
        }
    }

    /// Whether this is there now, in whatever way it is written.
    fn shows(&self, thing: &Thing, value: &Value) -> bool {
        let there = self.there(thing);
        if let (Thing::Field(id, name), true) = (thing, there != *value) {
            let process = self.loaded.config.process(id);
            let shown = process.and_then(|process| serde_json::to_value(&**process).ok());
            return shown.is_some_and(|shown| shown.get(name) == Some(value));
        }
        // Where it does not run, it does not matter who does.
        there == *value
            || matches!(thing, Thing::Runs(_)) && *value == json!(false) && there != json!(true)
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

    fn power_asked_for(&self, display: Option<&str>) -> Option<bool> {
        let named = display.and_then(|name| name.parse::<Display>().ok());
        let display = named.as_ref().or(self.present.first())?;
        self.screens.status(display, None).power.requested
    }

    // ---- who has the last word ----

    /// A client asks for something: what it touches is its own from now on.
    pub(in super::super) fn heed_client(&mut self, request: &Request) {
        let others = |this: &Self, id: &Id| -> Vec<Id> {
            let is_display = |id: &Id| {
                let process = this.loaded.config.process(id);
                process.is_some_and(|process| process.is_display())
            };
            let stacks = this.agenda.layers.stacks().iter();
            let running = stacks.filter_map(|stack| match &stack.thing {
                Thing::Runs(other) if other != id && is_display(other) && is_display(id) => {
                    Some(other.clone())
                }
                _ => None,
            });
            running.collect()
        };
        match request {
            Request::Start(id) | Request::Restart(id) => {
                let others = others(self, id);
                self.overrule(&Thing::Runs(id.clone()), &json!(true));
                for other in others {
                    self.overrule(&Thing::Runs(other), &Value::Null);
                }
            }
            Request::Stop(id) => self.overrule(&Thing::Runs(id.clone()), &json!(false)),
            Request::SwitchPower { display, on } => {
                self.overrule(&Thing::power(Some(display)), &json!(on));
                self.overrule(&Thing::power(None), &json!(on));
            }
            _ => {}
        }
    }

    /// A client shows another page.
    pub(in super::super) fn heed_navigation(&mut self, id: &Id, url: &str) {
        let canvas = self.agenda.canvases.get(id);
        if canvas.is_some_and(|canvas| canvas.url != url) {
            self.drop_canvas(id);
            self.keep();
        }
    }

    fn overrule(&mut self, thing: &Thing, value: &Value) {
        let over = self.agenda.layers.over(thing);
        if over.is_some_and(|stack| stack.top() != value) && self.agenda.layers.drop(thing) {
            self.agenda.is_news = true;
            self.keep();
        }
    }

    /// The document is another: whatever a rule has laid over it and is not there any more, somebody has changed.
    pub(super) fn heed_the_document(&mut self) {
        let document = &self.loaded.document;
        if Rc::ptr_eq(&self.agenda.document, document) {
            return;
        }
        self.agenda.document = document.clone();
        let stacks = self.agenda.layers.stacks().iter();
        let over = stacks.filter(|stack| {
            let is_field = matches!(stack.thing, Thing::Field(..));
            is_field && stack.is_laid() && !self.shows(&stack.thing, stack.top())
        });
        let over: Vec<Thing> = over.map(|stack| stack.thing.clone()).collect();
        let any = self
            .agenda
            .layers
            .retain(|stack| !over.contains(&stack.thing));
        if self.drop_canvases_of_the_past() | any {
            self.agenda.is_news = true;
            self.agenda.line.keep_soon();
        }
    }

    /// What rules have laid over the kiosk is so again; to be called when everything is about to start.
    pub(super) fn recall_layers(&mut self, now: Moment) {
        self.settle_half_begun();
        for stack in self.agenda.layers.stacks().to_vec() {
            let Thing::Runs(id) = &stack.thing else {
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
            if stack.is_laid() {
                continue;
            }
            let is_done = self.shows(&stack.thing, stack.top());
            let is_field = matches!(stack.thing, Thing::Field(..));
            let rules = self.agenda.held.keys();
            let rules = rules.filter(|rule| {
                let deed = &self.agenda.held[*rule].deed;
                let rule = self.agenda.rule(rule);
                rule.is_some_and(|rule| json!(rule.deed) == *deed)
            });
            for rule in rules {
                if is_field && !is_done {
                    again.push(rule.clone());
                } else {
                    begun.push(rule.clone());
                }
            }
        }
        for rule in again {
            self.agenda.held.remove(&rule);
            self.agenda.layers.end(&rule);
        }
        for rule in begun {
            self.agenda.layers.lay(&rule);
        }
    }

    /// A screen that has come, and that nobody has asked about since, is as the rules want it.
    pub(super) fn see_to_powers(&mut self, now: Moment) {
        let stacks = self.agenda.layers.stacks().iter();
        let wishes = stacks.filter_map(|stack| match &stack.thing {
            Thing::Power(display) if stack.is_laid() => {
                Some((display.clone(), stack.top().as_bool()?))
            }
            _ => None,
        });
        let wishes: Vec<(Option<String>, bool)> = wishes.collect();
        for (named, on) in wishes {
            let named = named.and_then(|name| name.parse::<Display>().ok());
            for display in self.present.clone() {
                let is_meant = named.as_ref().is_none_or(|named| *named == display);
                let power = self.screens.status(&display, None).power;
                if is_meant && power.requested.is_none() {
                    // Where it cannot be switched, the display itself says so.
                    let _ = self.ask_for_power(&display, on, now);
                }
            }
        }
    }
}
