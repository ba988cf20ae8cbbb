//! In which order rules are carried out, and what has to be written down before.
//!
//! Rules stand in a line, in the order in which they became due, and none overtakes another. What must not be done
//! twice (a restart, a command, whatever a rule with an end puts aside) waits until it is durable that it was begun: after
//! a power cut it is not begun again. Everything else is done first and written down afterwards. Either way it is one
//! write an occurrence. What comes of it is heard as the answer to a request, and entered in the record.

use super::history::{Entry, Kind, Outcome};
use super::overrides::By;
use super::{Last, LocalTime, SavedSchedule};
use crate::config::{Id, Rule, RuleAction, Trigger};
use crate::supervisor::{self, Action, Command, Done, Failure, Refusal, Supervisor, Ticket};
use crate::time::Moment;
use jiff::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

/// What comes of intervals and connections is written down at most this often: it may happen every minute, and a card
/// wears out.
const SELDOM: Duration = Duration::from_secs(15 * 60);

/// The line, and everybody who is owed something.
#[derive(Debug, Default)]
pub(super) struct ExecutionQueue {
    waiting: VecDeque<Execution>,
    /// Those that are being carried out.
    open: BTreeMap<u64, Execution>,
    /// The one that nobody overtakes.
    busy: Option<u64>,
    /// What requests of ours are for, by their tickets.
    errands: BTreeMap<Ticket, PendingCommand>,
    next_errand: u64,
    answers: VecDeque<(Ticket, supervisor::Outcome)>,
    keeping: Keeping,
}

/// An occurrence on its way.
#[derive(Debug)]
pub(super) struct Execution {
    /// Its entry in the record.
    pub number: u64,
    pub rule: Id,
    pub step: Step,
    /// Who waits for what comes of it.
    client: Option<Ticket>,
    /// It has to be durable that it was begun.
    is_written_first: bool,
    /// It happens so often that it is not written down each time.
    is_frequent: bool,
    /// Who asked for it.
    by: By,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// What the rule says.
    Do(RuleAction),
    /// The same, and it is to be undone.
    Begin(RuleAction),
    /// It is undone, unless others have changed what it did.
    End(Option<By>),
}

/// What a request of ours is for.
#[derive(Debug, Default)]
pub(super) struct PendingCommand {
    pub firing: Option<u64>,
    /// The page it opens for a process; nothing for the configured page.
    pub page: Option<(Id, Option<String>)>,
    /// The process that it restarts.
    pub restarts: Option<Id>,
}

/// What is being written down.
#[derive(Debug, Default)]
struct Keeping {
    /// It is to be written down before anything else is carried out.
    is_due: bool,
    /// The entries below this number are in what is being written.
    under_way: Option<u64>,
    /// It was changed meanwhile.
    again: bool,
    /// The entries below this number are durable, or could not be made so.
    settled: u64,
    /// Those from here on could not.
    refused: Option<(std::ops::Range<u64>, String)>,
    last: Option<Moment>,
}

/// When something is due, and by whom.
pub(super) struct Occasion {
    pub at: Option<Timestamp>,
    pub kind: Kind,
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
    pub fn asked_by(&self, number: u64) -> By {
        self.open.get(&number).map_or(By::Rule, |firing| firing.by)
    }

    /// Who asked for the change whose answer has just come; nothing where it was no rule.
    pub fn changed_by(&self) -> Option<By> {
        let errands = self.answers.iter();
        let mut errands = errands.filter_map(|(ticket, _)| self.errands.get(ticket));
        errands.find_map(|errand| Some(self.open.get(&errand.firing?)?.by))
    }

    pub fn is_busy(&self) -> bool {
        !self.waiting.is_empty() || self.busy.is_some() || self.keeping.under_way.is_some()
    }

    /// A ticket for a request of ours.
    pub fn send(&mut self, errand: PendingCommand) -> Ticket {
        let ticket = Ticket(Ticket::OURS + self.next_errand);
        self.next_errand += 1;
        self.errands.insert(ticket, errand);
        ticket
    }

    /// An answer to a request of ours.
    pub fn hear(&mut self, ticket: Ticket, outcome: supervisor::Outcome) {
        self.answers.push_back((ticket, outcome));
    }

