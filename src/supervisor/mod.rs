//! The pure core that decides: every input is an [`Event`], every output an [`Action`].
//!
//! It reads no clock, file or socket, so a month of crashes, broken files and full disks runs as a test in
//! milliseconds.
//!
//! | module | decides |
//! |---|---|
//! | `interface` | nothing: what goes in, what comes out and what is published |
//! | `process` | what an event means to one process, when it restarts and when it may start |
//! | `commands` | which component carries a command out |
//! | `edit` | edits of the configuration: save first, then apply |
//! | `page` | page health and recovery, connection loss, page commands of clients |
//! | `schedule` | which rule is due, in which order rules run, what is restored when an override ends |
//! | `scheduling` | gives the schedule the facts, and carries out its intents |
//! | `display` | screens: rotation and power |
//! | `lifecycle` | upgrades, why the daemon started |
//! | `snapshot` | what changed since the last snapshot |

mod backoff;
mod commands;
mod display;
mod edit;
mod facts;
mod interface;
mod lifecycle;
mod page;
pub mod process;
mod schedule;
mod scheduling;
mod snapshot;

pub use interface::*;
pub use lifecycle::last_start::{LastStart, MarkerState, StartReason, Traces};
pub use schedule::ScheduleBoot;

use crate::config::{Display, Loaded, Problem};
use crate::time::Moment;
use display::screens::Screens;
use edit::Configuration;
use lifecycle::upgrade::Upgrade;
use page::commands::PageCommands;
use page::kiosk_page::{KioskPage, PageFacts};
use process::machine::Machine;
use process::processes::{Processes, Surroundings};
use schedule::Scheduler;
use snapshot::{Parts, Publisher};
use std::collections::VecDeque;
use std::rc::Rc;

/// What is known when the daemon starts.
#[derive(Debug)]
pub struct Boot {
    /// The initial configuration.
    pub loaded: Loaded,
    /// Where it came from.
    pub source: Source,
    /// The problems of the file.
    pub problems: Vec<Problem>,
    /// The displays that exist, sorted.
    pub displays: Vec<Display>,
    /// What an earlier daemon kept of processes that still run.
    pub memories: Vec<Memory>,
    /// Greater than every run id since the machine was booted.
    pub next_run: u64,
    /// The state of the schedule.
    pub schedule: ScheduleBoot,
}

/// Decides what the daemon does: gives every event to the components that it concerns, and carries out what they want of
/// each other.
#[derive(Debug)]
pub struct Supervisor {
    configuration: Configuration,
    processes: Processes,
    /// The displays that exist, sorted.
    present: Vec<Display>,
    screens: Screens,
    page: KioskPage,
    /// Page commands that clients wait for.
    page_commands: PageCommands,
    scheduler: Scheduler,
    upgrade: Upgrade,
    publisher: Publisher,
    actions: VecDeque<Action>,
    /// Processes or displays were added or removed, or a screen changed, since the last snapshot.
    layout_changed: bool,
    shutting_down: bool,
    /// `Exit` or `Upgrade` was decided; nothing follows.
    has_exited: bool,
}

impl Supervisor {
    /// Creates a supervisor and starts what starts at boot.
    pub fn new(boot: Boot, now: Moment) -> Self {
        let configuration = Configuration::new(boot.loaded, boot.source, boot.problems);
        let mut this = Self {
            publisher: Publisher::new(configuration.status()),
            configuration,
            processes: Processes::new(boot.next_run),
            present: boot.displays,
            screens: Screens::default(),
            page: KioskPage::default(),
            page_commands: PageCommands::default(),
            scheduler: Scheduler::default(),
            upgrade: Upgrade::default(),
            actions: VecDeque::new(),
            layout_changed: true,
            shutting_down: false,
            has_exited: false,
        };
        (this.processes).restore(boot.memories, now, &mut this.actions);
        this.configuration.boot(&mut this.actions);
        let in_use = this.processes.is_screen_in_use();
        this.adopt_config(now);
        this.with_processes(|it, around, _| it.boot(in_use, around, now));
        this.with_scheduler(|it, facts| it.restore_schedule(facts, boot.schedule, now));
        this.run_intents(now);
        this.update_schedule(now);
        let mut runs: Vec<RunId> = this.processes.iter().filter_map(Machine::run).collect();
        runs.sort_unstable();
        for run in runs {
            this.watch_page(run, now);
        }
        this.page.inherit();
        this.settle(now);
        // What became due while no daemon ran.
        this.handle_tick(now);
        this.settle(now);
        this
    }

