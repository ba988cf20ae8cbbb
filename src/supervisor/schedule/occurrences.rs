//! Which occurrence is due, which was missed, and which override is active.
//!
//! Everything is recomputed at the start and when the clock jumps or the zone or the rules change; otherwise the
//! queue says what is next. An occurrence that was missed (the power was off, or the clock jumped over it) is
//! skipped, or carried out once if the rule catches up. An override is a state: it begins whenever it should be
//! active and is not, and ends whenever it is active and should not be.

use super::calendar::{Calendar, DatedInstant};
use super::due_queue::Due;
use super::elapsed::LATE_TOLERANCE;
use super::execution_queue::{Cause, ExecutionStep};
use super::{NextTime, Scheduler};
use crate::config::{Days, Id, Rule, TimeOfDay, Trigger};
use crate::supervisor::facts::Facts;
use crate::supervisor::interface::{
    ClockReading, EntryKind, OccurrenceKind, RuleOutcome, later_by,
};
use crate::time::Moment;
use jiff::Timestamp;
use serde_json::json;
use std::rc::Rc;
use std::time::Duration;

/// Occurrences that are searched for one that was not handled: more than two years, daily.
const SKIPPED_MAX: usize = 800;

impl Scheduler {
    /// Recomputes what is due, if needed.
    pub(super) fn recompute(&mut self, facts: &Facts<'_>, now: Moment) {
        if !std::mem::take(&mut self.needs_recompute) {
            return;
        }
        self.is_changed = true;
        self.request_zone();
        self.queue.clear_times();
        for state in &mut self.rules {
            if let Some(NextTime::Time(_)) = state.next {
                state.next = None;
            }
        }
        self.end_outdated_overrides(now);
        let Some((clock, calendar)) = self.times().map(|(c, t)| (c, t.clone())) else {
            return;
        };
        let wall = clock.wall(now);
        if self.schedule.enabled {
            let schedule = self.schedule.clone();
            let mut due = self.overdue_ends(wall);
            for (index, rule) in schedule.rules.iter().enumerate() {
                let Trigger::Time { at, days } = rule.trigger else {
                    continue;
                };
                if !rule.enabled {
                    continue;
                }
                let latest = calendar.latest(days, at, wall);
                if let Some(latest) = latest {
                    self.check_latest(index, rule, latest, &calendar, clock, wall, &mut due);
                }
                self.add_next(index, rule, &calendar, wall);
            }
            due.sort_unstable();
            // Every save from here on contains this position of the clock.
            self.elapsed.set_clock(wall);
            for due in due {
                self.handle_due(facts, due, &calendar, wall);
            }
        }
        self.elapsed.set_clock(wall);
    }

    /// Checks whether the latest occurrence was missed, or its override is still to be active.
    #[expect(clippy::too_many_arguments, reason = "it is the inside of one loop")]
    fn check_latest(
        &self,
        index: usize,
        rule: &Rule,
        latest: DatedInstant,
        calendar: &Calendar,
        clock: ClockReading,
        wall: Timestamp,
        due: &mut Vec<Due>,
    ) {
        let begins = Due {
            at: latest.at,
            kind: OccurrenceKind::Begin,
            rule: index,
        };
        if let (Some(_), Some(end)) = (rule.until, end_of(rule, latest, calendar)) {
            let active = self.active.get(&rule.id);
            if active.is_some_and(|active| active.begin.0 == latest.at) {
                return;
            }
            if wall < end || self.is_missed(index, rule, latest.at, clock) {
                due.push(begins);
            }
        } else if self.is_missed(index, rule, latest.at, clock) {
            due.push(begins);
        }
    }

    /// Whether a past occurrence was not handled although it should have been.
    fn is_missed(&self, index: usize, rule: &Rule, at: Timestamp, clock: ClockReading) -> bool {
        let Some(from) = self.elapsed.position() else {
            return false;
        };
        let created = self.rules[index].created.map(|created| clock.wall(created));
        let is_later = created.is_none_or(|created| at > created);
        at > from && is_later && !self.elapsed.contains(&rule.id, at)
    }