    /// Has everything written down once all that is due has lined up: what is written says how far the clock is, and
    /// so has to know of everything up to there.
    pub fn keep_soon(&mut self) {
        self.keeping.is_due = true;
    }

    /// Nobody overtakes this one.
    pub fn hold_up(&mut self, number: u64) {
        self.busy = Some(number);
    }
}

impl Supervisor {
    /// A rule is due: it goes to the end of the line.
    pub(super) fn line_up(&mut self, rule: &Rule, step: Step, occasion: Occasion) {
        let is_written_first = match (&step, &rule.trigger) {
            _ if occasion.client.is_some() => false,
            // A page that is put aside is known by the document, and comes back with it.
            (Step::Begin(RuleAction::Show { .. }), _) => false,
            (Step::Begin(_), _) => true,
            (Step::Do(deed), Trigger::Time { .. } | Trigger::Boot) => !deed.is_state(),
            (Step::Do(RuleAction::Reboot), _) => true,
            _ => false,
        };
        let frequent = !matches!(rule.trigger, Trigger::Time { .. } | Trigger::Boot);
        self.line_up_as(
            &rule.id,
            &rule.name,
            step,
            occasion,
            is_written_first,
            frequent,
        );
    }

    /// A rule that may not be there any more is undone.
    pub(super) fn line_up_end(&mut self, id: &Id, at: Option<Timestamp>, overruled: Option<By>) {
        let rule = self.agenda.rule(id);
        let name = rule.map_or(id.to_string(), |rule| rule.name.clone());
        let occasion = Occasion {
            at,
            kind: Kind::End,
            client: None,
        };
        self.line_up_as(id, &name, Step::End(overruled), occasion, false, false);
    }

    fn line_up_as(
        &mut self,
        id: &Id,
        name: &str,
        step: Step,
        occasion: Occasion,
        is_written_first: bool,
        is_frequent: bool,
    ) {
        let number = self.agenda.record.enter(Entry {
            rule: id.clone(),
            name: name.to_owned(),
            at: occasion.at,
            kind: occasion.kind,
            outcome: None,
            detail: None,
        });
        self.agenda.line.waiting.push_back(Execution {
            number,
            rule: id.clone(),
            step,
            by: match occasion.client {
                Some(_) => By::Operator,
                None => By::Rule,
            },
            client: occasion.client,
            is_written_first,
            is_frequent,
        });
        self.agenda.is_news = true;
        if is_written_first {
            self.agenda.line.keep_soon();
        }
    }

    /// Somebody asks for a rule to be done now.
    pub(super) fn do_for_client(&mut self, rule: Rc<Rule>, client: Ticket, now: Moment) {
        let occasion = Occasion {
            at: self.agenda.clock.map(|clock| clock.wall(now)),
            kind: Kind::Run,
            client: Some(client),
        };
        self.line_up(&rule, Step::Do(rule.action.clone()), occasion);
    }

    /// Something is not done at all.
    pub(super) fn pass_over(&mut self, index: usize, at: Timestamp, outcome: Outcome, why: &str) {
        let rule = self.agenda.schedule.rules[index].clone();
        let number = self.agenda.record.enter(Entry {
            rule: rule.id.clone(),
            name: rule.name.clone(),
            at: Some(at),
            kind: Kind::Begin,
            outcome: None,
            detail: None,
        });
        self.close(number, &rule.id, outcome, Some(why.to_owned()));
    }

    /// Carries out whatever may be, in its order.
    pub(super) fn carry_on(&mut self, now: Moment) {
        if std::mem::take(&mut self.agenda.line.keeping.is_due) {
            self.keep();
        }
        loop {
            self.hear_answers(now);
            let line = &mut self.agenda.line;
            let may_go =
                |first: &Execution| !first.is_written_first || first.number < line.keeping.settled;
            if line.busy.is_some() || !line.waiting.front().is_some_and(may_go) {
                return;
            }
            let Some(firing) = line.waiting.pop_front() else {
                return;
            };
            let refused = line.keeping.refused.as_ref();
            let refused = refused
                .filter(|(which, _)| firing.is_written_first && which.contains(&firing.number));
            let why = refused.map(|(_, why)| format!("it cannot be written down: {why}"));
            let is_reboot = matches!(firing.step, Step::Do(RuleAction::Reboot));
            let (number, step, rule) = (firing.number, firing.step.clone(), firing.rule.clone());
            line.open.insert(number, firing);
            match why {
                // It would be done again after each start.
                Some(why) if is_reboot => self.conclude_as(number, Outcome::Failed, Some(why), now),
                _ => self.act(number, &rule, step, now),
            }
        }
    }

