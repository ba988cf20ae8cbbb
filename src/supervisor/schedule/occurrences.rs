//! Which occurrence is due, which was missed, and which rule is in force.
//!
//! Everything is reckoned anew when the clock jumps, the zone or the rules change, and at the start; in between the queue
//! alone says what is next. What was missed (the power was off, the clock jumped over it) is passed over, or done late,
//! once, where the rule catches up. A rule with an end is no event but a state: it is begun whenever it is to be in force
//! and is not, and undone whenever it is in force and is not to be.

use super::calendar::{Calendar, Come};
use super::clock_reading::{ClockReading, later_by};
use super::due_queue::{Due, Turn};
use super::elapsed::LATE;
use super::execution::{Occasion, Step};
use super::history::{Kind, Outcome};
use super::{Next, Supervisor};
use crate::config::{Days, Id, Rule, TimeOfDay, Trigger};
use crate::time::Moment;
use jiff::Timestamp;
use serde_json::json;
use std::rc::Rc;
use std::time::Duration;

/// How many occurrences are looked through for one that was not lived yet: more than two years of every day.
const LIVED_MAX: usize = 800;

impl Supervisor {
    /// Reckons everything anew, where that has to be.
    pub(super) fn reckon(&mut self, now: Moment) {
        if !std::mem::take(&mut self.agenda.is_stale) {
            return;
        }
        self.agenda.is_news = true;
        self.look_for_zone();
        self.agenda.queue.forget_times();
        for state in &mut self.agenda.rules {
            if let Some(Next::Time(_)) = state.next {
                state.next = None;
            }
        }
        self.release_what_is_no_rule(now);
        let Some((clock, calendar)) = self.agenda.times().map(|(c, t)| (c, t.clone())) else {
            return;
        };
        let wall = clock.wall(now);
        if self.agenda.schedule.enabled {
            let schedule = self.agenda.schedule.clone();
            let mut due = self.ends_in_the_past(wall);
            for (index, rule) in schedule.rules.iter().enumerate() {
                let Trigger::Time { at, days } = rule.trigger else {
                    continue;
                };
                if !rule.enabled {
                    continue;
                }
                let latest = calendar.latest(days, at, wall);
                if let Some(latest) = latest {
                    self.look_back(index, rule, latest, &calendar, clock, wall, &mut due);
                }
                self.expect_next(index, rule, &calendar, wall);
            }
            due.sort_unstable();
            // Whatever is written down from here on says that the clock was here.
            self.agenda.lived.go_on(wall);
            for due in due {
                self.come_due(due, &calendar, wall);
            }
        }
        self.agenda.lived.go_on(wall);
    }

    /// Whether what came last was missed, or is still in force.
    #[expect(clippy::too_many_arguments, reason = "it is the inside of one loop")]
    fn look_back(
        &self,
        index: usize,
        rule: &Rule,
        latest: Come,
        calendar: &Calendar,
        clock: ClockReading,
        wall: Timestamp,
        due: &mut Vec<Due>,
    ) {
        let begins = Due {
            at: latest.at,
            turn: Turn::Begin,
            rule: index,
        };
        if let (Some(_), Some(end)) = (rule.until, end_of(rule, latest, calendar)) {
            let held = self.agenda.held.get(&rule.id);
            if held.is_some_and(|held| held.begin.0 == latest.at) {
                return;
            }
            if wall < end || self.is_missed(index, rule, latest.at, clock) {
                due.push(begins);
            }
        } else if self.is_missed(index, rule, latest.at, clock) {
            due.push(begins);
        }
    }

    /// Whether an occurrence in the past was not dealt with, and should have been.
    fn is_missed(&self, index: usize, rule: &Rule, at: Timestamp, clock: ClockReading) -> bool {
        let agenda = &self.agenda;
        let Some(from) = agenda.lived.position() else {
            return false;
        };
        let born = agenda.rules[index].born.map(|born| clock.wall(born));
        let is_ours = born.is_none_or(|born| at > born);
        at > from && is_ours && !agenda.lived.has(&rule.id, at)
    }

