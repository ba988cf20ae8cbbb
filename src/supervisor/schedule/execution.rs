//! In which order rules are carried out, and what has to be written down before.
//!
//! Rules stand in a line, in the order in which they became due, and none overtakes another. What must not be done
//! twice (a restart, a command, whatever a rule with an end puts aside) waits until it is durable that it was begun: after
//! a power cut it is not begun again. Everything else is done first and written down afterwards. Either way it is one
//! write an occurrence. What comes of it is heard as the answer to a request, and entered in the record.

use super::history::{EntryKind, HistoryEntry, RuleOutcome};
use super::overrides::ChangedBy;
use super::{LastExecution, LocalTime, SavedSchedule};
use crate::config::{Id, Rule, RuleAction, Trigger};
use crate::supervisor::{self, Action, Command, Done, Failure, Refusal, Supervisor, Ticket};
use crate::time::Moment;
use jiff::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

/// What comes of intervals and connections is written down at most this often: it may happen every minute, and a card
/// wears out.
const FREQUENT_SAVE_INTERVAL: Duration = Duration::from_secs(15 * 60);

/// The line, and everybody who is owed something.
#[derive(Debug, Default)]
pub(super) struct ExecutionQueue {
    waiting: VecDeque<Execution>,
    /// Those that are being carried out.
    running: BTreeMap<u64, Execution>,
    /// The one that nobody overtakes.
    blocked_by: Option<u64>,
    /// What requests of ours are for, by their tickets.
    pending_commands: BTreeMap<Ticket, PendingCommand>,
    next_ticket: u64,
    results: VecDeque<(Ticket, supervisor::Outcome)>,
    saving: SaveState,
}

/// An occurrence on its way.
#[derive(Debug)]
pub(super) struct Execution {
    /// Its entry in the record.
    pub number: u64,
    pub rule: Id,
    pub step: ExecutionStep,
    /// Who waits for what comes of it.
    client: Option<Ticket>,
    /// It has to be durable that it was begun.
    is_saved_first: bool,
    /// It happens so often that it is not written down each time.
    is_frequent: bool,
    /// Who asked for it.
    requested_by: ChangedBy,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub(super) enum ExecutionStep {
    /// What the rule says.
    Run(RuleAction),
    /// The same, and it is to be undone.
    Begin(RuleAction),
    /// It is undone, unless others have changed what it did.
    End(Option<ChangedBy>),
}

/// What a request of ours is for.
#[derive(Debug, Default)]
pub(super) struct PendingCommand {
    pub execution: Option<u64>,
    /// The page it opens for a process; nothing for the configured page.
    pub page: Option<(Id, Option<String>)>,
    /// The process that it restarts.
    pub restarts: Option<Id>,
}

/// What is being written down.
#[derive(Debug, Default)]
struct SaveState {
    /// It is to be written down before anything else is carried out.
    is_due: bool,
    /// The entries below this number are in what is being written.
    in_flight: Option<u64>,
    /// It was changed meanwhile.
    is_outdated: bool,
    /// The entries below this number are durable, or could not be made so.
    saved_below: u64,
    /// Those from here on could not.
    failed: Option<(std::ops::Range<u64>, String)>,
    last_save: Option<Moment>,
}

/// When something is due, and by whom.
pub(super) struct Cause {
    pub at: Option<Timestamp>,
    pub kind: EntryKind,
    pub client: Option<Ticket>,
}

impl Ticket {
    /// Tickets from here on are those of the schedule; clients would need centuries to come here.
    const OURS: u64 = 1 << 63;

    /// Whether it is one of the schedule and not of a client.
    pub(in crate::supervisor) fn is_ours(self) -> bool {
        self.0 >= Ticket::OURS
    }
}

impl ExecutionQueue {
    /// Who asked for what is being carried out.
    pub fn requested_by(&self, number: u64) -> ChangedBy {
        self.running
            .get(&number)
            .map_or(ChangedBy::Rule, |firing| firing.requested_by)
    }

    /// Who asked for the change whose answer has just come; nothing where it was no rule.
    pub fn changed_by(&self) -> Option<ChangedBy> {
        let errands = self.results.iter();
        let mut errands = errands.filter_map(|(ticket, _)| self.pending_commands.get(ticket));
        errands.find_map(|errand| Some(self.running.get(&errand.execution?)?.requested_by))
    }

    pub fn is_busy(&self) -> bool {
        !self.waiting.is_empty() || self.blocked_by.is_some() || self.saving.in_flight.is_some()
    }

    /// A ticket for a request of ours.
    pub fn add_pending(&mut self, errand: PendingCommand) -> Ticket {
        let ticket = Ticket(Ticket::OURS + self.next_ticket);
        self.next_ticket += 1;
        self.pending_commands.insert(ticket, errand);
        ticket
    }

