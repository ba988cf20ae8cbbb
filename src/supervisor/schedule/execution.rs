//! Runs due rules in order, and decides what must be saved before.
//!
//! Executions are queued in the order in which they became due, and none overtakes another. What must not happen
//! twice (a restart, a command, an override) waits until its begin is saved, so that it is not repeated after a power
//! cut. Everything else runs first and is saved afterwards. Either way an occurrence costs one write. The result of
//! the command that an execution sends is entered in the history.

use super::elapsed::LATE_TOLERANCE;
use super::execution_queue::{Cause, Execution, ExecutionStep, PendingPage};
use super::{Intent, Scheduler};
use crate::config::{Id, Rule, RuleAction, Trigger};
use crate::supervisor::facts::Facts;
use crate::supervisor::interface::saved_schedule::ChangedBy;
use crate::supervisor::interface::{
    Action, Done, EntryKind, ExecutionId, Failure, HistoryEntry, LastExecution, LocalTime, Outcome,
    Refusal, Requester, RuleOutcome, later_by,
};
use crate::time::Moment;
use jiff::Timestamp;
use std::rc::Rc;
use std::time::Duration;

/// The least time between saves for intervals and network triggers: they may occur every minute, and a card wears
/// out.
const FREQUENT_SAVE_INTERVAL: Duration = Duration::from_secs(15 * 60);

impl Scheduler {
    /// Queues an occurrence of a rule.
    pub(super) fn enqueue_execution(&mut self, rule: &Rule, step: ExecutionStep, cause: Cause) {
        let is_saved_first = match (&step, &rule.trigger) {
            _ if cause.client.is_some() => false,
            // The page that it overrides is configured, so it is known when the override ends.
            (ExecutionStep::Begin(RuleAction::Show { .. }), _) => false,
            (ExecutionStep::Begin(_), _) => true,
            (ExecutionStep::Run(action), Trigger::Time { .. } | Trigger::Boot) => {
                !action.is_state()
            }
            (ExecutionStep::Run(RuleAction::Reboot), _) => true,
            _ => false,
        };
        let is_frequent = !matches!(rule.trigger, Trigger::Time { .. } | Trigger::Boot);
        self.enqueue_entry(
            &rule.id,
            &rule.name,
            step,
            cause,
            is_saved_first,
            is_frequent,
        );
    }

    /// Queues the end of a rule that may no longer be configured.
    pub(super) fn enqueue_end(
        &mut self,
        id: &Id,
        at: Option<Timestamp>,
        overruled: Option<ChangedBy>,
    ) {
        let rule = self.rule(id);
        let name = rule.map_or(id.to_string(), |rule| rule.name.clone());
        let cause = Cause {
            at,
            kind: EntryKind::End,
            client: None,
        };
        self.enqueue_entry(
            id,
            &name,
            ExecutionStep::End(overruled),
            cause,
            false,
            false,
        );
    }

    fn enqueue_entry(
        &mut self,
        rule: &Id,
        name: &str,
        step: ExecutionStep,
        cause: Cause,
        is_saved_first: bool,
        is_frequent: bool,
    ) {
        let execution = self.history.add(HistoryEntry {
            rule: rule.clone(),
            name: name.to_owned(),
            at: cause.at,
            kind: cause.kind,
            outcome: None,
            detail: None,
        });
        self.executions.waiting.push_back(Execution {
            id: execution,
            rule: rule.clone(),
            step,
            requested_by: match cause.client {
                Some(_) => ChangedBy::Operator,
                None => ChangedBy::Rule,
            },
            client: cause.client,
            is_saved_first,
            is_frequent,
        });
        self.is_changed = true;
        if is_saved_first {
            self.executions.save_soon();
        }
    }

    /// A client requested a rule.
    pub(super) fn run_rule_for_client(&mut self, rule: Rc<Rule>, client: Requester, now: Moment) {
        let cause = Cause {
            at: self.clock.map(|clock| clock.wall(now)),
            kind: EntryKind::Run,
            client: Some(client),
        };
        self.enqueue_execution(&rule, ExecutionStep::Run(rule.action.clone()), cause);
    }

    /// Records an occurrence that is not carried out.
    pub(super) fn skip_occurrence(
        &mut self,
        index: usize,
        at: Timestamp,
        outcome: RuleOutcome,
        why: &str,
    ) {
        let rule = self.schedule.rules[index].clone();
        let id = self.history.add(HistoryEntry {
            rule: rule.id.clone(),
            name: rule.name.clone(),
            at: Some(at),
            kind: EntryKind::Begin,
            outcome: None,
            detail: None,
        });
        self.close_entry(id, &rule.id, outcome, Some(why.to_owned()));
    }