    /// Handles an occurrence that is due.
    fn handle_due(&mut self, facts: &Facts<'_>, due: Due, calendar: &Calendar, wall: Timestamp) {
        let rule = self.schedule.rules[due.rule].clone();
        match due.kind {
            OccurrenceKind::End => {
                if self.active.contains_key(&rule.id) {
                    self.end_override(&rule.id, Some(due.at));
                }
                return;
            }
            OccurrenceKind::Begin if rule.until.is_some() => {
                return self.begin_if_active(facts, due.rule, &rule, calendar, wall);
            }
            OccurrenceKind::Begin => {}
        }
        // Of several past occurrences only the latest counts.
        let at = match (later_by(wall, due.at) > LATE_TOLERANCE, &rule.trigger) {
            (true, Trigger::Time { at, days }) => {
                calendar.latest(*days, *at, wall).map_or(due.at, |it| it.at)
            }
            _ => due.at,
        };
        if later_by(wall, at) > LATE_TOLERANCE && !rule.catch_up {
            let why = "the clock had passed it";
            return self.skip_occurrence(due.rule, at, RuleOutcome::Missed, why);
        }
        // Outside the handled periods: it must not run again when the clock gets there.
        if !self.elapsed.contains(&rule.id, at) {
            self.elapsed.record_late(&rule.id, at);
        }
        let cause = Cause {
            at: Some(at),
            kind: EntryKind::Begin,
            client: None,
        };
        self.enqueue_execution(&rule, ExecutionStep::Run(rule.action.clone()), cause);
    }

