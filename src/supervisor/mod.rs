//! The pure core that decides: every input is an [`Event`], every output an [`Action`].
//!
//! It reads no clock, file or socket, so a month of crashes, broken files and full disks runs as a test in
//! milliseconds.
//!
//! | module | decides |
//! |---|---|
//! | `interface` | nothing: what goes in, what comes out and what is published |
//! | `process` | what an event means to one process, when it restarts and when it may start |
//! | `edit` | commands and edits of the configuration: save first, then apply |
//! | `page` | page health and recovery, connection loss, page commands of clients |
//! | `schedule` | which rule is due, in which order rules run, what is restored when an override ends |
//! | `scheduling` | gives the schedule the facts, and carries out its intents |
//! | `display` | screens: rotation and power |
//! | `lifecycle` | upgrades, why the daemon started |
//! | `snapshot` | what changed since the last snapshot |

mod backoff;
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
use edit::PendingSave;
use lifecycle::upgrade::Upgrade;
use page::commands::PageCommands;
use page::kiosk_page::{KioskPage, PageFacts};
use process::admission::ScreenWait;
use process::machine::Machine;
use schedule::Scheduler;
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

/// Decides what the daemon does. Owns the state.
#[derive(Debug)]
pub struct Supervisor {
    /// In the order of the file, then those that are no longer configured but still run.
    machines: Vec<Machine>,
    loaded: Loaded,
    source: Source,
    /// The problems of the file.
    problems: Vec<Problem>,
    /// The file was changed by another program and not read since.
    file_differs: bool,
    /// The displays that exist.
    present: Vec<Display>,
    screens: display::screens::Screens,
    shutting_down: bool,
    /// `Exit` or `Upgrade` was decided; nothing follows.
    has_exited: bool,

    /// The save in progress, and the edits that wait for it.
    disk: PendingSave,

    page: KioskPage,

    /// Page commands that clients wait for.
    page_commands: PageCommands,

    scheduler: Scheduler,

    upgrade: Upgrade,

    next_run: u64,
    next_claim: u64,
    actions: VecDeque<Action>,

    /// Machines that changed since the last `settle`.
    updated: Vec<usize>,
    /// A process may start that could not before.
    may_start_more: bool,
    /// Set while every display process that should run waits for a missing display.
    screen_wait: Option<ScreenWait>,
    /// Machines or displays were added or removed since the last snapshot.
    layout_changed: bool,

    status: Rc<Snapshot>,
}