    /// Saves the state if that must precede the next execution.
    pub(super) fn save_if_due(&mut self) {
        if std::mem::take(&mut self.executions.saving.is_due) {
            self.save_schedule();
        }
    }

    /// Handles one result, or starts the next execution that may run. Returns whether there was one.
    pub fn step(&mut self, facts: &Facts<'_>, now: Moment) -> bool {
        if let Some((id, outcome)) = self.executions.results.pop_front() {
            self.process_result(facts, id, outcome, now);
            return true;
        }
        if facts.shutting_down {
            return false;
        }
        let queue = &mut self.executions;
        let may_run =
            |first: &Execution| !first.is_saved_first || first.id < queue.saving.saved_below;
        if queue.blocked_by.is_some() || !queue.waiting.front().is_some_and(may_run) {
            return false;
        }
        let Some(execution) = queue.waiting.pop_front() else {
            return false;
        };
        let refused = queue.saving.failed.as_ref();
        let refused =
            refused.filter(|(which, _)| execution.is_saved_first && which.contains(&execution.id));
        let why = refused.map(|(_, why)| format!("it cannot be saved: {why}"));
        let is_reboot = matches!(execution.step, ExecutionStep::Run(RuleAction::Reboot));
        let (id, step, rule) = (execution.id, execution.step.clone(), execution.rule.clone());
        queue.running.insert(id, execution);
        match why {
            // Otherwise it would be repeated after each start.
            Some(why) if is_reboot => {
                self.finish_execution(id, RuleOutcome::Failed, Some(why), now)
            }
            _ => self.start_execution(facts, id, &rule, step, now),
        }
        true
    }

    fn process_result(
        &mut self,
        facts: &Facts<'_>,
        id: ExecutionId,
        outcome: Outcome,
        now: Moment,
    ) {
        let (outcome, done) = match self.executions.pending_pages.remove(&id) {
            Some(PendingPage::Open(process, url)) => {
                let Some(outcome) =
                    self.handle_page_opened(facts, id, &process, &url, outcome, now)
                else {
                    return;
                };
                (outcome, None)
            }
            Some(PendingPage::Restart) => {
                let done = "the browser was restarted".to_owned();
                (outcome.map(|_| Done::Accepted), Some(done))
            }
            None => (outcome, None),
        };
        let (result, detail) = match outcome {
            Ok(Done::Started { stopped }) if !stopped.is_empty() => {
                let names: Vec<&str> = stopped.iter().map(Id::as_str).collect();
                (
                    RuleOutcome::Done,
                    Some(format!("stopped {}", names.join(", "))),
                )
            }
            Ok(_) => (RuleOutcome::Done, done),
            Err(Refusal::Invalid(problems)) => (
                RuleOutcome::Failed,
                problems.first().map(ToString::to_string),
            ),
            Err(refusal) => (RuleOutcome::Failed, Some(refusal.to_string())),
        };
        self.finish_execution(id, result, detail, now);
    }

    /// Completes an execution with the result of an action.
    pub(super) fn complete_execution(
        &mut self,
        id: ExecutionId,
        result: Result<Option<String>, Failure>,
        now: Moment,
    ) {
        match result {
            Ok(detail) => self.finish_execution(id, RuleOutcome::Done, detail, now),
            Err(failure) => {
                self.finish_execution(id, RuleOutcome::Failed, Some(failure.message), now);
            }
        }
    }

    /// Completes an execution.
    pub(super) fn finish_execution(
        &mut self,
        id: ExecutionId,
        outcome: RuleOutcome,
        detail: Option<String>,
        now: Moment,
    ) {
        let queue = &mut self.executions;
        let Some(execution) = queue.running.remove(&id) else {
            return;
        };
        if queue.blocked_by == Some(id) {
            queue.blocked_by = None;
        }
        let last = queue.saving.last_save;
        if let ExecutionStep::Begin(action) = &execution.step {
            self.finish_begin(&execution.rule, action, outcome);
        }
        self.close_entry(id, &execution.rule, outcome, detail.clone());
        if let Some(client) = execution.client {
            self.reply_to_client(client, &execution.rule, Some(outcome), detail);
        }
        let is_recent_save = last.is_some_and(|last| now.since(last) < FREQUENT_SAVE_INTERVAL);
        let may_wait = execution.is_frequent && is_recent_save;
        if !(execution.is_saved_first || may_wait) {
            self.executions.saving.last_save = Some(now);
            self.save_schedule();
        }
    }

    /// Answers the client of an execution that takes long.
    pub(super) fn reply_early(&mut self, id: ExecutionId) {
        let open = self.executions.running.get_mut(&id);
        if let Some(execution) = open
            && let Some(client) = execution.client.take()
        {
            let rule = execution.rule.clone();
            self.reply_to_client(client, &rule, None, None);
        }
    }

