//! The page on the screen: decides by its health and its connection.

use super::connection::{Connection, Step};
use super::health::{Health, Recovery, RecoveryHistory};
use crate::config::{Behaviors, Id, Process, Schedule};
use crate::supervisor::interface::{
    Action, BuiltIn, Failure, PageCommand, PageCommandResult, PageObservation, PageState,
    PageStatus, Reason, Requester, RunId,
};
use crate::supervisor::process::machine::Machine;
use crate::time::Moment;
use std::collections::VecDeque;
use std::rc::Rc;

/// The page of the display process that started last.
#[derive(Debug, Default)]
pub(in crate::supervisor) struct KioskPage {
    /// Its health, and its process.
    health: Option<(Id, Health)>,
    connection: Connection,
    /// The published status is outdated.
    is_changed: bool,
}

/// What the page may know of the rest of the supervisor.
pub(in crate::supervisor) struct PageFacts {
    /// The process, unless it is no longer configured.
    pub process: Option<Rc<Process>>,
    /// Whether its run is live and takes commands.
    pub is_driven: bool,
    pub behaviors: Behaviors,
    pub schedule: Rc<Schedule>,
}

impl KioskPage {
    /// The health of the page, and its process.
    pub fn health(&self) -> Option<&(Id, Health)> {
        self.health.as_ref()
    }

    /// The run whose page it is.
    pub fn run(&self) -> Option<RunId> {
        self.health.as_ref().map(|(_, health)| health.run())
    }

    /// An earlier daemon started the run of this page.
    pub fn inherit(&mut self) {
        self.connection.inherit(self.run());
    }

    /// Whether there is a network, and the page's server is reachable as far as is known.
    pub fn is_connected(&self) -> bool {
        self.connection.assumed_reachable()
    }

    /// The page of a run can be observed from now on.
    pub fn watch(&mut self, machine: &Machine, now: Moment) {
        // The configuration may have changed since the run began.
        let (Some(run), Some(process)) = (machine.run(), machine.running()) else {
            return;
        };
        if !process.is_display() {
            return;
        }
        // The recovery history is kept if the previous run was of the same process.
        let history = match self.health.take() {
            Some((id, health)) if id == machine.process.id => health.into_history(),
            _ => RecoveryHistory::default(),
        };
        let mut health = Health::new(run, process.url.clone(), history, now);
        // A run of an earlier daemon has had a part of this time.
        if let Some(started) = machine.started() {
            health.set_started(started);
        }
        self.health = Some((machine.process.id.clone(), health));
        self.is_changed = true;
    }

    /// An operator changes the page of this run: recovery starts over.
    pub fn reset_recovery(&mut self, run: RunId) {
        if let Some((_, health)) = &mut self.health
            && health.run() == run
        {
            health.reset_recovery();
        }
    }

    /// A driver observed the page of a run. Returns why the browser must be restarted, if so.
    pub fn handle_observed(
        &mut self,
        run: RunId,
        observation: PageObservation,
        facts: &PageFacts,
        now: Moment,
        out: &mut VecDeque<Action>,
    ) -> Option<Reason> {
        let (_, health) = self.health.as_mut().filter(|_| facts.is_driven)?;
        if health.run() != run {
            return None;
        }
        self.is_changed = true;
        // Without a URL there is no page that a notice could cover.
        let is_loading =
            matches!(&observation, PageObservation::Loading { url } if !url.is_empty());
        match health.handle_observation(observation, now) {
            None => {}
            Some(Recovery::Command(command)) => self.recover(command, facts, now, out),
            Some(Recovery::Restart(why)) => {
                self.record_recovery(format!("{why}; restarting the browser"), now, out);
                return Some(Reason::PageRecovery(why));
            }
        }
        self.watch_connection(run, is_loading, now);
        None
    }

    fn watch_connection(&mut self, run: RunId, is_loading: bool, now: Moment) {
        let Some((_, health)) = &self.health else {
            return;
        };
        if is_loading {
            self.connection.handle_loading(run, now);
        }
        let is_shown = health.shows_page();
        let status = health.status();
        match (status.state, &status.url) {
            (PageState::Healthy | PageState::NetError, Some(url)) => {
                self.connection.watch(run, url, is_shown, now);
            }
            _ if !is_shown => self.connection.hide(run, now),
            _ => {}
        }
    }

    /// A command of the supervisor was carried out or failed; the effect will be observed.
    pub fn handle_command_done(
        &mut self,
        run: RunId,
        command: &PageCommand,
        result: Result<PageCommandResult, Failure>,
        facts: &PageFacts,
        now: Moment,
        out: &mut VecDeque<Action>,
    ) {
        let Some((_, health)) = self.health.as_mut().filter(|(_, it)| it.run() == run) else {
            return;
        };
        health.end_command(command);
        match result {
            Ok(PageCommandResult::Evidence(Some(screenshot))) => {
                health.set_evidence(screenshot, now);
                self.is_changed = true;
            }
            Ok(result) => health.handle_done(command, &result),
            Err(failure) if facts.is_driven => {
                let next = health.handle_failure(command, now);
                if matches!(command, PageCommand::ShowBuiltIn(_)) {
                    self.log(&failure.to_string(), out);
                }
                if let Some(command) = next {
                    self.send(command, out);
                }
            }
            Err(_) => {}
        }
    }

