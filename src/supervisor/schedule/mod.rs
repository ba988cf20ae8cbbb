//! Does what the rules of the schedule say, each occurrence once.
//!
//! ```text
//!   the clock, the zone, the rules ─▶ queue ── due ─▶ line ── written down, where it must be ─▶ carried out ─▶ record
//! ```
//!
//! Scrolling down is drilling down:
//!
//! | file | decides |
//! |---|---|
//! | `occurrences` | which occurrence is due, which was missed, which rule is in force |
//! | `line` | in which order they are carried out, and what has to be durable before |
//! | `deeds` | how each is carried out: as the request of a client would be |
//! | `page_override` | which page a display process shows instead of its configured one |
//! | `overlay` | what a rule with an end overrides, what comes back, and what an operator did meanwhile |
//! | `foresee` | what is going to happen, and which rules contradict each other |
//!
//! `calendar`, `reading`, `lived`, `layers`, `queue` and `record` are what they reckon with. Rules with a time
//! wait until the clock is trusted; intervals, starts and connections need none.

mod calendar;
mod clock_reading;
mod due_queue;
mod elapsed;
mod execution;
mod history;
mod occurrences;
mod override_stack;
mod overrides;
mod page_override;
mod preview;
mod rule_commands;
mod saved;
mod snapshot;

pub use clock_reading::ClockReading;
pub use due_queue::OccurrenceKind;
pub use history::{EntryKind, HistoryEntry, RuleOutcome};
pub use preview::{Conflict, Occurrence, Preview};
pub use saved::SavedSchedule;
pub use snapshot::{LastExecution, LocalTime, RuleStatus, ScheduleStatus};

use super::{Action, Event, Failure, Refusal, Supervisor, Ticket};
use crate::config::{Document, Id, Rule, Schedule, Trigger, Zone};
use crate::time::Moment;
use calendar::Calendar;
use due_queue::DueQueue;
use elapsed::ElapsedTime;
use execution::ExecutionQueue;
use history::History;
use jiff::tz::TimeZone;
use override_stack::OverrideStacks;
use page_override::PageOverride;
use saved::{ActiveOverride, Stamp};
use std::collections::BTreeMap;
use std::rc::Rc;

/// What of the schedule is known when the daemon starts.
#[derive(Debug, Default)]
pub struct ScheduleBoot {
    /// What the daemon before this one has kept.
    pub saved: SavedSchedule,
    /// Names the start of the machine.
    pub boot: String,
    /// Both clocks, if the one on the wall is trusted.
    pub clock: Option<ClockReading>,
    /// A zone that was looked for already, and what was found.
    pub zone: Option<(Zone, Result<TimeZone, Failure>)>,
}

/// The schedule at work.
#[derive(Debug, Default)]
pub(super) struct Scheduler {
    /// As it is carried out; compared with what is configured.
    schedule: Rc<Schedule>,
    /// How each rule fares, in the order of the rules.
    rules: Vec<RuleState>,
    /// Where each rule stands.
    indexes: BTreeMap<Id, usize>,
    /// Names the start of the machine.
    boot: String,
    /// Both clocks, while the one on the wall is trusted.
    clock: Option<ClockReading>,
    /// The zone that was looked for, and what was found.
    zone: Option<(Zone, Result<Calendar, String>)>,
    /// The zone that is being looked for.
    requested_zone: Option<Zone>,
    queue: DueQueue,
    elapsed: ElapsedTime,
    /// The rules in force until their end.
    active: BTreeMap<Id, ActiveOverride>,
    overrides: OverrideStacks,
    page_overrides: BTreeMap<Id, PageOverride>,
    executions: ExecutionQueue,
    history: History,
    network: NetworkWatch,
    /// The document that was last looked through for somebody's last word.
    document: Rc<Document>,
    /// Everything has to be reckoned anew: the clock, the zone or the rules are others.
    needs_recompute: bool,
    /// What is shown is not as it is.
    is_changed: bool,
}

