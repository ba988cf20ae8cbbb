//! Carries out rules by the commands that clients use, with the same checks and limits.

use super::execution_queue::ExecutionStep;
use super::{Intent, Scheduler};
use crate::config::{Id, RuleAction};
use crate::supervisor::facts::Facts;
use crate::supervisor::interface::{Action, Command, Edit, ExecutionId, Failure, RuleOutcome};
use crate::time::Moment;
use serde_json::{Map, Value};

impl Scheduler {
    /// Starts an execution. Exactly one `finish_execution` follows.
    pub(super) fn start_execution(
        &mut self,
        facts: &Facts<'_>,
        execution: ExecutionId,
        rule: &Id,
        step: ExecutionStep,
        now: Moment,
    ) {
        match step {
            ExecutionStep::Begin(RuleAction::Power { on, display }) => {
                self.begin_power(facts, execution, on, display.as_ref(), now);
            }
            ExecutionStep::Begin(action) => self.run_action(facts, execution, action, now),
            ExecutionStep::Run(action) => {
                self.on_rule_action(facts, &action, self.executions.requested_by(execution));
                self.run_action(facts, execution, action, now);
            }
            ExecutionStep::End(overruled) => {
                self.undo_override(facts, execution, rule, overruled, now)
            }
        }
    }

    fn run_action(
        &mut self,
        facts: &Facts<'_>,
        execution: ExecutionId,
        action: RuleAction,
        now: Moment,
    ) {
        match action {
            RuleAction::Update { process, fields } => {
                self.change_fields(execution, process, fields)
            }
            RuleAction::Enable(id) => self.change_fields(execution, id, enabled_field(true)),
            RuleAction::Disable(id) => self.change_fields(execution, id, enabled_field(false)),
            RuleAction::Show { process, url } => {
                self.show_page(facts, &process, Some(url), execution, now)
            }
            RuleAction::Start(id) => self.start_or_stop(execution, Command::Start(id)),
            RuleAction::Stop(id) => self.start_or_stop(execution, Command::Stop(id)),
            RuleAction::Restart(id) => self.start_or_stop(execution, Command::Restart(id)),
            RuleAction::Refresh(id) => match id.or_else(|| self.process_on_screen(facts)) {
                Some(id) => {
                    let command = Command::ReloadPage(id);
                    self.intents.push_back(Intent::Command(execution, command));
                }
                None => {
                    let why = Some("there is no display process".to_owned());
                    self.finish_execution(execution, RuleOutcome::Failed, why, now);
                }
            },
            RuleAction::Power { on, display } => {
                self.switch_power(facts, execution, on, display, now)
            }
            RuleAction::Run(command) => {
                self.reply_early(execution);
                let action = Action::RunCommand { execution, command };
                self.intents.push_back(Intent::Act(action));
            }
            RuleAction::Reboot => {
                self.reply_early(execution);
                let action = Action::Reboot { execution };
                self.intents.push_back(Intent::Act(action));
            }
        }
    }

    /// Changes fields of a process in the document. Later executions wait for it.
    pub(super) fn change_fields(
        &mut self,
        execution: ExecutionId,
        id: Id,
        fields: Map<String, Value>,
    ) {
        self.executions.block(execution);
        let edit = Edit::Change {
            id,
            fields,
            if_match: None,
        };
        self.intents
            .push_back(Intent::Command(execution, edit.into()));
    }

    /// Starts or stops a process.
    pub(super) fn start_or_stop(&mut self, execution: ExecutionId, command: Command) {
        self.executions.block(execution);
        self.intents.push_back(Intent::Command(execution, command));
    }

    /// Switches one or all screens.
    pub(super) fn switch_power(
        &mut self,
        facts: &Facts<'_>,
        execution: ExecutionId,
        on: bool,
        display: Option<crate::config::Display>,
        now: Moment,
    ) {
        match display {
            Some(display) => {
                let command = Command::SwitchPower { display, on };
                self.intents.push_back(Intent::Command(execution, command));
            }
            None => {
                let result = self.switch_all_power(facts, on);
                self.complete_execution(execution, result.map(|()| None), now);
            }
        }
    }

    /// Switches every screen that can be switched.
    fn switch_all_power(&mut self, facts: &Facts<'_>, on: bool) -> Result<(), Failure> {
        let mut done = false;
        let mut refused = None;
        for display in facts.present {
            match facts.power_refusal(display) {
                None => {
                    self.intents
                        .push_back(Intent::SwitchPower(display.clone(), on));
                    done = true;
                }
                Some(refusal) => refused = Some(refusal),
            }
        }
        match (done, refused) {
            (true, _) => Ok(()),
            (false, Some(refusal)) => Err(Failure::system(refusal.to_string())),
            (false, None) => Err(Failure::system("there is no display to switch")),
        }
    }

    /// The display process on the screen.
    fn process_on_screen(&self, facts: &Facts<'_>) -> Option<Id> {
        let shown = facts.health.map(|(id, _)| id.clone());
        shown.or_else(|| facts.loaded.config.active_display.clone())
    }
}

/// The fields that enable or disable a process.
pub(super) fn enabled_field(enabled: bool) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("enabled".to_owned(), Value::Bool(enabled));
    fields
}
