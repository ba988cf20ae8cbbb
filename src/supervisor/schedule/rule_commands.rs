//! Carries out rules by the commands that clients use, with the same checks and limits.

use super::execution::ExecutionStep;
use super::history::RuleOutcome;
use crate::config::{Id, RuleAction};
use crate::supervisor::{Action, Command, Supervisor};
use crate::time::Moment;
use serde_json::{Map, Value};

impl Supervisor {
    /// Starts an execution. Exactly one `finish_execution` follows.
    pub(super) fn start_execution(
        &mut self,
        number: u64,
        rule: &Id,
        step: ExecutionStep,
        now: Moment,
    ) {
        match step {
            ExecutionStep::Begin(RuleAction::Power { on, display }) => {
                self.begin_power(number, on, display.as_ref(), now);
            }
            ExecutionStep::Begin(action) => self.run_action(number, action, now),
            ExecutionStep::Run(action) => {
                self.on_rule_action(&action, self.scheduler.executions.requested_by(number));
                self.run_action(number, action, now);
            }
            ExecutionStep::End(overruled) => self.undo_override(number, rule, overruled, now),
        }
    }

    fn run_action(&mut self, number: u64, action: RuleAction, now: Moment) {
        match action {
            RuleAction::Update { process, fields } => {
                self.change_fields(number, process, fields, now)
            }
            RuleAction::Enable(id) => self.change_fields(number, id, enabled_field(true), now),
            RuleAction::Disable(id) => self.change_fields(number, id, enabled_field(false), now),
            RuleAction::Show { process, url } => self.show_page(&process, Some(url), number, now),
            RuleAction::Start(id) => self.start_or_stop(number, Command::Start(id), now),
            RuleAction::Stop(id) => self.start_or_stop(number, Command::Stop(id), now),
            RuleAction::Restart(id) => self.start_or_stop(number, Command::Restart(id), now),
            RuleAction::Refresh(id) => match id.or_else(|| self.process_on_screen()) {
                Some(id) => self.run_command_for(number, Command::ReloadPage(id), now),
                None => {
                    let why = Some("there is no display process".to_owned());
                    self.finish_execution(number, RuleOutcome::Failed, why, now);
                }
            },
            RuleAction::Power { on, display } => self.switch_power(number, on, display, now),
            RuleAction::Run(command) => {
                self.reply_early(number);
                self.actions
                    .push_back(Action::RunCommand { number, command });
            }
            RuleAction::Reboot => {
                self.reply_early(number);
                self.actions.push_back(Action::Reboot { number });
            }
        }
    }

    /// Changes fields of a process in the document. Later executions wait for it.
    pub(super) fn change_fields(
        &mut self,
        number: u64,
        id: Id,
        fields: Map<String, Value>,
        now: Moment,
    ) {
        self.scheduler.executions.block(number);
        self.run_command_for(number, Command::Change(id, fields), now);
    }

    /// Starts or stops a process.
    pub(super) fn start_or_stop(&mut self, number: u64, request: Command, now: Moment) {
        self.scheduler.executions.block(number);
        // If the process is stopped already, the rule does not stop it.
        let stops = match &request {
            Command::Stop(id) => self.index_of(id),
            _ => None,
        };
        let stops = stops.filter(|index| self.machines[*index].is_wanted());
        self.run_command_for(number, request, now);
        if let Some(index) = stops {
            self.update_machine(index, |machine, _| machine.attribute_to_schedule());
        }
    }

    /// Switches one or all screens.
    pub(super) fn switch_power(
        &mut self,
        number: u64,
        on: bool,
        display: Option<crate::config::Display>,
        now: Moment,
    ) {
        match display {
            Some(display) => {
                self.run_command_for(number, Command::SwitchPower { display, on }, now)
            }
            None => {
                let result = self.request_power_everywhere(on, now);
                self.complete_execution(number, result.map(|()| None), now);
            }
        }
    }

    /// The display process on the screen.
    fn process_on_screen(&self) -> Option<Id> {
        let looked_at = self.health.as_ref().map(|(id, _)| id.clone());
        looked_at.or_else(|| self.loaded.config.active_display.clone())
    }
}

/// The fields that enable or disable a process.
pub(super) fn enabled_field(enabled: bool) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("enabled".to_owned(), Value::Bool(enabled));
    fields
}