/// How one rule fares.
#[derive(Clone, Debug, Default)]
struct RuleState {
    /// It was made (or changed, or switched on) then; it has been there since before the daemon without.
    created: Option<Moment>,
    /// When it is done next.
    next: Option<NextTime>,
    last: Option<Rc<LastExecution>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NextTime {
    Time(jiff::Timestamp),
    Moment(Moment),
}

/// Whether there is a connection, as the rules were told of it last.
#[derive(Debug, Default)]
struct NetworkWatch {
    /// Nothing until somebody has said so for the first time.
    reported: Option<bool>,
    /// Since when it has been otherwise.
    differs_since: Option<Moment>,
}

impl Supervisor {
    /// Takes up what the daemon before this one has left.
    pub(super) fn restore_schedule(&mut self, boot: ScheduleBoot, now: Moment) {
        let SavedSchedule {
            boot: booted,
            position,
            elapsed: lived,
            handled_late: caught_up,
            active: held,
            stacks,
            start_pages: canvases,
            page_overrides: pages,
            powers,
            history: record,
        } = boot.saved;
        let stretches = lived.into_iter().map(|(from, to)| (from.0, to.0)).collect();
        let caught_up = caught_up.into_iter().map(|(id, at)| (id, at.0));
        let agenda = &mut self.scheduler;
        agenda.elapsed = ElapsedTime::restore(stretches, position.map(|at| at.0), caught_up);
        agenda.active = held;
        agenda.overrides = OverrideStacks::restore(stacks);
        agenda.clock = boot.clock;
        let found = |(zone, found): (Zone, Result<TimeZone, Failure>)| {
            (
                zone,
                found.map(Calendar::new).map_err(|failure| failure.message),
            )
        };
        agenda.zone = boot.zone.map(found);
        agenda.schedule = self.loaded.config.schedule.clone();
        agenda.rules = vec![RuleState::default(); agenda.schedule.rules.len()];
        agenda.index_rules();
        agenda.document = self.loaded.document.clone();
        agenda.needs_recompute = true;
        agenda.is_changed = true;
        let is_first = booted != boot.boot;
        agenda.boot = boot.boot;
        self.restore_page_overrides(canvases, pages, now);
        self.restore_power_requests(powers, is_first);
        self.restore_overrides(now);
        self.restore_history(record.into_iter().map(HistoryEntry::from));
        self.add_intervals(now);
        if is_first {
            self.run_boot_rules(now);
        }
    }

    /// News of the schedule.
    pub(super) fn handle_schedule_event(&mut self, event: Event, now: Moment) {
        match event {
            Event::Clock { reading, trusted } => {
                self.scheduler.clock = trusted.then_some(reading);
                self.scheduler.needs_recompute = true;
            }
            Event::TimeZone { zone, found } => {
                let agenda = &mut self.scheduler;
                if agenda.requested_zone.as_ref() == Some(&zone) {
                    agenda.requested_zone = None;
                }
                if zone == self.loaded.config.schedule.zone {
                    let found = found.map(Calendar::new).map_err(|failure| failure.message);
                    agenda.zone = Some((zone, found));
                    agenda.needs_recompute = true;
                }
            }
            Event::ScheduleSaved { result } => self.handle_schedule_saved(result, now),
            Event::RuleDone { number, result } => self.complete_execution(number, result, now),
            _ => {}
        }
        self.scheduler.is_changed = true;
    }

    /// Does everything that is due.
    pub(super) fn update_schedule(&mut self, now: Moment) {
        if self.shutting_down {
            return self.process_results(now);
        }
        self.advance_clock(now);
        self.adopt_rules(now);
        self.check_document();
        self.recompute(now);
        self.run_due(now);
        self.update_network_rules(now);
        self.retry_page_overrides(now);
        self.apply_power_overrides(now);
        self.run_executions(now);
    }

    /// The clock went on, as far as is known without a jump.
    fn advance_clock(&mut self, now: Moment) {
        let agenda = &mut self.scheduler;
        if let (false, Some(wall)) = (
            agenda.needs_recompute,
            agenda.times().map(|(it, _)| it.wall(now)),
        ) {
            agenda.elapsed.advance(wall);
        }
    }

