//! Carries out the rules of the schedule, each occurrence once.
//!
//! ```text
//!   clock, zone, rules ─▶ due queue ─▶ executions ── saved first, if needed ─▶ carried out ─▶ history
//! ```
//!
//! | file | decides |
//! |---|---|
//! | `occurrences` | which occurrence is due, which was missed, which override is active |
//! | `execution` | in which order rules run, and what must be saved before |
//! | `rule_commands` | the command that carries a rule out |
//! | `page_overrides` | which page a display process shows instead of its configured one |
//! | `overrides` | what an override sets, what is restored, and which other change replaces it |
//! | `preview` | what will happen, and which rules contradict each other |
//!
//! Rules with a time wait until the clock is trusted; intervals, boot and network rules do not need it.

mod calendar;
mod due_queue;
mod elapsed;
mod execution;
mod execution_queue;
mod history;
mod occurrences;
mod override_stack;
mod overrides;
mod page_override;
mod page_overrides;
mod preview;
mod rule_commands;

use super::facts::Facts;
use crate::config::{Display, Document, Id, Rule, Schedule, Trigger, Zone};
use crate::supervisor::interface::saved_schedule::{ActiveOverride, SavedEntry, Stamp};
use crate::supervisor::interface::{
    Action, ClockReading, Command, Event, ExecutionId, Failure, HistoryEntry, LastExecution,
    LocalTime, Outcome, Refusal, Requester, RuleStatus, SavedSchedule, ScheduleStatus,
};
use crate::time::Moment;
use calendar::Calendar;
use due_queue::DueQueue;
use elapsed::ElapsedTime;
use execution_queue::ExecutionQueue;
use history::History;
use jiff::tz::TimeZone;
use override_stack::OverrideStacks;
use page_override::PageOverride;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// What is known of the schedule when the daemon starts.
#[derive(Debug, Default)]
pub struct ScheduleBoot {
    /// What the previous daemon saved.
    pub saved: SavedSchedule,
    /// Identifies the boot of the machine.
    pub boot: String,
    /// Both clocks, if the wall clock is trusted.
    pub clock: Option<ClockReading>,
    /// A zone that was already looked up, and the result.
    pub zone: Option<(Zone, Result<TimeZone, Failure>)>,
}

/// The state of the schedule.
#[derive(Debug, Default)]
pub(super) struct Scheduler {
    /// The rules in effect; compared with the configured ones.
    schedule: Rc<Schedule>,
    /// The state of each rule, in the order of the rules.
    rules: Vec<RuleState>,
    /// The index of each rule.
    indexes: BTreeMap<Id, usize>,
    /// Identifies the boot of the machine.
    boot: String,
    /// Both clocks, while the wall clock is trusted.
    clock: Option<ClockReading>,
    /// The zone that was looked up, and the result.
    zone: Option<(Zone, Result<Calendar, String>)>,
    /// The zone that is being looked up.
    requested_zone: Option<Zone>,
    queue: DueQueue,
    elapsed: ElapsedTime,
    /// The overrides in effect.
    active: BTreeMap<Id, ActiveOverride>,
    overrides: OverrideStacks,
    page_overrides: BTreeMap<Id, PageOverride>,
    executions: ExecutionQueue,
    history: History,
    network: NetworkWatch,
    /// The document that was last checked for changes of what rules set.
    document: Rc<Document>,
    /// The clock, the zone or the rules changed: everything must be recomputed.
    needs_recompute: bool,
    /// The published status is outdated.
    is_changed: bool,
    /// The page overrides that browsers start with.
    start_pages: BTreeMap<Id, String>,
    intents: VecDeque<Intent>,
}

/// What the schedule wants of the rest of the supervisor, in order.
#[derive(Debug)]
pub(super) enum Intent {
    Act(Action),
    /// Run a command; its result is the result of the execution.
    Command(ExecutionId, Command),
    /// Restart a browser to show its start page; the result is the result of the execution.
    Restart(ExecutionId, Id),
    Reply(Requester, Outcome),
    /// Switch a screen on or off.
    SwitchPower(Display, bool),
    /// Switch a screen that is not connected once it appears.
    SwitchPowerLater(Display, bool),
    /// The screen was requested to be on or off before the daemon started.
    RestorePower(Display, bool),
    /// Start or stop a process before anything else starts.
    SetRunning(Id, bool),
}

