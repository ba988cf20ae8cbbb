//! How a rule is carried out: as the request of a client would be, and so with every refusal and in every bound of one.

use super::execution::Step;
use super::history::Outcome;
use crate::config::{Id, RuleAction};
use crate::supervisor::{Action, Command, Supervisor};
use crate::time::Moment;
use serde_json::{Map, Value};

impl Supervisor {
    /// It is this one's turn. Exactly one `conclude` follows.
    pub(super) fn act(&mut self, number: u64, rule: &Id, step: Step, now: Moment) {
        match step {
            Step::Begin(RuleAction::Power { on, display }) => {
                self.begin_power(number, on, display.as_ref(), now);
            }
            Step::Begin(deed) => self.do_deed(number, deed, now),
            Step::Do(deed) => {
                self.heed_deed(&deed, self.agenda.line.asked_by(number));
                self.do_deed(number, deed, now);
            }
            Step::End(overruled) => self.undo(number, rule, overruled, now),
        }
    }

    fn do_deed(&mut self, number: u64, deed: RuleAction, now: Moment) {
        match deed {
            RuleAction::Update { process, fields } => self.change(number, process, fields, now),
            RuleAction::Enable(id) => self.change(number, id, enabled(true), now),
            RuleAction::Disable(id) => self.change(number, id, enabled(false), now),
            RuleAction::Show { process, url } => self.show(&process, Some(url), number, now),
            RuleAction::Start(id) => self.turn(number, Command::Start(id), now),
            RuleAction::Stop(id) => self.turn(number, Command::Stop(id), now),
            RuleAction::Restart(id) => self.turn(number, Command::Restart(id), now),
            RuleAction::Refresh(id) => match id.or_else(|| self.on_screen()) {
                Some(id) => self.ask_for(number, Command::ReloadPage(id), now),
                None => {
                    let why = Some("there is no display process".to_owned());
                    self.conclude_as(number, Outcome::Failed, why, now);
                }
            },
            RuleAction::Power { on, display } => self.switch_power(number, on, display, now),
            RuleAction::Run(command) => {
                self.answer_early(number);
                self.actions
                    .push_back(Action::RunCommand { number, command });
            }
            RuleAction::Reboot => {
                self.answer_early(number);
                self.actions.push_back(Action::Reboot { number });
            }
        }
    }

    /// Changes fields of a process in the document. The next in the line may rely on it.
    pub(super) fn change(&mut self, number: u64, id: Id, fields: Map<String, Value>, now: Moment) {
        self.agenda.line.hold_up(number);
        self.ask_for(number, Command::Change(id, fields), now);
    }

    /// Starts or ends a process.
    pub(super) fn turn(&mut self, number: u64, request: Command, now: Moment) {
        self.agenda.line.hold_up(number);
        // A stop of what was stopped before is not the doing of the rule.
        let stops = match &request {
            Command::Stop(id) => self.index_of(id),
            _ => None,
        };
        let stops = stops.filter(|index| self.machines[*index].is_wanted());
        self.ask_for(number, request, now);
        if let Some(index) = stops {
            self.with(index, |machine, _| machine.blame_the_schedule());
        }
    }

    /// Switches a screen, or all of them.
    pub(super) fn switch_power(
        &mut self,
        number: u64,
        on: bool,
        display: Option<crate::config::Display>,
        now: Moment,
    ) {
        match display {
            Some(display) => self.ask_for(number, Command::SwitchPower { display, on }, now),
            None => {
                let result = self.ask_for_power_everywhere(on, now);
                self.conclude(number, result.map(|()| None), now);
            }
        }
    }

    /// The display process that has the screen.
    fn on_screen(&self) -> Option<Id> {
        let looked_at = self.health.as_ref().map(|(id, _)| id.clone());
        looked_at.or_else(|| self.loaded.config.active_display.clone())
    }
}

/// What enables a process, or disables it.
pub(super) fn enabled(enabled: bool) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("enabled".to_owned(), Value::Bool(enabled));
    fields
}