impl Supervisor {
    /// Creates a supervisor and starts what starts at boot.
    pub fn new(boot: Boot, now: Moment) -> Self {
        let status = snapshot::empty_snapshot(&boot);
        let mut this = Self {
            machines: Vec::new(),
            loaded: boot.loaded.clone(),
            source: boot.source,
            problems: boot.problems,
            file_differs: false,
            present: boot.displays,
            screens: Default::default(),
            shutting_down: false,
            has_exited: false,
            disk: PendingSave::default(),
            page: KioskPage::default(),
            page_commands: PageCommands::default(),
            scheduler: Scheduler::default(),
            upgrade: Upgrade::default(),
            next_run: boot.next_run,
            next_claim: 1,
            actions: VecDeque::new(),
            updated: Vec::new(),
            may_start_more: true,
            screen_wait: None,
            layout_changed: true,
            status: Rc::new(status),
        };
        this.restore_processes(boot.memories, now);
        this.boot(boot.loaded, now);
        this.with_scheduler(|it, facts| it.restore_schedule(facts, boot.schedule, now));
        this.run_intents(now);
        this.update_schedule(now);
        let mut runs: Vec<RunId> = this.machines.iter().filter_map(Machine::run).collect();
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
            return self.reject_after_exit(event);
        }
        match event {
            Event::Tick => self.handle_tick(now),
            Event::Command { ticket, command } => {
                self.handle_command(Requester::Client(ticket), command, now);
            }
            Event::CommandWithdrawn { ticket } => self.handle_command_withdrawn(ticket),
            Event::Spawned { run, pid } => {
                self.update_run(run, |machine, out| machine.handle_spawned(pid, now, out));
                self.watch_page(run, now);
                self.with_scheduler(|it, facts| it.on_start_page_opened(facts, run));
            }
            Event::SpawnFailed { run, failure } => {
                self.update_run(run, |machine, out| {
                    machine.handle_spawn_failed(failure, now, out);
                });
            }
            Event::Exited {
                run,
                ending,
                tree_left,
            } => {
                let index = self.index_of_run(run);
                self.update_run(run, |machine, out| {
                    machine.handle_exited(ending, tree_left, now, out);
                });
                if let Some(index) = index {
                    self.expect_display_back(index, now);
                }
            }
            Event::TreeGone { run } => {
                let index = self.index_of_run(run);
                self.update_run(run, |machine, out| machine.handle_tree_gone(now, out));
                if let Some(index) = index {
                    self.expect_display_back(index, now);
                }
            }
            Event::Ready { run } => self.update_run(run, |machine, _| machine.handle_ready()),
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
            } => self.handle_requested_page_command_done(requester, result, now),
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
            Event::SaveFailed { failure } => self.handle_save_failed(failure, now),
            Event::Read { bytes } => self.handle_read(bytes, now),
            Event::ConfigFile { differs } => self.file_differs = differs,
            Event::ProgramChecked { result } => {
                let requester = self.upgrade.handle_checked(result.is_ok());
                if let (Some(requester), Err(failure)) = (requester, result) {
                    self.reply(requester, Err(Refusal::NotUpgraded(failure)));
                }
            }
            Event::Displays { present } => self.handle_displays(present, now),
            Event::Screen { .. }
            | Event::Connectors { .. }
            | Event::Power { .. }
            | Event::Rotated { .. } => {
                self.layout_changed = true;
                let rotations = &self.loaded.config.rotations;
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
        let deadlines = [
            self.next_deadline().map(|(moment, _)| moment),
            self.disk.deadline(),
            self.page_deadline(),
            self.screens.deadline(),
            self.scheduler.schedule_deadline(&self.facts()),
            self.screen_deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Whether the configuration file is being read, or is queued to be.
    pub fn is_reloading(&self) -> bool {
        self.disk.is_reloading()
    }

    /// What the API publishes.
    pub fn status(&self) -> &Rc<Snapshot> {
        &self.status
    }

    fn handle_tick(&mut self, now: Moment) {
        while let Some((_, index)) = self.next_deadline().filter(|(moment, _)| *moment <= now) {
            self.update_machine(index, |machine, out| machine.handle_deadline(now, out));
        }
        self.handle_disk_deadline(now);
        let rotations = &self.loaded.config.rotations;
        self.layout_changed |= (self.screens).handle_deadline(rotations, now, &mut self.actions);
        self.handle_screen_wait(now);
    }

    /// Changes the machine of a run. An event of a run that is over is ignored.
    fn update_run(&mut self, run: RunId, change: impl FnOnce(&mut Machine, &mut VecDeque<Action>)) {
        if let Some(index) = self.index_of_run(run) {
            self.update_machine(index, change);
        }
    }

    /// Changes a machine.
    fn update_machine<T>(
        &mut self,
        index: usize,
        change: impl FnOnce(&mut Machine, &mut VecDeque<Action>) -> T,
    ) -> T {
        self.updated.push(index);
        self.may_start_more = true;
        change(&mut self.machines[index], &mut self.actions)
    }

    /// Starts and stops processes until nothing changes any more, then publishes.
    fn settle(&mut self, now: Moment) {
        loop {
            let before = self.updated.len();
            self.admit(now);
            if self.updated.len() == before {
                break;
            }
        }
        self.drop_ended_processes();
        let mut changed = std::mem::take(&mut self.updated);
        if self.layout_changed {
            changed = (0..self.machines.len()).collect();
        }
        changed.sort_unstable();
        changed.dedup();
        self.publish_snapshot(&changed, now);
        self.save_memories(&changed);
        self.exit_if_done();
        self.upgrade_if_ready();
    }

    /// Saves what changed for the next daemon.
    fn save_memories(&mut self, changed: &[usize]) {
        for index in changed {
            let news = self
                .machines
                .get_mut(*index)
                .and_then(Machine::changed_memory);
            if let Some(memory) = news.map(Box::new) {
                self.actions.push_back(Action::Remember { memory });
            }
        }
    }

    /// The machine of a run that is not over.
    fn index_of_run(&self, run: RunId) -> Option<usize> {
        self.machines
            .iter()
            .position(|machine| machine.run() == Some(run))
    }

    /// The machine whose deadline is next.
    fn next_deadline(&self) -> Option<(Moment, usize)> {
        let machines = self.machines.iter().enumerate();
        machines
            .filter_map(|(index, machine)| Some((machine.deadline()?, index)))
            .min()
    }

    fn page_facts(&self) -> PageFacts {
        let machine = |index: usize| &self.machines[index];
        let id = self.page.health().map(|(id, _)| id);
        let process = id.and_then(|id| self.facts().index_of(id)).map(machine);
        let run = self.page.run().and_then(|run| self.index_of_run(run));
        let is_driven = |machine: &Machine| machine.pid().is_some() && !machine.is_stopping();
        PageFacts {
            process: process.map(|machine| machine.process.clone()),
            is_driven: !self.shutting_down && run.map(machine).is_some_and(is_driven),
            behaviors: self.loaded.config.behaviors,
            schedule: self.loaded.config.schedule.clone(),
        }
    }

    /// The page of a run can be observed from now on.
    fn watch_page(&mut self, run: RunId, now: Moment) {
        if let Some(index) = self.index_of_run(run) {
            self.page.watch(&self.machines[index], now);
            self.publish_page_status();
        }
    }

    fn page_deadline(&self) -> Option<Moment> {
        match self.shutting_down {
            true => None,
            false => self.page.deadline(&self.page_facts()),
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
        let run = self.page.run().and_then(|run| self.index_of_run(run));
        if let (Some(reason), Some(index)) = (reason, run) {
            self.update_machine(index, |machine, out| {
                machine.restart_automatically(reason, now, out);
            });
        }
    }

    fn publish_page_status(&mut self) {
        let status = self.page.changed_status(self.loaded.config.behaviors);
        if let Some((run, status)) = status
            && let Some(index) = self.index_of_run(run)
            && self.machines[index].page_status.as_deref() != Some(&status)
        {
            self.machines[index].page_status = Some(Rc::new(status));
            self.updated.push(index);
        }
    }

    /// Displays appeared or disappeared.
    fn handle_displays(&mut self, present: Vec<Display>, now: Moment) {
        self.present = present;
        self.layout_changed = true;
        self.may_start_more = true;
        let rotations = &self.loaded.config.rotations;
        (self.screens).handle_displays(&self.present, rotations, now, &mut self.actions);
        for index in 0..self.machines.len() {
            self.expect_display_back(index, now);
        }
    }

    /// Requests a screen to be on or off.
    ///
    /// # Errors
    ///
    /// The display does not exist or is not connected, or nothing on this system can switch it.
    fn request_power(&mut self, display: &Display, on: bool, now: Moment) -> Result<(), Refusal> {
        if let Some(refusal) = self.facts().power_refusal(display) {
            return Err(refusal);
        }
        (self.screens).request_power(display, on, now, &mut self.actions);
        self.layout_changed = true;
        Ok(())
    }

    /// Upgrades once nothing is unfinished.
    fn upgrade_if_ready(&mut self) {
        let Some(requester) = self.upgrade.due() else {
            return;
        };
        let is_unfinished = !self.disk.is_idle()
            || self.scheduler.is_schedule_busy()
            || self.machines.iter().any(Machine::is_about_to_run);
        if is_unfinished {
            return;
        }
        self.has_exited = true;
        self.reject_page_commands();
        self.reply(requester, Ok(Done::Accepted));
        self.actions.push_back(Action::Upgrade);
    }
}