    /// An answer to a request of ours.
    pub fn add_result(&mut self, ticket: Ticket, outcome: supervisor::Outcome) {
        self.results.push_back((ticket, outcome));
    }

    /// Has everything written down once all that is due has lined up: what is written says how far the clock is, and
    /// so has to know of everything up to there.
    pub fn save_soon(&mut self) {
        self.saving.is_due = true;
    }

    /// Nobody overtakes this one.
    pub fn block(&mut self, number: u64) {
        self.blocked_by = Some(number);
    }
}

impl Supervisor {
    /// A rule is due: it goes to the end of the line.
    pub(super) fn enqueue_execution(&mut self, rule: &Rule, step: ExecutionStep, occasion: Cause) {
        let is_written_first = match (&step, &rule.trigger) {
            _ if occasion.client.is_some() => false,
            // A page that is put aside is known by the document, and comes back with it.
            (ExecutionStep::Begin(RuleAction::Show { .. }), _) => false,
            (ExecutionStep::Begin(_), _) => true,
            (ExecutionStep::Run(deed), Trigger::Time { .. } | Trigger::Boot) => !deed.is_state(),
            (ExecutionStep::Run(RuleAction::Reboot), _) => true,
            _ => false,
        };
        let frequent = !matches!(rule.trigger, Trigger::Time { .. } | Trigger::Boot);
        self.enqueue_entry(
            &rule.id,
            &rule.name,
            step,
            occasion,
            is_written_first,
            frequent,
        );
    }

    /// A rule that may not be there any more is undone.
    pub(super) fn enqueue_end(
        &mut self,
        id: &Id,
        at: Option<Timestamp>,
        overruled: Option<ChangedBy>,
    ) {
        let rule = self.scheduler.rule(id);
        let name = rule.map_or(id.to_string(), |rule| rule.name.clone());
        let occasion = Cause {
            at,
            kind: EntryKind::End,
            client: None,
        };
        self.enqueue_entry(
            id,
            &name,
            ExecutionStep::End(overruled),
            occasion,
            false,
            false,
        );
    }

    fn enqueue_entry(
        &mut self,
        id: &Id,
        name: &str,
        step: ExecutionStep,
        occasion: Cause,
        is_written_first: bool,
        is_frequent: bool,
    ) {
        let number = self.scheduler.history.add(HistoryEntry {
            rule: id.clone(),
            name: name.to_owned(),
            at: occasion.at,
            kind: occasion.kind,
            outcome: None,
            detail: None,
        });
        self.scheduler.executions.waiting.push_back(Execution {
            number,
            rule: id.clone(),
            step: step,
            requested_by: match occasion.client {
                Some(_) => ChangedBy::Operator,
                None => ChangedBy::Rule,
            },
            client: occasion.client,
            is_saved_first: is_written_first,
            is_frequent,
        });
        self.scheduler.is_changed = true;
        if is_written_first {
            self.scheduler.executions.save_soon();
        }
    }

    /// Somebody asks for a rule to be done now.
    pub(super) fn run_rule_for_client(&mut self, rule: Rc<Rule>, client: Ticket, now: Moment) {
        let occasion = Cause {
            at: self.scheduler.clock.map(|clock| clock.wall(now)),
            kind: EntryKind::Run,
            client: Some(client),
        };
        self.enqueue_execution(&rule, ExecutionStep::Run(rule.action.clone()), occasion);
    }

    /// Something is not done at all.
    pub(super) fn skip_occurrence(
        &mut self,
        index: usize,
        at: Timestamp,
        outcome: RuleOutcome,
        why: &str,
    ) {
        let rule = self.scheduler.schedule.rules[index].clone();
        let number = self.scheduler.history.add(HistoryEntry {
            rule: rule.id.clone(),
            name: rule.name.clone(),
            at: Some(at),
            kind: EntryKind::Begin,
            outcome: None,
            detail: None,
        });
        self.close_entry(number, &rule.id, outcome, Some(why.to_owned()));
    }