    /// Something is due, or was.
    fn come_due(&mut self, due: Due, calendar: &Calendar, wall: Timestamp) {
        let rule = self.agenda.schedule.rules[due.rule].clone();
        match due.turn {
            Turn::End => {
                if self.agenda.held.contains_key(&rule.id) {
                    self.release(&rule.id, Some(due.at));
                }
                return;
            }
            Turn::Begin if rule.until.is_some() => {
                return self.begin_state(due.rule, &rule, calendar, wall);
            }
            Turn::Begin => {}
        }
        // Of several that have passed only the latest counts.
        let at = match (later_by(wall, due.at) > LATE, &rule.trigger) {
            (true, Trigger::Time { at, days }) => {
                calendar.latest(*days, *at, wall).map_or(due.at, |it| it.at)
            }
            _ => due.at,
        };
        if later_by(wall, at) > LATE && !rule.catch_up {
            let why = "its time was over when the clock came there";
            return self.pass_over(due.rule, at, Outcome::Missed, why);
        }
        // It lies in time that nobody lived, and must not be done again when the clock comes by.
        if !self.agenda.lived.has(&rule.id, at) {
            self.agenda.lived.catch_up(&rule.id, at);
        }
        let occasion = Occasion {
            at: Some(at),
            kind: Kind::Begin,
            client: None,
        };
        self.line_up(&rule, Step::Do(rule.action.clone()), occasion);
    }

    fn begin_state(&mut self, index: usize, rule: &Rule, calendar: &Calendar, wall: Timestamp) {
        let Trigger::Time { at, days } = rule.trigger else {
            return;
        };
        let Some(latest) = calendar.latest(days, at, wall) else {
            return;
        };
        let Some(end) = end_of(rule, latest, calendar) else {
            return;
        };
        if end <= latest.at {
            let why = "the clocks go forward over all of it";
            return self.pass_over(index, latest.at, Outcome::Skipped, why);
        }
        if end <= wall {
            let why = "all of it was over when the clock came there";
            return self.pass_over(index, latest.at, Outcome::Missed, why);
        }
        if !self.agenda.held.contains_key(&rule.id) {
            self.hold(index, latest.at, end);
            self.agenda.queue.expect(end, Turn::End, index);
        }
    }

    /// Finds out when a rule is due next.
    fn expect_next(&mut self, index: usize, rule: &Rule, calendar: &Calendar, wall: Timestamp) {
        let Trigger::Time { at, days } = rule.trigger else {
            return;
        };
        let agenda = &mut self.agenda;
        let mut next = calendar.next(days, at, wall);
        for _ in 0..LIVED_MAX {
            match next {
                Some(it) if rule.until.is_none() && agenda.lived.has(&rule.id, it.at) => {
                    next = calendar.next(days, at, it.at);
                }
                _ => break,
            }
        }
        agenda.rules[index].next = next.map(|next| Next::Time(next.at));
        if let Some(next) = next {
            agenda.queue.expect(next.at, Turn::Begin, index);
        }
        if let Some(held) = agenda.held.get(&rule.id) {
            agenda.queue.expect(held.end.0, Turn::End, index);
        }
    }

    /// Rules in force that are over, or have not begun: the clock says so.
    fn ends_in_the_past(&self, wall: Timestamp) -> Vec<Due> {
        let rules = self.agenda.schedule.rules.iter().enumerate();
        let over = rules.filter_map(|(index, rule)| {
            let held = self.agenda.held.get(&rule.id)?;
            let is_over = held.end.0 <= wall || wall < held.begin.0;
            is_over.then_some(Due {
                at: held.end.0.min(wall),
                turn: Turn::End,
                rule: index,
            })
        });
        over.collect()
    }

    /// Undoes what no rule asks for any more: it is gone, or switched off, or says something else.
    fn release_what_is_no_rule(&mut self, now: Moment) {
        let schedule = self.agenda.schedule.clone();
        let calendar = self.agenda.times().map(|(_, calendar)| calendar.clone());
        let held = self.agenda.held.iter();
        let over = held.filter(|(id, held)| {
            let rule = self.agenda.rule(id);
            !rule.is_some_and(|rule| {
                let is_on = schedule.enabled && rule.enabled;
                let is_same = json!(rule.action) == held.deed && rule.until.is_some();
                let has_its_time = calendar
                    .as_ref()
                    .is_none_or(|calendar| has_window(rule, calendar, held.begin.0, held.end.0));
                is_on && is_same && has_its_time
            })
        });
        let over: Vec<Id> = over.map(|(id, _)| id.clone()).collect();
        let at = self.agenda.clock.map(|clock| clock.wall(now));
        for id in over {
            self.release(&id, at);
        }
    }

    /// Does what the queue says.
    pub(super) fn do_what_is_due(&mut self, now: Moment) {
        while let Some((at, index)) = self.agenda.queue.take_interval(now) {
            self.interval_over(index, at, now);
        }
        let Some((clock, calendar)) = self.agenda.times().map(|(c, t)| (c, t.clone())) else {
            return;
        };
        let wall = clock.wall(now);
        while let Some(due) = self.agenda.queue.take_due(wall) {
            let rule = self.agenda.schedule.rules[due.rule].clone();
            self.come_due(due, &calendar, wall);
            if due.turn == Turn::Begin {
                self.expect_next(due.rule, &rule, &calendar, wall);
            }
            self.agenda.is_news = true;
        }
    }