/// The state of one rule.
#[derive(Clone, Debug, Default)]
struct RuleState {
    /// When the rule was added, changed or enabled; `None` if that was before the daemon started.
    created: Option<Moment>,
    /// When it is due next.
    next: Option<NextTime>,
    last: Option<Rc<LastExecution>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NextTime {
    Time(jiff::Timestamp),
    Moment(Moment),
}

/// Whether there is a connection, as last reported to the rules.
#[derive(Debug, Default)]
struct NetworkWatch {
    /// `None` until the first report.
    reported: Option<bool>,
    /// Since when it differs from that.
    differs_since: Option<Moment>,
}

impl Scheduler {
    /// Restores what the previous daemon saved.
    pub fn restore_schedule(&mut self, facts: &Facts<'_>, boot: ScheduleBoot, now: Moment) {
        let SavedSchedule {
            boot: booted,
            position,
            elapsed,
            handled_late,
            active,
            stacks,
            start_pages,
            page_overrides,
            powers,
            history,
        } = boot.saved;
        let periods = elapsed
            .into_iter()
            .map(|(from, to)| (from.0, to.0))
            .collect();
        let handled_late = handled_late.into_iter().map(|(id, at)| (id, at.0));
        self.elapsed = ElapsedTime::restore(periods, position.map(|at| at.0), handled_late);
        self.active = active;
        self.overrides = OverrideStacks::restore(stacks);
        self.clock = boot.clock;
        let found = |(zone, found): (Zone, Result<TimeZone, Failure>)| {
            (
                zone,
                found.map(Calendar::new).map_err(|failure| failure.message),
            )
        };
        self.zone = boot.zone.map(found);
        self.schedule = facts.loaded.config.schedule.clone();
        self.rules = vec![RuleState::default(); self.schedule.rules.len()];
        self.index_rules();
        self.document = facts.loaded.document.clone();
        self.needs_recompute = true;
        self.is_changed = true;
        let is_first = booted != boot.boot;
        self.boot = boot.boot;
        self.restore_page_overrides(facts, start_pages, page_overrides, now);
        self.restore_power_requests(powers, is_first);
        self.restore_overrides(facts);
        self.restore_history(history.into_iter().map(HistoryEntry::from));
        self.add_intervals(now);
        if is_first {
            self.run_boot_rules(now);
        }
    }

    /// Handles an event of the schedule.
    pub(super) fn handle_schedule_event(&mut self, facts: &Facts<'_>, event: Event, now: Moment) {
        match event {
            Event::Clock { reading, trusted } => {
                self.clock = trusted.then_some(reading);
                self.needs_recompute = true;
            }
            Event::TimeZone { zone, found } => {
                if self.requested_zone.as_ref() == Some(&zone) {
                    self.requested_zone = None;
                }
                if zone == facts.loaded.config.schedule.zone {
                    let found = found.map(Calendar::new).map_err(|failure| failure.message);
                    self.zone = Some((zone, found));
                    self.needs_recompute = true;
                }
            }
            Event::ScheduleSaved { result } => self.handle_schedule_saved(result, now),
            Event::RuleDone { execution, result } => {
                self.complete_execution(execution, result, now);
            }
            _ => {}
        }
        self.is_changed = true;
    }

    /// Brings the schedule up to date with the facts, and runs what is due.
    pub fn update(&mut self, facts: &Facts<'_>, now: Moment) {
        if facts.shutting_down {
            return;
        }
        self.advance_clock(now);
        self.adopt_rules(facts, now);
        self.check_document(facts);
        self.recompute(facts, now);
        self.run_due(facts, now);
        self.update_network_rules(facts, now);
        self.retry_page_overrides(facts, now);
        self.apply_power_overrides(facts);
        self.save_if_due();
    }