    /// Carries out whatever may be, in its order.
    pub(super) fn run_executions(&mut self, now: Moment) {
        if std::mem::take(&mut self.scheduler.executions.saving.is_due) {
            self.save_schedule();
        }
        loop {
            self.process_results(now);
            let line = &mut self.scheduler.executions;
            let may_go =
                |first: &Execution| !first.is_saved_first || first.number < line.saving.saved_below;
            if line.blocked_by.is_some() || !line.waiting.front().is_some_and(may_go) {
                return;
            }
            let Some(firing) = line.waiting.pop_front() else {
                return;
            };
            let refused = line.saving.failed.as_ref();
            let refused = refused
                .filter(|(which, _)| firing.is_saved_first && which.contains(&firing.number));
            let why = refused.map(|(_, why)| format!("it cannot be written down: {why}"));
            let is_reboot = matches!(firing.step, ExecutionStep::Run(RuleAction::Reboot));
            let (number, step, rule) = (firing.number, firing.step.clone(), firing.rule.clone());
            line.running.insert(number, firing);
            match why {
                // It would be done again after each start.
                Some(why) if is_reboot => {
                    self.finish_execution(number, RuleOutcome::Failed, Some(why), now)
                }
                _ => self.start_execution(number, &rule, step, now),
            }
        }
    }

    /// Takes the answers to requests of ours.
    pub(super) fn process_results(&mut self, now: Moment) {
        while let Some((ticket, outcome)) = self.scheduler.executions.results.pop_front() {
            let Some(errand) = self.scheduler.executions.pending_commands.remove(&ticket) else {
                continue;
            };
            let mut outcome = outcome;
            if let Some((id, url)) = errand.page {
                outcome = self.handle_page_opened(&id, &url, outcome, now);
            }
            if let Some(index) = errand.restarts.and_then(|id| self.index_of(&id))
                && outcome.is_ok()
            {
                self.update_machine(index, |machine, _| machine.attribute_to_schedule());
            }
            let Some(number) = errand.execution else {
                continue;
            };
            let (result, detail) = match outcome {
                Ok(Done::Started { stopped }) if !stopped.is_empty() => {
                    let names: Vec<&str> = stopped.iter().map(Id::as_str).collect();
                    (
                        RuleOutcome::Done,
                        Some(format!("{} made way", names.join(", "))),
                    )
                }
                Ok(_) => (RuleOutcome::Done, None),
                Err(Refusal::Invalid(problems)) => (
                    RuleOutcome::Failed,
                    problems.first().map(ToString::to_string),
                ),
                Err(refusal) => (RuleOutcome::Failed, Some(refusal.to_string())),
            };
            self.finish_execution(number, result, detail, now);
        }
    }

    /// What came of something that the hands did.
    pub(super) fn complete_execution(
        &mut self,
        number: u64,
        result: Result<Option<String>, Failure>,
        now: Moment,
    ) {
        match result {
            Ok(detail) => self.finish_execution(number, RuleOutcome::Done, detail, now),
            Err(failure) => {
                self.finish_execution(number, RuleOutcome::Failed, Some(failure.message), now);
            }
        }
    }

    /// What came of an occurrence.
    pub(super) fn finish_execution(
        &mut self,
        number: u64,
        outcome: RuleOutcome,
        detail: Option<String>,
        now: Moment,
    ) {
        let line = &mut self.scheduler.executions;
        let Some(firing) = line.running.remove(&number) else {
            return;
        };
        if line.blocked_by == Some(number) {
            line.blocked_by = None;
        }
        let last = line.saving.last_save;
        if let ExecutionStep::Begin(deed) = &firing.step {
            self.finish_begin(&firing.rule, deed, outcome);
        }
        self.close_entry(number, &firing.rule, outcome, detail.clone());
        if let Some(client) = firing.client {
            self.reply_to_client(client, &firing.rule, Some(outcome), detail);
        }
        let is_enough = last.is_some_and(|last| now.since(last) < FREQUENT_SAVE_INTERVAL);
        let may_wait = firing.is_frequent && is_enough;
        if !(firing.is_saved_first || may_wait) {
            self.scheduler.executions.saving.last_save = Some(now);
            self.save_schedule();
        }
    }

    /// Whoever waits for something that takes long has its answer now.
    pub(super) fn reply_early(&mut self, number: u64) {
        let open = self.scheduler.executions.running.get_mut(&number);
        if let Some(firing) = open
            && let Some(client) = firing.client.take()
        {
            let rule = firing.rule.clone();
            self.reply_to_client(client, &rule, None, None);
        }
    }

    fn reply_to_client(
        &mut self,
        client: Ticket,
        rule: &Id,
        outcome: Option<RuleOutcome>,
        detail: Option<String>,
    ) {
        let done = Done::RuleRun {
            rule: rule.clone(),
            outcome,
            detail,
        };
        self.reply(client, Ok(done));
    }

    /// The daemon leaves: whoever waits for a rule is told.
    pub(in crate::supervisor) fn reject_waiting_rules(&mut self) {
        let line = &mut self.scheduler.executions;
        let waiting = line.waiting.iter_mut();
        let all = waiting.chain(line.running.values_mut());
        let clients: Vec<Ticket> = all.filter_map(|firing| firing.client.take()).collect();
        for client in clients {
            self.reply(client, Err(Refusal::ShuttingDown));
        }
    }