    // ---- what needs no clock on the wall ----

    /// Counts every interval: from the start of the machine, or from when its rule was made.
    pub(super) fn expect_intervals(&mut self, now: Moment) {
        let agenda = &mut self.agenda;
        agenda.queue.forget_intervals();
        let schedule = agenda.schedule.clone();
        for (index, rule) in schedule.rules.iter().enumerate() {
            if let (Trigger::Interval(every), true) =
                (&rule.trigger, rule.enabled && schedule.enabled)
            {
                let from = agenda.rules[index].born.unwrap_or_default();
                let next = next_multiple(from, *every, now);
                agenda.rules[index].next = Some(Next::Moment(next));
                agenda.queue.expect_interval(next, index);
            }
        }
    }

    fn interval_over(&mut self, index: usize, at: Moment, now: Moment) {
        let rule = self.agenda.schedule.rules[index].clone();
        self.occur(&rule, at);
        if let Trigger::Interval(every) = rule.trigger {
            let next = next_multiple(at, every, now);
            self.agenda.rules[index].next = Some(Next::Moment(next));
            self.agenda.queue.expect_interval(next, index);
        }
    }

    /// The machine was started, and this is the first daemon since.
    pub(super) fn do_rules_for_starts(&mut self, now: Moment) {
        self.occur_all(&Trigger::Boot, now);
    }

    /// Tells the rules of connections that are lost and regained.
    pub(super) fn watch_the_wire(&mut self, now: Moment) {
        let is_there = self.connection.is_there();
        let wire = &mut self.agenda.wire;
        match wire.told {
            None => return,
            Some(told) if told == is_there => {
                wire.otherwise = None;
                return;
            }
            Some(_) => {}
        }
        wire.otherwise.get_or_insert(now);
        if self.wire_deadline().is_none_or(|deadline| deadline > now) {
            return;
        }
        self.agenda.wire.told = Some(is_there);
        self.agenda.wire.otherwise = None;
        let trigger = match is_there {
            true => Trigger::Regained,
            false => Trigger::Lost,
        };
        self.occur_all(&trigger, now);
    }

    /// When a connection has been lost, or back, for as long as it takes to count.
    pub(super) fn wire_deadline(&self) -> Option<Moment> {
        let behaviors = &self.loaded.config.behaviors;
        let after = match self.agenda.wire.told {
            Some(false) => behaviors.regained_after,
            _ => behaviors.lost_after,
        };
        self.agenda.wire.otherwise.map(|since| since + after)
    }

    /// The kernel has said for the first time whether there is a network: that is how it is, and nothing was lost.
    pub(in super::super) fn hear_of_network(&mut self, connected: bool) {
        self.agenda.wire.told.get_or_insert(connected);
    }

    fn occur_all(&mut self, trigger: &Trigger, at: Moment) {
        let schedule = self.agenda.schedule.clone();
        let is_meant = |rule: &&Rc<Rule>| rule.enabled && rule.trigger == *trigger;
        for rule in schedule.rules.iter().filter(is_meant) {
            if schedule.enabled {
                self.occur(rule, at);
            }
        }
    }

    fn occur(&mut self, rule: &Rule, at: Moment) {
        let occasion = Occasion {
            at: self.agenda.clock.map(|clock| clock.wall(at)),
            kind: Kind::Begin,
            client: None,
        };
        self.line_up(rule, Step::Do(rule.action.clone()), occasion);
    }
}

/// When a rule ends that has begun, where it has an end.
pub(super) fn end_of(rule: &Rule, begin: Come, calendar: &Calendar) -> Option<Timestamp> {
    let Trigger::Time { at, .. } = rule.trigger else {
        return None;
    };
    calendar.end(begin.date, at, rule.until?)
}

/// Whether a rule is in force from one instant to the other.
fn has_window(rule: &Rule, calendar: &Calendar, begin: Timestamp, end: Timestamp) -> bool {
    let (Trigger::Time { at, days }, Some(until)) = (&rule.trigger, rule.until) else {
        return false;
    };
    let window = |days: Days, at: TimeOfDay| {
        let come = calendar.latest(days, at, begin)?;
        Some((come.at, calendar.end(come.date, at, until)?))
    };
    window(*days, *at) == Some((begin, end))
}

/// The first multiple of an interval after now.
fn next_multiple(from: Moment, every: Duration, now: Moment) -> Moment {
    let count = now.since(from).as_nanos() / every.as_nanos().max(1) + 1;
    let seconds = u64::try_from(count).unwrap_or(u64::MAX);
    from + Duration::from_secs(every.as_secs().saturating_mul(seconds))
}
