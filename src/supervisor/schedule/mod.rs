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
pub use due_queue::Turn;
pub use history::{Entry, Kind, Outcome};
pub use preview::{Conflict, Occurrence, Preview};
pub use saved::SavedSchedule;
pub use snapshot::{Last, LocalTime, RuleStatus, ScheduleStatus};

use super::{Action, Event, Failure, Refusal, Supervisor, Ticket};
use crate::config::{Document, Id, Rule, Schedule, Trigger, Zone};
use crate::time::Moment;
use calendar::Calendar;
use due_queue::Queue;
use elapsed::ElapsedTime;
use execution::ExecutionQueue;
use history::History;
use jiff::tz::TimeZone;
use override_stack::OverrideStacks;
use page_override::PageOverride;
use saved::{Held, Stamp};
use std::collections::BTreeMap;
use std::rc::Rc;

/// What of the schedule is known when the daemon starts.
#[derive(Debug, Default)]
pub struct ScheduleBoot {
    /// What the daemon before this one has kept.
    pub kept: SavedSchedule,
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
    rules: Vec<State>,
    /// Where each rule stands.
    places: BTreeMap<Id, usize>,
    /// Names the start of the machine.
    boot: String,
    /// Both clocks, while the one on the wall is trusted.
    clock: Option<ClockReading>,
    /// The zone that was looked for, and what was found.
    zone: Option<(Zone, Result<Calendar, String>)>,
    /// The zone that is being looked for.
    asked_for: Option<Zone>,
    queue: Queue,
    lived: ElapsedTime,
    /// The rules in force until their end.
    held: BTreeMap<Id, Held>,
    layers: OverrideStacks,
    pages: BTreeMap<Id, PageOverride>,
    line: ExecutionQueue,
    record: History,
    wire: Wire,
    /// The document that was last looked through for somebody's last word.
    document: Rc<Document>,
    /// Everything has to be reckoned anew: the clock, the zone or the rules are others.
    is_stale: bool,
    /// What is shown is not as it is.
    is_news: bool,
}

/// How one rule fares.
#[derive(Clone, Debug, Default)]
struct State {
    /// It was made (or changed, or switched on) then; it has been there since before the daemon without.
    born: Option<Moment>,
    /// When it is done next.
    next: Option<Next>,
    last: Option<Rc<Last>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Time(jiff::Timestamp),
    Moment(Moment),
}

/// Whether there is a connection, as the rules were told of it last.
#[derive(Debug, Default)]
struct Wire {
    /// Nothing until somebody has said so for the first time.
    told: Option<bool>,
    /// Since when it has been otherwise.
    otherwise: Option<Moment>,
}

impl Supervisor {
    /// Takes up what the daemon before this one has left.
    pub(super) fn recall_schedule(&mut self, boot: ScheduleBoot, now: Moment) {
        let SavedSchedule {
            boot: booted,
            position,
            lived,
            caught_up,
            held,
            stacks,
            canvases,
            pages,
            powers,
            record,
        } = boot.kept;
        let stretches = lived.into_iter().map(|(from, to)| (from.0, to.0)).collect();
        let caught_up = caught_up.into_iter().map(|(id, at)| (id, at.0));
        let agenda = &mut self.agenda;
        agenda.lived = ElapsedTime::recall(stretches, position.map(|at| at.0), caught_up);
        agenda.held = held;
        agenda.layers = OverrideStacks::recall(stacks);
        agenda.clock = boot.clock;
        let found = |(zone, found): (Zone, Result<TimeZone, Failure>)| {
            (
                zone,
                found.map(Calendar::new).map_err(|failure| failure.message),
            )
        };
        agenda.zone = boot.zone.map(found);
        agenda.schedule = self.loaded.config.schedule.clone();
        agenda.rules = vec![State::default(); agenda.schedule.rules.len()];
        agenda.find_places();
        agenda.document = self.loaded.document.clone();
        agenda.is_stale = true;
        agenda.is_news = true;
        let is_first = booted != boot.boot;
        agenda.boot = boot.boot;
        self.recall_pages(canvases, pages, now);
        self.recall_powers(powers, is_first);
        self.recall_layers(now);
        self.recall_record(record.into_iter().map(Entry::from));
        self.expect_intervals(now);
        if is_first {
            self.do_rules_for_starts(now);
        }
    }

    /// News of the schedule.
    pub(super) fn handle_schedule_event(&mut self, event: Event, now: Moment) {
        match event {
            Event::Clock { reading, trusted } => {
                self.agenda.clock = trusted.then_some(reading);
                self.agenda.is_stale = true;
            }
            Event::TimeZone { zone, found } => {
                let agenda = &mut self.agenda;
                if agenda.asked_for.as_ref() == Some(&zone) {
                    agenda.asked_for = None;
                }
                if zone == self.loaded.config.schedule.zone {
                    let found = found.map(Calendar::new).map_err(|failure| failure.message);
                    agenda.zone = Some((zone, found));
                    agenda.is_stale = true;
                }
            }
            Event::ScheduleSaved { result } => self.handle_kept(result, now),
            Event::RuleDone { number, result } => self.conclude(number, result, now),
            _ => {}
        }
        self.agenda.is_news = true;
    }

    /// Does everything that is due.
    pub(super) fn see_to_the_schedule(&mut self, now: Moment) {
        if self.shutting_down {
            return self.hear_answers(now);
        }
        self.let_the_clock_flow(now);
        self.take_up_schedule(now);
        self.heed_the_document();
        self.reckon(now);
        self.do_what_is_due(now);
        self.watch_the_wire(now);
        self.poll_pages(now);
        self.see_to_powers(now);
        self.carry_on(now);
    }