    fn close_entry(
        &mut self,
        number: u64,
        rule: &Id,
        outcome: RuleOutcome,
        detail: Option<String>,
    ) {
        let agenda = &mut self.scheduler;
        agenda.is_changed = true;
        let zone = agenda.display_zone();
        let Some(entry) = agenda.history.close(number, outcome, detail) else {
            return;
        };
        let last = LastExecution {
            at: entry.at.map(|at| LocalTime::new(at, &zone)),
            outcome,
            detail: entry.detail.clone(),
        };
        let place = agenda.indexes.get(rule).copied();
        if let Some(state) = place.and_then(|place| agenda.rules.get_mut(place)) {
            state.last = Some(Rc::new(last));
        }
    }

    // ---- what is written down ----

    /// Has everything written down as it is now.
    pub(super) fn save_schedule(&mut self) {
        let mut kept: SavedSchedule = match self.scheduler.executions.saving.in_flight {
            Some(_) => {
                self.scheduler.executions.saving.is_outdated = true;
                return;
            }
            None => self.scheduler.saved(),
        };
        let starts = self.scheduler.page_overrides.keys().filter_map(|id| {
            let index = self.index_of(id)?;
            Some((id.clone(), self.machines[index].page_override.clone()?))
        });
        kept.start_pages = starts.collect();
        kept.powers = Some(self.screens.requests());
        self.scheduler.executions.saving.in_flight = Some(self.scheduler.history.next());
        let kept = Box::new(kept);
        self.actions
            .push_back(Action::SaveSchedule { schedule: kept });
    }

    /// It is written, or could not be.
    pub(super) fn handle_schedule_saved(&mut self, result: Result<(), Failure>, now: Moment) {
        let keeping = &mut self.scheduler.executions.saving;
        let Some(below) = keeping.in_flight.take() else {
            return;
        };
        if let Err(failure) = result {
            keeping.failed = Some((keeping.saved_below..below, failure.message));
        }
        keeping.saved_below = below;
        keeping.last_save = Some(now);
        if std::mem::take(&mut keeping.is_outdated) {
            self.save_schedule();
        }
    }

    /// Asks for something as a client would; what comes of it is what came of the occurrence.
    pub(super) fn run_command_for(&mut self, number: u64, request: Command, now: Moment) {
        let restarts = match &request {
            Command::Restart(id) => Some(id.clone()),
            _ => None,
        };
        let ticket = self.scheduler.executions.add_pending(PendingCommand {
            execution: Some(number),
            page: None,
            restarts,
        });
        self.handle_command(ticket, request, now);
    }

    /// What was not finished when the daemon before this one ended: what may be done twice is done again, if that
    /// is not long ago; the rest is told.
    pub(super) fn restore_history(&mut self, entries: impl Iterator<Item = HistoryEntry>) {
        for mut entry in entries {
            if entry.outcome.is_some() {
                self.restore_entry(entry);
                continue;
            }
            let rule = self.scheduler.rule(&entry.rule).cloned();
            let is_held = self.scheduler.active.contains_key(&entry.rule);
            match rule {
                Some(rule) if entry.kind == EntryKind::Begin && self.may_repeat(&rule, &entry) => {
                    let occasion = Cause {
                        at: entry.at,
                        kind: EntryKind::Begin,
                        client: None,
                    };
                    self.enqueue_execution(
                        &rule,
                        ExecutionStep::Run(rule.action.clone()),
                        occasion,
                    );
                }
                _ if is_held => {
                    entry.outcome = Some(RuleOutcome::Done);
                    self.restore_entry(entry);
                }
                _ => {
                    let why = "the daemon ended before it was written down what came of it";
                    entry.detail = Some(why.to_owned());
                    self.restore_entry(entry);
                }
            }
        }
    }

    fn may_repeat(&self, rule: &Rule, entry: &HistoryEntry) -> bool {
        let Some((at, clock)) = entry.at.zip(self.scheduler.clock) else {
            return false;
        };
        let is_recent =
            super::clock_reading::later_by(clock.wall, at) <= super::elapsed::LATE_TOLERANCE;
        rule.until.is_none() && rule.action.is_state() && (is_recent || rule.catch_up)
    }

    fn restore_entry(&mut self, entry: HistoryEntry) {
        let (rule, outcome, detail) = (entry.rule.clone(), entry.outcome, entry.detail.clone());
        let number = self.scheduler.history.add(entry);
        if let Some(outcome) = outcome {
            self.close_entry(number, &rule, outcome, detail);
        }
    }
}
