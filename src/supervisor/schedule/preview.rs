//! What will happen in a span of time, and which rules contradict each other in it.

use super::Scheduler;
use super::calendar::Calendar;
use super::occurrences::end_of;
use super::overrides::settings_of;
use crate::config::{Rule, Trigger};
use crate::supervisor::facts::Facts;
use crate::supervisor::interface::saved_schedule::Setting;
use crate::supervisor::interface::{Conflict, LocalTime, Occurrence, OccurrenceKind, Preview};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Occurrences in one preview; a client that wants more asks again from the last one on.
const OCCURRENCES_MAX: usize = 1000;

/// Contradictions in one preview.
const CONFLICTS_MAX: usize = 50;

/// Upcoming occurrences, in order.
type Upcoming = BTreeSet<(Timestamp, OccurrenceKind, usize)>;

impl Scheduler {
    /// What will happen in the half-open span from `from` to `to`, so that each occurrence is in one of adjacent
    /// spans.
    pub fn preview_schedule(&self, facts: &Facts<'_>, from: Timestamp, to: Timestamp) -> Preview {
        let mut preview = Preview {
            timezone: self.zone_name(),
            clock_trusted: self.clock.is_some(),
            occurrences: Vec::new(),
            conflicts: Vec::new(),
            more: false,
        };
        let Some((_, Ok(calendar))) = &self.zone else {
            return preview;
        };
        let mut upcoming = Upcoming::new();
        let before = from.checked_sub(SignedDuration::from_nanos(1));
        let before = before.unwrap_or(Timestamp::MIN);
        let rules = &facts.loaded.config.schedule.rules;
        for (index, rule) in rules.iter().enumerate().filter(|(_, rule)| rule.enabled) {
            self.add_upcoming(index, rule, calendar, before, to, &mut upcoming);
        }
        while let Some((at, turn, index)) = upcoming.pop_first() {
            if preview.occurrences.len() == OCCURRENCES_MAX {
                preview.more = true;
                break;
            }
            let rule = &rules[index];
            preview.occurrences.push(Occurrence {
                rule: rule.clone(),
                at: LocalTime::new(at, calendar.zone()),
                kind: turn,
            });
            if turn == OccurrenceKind::Begin {
                self.add_upcoming(index, rule, calendar, at, to, &mut upcoming);
            }
        }
        if !facts.loaded.config.schedule.enabled {
            preview.occurrences.clear();
        }
        preview.conflicts = conflicts(&preview.occurrences);
        preview
    }

    /// Adds the next begin of a rule after an instant, and its end.
    fn add_upcoming(
        &self,
        index: usize,
        rule: &Rule,
        calendar: &Calendar,
        after: Timestamp,
        to: Timestamp,
        upcoming: &mut Upcoming,
    ) {
        let mut enter = |at: Timestamp, turn| {
            if at > after && at < to {
                upcoming.insert((at, turn, index));
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
                let (Some(clock), Some(state)) = (self.clock, self.rules.get(index)) else {
                    return;
                };
                let from = clock.moment(after);
                let created = state.created.unwrap_or_default();
                let count = from.since(created).as_secs() / every.as_secs().max(1) + 1;
                let Some(by) = every.as_secs().checked_mul(count) else {
                    return;
                };
                enter(
                    clock.wall(created + std::time::Duration::from_secs(by)),
                    OccurrenceKind::Begin,
                );
            }
            Trigger::Boot | Trigger::Lost | Trigger::Regained => {}
        }
    }
}

/// Finds rules that set different values in the same second, and active overrides that do.
fn conflicts(occurrences: &[Occurrence]) -> Vec<Conflict> {
    let mut found: Vec<Conflict> = Vec::new();
    let mut reported = BTreeSet::new();
    let mut active: Vec<&Occurrence> = Vec::new();
    let mut set: BTreeMap<String, (&Occurrence, Value)> = BTreeMap::new();
    let mut instant = None;
    for occurrence in occurrences {
        let at = occurrence.at.instant();
        if instant != Some(at) {
            set.clear();
            instant = Some(at);
        }
        if occurrence.kind == OccurrenceKind::End {
            active.retain(|other| other.rule.id != occurrence.rule.id);
            continue;
        }
        for (setting, value) in settings_of(&occurrence.rule.action) {
            let others = active.iter().copied();
            let overlapping = others.filter(|other| {
                let settings = settings_of(&other.rule.action);
                settings
                    .iter()
                    .any(|(it, set)| *it == setting && *set != value)
            });
            let key = format!("{setting:?}");
            let same_second = set
                .insert(key, (occurrence, value.clone()))
                .filter(|(_, before)| *before != value);
            let before = same_second.map(|(other, _)| (other, "at the same time"));
            let before = before
                .into_iter()
                .chain(overlapping.map(|other| (other, "while it is in force")));
            for (other, when) in before {
                let pair = [other.rule.id.clone(), occurrence.rule.id.clone()];
                if pair[0] != pair[1]
                    && found.len() < CONFLICTS_MAX
                    && reported.insert(pair.clone())
                {
                    found.push(Conflict {
                        rules: pair,
                        at: occurrence.at,
                        text: format!(
                            "{} sets {} to another value than {}, {when}; the later one wins",
                            occurrence.rule.name,
                            describe(&setting),
                            other.rule.name,
                        ),
                    });
                }
            }
        }
        if occurrence.rule.until.is_some() {
            active.push(occurrence);
        }
    }
    found
}

fn describe(setting: &Setting) -> String {
    match setting {
        Setting::Field(id, name) => format!("{name} of {id}"),
        Setting::Page(id) => format!("the page of {id}"),
        Setting::Runs(id) => format!("whether {id} runs"),
        Setting::Power(Some(display)) => format!("the screen of {display}"),
        Setting::Power(None) => "the screens".to_owned(),
    }
}