    /// The clock went on, as far as is known without a jump.
    fn let_the_clock_flow(&mut self, now: Moment) {
        let agenda = &mut self.agenda;
        if let (false, Some(wall)) = (agenda.is_stale, agenda.times().map(|(it, _)| it.wall(now))) {
            agenda.lived.flow(wall);
        }
    }

    /// When there is something to do for the schedule.
    pub(super) fn schedule_deadline(&self) -> Option<Moment> {
        if self.shutting_down {
            return None;
        }
        let agenda = &self.agenda;
        let time = agenda.clock.zip(agenda.queue.first_time());
        let time = time.map(|(clock, at)| clock.moment(at));
        let deadlines = [
            time,
            agenda.queue.first_interval(),
            self.wire_deadline(),
            self.page_override_deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// A client asks for a rule to be done now.
    pub(super) fn ask_for_rule(&mut self, ticket: Ticket, id: &Id, now: Moment) {
        let rules = self.loaded.config.schedule.rules.iter();
        match rules.clone().find(|rule| rule.id == *id) {
            Some(rule) => self.do_for_client(rule.clone(), ticket, now),
            None => self.reply(ticket, Err(Refusal::NoSuchRule(id.clone()))),
        }
    }

    /// Whether something is half done that another daemon could not finish.
    pub(super) fn is_schedule_busy(&self) -> bool {
        self.agenda.line.is_busy()
    }

    /// Looks for the zone that is configured, where it was not looked for yet.
    fn look_for_zone(&mut self) {
        let agenda = &mut self.agenda;
        let wanted = &agenda.schedule.zone;
        let is_known = agenda.zone.as_ref().is_some_and(|(zone, _)| zone == wanted);
        if !is_known && agenda.asked_for.as_ref() != Some(wanted) {
            agenda.zone = None;
            agenda.asked_for = Some(wanted.clone());
            let zone = wanted.clone();
            self.actions.push_back(Action::FindTimeZone { zone });
        }
    }

    /// The configured rules are others than those that are carried out: what was is kept of those that are the same.
    fn take_up_schedule(&mut self, now: Moment) {
        let new = self.loaded.config.schedule.clone();
        if Rc::ptr_eq(&self.agenda.schedule, &new) {
            return;
        }
        let old = std::mem::replace(&mut self.agenda.schedule, new.clone());
        if *old == *new {
            return;
        }
        let states = std::mem::take(&mut self.agenda.rules);
        let mut former: BTreeMap<&Id, (&Rc<Rule>, State)> = (old.rules.iter())
            .zip(states)
            .map(|(rule, state)| (&rule.id, (rule, state)))
            .collect();
        let was_off = !old.enabled;
        self.agenda.rules = (new.rules.iter())
            .map(|rule| match former.remove(&rule.id) {
                Some((before, state)) if !was_off && is_same(before, rule) => state,
                Some((_, state)) => State {
                    born: Some(now),
                    next: None,
                    last: state.last,
                },
                None => State {
                    born: Some(now),
                    ..State::default()
                },
            })
            .collect();
        self.agenda.find_places();
        self.agenda.is_stale = true;
        self.agenda.is_news = true;
        self.expect_intervals(now);
        self.agenda.line.keep_soon();
    }

    /// A picture of the schedule, where it is another than before.
    pub(super) fn draw_schedule(&mut self) -> Option<ScheduleStatus> {
        if !std::mem::take(&mut self.agenda.is_news) {
            return None;
        }
        let agenda = &self.agenda;
        let zone = agenda.told_zone();
        let local = |at| LocalTime::new(at, &zone);
        let next = |next| match next {
            Next::Time(at) => Some(local(at)),
            Next::Moment(at) => agenda.clock.map(|clock| local(clock.wall(at))),
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
            active: rule.until.is_some() && agenda.held.contains_key(&rule.id),
            last: state.last.clone(),
        });
        let unfit = agenda.schedule.unfit.iter().map(|id| RuleStatus {
            id: id.clone(),
            rule: None,
            next: None,
            waits_for_clock: false,
            active: false,
            last: None,
        });
        let entries = agenda.record.entries().rev();
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
    pub(super) fn hear(&mut self, ticket: Ticket, outcome: super::Outcome) {
        self.line.hear(ticket, outcome);
    }

    /// A rule that is carried out.
    fn rule(&self, id: &Id) -> Option<&Rc<Rule>> {
        self.schedule.rules.get(*self.places.get(id)?)
    }

    /// The rules by their ids.
    fn find_places(&mut self) {
        let rules = self.schedule.rules.iter().enumerate();
        self.places = rules
            .map(|(index, rule)| (rule.id.clone(), index))
            .collect();
    }

    /// The times of the zone, where the clock is trusted and the zone is known.
    fn times(&self) -> Option<(ClockReading, &Calendar)> {
        let (_, found) = self.zone.as_ref()?;
        Some((self.clock?, found.as_ref().ok()?))
    }

    /// The zone in which times are told to people.
    fn told_zone(&self) -> TimeZone {
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
    fn kept(&self) -> SavedSchedule {
        let stamp = |(from, to): &(_, _)| (Stamp(*from), Stamp(*to));
        SavedSchedule {
            boot: self.boot.clone(),
            position: self.lived.position().map(Stamp),
            lived: self.lived.stretches().iter().map(stamp).collect(),
            caught_up: (self.lived.caught_up())
                .map(|(id, at)| (id.clone(), Stamp(*at)))
                .collect(),
            held: self.held.clone(),
            stacks: self.layers.stacks().to_vec(),
            canvases: BTreeMap::new(),
            pages: (self.pages.iter())
                .map(|(id, page)| (id.clone(), page.kept()))
                .collect(),
            powers: None,
            record: self.record.entries().map(saved::Written::from).collect(),
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