    fn reply_to_client(
        &mut self,
        client: Requester,
        rule: &Id,
        outcome: Option<RuleOutcome>,
        detail: Option<String>,
    ) {
        let done = Done::RuleRun {
            rule: rule.clone(),
            outcome,
            detail,
        };
        self.intents.push_back(Intent::Reply(client, Ok(done)));
    }

    /// The clients that wait for a rule, which are not answered otherwise from here on.
    pub fn take_waiting_clients(&mut self) -> Vec<Requester> {
        let queue = &mut self.executions;
        let waiting = queue.waiting.iter_mut();
        let all = waiting.chain(queue.running.values_mut());
        all.filter_map(|execution| execution.client.take())
            .collect()
    }

    fn close_entry(
        &mut self,
        id: ExecutionId,
        rule: &Id,
        outcome: RuleOutcome,
        detail: Option<String>,
    ) {
        self.is_changed = true;
        let zone = self.display_zone();
        let Some(entry) = self.history.close(id, outcome, detail) else {
            return;
        };
        let last = LastExecution {
            at: entry.at.map(|at| LocalTime::new(at, &zone)),
            outcome,
            detail: entry.detail.clone(),
        };
        let place = self.indexes.get(rule).copied();
        if let Some(state) = place.and_then(|place| self.rules.get_mut(place)) {
            state.last = Some(Rc::new(last));
        }
    }

    // ---- saving ----

    /// Saves the state of the schedule, after the intents so far.
    pub(super) fn save_schedule(&mut self) {
        self.executions.saving.is_requested = true;
    }

    /// Saves the state of the schedule if that was requested. Returns whether an intent follows.
    pub fn save_if_requested(&mut self, facts: &Facts<'_>) -> bool {
        if !std::mem::take(&mut self.executions.saving.is_requested) {
            return false;
        }
        if self.executions.saving.in_flight.is_some() {
            self.executions.saving.is_outdated = true;
            return false;
        }
        let mut saved = self.saved();
        let starts = self.start_pages.iter();
        let starts = starts.filter(|(id, _)| {
            self.page_overrides.contains_key(*id) && facts.processes.get(id).is_some()
        });
        saved.start_pages = starts.map(|(id, url)| (id.clone(), url.clone())).collect();
        saved.powers = Some(facts.screens.requests());
        self.executions.saving.in_flight = Some(self.history.next());
        let schedule = Box::new(saved);
        self.intents
            .push_back(Intent::Act(Action::SaveSchedule { schedule }));
        true
    }

    /// The state was saved, or could not be.
    pub(super) fn handle_schedule_saved(&mut self, result: Result<(), Failure>, now: Moment) {
        let saving = &mut self.executions.saving;
        let Some(below) = saving.in_flight.take() else {
            return;
        };
        if let Err(failure) = result {
            saving.failed = Some((saving.saved_below..below, failure.message));
        }
        saving.saved_below = below;
        saving.last_save = Some(now);
        if std::mem::take(&mut saving.is_outdated) {
            self.save_schedule();
        }
    }

    /// Handles entries that were not finished when the previous daemon ended. What may run twice runs again if it is
    /// recent; the rest is only reported.
    pub(super) fn restore_history(&mut self, entries: impl Iterator<Item = HistoryEntry>) {
        for mut entry in entries {
            if entry.outcome.is_some() {
                self.restore_entry(entry);
                continue;
            }
            let rule = self.rule(&entry.rule).cloned();
            let is_held = self.active.contains_key(&entry.rule);
            match rule {
                Some(rule) if entry.kind == EntryKind::Begin && self.may_repeat(&rule, &entry) => {
                    let cause = Cause {
                        at: entry.at,
                        kind: EntryKind::Begin,
                        client: None,
                    };
                    self.enqueue_execution(&rule, ExecutionStep::Run(rule.action.clone()), cause);
                }
                _ if is_held => {
                    entry.outcome = Some(RuleOutcome::Done);
                    self.restore_entry(entry);
                }
                _ => {
                    let why = "the daemon ended before the outcome was saved";
                    entry.detail = Some(why.to_owned());
                    self.restore_entry(entry);
                }
            }
        }
    }

    fn may_repeat(&self, rule: &Rule, entry: &HistoryEntry) -> bool {
        let Some((at, clock)) = entry.at.zip(self.clock) else {
            return false;
        };
        let is_recent = later_by(clock.wall, at) <= LATE_TOLERANCE;
        rule.until.is_none() && rule.action.is_state() && (is_recent || rule.catch_up)
    }

    fn restore_entry(&mut self, entry: HistoryEntry) {
        let (rule, outcome, detail) = (entry.rule.clone(), entry.outcome, entry.detail.clone());
        let id = self.history.add(entry);
        if let Some(outcome) = outcome {
            self.close_entry(id, &rule, outcome, detail);
        }
    }
}