    /// When there is something to do for the schedule.
    pub(super) fn schedule_deadline(&self) -> Option<Moment> {
        if self.shutting_down {
            return None;
        }
        let agenda = &self.scheduler;
        let time = agenda.clock.zip(agenda.queue.first_time());
        let time = time.map(|(clock, at)| clock.moment(at));
        let deadlines = [
            time,
            agenda.queue.first_interval(),
            self.network_rule_deadline(),
            self.page_override_deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// A client asks for a rule to be done now.
    pub(super) fn request_rule(&mut self, ticket: Ticket, id: &Id, now: Moment) {
        let rules = self.loaded.config.schedule.rules.iter();
        match rules.clone().find(|rule| rule.id == *id) {
            Some(rule) => self.run_rule_for_client(rule.clone(), ticket, now),
            None => self.reply(ticket, Err(Refusal::NoSuchRule(id.clone()))),
        }
    }

    /// Whether something is half done that another daemon could not finish.
    pub(super) fn is_schedule_busy(&self) -> bool {
        self.scheduler.executions.is_busy()
    }

    /// Looks for the zone that is configured, where it was not looked for yet.
    fn request_zone(&mut self) {
        let agenda = &mut self.scheduler;
        let wanted = &agenda.schedule.zone;
        let is_known = agenda.zone.as_ref().is_some_and(|(zone, _)| zone == wanted);
        if !is_known && agenda.requested_zone.as_ref() != Some(wanted) {
            agenda.zone = None;
            agenda.requested_zone = Some(wanted.clone());
            let zone = wanted.clone();
            self.actions.push_back(Action::FindTimeZone { zone });
        }
    }

    /// The configured rules are others than those that are carried out: what was is kept of those that are the same.
    fn adopt_rules(&mut self, now: Moment) {
        let new = self.loaded.config.schedule.clone();
        if Rc::ptr_eq(&self.scheduler.schedule, &new) {
            return;
        }
        let old = std::mem::replace(&mut self.scheduler.schedule, new.clone());
        if *old == *new {
            return;
        }
        let states = std::mem::take(&mut self.scheduler.rules);
        let mut former: BTreeMap<&Id, (&Rc<Rule>, RuleState)> = (old.rules.iter())
            .zip(states)
            .map(|(rule, state)| (&rule.id, (rule, state)))
            .collect();
        let was_off = !old.enabled;
        self.scheduler.rules = (new.rules.iter())
            .map(|rule| match former.remove(&rule.id) {
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
        self.scheduler.index_rules();
        self.scheduler.needs_recompute = true;
        self.scheduler.is_changed = true;
        self.add_intervals(now);
        self.scheduler.executions.save_soon();
    }

    /// A picture of the schedule, where it is another than before.
    pub(super) fn schedule_status(&mut self) -> Option<ScheduleStatus> {
        if !std::mem::take(&mut self.scheduler.is_changed) {
            return None;
        }
        let agenda = &self.scheduler;
        let zone = agenda.display_zone();
        let local = |at| LocalTime::new(at, &zone);
        let next = |next| match next {
            NextTime::Time(at) => Some(local(at)),
            NextTime::Moment(at) => agenda.clock.map(|clock| local(clock.wall(at))),
        };
        let is_on = agenda.schedule.enabled;
        let rules = agenda.schedule.rules.iter().zip(&agenda.rules);
        let rules = rules.map(|(rule, state)| RuleStatus {
            id: rule.id.clone(),
            rule: Some(rule.clone()),
            next: (state.next.filter(|_| is_on && rule.enabled)).and_then(next),
            waits_for_clock: is_on
                && rule.enabled
                && agenda.clock.is_none()
                && matches!(rule.trigger, Trigger::Time { .. }),
            active: rule.until.is_some() && agenda.active.contains_key(&rule.id),
            last: state.last.clone(),
        });
        let unfit = agenda.schedule.invalid.iter().map(|id| RuleStatus {
            id: id.clone(),
            rule: None,
            next: None,
            waits_for_clock: false,
            active: false,
            last: None,
        });
        let entries = agenda.history.entries().rev();
        Some(ScheduleStatus {
            enabled: is_on,
            timezone: agenda.zone_name(),
            clock_trusted: agenda.clock.is_some(),
            problem: match &agenda.zone {
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
    /// An answer to a request of the schedule.
    pub(super) fn add_result(&mut self, ticket: Ticket, outcome: super::Outcome) {
        self.executions.add_result(ticket, outcome);
    }

    /// A rule that is carried out.
    fn rule(&self, id: &Id) -> Option<&Rc<Rule>> {
        self.schedule.rules.get(*self.indexes.get(id)?)
    }

    /// The rules by their ids.
    fn index_rules(&mut self) {
        let rules = self.schedule.rules.iter().enumerate();
        self.indexes = rules
            .map(|(index, rule)| (rule.id.clone(), index))
            .collect();
    }

    /// The times of the zone, where the clock is trusted and the zone is known.
    fn times(&self) -> Option<(ClockReading, &Calendar)> {
        let (_, found) = self.zone.as_ref()?;
        Some((self.clock?, found.as_ref().ok()?))
    }

    /// The zone in which times are told to people.
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

    /// What is to be written down now of what the schedule knows by itself.
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
            history: self
                .history
                .entries()
                .map(saved::SavedEntry::from)
                .collect(),
        }
    }
}

/// Whether nothing but the name of a rule is different, or whether it is done late.
fn is_same(one: &Rule, other: &Rule) -> bool {
    one.enabled == other.enabled
        && one.trigger == other.trigger
        && one.action == other.action
        && one.until == other.until
}