    /// Takes the answers to requests of ours.
    pub(super) fn hear_answers(&mut self, now: Moment) {
        while let Some((ticket, outcome)) = self.agenda.line.answers.pop_front() {
            let Some(errand) = self.agenda.line.errands.remove(&ticket) else {
                continue;
            };
            let mut outcome = outcome;
            if let Some((id, url)) = errand.page {
                outcome = self.handle_page_opened(&id, &url, outcome, now);
            }
            if let Some(index) = errand.restarts.and_then(|id| self.index_of(&id))
                && outcome.is_ok()
            {
                self.with(index, |machine, _| machine.blame_the_schedule());
            }
            let Some(number) = errand.firing else {
                continue;
            };
            let (result, detail) = match outcome {
                Ok(Done::Started { stopped }) if !stopped.is_empty() => {
                    let names: Vec<&str> = stopped.iter().map(Id::as_str).collect();
                    (
                        Outcome::Done,
                        Some(format!("{} made way", names.join(", "))),
                    )
                }
                Ok(_) => (Outcome::Done, None),
                Err(Refusal::Invalid(problems)) => {
                    (Outcome::Failed, problems.first().map(ToString::to_string))
                }
                Err(refusal) => (Outcome::Failed, Some(refusal.to_string())),
            };
            self.conclude_as(number, result, detail, now);
        }
    }

    /// What came of something that the hands did.
    pub(super) fn conclude(
        &mut self,
        number: u64,
        result: Result<Option<String>, Failure>,
        now: Moment,
    ) {
        match result {
            Ok(detail) => self.conclude_as(number, Outcome::Done, detail, now),
            Err(failure) => {
                self.conclude_as(number, Outcome::Failed, Some(failure.message), now);
            }
        }
    }

    /// What came of an occurrence.
    pub(super) fn conclude_as(
        &mut self,
        number: u64,
        outcome: Outcome,
        detail: Option<String>,
        now: Moment,
    ) {
        let line = &mut self.agenda.line;
        let Some(firing) = line.open.remove(&number) else {
            return;
        };
        if line.busy == Some(number) {
            line.busy = None;
        }
        let last = line.keeping.last;
        if let Step::Begin(deed) = &firing.step {
            self.conclude_begin(&firing.rule, deed, outcome);
        }
        self.close(number, &firing.rule, outcome, detail.clone());
        if let Some(client) = firing.client {
            self.answer_client(client, &firing.rule, Some(outcome), detail);
        }
        let is_enough = last.is_some_and(|last| now.since(last) < SELDOM);
        let may_wait = firing.is_frequent && is_enough;
        if !(firing.is_written_first || may_wait) {
            self.agenda.line.keeping.last = Some(now);
            self.keep();
        }
    }

    /// Whoever waits for something that takes long has its answer now.
    pub(super) fn answer_early(&mut self, number: u64) {
        let open = self.agenda.line.open.get_mut(&number);
        if let Some(firing) = open
            && let Some(client) = firing.client.take()
        {
            let rule = firing.rule.clone();
            self.answer_client(client, &rule, None, None);
        }
    }

    fn answer_client(
        &mut self,
        client: Ticket,
        rule: &Id,
        outcome: Option<Outcome>,
        detail: Option<String>,
    ) {
        let done = Done::Ran {
            rule: rule.clone(),
            outcome,
            detail,
        };
        self.reply(client, Ok(done));
    }

    /// The daemon leaves: whoever waits for a rule is told.
    pub(in crate::supervisor) fn refuse_rules(&mut self) {
        let line = &mut self.agenda.line;
        let waiting = line.waiting.iter_mut();
        let all = waiting.chain(line.open.values_mut());
        let clients: Vec<Ticket> = all.filter_map(|firing| firing.client.take()).collect();
        for client in clients {
            self.reply(client, Err(Refusal::ShuttingDown));
        }
    }