    /// Handles an event. The only way in.
    pub fn handle(&mut self, event: Event, now: Moment) {
        if self.has_exited {
            if let Event::Command { ticket, .. } = event {
                self.reply(Requester::Client(ticket), Err(Refusal::ShuttingDown));
            }
            return;
        }
        match event {
            Event::Tick => self.handle_tick(now),
            Event::Command { ticket, command } => {
                self.handle_command(Requester::Client(ticket), command, now);
            }
            Event::CommandWithdrawn { ticket } => {
                self.page_commands.withdraw(ticket, &mut self.actions);
            }
            Event::Spawned { run, pid } => {
                let out = &mut self.actions;
                (self.processes).update_run(run, |it| it.handle_spawned(pid, now, out));
                self.watch_page(run, now);
                self.with_scheduler(|it, facts| it.on_start_page_opened(facts, run));
            }
            Event::SpawnFailed { run, failure } => {
                let out = &mut self.actions;
                (self.processes).update_run(run, |it| it.handle_spawn_failed(failure, now, out));
            }
            Event::Exited {
                run,
                ending,
                tree_left,
            } => self.with_processes(|processes, around, out| {
                processes.update_ending_run(run, around, now, |machine| {
                    machine.handle_exited(ending, tree_left, now, out);
                });
            }),
            Event::TreeGone { run } => self.with_processes(|processes, around, out| {
                processes.update_ending_run(run, around, now, |machine| {
                    machine.handle_tree_gone(now, out);
                });
            }),
            Event::Ready { run } => {
                self.processes.update_run(run, Machine::handle_ready);
            }
            Event::PageCommandDone {
                run,
                command,
                requester: Requester::Daemon,
                result,
            } => {
                let facts = self.page_facts();
                let out = &mut self.actions;
                (self.page).handle_command_done(run, &command, result, &facts, now, out);
            }
            Event::PageCommandDone {
                requester, result, ..
            } => self.handle_page_command_done(requester, result, now),
            Event::PageObserved { run, observation } => {
                let facts = self.page_facts();
                let out = &mut self.actions;
                let restart = (self.page).handle_observed(run, observation, &facts, now, out);
                self.restart_browser(restart, now);
            }
            Event::Network { connected } => {
                let facts = self.page_facts();
                self.page.handle_network(connected, &facts, now);
                self.scheduler.set_initial_network(connected);
                if connected {
                    self.scheduler.retry_page_overrides_now(now);
                }
            }
            Event::ServerProbed { url, reachable } => {
                let facts = self.page_facts();
                self.page.handle_probed(&url, reachable, &facts, now);
            }
            Event::Saved => self.handle_saved(now),
            Event::SaveFailed { failure } => {
                let end = self.configuration.handle_save_failed(failure);
                self.end_edits(end, now);
            }
            Event::Read { bytes } => {
                match self.configuration.handle_read(bytes, &mut self.actions) {
                    Some(Ok(change)) => {
                        self.apply_config(change.next, now);
                        self.end_edits(Some(change.end), now);
                    }
                    Some(Err(end)) => self.end_edits(Some(end), now),
                    None => {}
                }
            }
            Event::ConfigFile { differs } => self.configuration.file_differs = differs,
            Event::ProgramChecked { result } => {
                let requester = self.upgrade.handle_checked(result.is_ok());
                if let (Some(requester), Err(failure)) = (requester, result) {
                    self.reply(requester, Err(Refusal::NotUpgraded(failure)));
                }
            }
            Event::Displays { present } => {
                self.present = present;
                self.layout_changed = true;
                let rotations = &self.configuration.loaded.config.rotations;
                let out = &mut self.actions;
                (self.screens).handle_displays(&self.present, rotations, now, out);
                self.with_processes(|it, around, _| it.handle_displays(around, now));
            }
            Event::Screen { .. }
            | Event::Connectors { .. }
            | Event::Power { .. }
            | Event::Rotated { .. } => {
                self.layout_changed = true;
                let rotations = &self.configuration.loaded.config.rotations;
                let out = &mut self.actions;
                if self.screens.handle_event(event, rotations, now, out) {
                    self.page.observe_soon(now);
                }
            }
            Event::Clock { .. }
            | Event::TimeZone { .. }
            | Event::ScheduleSaved { .. }
            | Event::RuleDone { .. } => {
                self.with_scheduler(|it, facts| it.handle_schedule_event(facts, event, now));
                self.run_intents(now);
            }
            Event::Reload => self.handle_command(Requester::Daemon, Command::Reload, now),
            Event::Shutdown => self.begin_shutdown(now),
        }
        self.update_page(now);
        self.update_schedule(now);
        self.settle(now);
    }

