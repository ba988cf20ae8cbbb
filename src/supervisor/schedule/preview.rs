//! What is going to happen in a span of time, and which rules contradict each other in it.

use super::calendar::Calendar;
use super::due_queue::OccurrenceKind;
use super::occurrences::end_of;
use super::override_stack::Setting;
use super::overrides::settings_of;
use super::{LocalTime, Supervisor};
use crate::config::{Id, Rule, Trigger};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Occurrences that are told of at once; whoever wants more asks from the last one on.
const OCCURRENCES_MAX: usize = 1000;

/// Contradictions that are told of at once.
const CONFLICTS_MAX: usize = 50;

/// What is going to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// The zone, by name.
    pub timezone: String,
    /// Whether the clock is trusted: until it is, none of this happens.
    pub clock_trusted: bool,
    /// In the order in which they happen.
    pub occurrences: Vec<Occurrence>,
    /// Rules that contradict each other.
    pub conflicts: Vec<Conflict>,
    /// There is more in the span than is told.
    pub more: bool,
}

/// Something that is going to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// The rule.
    pub rule: Rc<Rule>,
    /// When.
    pub at: LocalTime,
    /// Whether it is done or undone.
    pub kind: OccurrenceKind,
}

/// Two rules that want different things of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Their ids; the first one loses.
    pub rules: [Id; 2],
    /// From when on.
    pub at: LocalTime,
    /// What it is about, in a sentence.
    pub text: String,
}

/// Where a rule stands in the future.
type Upcoming = BTreeSet<(Timestamp, OccurrenceKind, usize)>;

impl Supervisor {
    /// What is going to happen from `from` on and before `to`: of adjacent spans each occurrence is in one.
    pub(in crate::supervisor) fn preview_schedule(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> Preview {
        let agenda = &self.scheduler;
        let mut foresight = Preview {
            timezone: agenda.zone_name(),
            clock_trusted: agenda.clock.is_some(),
            occurrences: Vec::new(),
            conflicts: Vec::new(),
            more: false,
        };
        let Some((_, Ok(calendar))) = &agenda.zone else {
            return foresight;
        };
        let mut ahead = Upcoming::new();
        let before = from.checked_sub(SignedDuration::from_nanos(1));
        let before = before.unwrap_or(Timestamp::MIN);
        let rules = &self.loaded.config.schedule.rules;
        for (index, rule) in rules.iter().enumerate().filter(|(_, rule)| rule.enabled) {
            self.add_upcoming(index, rule, calendar, before, to, &mut ahead);
        }
        while let Some((at, turn, index)) = ahead.pop_first() {
            if foresight.occurrences.len() == OCCURRENCES_MAX {
                foresight.more = true;
                break;
            }
            let rule = &rules[index];
            foresight.occurrences.push(Occurrence {
                rule: rule.clone(),
                at: LocalTime::new(at, calendar.zone()),
                kind: turn,
            });
            if turn == OccurrenceKind::Begin {
                self.add_upcoming(index, rule, calendar, at, to, &mut ahead);
            }
        }
        if !self.loaded.config.schedule.enabled {
            foresight.occurrences.clear();
        }
        foresight.conflicts = conflicts(&foresight.occurrences);
        foresight
    }

    /// Enters what a rule does next after an instant, and its end.
    fn add_upcoming(
        &self,
        index: usize,
        rule: &Rule,
        calendar: &Calendar,
        after: Timestamp,
        to: Timestamp,
        ahead: &mut Upcoming,
    ) {
        let mut enter = |at: Timestamp, turn| {
            if at > after && at < to {
                ahead.insert((at, turn, index));
            }
        };
        match rule.trigger {
            Trigger::Time { at, days } => {
                let latest = calendar.latest(days, at, after);
                let next = calendar.next(days, at, after);
                for come in latest.into_iter().chain(next) {
                    enter(come.at, OccurrenceKind::Begin);
                    if let Some(end) = end_of(rule, come, calendar) {
                        enter(end, OccurrenceKind::End);
                    }
                }
            }
            Trigger::Interval(every) => {
                let (Some(clock), Some(state)) =
                    (self.scheduler.clock, self.scheduler.rules.get(index))
                else {
                    return;
                };
                let from = clock.moment(after);
                let born = state.created.unwrap_or_default();
                let count = from.since(born).as_secs() / every.as_secs().max(1) + 1;
                let Some(by) = every.as_secs().checked_mul(count) else {
                    return;
                };
                enter(
                    clock.wall(born + std::time::Duration::from_secs(by)),
                    OccurrenceKind::Begin,
                );
            }
            Trigger::Boot | Trigger::Lost | Trigger::Regained => {}
        }
    }
}

/// Two rules of one second that want different things, and two in force at the same time that do.
fn conflicts(occurrences: &[Occurrence]) -> Vec<Conflict> {
    let mut found: Vec<Conflict> = Vec::new();
    let mut told = BTreeSet::new();
    let mut in_force: Vec<&Occurrence> = Vec::new();
    let mut set: BTreeMap<String, (&Occurrence, Value)> = BTreeMap::new();
    let mut instant = None;
    for occurrence in occurrences {
        let at = occurrence.at.instant();
        if instant != Some(at) {
            set.clear();
            instant = Some(at);
        }
        if occurrence.kind == OccurrenceKind::End {
            in_force.retain(|other| other.rule.id != occurrence.rule.id);
            continue;
        }
        for (thing, value) in settings_of(&occurrence.rule.action) {
            let others = in_force.iter().copied();
            let overlapping = others.filter(|other| {
                let things = settings_of(&other.rule.action);
                things.iter().any(|(it, set)| *it == thing && *set != value)
            });
            let key = format!("{thing:?}");
            let same_second = set
                .insert(key, (occurrence, value.clone()))
                .filter(|(_, before)| *before != value);
            let before = same_second.map(|(other, _)| (other, "at the same time"));
            let before = before
                .into_iter()
                .chain(overlapping.map(|other| (other, "while it is in force")));
            for (other, when) in before {
                let pair = [other.rule.id.clone(), occurrence.rule.id.clone()];
                if pair[0] != pair[1] && found.len() < CONFLICTS_MAX && told.insert(pair.clone()) {
                    found.push(Conflict {
                        rules: pair,
                        at: occurrence.at,
                        text: format!(
                            "{} sets {} to something else than {} does, {when}; the later one wins",
                            occurrence.rule.name,
                            describe(&thing),
                            other.rule.name,
                        ),
                    });
                }
            }
        }
        if occurrence.rule.until.is_some() {
            in_force.push(occurrence);
        }
    }
    found
}

fn describe(thing: &Setting) -> String {
    match thing {
        Setting::Field(id, name) => format!("{name} of {id}"),
        Setting::Page(id) => format!("the page of {id}"),
        Setting::Runs(id) => format!("whether {id} runs"),
        Setting::Power(Some(display)) => format!("the screen of {display}"),
        Setting::Power(None) => "the screens".to_owned(),
    }
}