    /// The kernel reports whether there is a network.
    pub fn handle_network(&mut self, connected: bool, facts: &PageFacts, now: Moment) {
        self.connection.handle_network(connected, now);
        if connected {
            self.retry_now(now);
        }
        self.is_changed |= self.is_driven(facts);
    }

    /// A server was probed.
    pub fn handle_probed(&mut self, url: &str, reachable: bool, facts: &PageFacts, now: Moment) {
        if self.connection.handle_probed(url, reachable, now) {
            self.retry_now(now);
        }
        self.is_changed |= self.is_driven(facts);
    }

    /// A page that could not be loaded may load now.
    fn retry_now(&mut self, now: Moment) {
        if let Some((_, health)) = &mut self.health {
            health.retry_now(now);
        }
    }

    /// A screen changed, perhaps the one of the page.
    pub fn observe_soon(&mut self, now: Moment) {
        if let Some((_, health)) = &mut self.health {
            health.observe_soon(now);
        }
    }

    /// Whether the connection is that of the page, and the page takes commands.
    fn is_driven(&self, facts: &PageFacts) -> bool {
        facts.is_driven && self.connection.run() == self.run()
    }

    /// When to call [`Self::update`].
    pub fn deadline(&self, facts: &PageFacts) -> Option<Moment> {
        let health = self.health.as_ref().filter(|_| facts.is_driven);
        let observation = health.and_then(|(_, health)| health.deadline());
        let connection = (self.connection).deadline(facts.behaviors, self.is_driven(facts));
        observation.into_iter().chain(connection).min()
    }

    /// Does what is due. Returns why the browser must be restarted, if so.
    pub fn update(
        &mut self,
        facts: &PageFacts,
        now: Moment,
        out: &mut VecDeque<Action>,
    ) -> Option<Reason> {
        self.connection.update_rules(&facts.schedule);
        let is_driven = self.is_driven(facts);
        if !is_driven && self.health.is_some() && facts.process.is_none() {
            self.connection.forget_server();
        }
        while let Some(step) = self.connection.step(facts.behaviors, is_driven, now) {
            match step {
                Step::Probe(url) => out.push_back(Action::ProbeServer { url }),
                _ if !is_driven => {}
                Step::Command(command, why) => {
                    self.log(why, out);
                    self.send(command, out);
                    self.is_changed = true;
                }
                Step::Undo(command) => self.send(command, out),
                Step::Restart => {
                    let why = "its server is back";
                    self.log(&format!("{why}; restarting the browser"), out);
                    return Some(Reason::PageRecovery(why.to_owned()));
                }
            }
        }
        let (_, health) = self.health.as_mut().filter(|_| facts.is_driven)?;
        if health.deadline()? <= now {
            let command = health.handle_due(now);
            self.send(command, out);
        }
        None
    }

    fn recover(
        &mut self,
        mut command: PageCommand,
        facts: &PageFacts,
        now: Moment,
        out: &mut VecDeque<Action>,
    ) {
        let Some((_, health)) = &self.health else {
            return;
        };
        let why = health.status().reason.clone().unwrap_or_default();
        let what = match &mut command {
            PageCommand::Reload => "reloading",
            PageCommand::NewTab { .. } => "loading it in a new tab",
            PageCommand::ShowBuiltIn(BuiltIn::Failed { name, .. }) => {
                if let Some(process) = &facts.process {
                    name.clone_from(&process.name);
                }
                "every recovery step failed; showing a built-in page"
            }
            _ => "showing a built-in page until it loads",
        };
        if !matches!(command, PageCommand::ShowBuiltIn(BuiltIn::Offline { .. })) {
            self.send(PageCommand::CaptureEvidence, out);
        }
        self.record_recovery(format!("{why}; {what}"), now, out);
        self.send(command, out);
    }

    /// Records a recovery step in the log and the status of the page.
    fn record_recovery(&mut self, what: String, now: Moment, out: &mut VecDeque<Action>) {
        self.log(&what, out);
        if let Some((_, health)) = &mut self.health {
            health.record_step(what, now);
        }
    }

    fn send(&mut self, command: PageCommand, out: &mut VecDeque<Action>) {
        if let Some((_, health)) = &mut self.health {
            health.begin_command(command.clone());
            out.push_back(Action::RunPageCommand {
                run: health.run(),
                command,
                requester: Requester::Daemon,
            });
        }
    }

    fn log(&self, text: &str, out: &mut VecDeque<Action>) {
        if let Some((id, _)) = &self.health {
            out.push_back(Action::Note {
                process: id.clone(),
                text: format!("page: {text}"),
            });
        }
    }

    /// The status of the page if it changed: its health, and the effect of its connection.
    pub fn changed_status(&mut self, behaviors: Behaviors) -> Option<(RunId, PageStatus)> {
        if !std::mem::take(&mut self.is_changed) {
            return None;
        }
        let (_, health) = self.health.as_ref()?;
        let run = health.run();
        let mut status = PageStatus {
            server_reachable: self.connection.is_reachable(run, behaviors),
            ..health.status().clone()
        };
        // The page answers, but the screen shows a notice or a paused page.
        if status.state == PageState::Healthy
            && let Some(since) = self.connection.affects(run)
        {
            status.state = PageState::NetError;
            status.since = since;
            status.reason = Some("its server cannot be reached".to_owned());
            status.last_painted = Some(since);
        }
        Some((run, status))
    }
}
