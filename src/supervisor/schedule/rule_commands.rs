//! Carries out rules by the commands that clients use, with the same checks and limits.

use super::execution::ExecutionStep;
use super::history::RuleOutcome;
use crate::config::{Id, RuleAction};
use crate::supervisor::{Action, Command, Edit, ExecutionId, Supervisor};
use crate::time::Moment;
use serde_json::{Map, Value};

impl Supervisor {
    /// Starts an execution. Exactly one `finish_execution` follows.
    pub(super) fn start_execution(
        &mut self,
        execution: ExecutionId,
        rule: &Id,
        step: ExecutionStep,
        now: Moment,
    ) {
        match step {
            ExecutionStep::Begin(RuleAction::Power { on, display }) => {
                self.begin_power(execution, on, display.as_ref(), now);
            }
            ExecutionStep::Begin(action) => self.run_action(execution, action, now),
            ExecutionStep::Run(action) => {
                self.on_rule_action(&action, self.scheduler.executions.requested_by(execution));
                self.run_action(execution, action, now);
            }
            ExecutionStep::End(overruled) => self.undo_override(execution, rule, overruled, now),
        }
    }

    fn run_action(&mut self, execution: ExecutionId, action: RuleAction, now: Moment) {
        match action {
            RuleAction::Update { process, fields } => {
                self.change_fields(execution, process, fields, now)
            }
            RuleAction::Enable(id) => self.change_fields(execution, id, enabled_field(true), now),
            RuleAction::Disable(id) => self.change_fields(execution, id, enabled_field(false), now),
            RuleAction::Show { process, url } => {
                self.show_page(&process, Some(url), execution, now)
            }
            RuleAction::Start(id) => self.start_or_stop(execution, Command::Start(id), now),
            RuleAction::Stop(id) => self.start_or_stop(execution, Command::Stop(id), now),
            RuleAction::Restart(id) => self.start_or_stop(execution, Command::Restart(id), now),
            RuleAction::Refresh(id) => match id.or_else(|| self.process_on_screen()) {
                Some(id) => self.run_command_for(execution, Command::ReloadPage(id), now),
                None => {
                    let why = Some("there is no display process".to_owned());
                    self.finish_execution(execution, RuleOutcome::Failed, why, now);
                }
            },
            RuleAction::Power { on, display } => self.switch_power(execution, on, display, now),
            RuleAction::Run(command) => {
                self.reply_early(execution);
                self.actions
                    .push_back(Action::RunCommand { execution, command });
            }
            RuleAction::Reboot => {
                self.reply_early(execution);
                self.actions.push_back(Action::Reboot { execution });
            }
        }
    }

    /// Changes fields of a process in the document. Later executions wait for it.
    pub(super) fn change_fields(
        &mut self,
        execution: ExecutionId,
        id: Id,
        fields: Map<String, Value>,
        now: Moment,
    ) {
        self.scheduler.executions.block(execution);
        let edit = Edit::Change {
            id,
            fields,
            if_match: None,
        };
        self.run_command_for(execution, edit.into(), now);
    }

    /// Starts or stops a process.
    pub(super) fn start_or_stop(&mut self, execution: ExecutionId, command: Command, now: Moment) {
        self.scheduler.executions.block(execution);
        self.run_command_for(execution, command, now);
    }

    /// Switches one or all screens.
    pub(super) fn switch_power(
        &mut self,
        execution: ExecutionId,
        on: bool,
        display: Option<crate::config::Display>,
        now: Moment,
    ) {
        match display {
            Some(display) => {
                self.run_command_for(execution, Command::SwitchPower { display, on }, now)
            }
            None => {
                let result = self.request_power_everywhere(on, now);
                self.complete_execution(execution, result.map(|()| None), now);
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