    /// Advances the clock, unless it may have jumped.
    fn advance_clock(&mut self, now: Moment) {
        if let (false, Some(wall)) = (
            self.needs_recompute,
            self.times().map(|(it, _)| it.wall(now)),
        ) {
            self.elapsed.advance(wall);
        }
    }

    /// When there is something to do for the schedule.
    pub fn schedule_deadline(&self, facts: &Facts<'_>) -> Option<Moment> {
        if facts.shutting_down {
            return None;
        }
        let time = self.clock.zip(self.queue.first_time());
        let time = time.map(|(clock, at)| clock.moment(at));
        let deadlines = [
            time,
            self.queue.first_interval(),
            self.network_rule_deadline(facts),
            self.page_override_deadline(facts),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// A client requests a rule.
    pub(super) fn request_rule(
        &mut self,
        facts: &Facts<'_>,
        requester: Requester,
        id: &Id,
        now: Moment,
    ) {
        let mut rules = facts.loaded.config.schedule.rules.iter();
        match rules.find(|rule| rule.id == *id) {
            Some(rule) => self.run_rule_for_client(rule.clone(), requester, now),
            None => {
                let refusal = Err(Refusal::NoSuchRule(id.clone()));
                self.intents.push_back(Intent::Reply(requester, refusal));
            }
        }
    }

    /// Whether something is unfinished that another daemon could not complete.
    pub(super) fn is_schedule_busy(&self) -> bool {
        self.executions.is_busy()
    }

    /// Looks up the configured zone, unless that was done.
    fn request_zone(&mut self) {
        let wanted = &self.schedule.zone;
        let is_known = self.zone.as_ref().is_some_and(|(zone, _)| zone == wanted);
        if !is_known && self.requested_zone.as_ref() != Some(wanted) {
            self.zone = None;
            self.requested_zone = Some(wanted.clone());
            let zone = wanted.clone();
            self.intents
                .push_back(Intent::Act(Action::FindTimeZone { zone }));
        }
    }

    /// Adopts the configured rules. Rules that did not change keep their state.
    fn adopt_rules(&mut self, facts: &Facts<'_>, now: Moment) {
        let new = facts.loaded.config.schedule.clone();
        if Rc::ptr_eq(&self.schedule, &new) {
            return;
        }
        let old = std::mem::replace(&mut self.schedule, new.clone());
        if *old == *new {
            return;
        }
        let states = std::mem::take(&mut self.rules);
        let mut previous: BTreeMap<&Id, (&Rc<Rule>, RuleState)> = (old.rules.iter())
            .zip(states)
            .map(|(rule, state)| (&rule.id, (rule, state)))
            .collect();
        let was_off = !old.enabled;
        self.rules = (new.rules.iter())
            .map(|rule| match previous.remove(&rule.id) {
                Some((before, state)) if !was_off && is_same(before, rule) => state,
                Some((_, state)) => RuleState {
                    created: Some(now),
                    next: None,
                    last: state.last,
                },
                None => RuleState {
                    created: Some(now),
                    ..RuleState::default()
                },
            })
            .collect();
        self.index_rules();
        self.needs_recompute = true;
        self.is_changed = true;
        self.add_intervals(now);
        self.executions.save_soon();
    }

    /// The status of the schedule if it changed.
    pub(super) fn schedule_status(&mut self) -> Option<ScheduleStatus> {
        if !std::mem::take(&mut self.is_changed) {
            return None;
        }
        let zone = self.display_zone();
        let local = |at| LocalTime::new(at, &zone);
        let next = |next| match next {
            NextTime::Time(at) => Some(local(at)),
            NextTime::Moment(at) => self.clock.map(|clock| local(clock.wall(at))),
        };
        let is_on = self.schedule.enabled;
        let rules = self.schedule.rules.iter().zip(&self.rules);
        let rules = rules.map(|(rule, state)| RuleStatus {
            id: rule.id.clone(),
            rule: Some(rule.clone()),
            next: (state.next.filter(|_| is_on && rule.enabled)).and_then(next),
            waits_for_clock: is_on
                && rule.enabled
                && self.clock.is_none()
                && matches!(rule.trigger, Trigger::Time { .. }),
            active: rule.until.is_some() && self.active.contains_key(&rule.id),
            last: state.last.clone(),
        });
        let unfit = self.schedule.invalid.iter().map(|id| RuleStatus {
            id: id.clone(),
            rule: None,
            next: None,
            waits_for_clock: false,
            active: false,
            last: None,
        });
        let entries = self.history.entries().rev();
        Some(ScheduleStatus {
            enabled: is_on,
            timezone: self.zone_name(),
            clock_trusted: self.clock.is_some(),
            problem: match &self.zone {
                Some((_, Err(why))) => Some(why.clone()),
                _ => None,
            },
            rules: rules.chain(unfit).collect(),
            record: entries
                .map(|entry| (entry.clone(), entry.at.map(local)))
                .collect(),
        })
    }
}

impl Scheduler {
    /// The next thing to do for the schedule.
    pub fn next_intent(&mut self) -> Option<Intent> {
        self.intents.pop_front()
    }

    /// The pages that browsers start with instead of the configured ones.
    pub fn start_pages(&self) -> &BTreeMap<Id, String> {
        &self.start_pages
    }

    fn set_start_page(&mut self, id: &Id, url: Option<String>) {
        match url {
            Some(url) => self.start_pages.insert(id.clone(), url),
            None => self.start_pages.remove(id),
        };
    }

    /// The result of a command of the schedule.
    pub(super) fn add_result(&mut self, id: ExecutionId, outcome: Outcome) {
        self.executions.add_result(id, outcome);
    }

    /// A rule in effect.
    fn rule(&self, id: &Id) -> Option<&Rc<Rule>> {
        self.schedule.rules.get(*self.indexes.get(id)?)
    }

    /// Rebuilds the index of the rules.
    fn index_rules(&mut self) {
        let rules = self.schedule.rules.iter().enumerate();
        self.indexes = rules
            .map(|(index, rule)| (rule.id.clone(), index))
            .collect();
    }

    /// The clock and the calendar, if the clock is trusted and the zone known.
    fn times(&self) -> Option<(ClockReading, &Calendar)> {
        let (_, found) = self.zone.as_ref()?;
        Some((self.clock?, found.as_ref().ok()?))
    }

    /// The zone in which times are displayed.
    fn display_zone(&self) -> TimeZone {
        match &self.zone {
            Some((_, Ok(calendar))) => calendar.zone().clone(),
            _ => TimeZone::UTC,
        }
    }

    fn zone_name(&self) -> String {
        let found = match &self.zone {
            Some((_, Ok(calendar))) => calendar.zone().iana_name(),
            _ => None,
        };
        found.unwrap_or(self.schedule.zone.as_str()).to_owned()
    }

    /// What the schedule itself has to save.
    fn saved(&self) -> SavedSchedule {
        let stamp = |(from, to): &(_, _)| (Stamp(*from), Stamp(*to));
        SavedSchedule {
            boot: self.boot.clone(),
            position: self.elapsed.position().map(Stamp),
            elapsed: self.elapsed.periods().iter().map(stamp).collect(),
            handled_late: (self.elapsed.handled_late())
                .map(|(id, at)| (id.clone(), Stamp(*at)))
                .collect(),
            active: self.active.clone(),
            stacks: self.overrides.stacks().to_vec(),
            start_pages: BTreeMap::new(),
            page_overrides: (self.page_overrides.iter())
                .map(|(id, page)| (id.clone(), page.saved()))
                .collect(),
            powers: None,
            history: self.history.entries().map(SavedEntry::from).collect(),
        }
    }
}

/// Whether the rules differ at most in their name and in `catch_up`.
fn is_same(one: &Rule, other: &Rule) -> bool {
    one.enabled == other.enabled
        && one.trigger == other.trigger
        && one.action == other.action
        && one.until == other.until
}