    fn close(&mut self, number: u64, rule: &Id, outcome: Outcome, detail: Option<String>) {
        let agenda = &mut self.agenda;
        agenda.is_news = true;
        let zone = agenda.told_zone();
        let Some(entry) = agenda.record.close(number, outcome, detail) else {
            return;
        };
        let last = Last {
            at: entry.at.map(|at| LocalTime::new(at, &zone)),
            outcome,
            detail: entry.detail.clone(),
        };
        let place = agenda.places.get(rule).copied();
        if let Some(state) = place.and_then(|place| agenda.rules.get_mut(place)) {
            state.last = Some(Rc::new(last));
        }
    }

    // ---- what is written down ----

    /// Has everything written down as it is now.
    pub(super) fn keep(&mut self) {
        let mut kept: SavedSchedule = match self.agenda.line.keeping.under_way {
            Some(_) => {
                self.agenda.line.keeping.again = true;
                return;
            }
            None => self.agenda.kept(),
        };
        let starts = self.agenda.pages.keys().filter_map(|id| {
            let index = self.index_of(id)?;
            Some((id.clone(), self.machines[index].shows.clone()?))
        });
        kept.canvases = starts.collect();
        kept.powers = Some(self.screens.requests());
        self.agenda.line.keeping.under_way = Some(self.agenda.record.next());
        let kept = Box::new(kept);
        self.actions
            .push_back(Action::SaveSchedule { schedule: kept });
    }

    /// It is written, or could not be.
    pub(super) fn handle_kept(&mut self, result: Result<(), Failure>, now: Moment) {
        let keeping = &mut self.agenda.line.keeping;
        let Some(below) = keeping.under_way.take() else {
            return;
        };
        if let Err(failure) = result {
            keeping.refused = Some((keeping.settled..below, failure.message));
        }
        keeping.settled = below;
        keeping.last = Some(now);
        if std::mem::take(&mut keeping.again) {
            self.keep();
        }
    }

    /// Asks for something as a client would; what comes of it is what came of the occurrence.
    pub(super) fn ask_for(&mut self, number: u64, request: Command, now: Moment) {
        let restarts = match &request {
            Command::Restart(id) => Some(id.clone()),
            _ => None,
        };
        let ticket = self.agenda.line.send(PendingCommand {
            firing: Some(number),
            page: None,
            restarts,
        });
        self.handle_request(ticket, request, now);
    }

    /// What was not finished when the daemon before this one ended: what may be done twice is done again, if that
    /// is not long ago; the rest is told.
    pub(super) fn recall_record(&mut self, entries: impl Iterator<Item = Entry>) {
        for mut entry in entries {
            if entry.outcome.is_some() {
                self.recall_entry(entry);
                continue;
            }
            let rule = self.agenda.rule(&entry.rule).cloned();
            let is_held = self.agenda.held.contains_key(&entry.rule);
            match rule {
                Some(rule)
                    if entry.kind == Kind::Begin && self.may_be_done_again(&rule, &entry) =>
                {
                    let occasion = Occasion {
                        at: entry.at,
                        kind: Kind::Begin,
                        client: None,
                    };
                    self.line_up(&rule, Step::Do(rule.action.clone()), occasion);
                }
                _ if is_held => {
                    entry.outcome = Some(Outcome::Done);
                    self.recall_entry(entry);
                }
                _ => {
                    let why = "the daemon ended before it was written down what came of it";
                    entry.detail = Some(why.to_owned());
                    self.recall_entry(entry);
                }
            }
        }
    }

    fn may_be_done_again(&self, rule: &Rule, entry: &Entry) -> bool {
        let Some((at, clock)) = entry.at.zip(self.agenda.clock) else {
            return false;
        };
        let is_recent = super::clock_reading::later_by(clock.wall, at) <= super::elapsed::LATE;
        rule.until.is_none() && rule.action.is_state() && (is_recent || rule.catch_up)
    }

    fn recall_entry(&mut self, entry: Entry) {
        let (rule, outcome, detail) = (entry.rule.clone(), entry.outcome, entry.detail.clone());
        let number = self.agenda.record.enter(entry);
        if let Some(outcome) = outcome {
            self.close(number, &rule, outcome, detail);
        }
    }
}