    fn begin_if_active(
        &mut self,
        facts: &Facts<'_>,
        index: usize,
        rule: &Rule,
        calendar: &Calendar,
        wall: Timestamp,
    ) {
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
            let why = "the change to daylight saving time skips all of it";
            return self.skip_occurrence(index, latest.at, RuleOutcome::Skipped, why);
        }
        if end <= wall {
            let why = "the clock had passed all of it";
            return self.skip_occurrence(index, latest.at, RuleOutcome::Missed, why);
        }
        if !self.active.contains_key(&rule.id) {
            self.begin_override(facts, index, latest.at, end);
            self.queue.add_time(end, OccurrenceKind::End, index);
        }
    }

    /// Queues the next occurrence of a rule.
    fn add_next(&mut self, index: usize, rule: &Rule, calendar: &Calendar, wall: Timestamp) {
        let Trigger::Time { at, days } = rule.trigger else {
            return;
        };
        let mut next = calendar.next(days, at, wall);
        for _ in 0..SKIPPED_MAX {
            match next {
                Some(it) if rule.until.is_none() && self.elapsed.contains(&rule.id, it.at) => {
                    next = calendar.next(days, at, it.at);
                }
                _ => break,
            }
        }
        self.rules[index].next = next.map(|next| NextTime::Time(next.at));
        if let Some(next) = next {
            self.queue.add_time(next.at, OccurrenceKind::Begin, index);
        }
        if let Some(active) = self.active.get(&rule.id) {
            self.queue
                .add_time(active.end.0, OccurrenceKind::End, index);
        }
    }

    /// The ends of active overrides that are over, or that have not begun by this clock.
    fn overdue_ends(&self, wall: Timestamp) -> Vec<Due> {
        let rules = self.schedule.rules.iter().enumerate();
        let over = rules.filter_map(|(index, rule)| {
            let active = self.active.get(&rule.id)?;
            let is_over = active.end.0 <= wall || wall < active.begin.0;
            is_over.then_some(Due {
                at: active.end.0.min(wall),
                kind: OccurrenceKind::End,
                rule: index,
            })
        });
        over.collect()
    }

    /// Ends the overrides whose rule was removed, disabled or changed.
    fn end_outdated_overrides(&mut self, now: Moment) {
        let schedule = self.schedule.clone();
        let calendar = self.times().map(|(_, calendar)| calendar.clone());
        let active = self.active.iter();
        let over = active.filter(|(id, active)| {
            let rule = self.rule(id);
            !rule.is_some_and(|rule| {
                let is_on = schedule.enabled && rule.enabled;
                let is_same = json!(rule.action) == active.action && rule.until.is_some();
                let has_its_time = calendar.as_ref().is_none_or(|calendar| {
                    has_window(rule, calendar, active.begin.0, active.end.0)
                });
                is_on && is_same && has_its_time
            })
        });
        let over: Vec<Id> = over.map(|(id, _)| id.clone()).collect();
        let at = self.clock.map(|clock| clock.wall(now));
        for id in over {
            self.end_override(&id, at);
        }
    }

    /// Handles what the queue says is due.
    pub(super) fn run_due(&mut self, facts: &Facts<'_>, now: Moment) {
        while let Some((at, index)) = self.queue.take_interval(now) {
            self.handle_interval(index, at, now);
        }
        let Some((clock, calendar)) = self.times().map(|(c, t)| (c, t.clone())) else {
            return;
        };
        let wall = clock.wall(now);
        while let Some(due) = self.queue.take_due(wall) {
            let rule = self.schedule.rules[due.rule].clone();
            self.handle_due(facts, due, &calendar, wall);
            if due.kind == OccurrenceKind::Begin {
                self.add_next(due.rule, &rule, &calendar, wall);
            }
            self.is_changed = true;
        }
    }

    // ---- triggers that need no wall clock ----

    /// Queues every interval, counted from the boot of the machine or from when its rule was added.
    pub(super) fn add_intervals(&mut self, now: Moment) {
        self.queue.clear_intervals();
        let schedule = self.schedule.clone();
        for (index, rule) in schedule.rules.iter().enumerate() {
            if let (Trigger::Interval(every), true) =
                (&rule.trigger, rule.enabled && schedule.enabled)
            {
                let from = self.rules[index].created.unwrap_or_default();
                let next = next_multiple(from, *every, now);
                self.rules[index].next = Some(NextTime::Moment(next));
                self.queue.add_interval(next, index);
            }
        }
    }

    fn handle_interval(&mut self, index: usize, at: Moment, now: Moment) {
        let rule = self.schedule.rules[index].clone();
        self.trigger_rule(&rule, at);
        if let Trigger::Interval(every) = rule.trigger {
            let next = next_multiple(at, every, now);
            self.rules[index].next = Some(NextTime::Moment(next));
            self.queue.add_interval(next, index);
        }
    }

    /// Runs the boot rules: this is the first daemon since the machine was booted.
    pub(super) fn run_boot_rules(&mut self, now: Moment) {
        self.trigger_all(&Trigger::Boot, now);
    }

    /// Triggers the rules for lost and regained connections.
    pub(super) fn update_network_rules(&mut self, facts: &Facts<'_>, now: Moment) {
        let is_reachable = facts.is_connected;
        let network = &mut self.network;
        match network.reported {
            None => return,
            Some(reported) if reported == is_reachable => {
                network.differs_since = None;
                return;
            }
            Some(_) => {}
        }
        network.differs_since.get_or_insert(now);
        if self
            .network_rule_deadline(facts)
            .is_none_or(|deadline| deadline > now)
        {
            return;
        }
        self.network.reported = Some(is_reachable);
        self.network.differs_since = None;
        let trigger = match is_reachable {
            true => Trigger::Regained,
            false => Trigger::Lost,
        };
        self.trigger_all(&trigger, now);
    }

    /// When a lost or regained connection has lasted long enough.
    pub(super) fn network_rule_deadline(&self, facts: &Facts<'_>) -> Option<Moment> {
        let behaviors = &facts.loaded.config.behaviors;
        let after = match self.network.reported {
            Some(false) => behaviors.regained_after,
            _ => behaviors.lost_after,
        };
        self.network.differs_since.map(|since| since + after)
    }

    /// The first report of the kernel about the network: nothing was lost.
    pub fn set_initial_network(&mut self, connected: bool) {
        self.network.reported.get_or_insert(connected);
    }

    fn trigger_all(&mut self, trigger: &Trigger, at: Moment) {
        let schedule = self.schedule.clone();
        let is_meant = |rule: &&Rc<Rule>| rule.enabled && rule.trigger == *trigger;
        for rule in schedule.rules.iter().filter(is_meant) {
            if schedule.enabled {
                self.trigger_rule(rule, at);
            }
        }
    }

    fn trigger_rule(&mut self, rule: &Rule, at: Moment) {
        let cause = Cause {
            at: self.clock.map(|clock| clock.wall(at)),
            kind: EntryKind::Begin,
            client: None,
        };
        self.enqueue_execution(rule, ExecutionStep::Run(rule.action.clone()), cause);
    }
}

/// The end of an occurrence, if its rule has one.
pub(super) fn end_of(rule: &Rule, begin: DatedInstant, calendar: &Calendar) -> Option<Timestamp> {
    let Trigger::Time { at, .. } = rule.trigger else {
        return None;
    };
    calendar.end(begin.date, at, rule.until?)
}

/// Whether a rule is active exactly from `begin` to `end`.
fn has_window(rule: &Rule, calendar: &Calendar, begin: Timestamp, end: Timestamp) -> bool {
    let (Trigger::Time { at, days }, Some(until)) = (&rule.trigger, rule.until) else {
        return false;
    };
    let window = |days: Days, at: TimeOfDay| {
        let instant = calendar.latest(days, at, begin)?;
        Some((instant.at, calendar.end(instant.date, at, until)?))
    };
    window(*days, *at) == Some((begin, end))
}

/// The first multiple of an interval after `now`.
fn next_multiple(from: Moment, every: Duration, now: Moment) -> Moment {
    let count = now.since(from).as_nanos() / every.as_nanos().max(1) + 1;
    let seconds = u64::try_from(count).unwrap_or(u64::MAX);
    from + Duration::from_secs(every.as_secs().saturating_mul(seconds))
}