    /// The next action. The only way out; call it until it returns `None`.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When to send [`Event::Tick`]; `None` if nothing is waited for.
    pub fn poll_timeout(&self) -> Option<Moment> {
        let page = || self.page.deadline(&self.page_facts());
        let deadlines = [
            self.processes.deadline(),
            self.configuration.deadline(),
            (!self.shutting_down).then(page).flatten(),
            self.screens.deadline(),
            self.scheduler.schedule_deadline(&self.facts()),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Whether the configuration file is being read, or is queued to be.
    pub fn is_reloading(&self) -> bool {
        self.configuration.is_reloading()
    }

    /// What the API publishes.
    pub fn status(&self) -> &Rc<Snapshot> {
        &self.publisher.latest
    }

    fn handle_tick(&mut self, now: Moment) {
        self.processes.handle_deadline(now, &mut self.actions);
        if let Some(end) = self.configuration.handle_deadline(now) {
            self.reply(end.requester, end.outcome);
        }
        let rotations = &self.configuration.loaded.config.rotations;
        self.layout_changed |= (self.screens).handle_deadline(rotations, now, &mut self.actions);
    }

    fn with_processes<T>(
        &mut self,
        act: impl FnOnce(&mut Processes, &Surroundings<'_>, &mut VecDeque<Action>) -> T,
    ) -> T {
        let around = Surroundings {
            config: &self.configuration.loaded.config,
            present: &self.present,
            screens: &self.screens,
            start_pages: self.scheduler.start_pages(),
        };
        act(&mut self.processes, &around, &mut self.actions)
    }

    /// Starts and stops processes until nothing changes any more, publishes, and saves what changed for the next daemon.
    fn settle(&mut self, now: Moment) {
        let shutting_down = self.shutting_down;
        self.with_processes(|it, around, out| it.settle(shutting_down, around, now, out));
        self.layout_changed |= self.processes.drop_ended(&mut self.actions);
        let layout_changed = std::mem::take(&mut self.layout_changed);
        let changed = self.processes.take_updated(layout_changed);
        let parts = Parts {
            configuration: &self.configuration,
            processes: &mut self.processes,
            changed: &changed,
            layout_changed,
            present: &self.present,
            screens: &self.screens,
            schedule: self.scheduler.schedule_status(),
            shutting_down,
        };
        self.publisher.publish(parts, now);
        for id in changed {
            if let Some(memory) = self.processes.changed_memory(&id).map(Box::new) {
                self.actions.push_back(Action::Remember { memory });
            }
        }
        self.exit_if_done();
        self.upgrade_if_ready();
    }

    fn page_facts(&self) -> PageFacts {
        let id = self.page.health().map(|(id, _)| id);
        let process = id.and_then(|id| self.processes.get(id));
        let run = self.page.run().and_then(|run| self.processes.of_run(run));
        let config = &self.configuration.loaded.config;
        PageFacts {
            process: process.map(|machine| machine.process.clone()),
            is_driven: !self.shutting_down && run.is_some_and(Machine::takes_commands),
            behaviors: config.behaviors,
            schedule: config.schedule.clone(),
        }
    }

    /// The page of a run can be observed from now on.
    fn watch_page(&mut self, run: RunId, now: Moment) {
        if let Some(machine) = self.processes.of_run(run) {
            self.page.watch(machine, now);
            self.publish_page_status();
        }
    }

    /// Does what is due for the page.
    fn update_page(&mut self, now: Moment) {
        if !self.shutting_down {
            let facts = self.page_facts();
            let restart = self.page.update(&facts, now, &mut self.actions);
            self.restart_browser(restart, now);
        }
        self.publish_page_status();
    }

    /// Restarts the browser because of its page.
    fn restart_browser(&mut self, reason: Option<Reason>, now: Moment) {
        if let (Some(reason), Some(run)) = (reason, self.page.run()) {
            let out = &mut self.actions;
            (self.processes).update_run(run, |it| it.restart_automatically(reason, now, out));
        }
    }

    fn publish_page_status(&mut self) {
        let behaviors = self.configuration.loaded.config.behaviors;
        if let Some((run, status)) = self.page.changed_status(behaviors) {
            self.processes.set_page_status(run, status);
        }
    }

    /// Begins the shutdown. A process stops after those that depend on it.
    fn begin_shutdown(&mut self, now: Moment) {
        if self.shutting_down {
            return;
        }
        self.shutting_down = true;
        let waiting = self.configuration.begin_shutdown(now);
        for requester in waiting.into_iter().chain(self.upgrade.cancel()) {
            self.reply(requester, Err(Refusal::ShuttingDown));
        }
        self.screens.stop();
        self.processes.begin_shutdown(now, &mut self.actions);
    }

    /// Exits once nothing runs and no save is in progress.
    fn exit_if_done(&mut self) {
        let is_done = !self.processes.any_alive() && self.configuration.is_idle();
        if self.shutting_down && !self.has_exited && is_done {
            self.has_exited = true;
            self.reject_page_commands();
            self.actions.push_back(Action::Exit);
        }
    }

    /// Upgrades once nothing is unfinished.
    fn upgrade_if_ready(&mut self) {
        let Some(requester) = self.upgrade.due() else {
            return;
        };
        let is_unfinished = !self.configuration.is_idle()
            || self.scheduler.is_schedule_busy()
            || self.processes.iter().any(Machine::is_about_to_run);
        if is_unfinished {
            return;
        }
        self.has_exited = true;
        self.reject_page_commands();
        self.reply(requester, Ok(Done::Accepted));
        self.actions.push_back(Action::Upgrade);
    }

    /// The daemon exits: clients that wait for a page or a rule are answered.
    fn reject_page_commands(&mut self) {
        let clients = self.scheduler.take_waiting_clients();
        for requester in self.page_commands.end().chain(clients) {
            self.reply(requester, Err(Refusal::ShuttingDown));
        }
    }
}
