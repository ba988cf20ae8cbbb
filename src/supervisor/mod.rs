//! Decides. Everything that happens reaches it as an [`Event`]; everything it wants comes out as an [`Action`].
//!
//! It never reads a clock, a file or a socket, so a month of crashes, broken files and
//! full disks runs as a test in milliseconds. Scrolling down is drilling down:
//!
//! | file | decides |
//! |---|---|
//! | `process` | what an event means to one process |
//! | `restart` | when a process that ended by itself is tried again |
//! | `admission` | which idle process may begin: dependencies, displays, one browser, shutdown order |
//! | `change` | what becomes of a request, and of a configuration on its way to the disk |
//! | `reconcile` | what another configuration means for the processes that run |
//! | `schedule` | which rule is due, in which order they are carried out, what comes back at their end |
//! | `screens`, `power` | how a display is turned, and when its screen is switched again |
//! | `health` | how the page on the screen fares, and what is done for one that is not well |
//! | `connection` | what is done when the page's server goes and comes back |
//! | `steering` | what a client may have done with a page |
//! | `upgrade` | when another program may go on in our place |
//! | `last_start` | why the daemon was started |
//! | `picture` | what the operator is shown; `words` says it in a line |

mod action;
mod backoff;
mod backup;
mod command;
mod display;
mod edit;
mod event;
mod failure;
mod lifecycle;
pub mod page;
pub mod process;
mod schedule;
mod snapshot;

pub use action::Action;
pub use backup::KeepOld;
pub use command::{Command, Done, Outcome, Refusal, Ticket};
pub use display::power::{Backend, PowerReport, PowerStatus};
pub use display::screen::{Connector, Monitor, Output, Screen, Size};
pub use display::screens::{RotationStatus, ScreenStatus};
pub use event::{Ending, Event};
pub use failure::{Failure, FailureKind};
pub use lifecycle::last_start::{LastStart, MarkerState, StartReason, Traces};
pub use lifecycle::memory::{Memory, SavedPhase, SavedRun, Stage};
pub use page::health::{PageStatus, RecoveryStep};
pub use process::reason::Reason;
pub use process::run::RunId;
pub use schedule::{
    ClockReading, Conflict, EntryKind, HistoryEntry, LastExecution, LocalTime, Occurrence,
    OccurrenceKind, Preview, RuleOutcome, RuleStatus, SavedSchedule, ScheduleBoot, ScheduleStatus,
};
pub use snapshot::{ConfigurationStatus, DisplayStatus, ProcessStatus, Snapshot, Source, State};

use crate::config::{Display, Id, Loaded, Problem};
use crate::time::Moment;
use edit::PendingSave;
use lifecycle::upgrade::Upgrade;
use page::commands::PageCommands;
use page::connection::Connection;
use page::health::Health;
use process::admission::ScreenWait;
use process::machine::Machine;
use schedule::Scheduler;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

/// What is known when the daemon starts.
#[derive(Debug)]
pub struct Boot {
    /// The configuration to begin with.
    pub loaded: Loaded,
    /// Where it came from.
    pub source: Source,
    /// What is wrong with the file, where something is.
    pub problems: Vec<Problem>,
    /// The displays that exist already, sorted.
    pub displays: Vec<Display>,
    /// What a daemon that died has left to go on with, where its processes live on.
    pub memories: Vec<Memory>,
    /// Above every run that there ever was since the machine was booted.
    pub next_run: u64,
    /// What is known of the schedule.
    pub schedule: ScheduleBoot,
}

/// The mind of the daemon. It owns the state and is the only one to change it.
#[derive(Debug)]
pub struct Supervisor {
    /// In the order of the file; those no longer configured but still ending come last.
    machines: Vec<Machine>,
    loaded: Loaded,
    source: Source,
    /// What is wrong with the file on disk.
    problems: Vec<Problem>,
    /// The displays that exist.
    present: Vec<Display>,
    /// What is known of their screens.
    screens: display::screens::Screens,
    /// Everything is being ended.
    shutting_down: bool,
    /// `Exit` was decided; nothing happens any more.
    has_exited: bool,

    /// What the disk is busy with, and the changes that wait for it.
    disk: PendingSave,

    /// How the page on the screen fares, and whose it is.
    health: Option<(Id, Health)>,

    /// Whether its server can be reached.
    connection: Connection,

    /// Clients that wait for a page.
    page_commands: PageCommands,

    /// The schedule at work.
    scheduler: Scheduler,

    /// How far the upgrade is, where one is under way.
    upgrade: Upgrade,

    next_run: u64,
    next_claim: u64,
    actions: VecDeque<Action>,

    /// Machines that something happened to since the last `settle`.
    updated: Vec<usize>,
    /// The deadline of each machine that has one.
    deadlines: BTreeSet<(Moment, usize)>,
    /// What stands in `deadlines` for each machine.
    indexed_deadlines: Vec<Option<Moment>>,
    /// Machines that wait to be admitted.
    awaiting_admission: BTreeSet<usize>,
    /// Something happened after which a process may start that something else has kept from starting.
    may_start_more: bool,
    /// Set while every display process that is meant to run waits for a display that is not there.
    screen_wait: Option<ScreenWait>,
    /// Whose run it is, for the runs that are not over.
    runs: BTreeMap<RunId, usize>,
    /// Machines or displays have come or gone since the last picture.
    layout_changed: bool,

    status: Rc<Snapshot>,
}

impl Supervisor {
    /// A mind that starts what starts at boot.
    pub fn new(boot: Boot, now: Moment) -> Self {
        let status = snapshot::build::empty_snapshot(&boot);
        let mut this = Self {
            machines: Vec::new(),
            loaded: boot.loaded.clone(),
            source: boot.source,
            problems: boot.problems,
            present: boot.displays,
            screens: Default::default(),
            shutting_down: false,
            has_exited: false,
            disk: PendingSave::default(),
            health: None,
            connection: Connection::default(),
            page_commands: PageCommands::default(),
            scheduler: Scheduler::default(),
            upgrade: Upgrade::default(),
            next_run: boot.next_run,
            next_claim: 1,
            actions: VecDeque::new(),
            updated: Vec::new(),
            deadlines: BTreeSet::new(),
            indexed_deadlines: Vec::new(),
            awaiting_admission: BTreeSet::new(),
            may_start_more: true,
            screen_wait: None,
            runs: BTreeMap::new(),
            layout_changed: true,
            status: Rc::new(status),
        };
        this.restore_processes(boot.memories, now);
        this.boot(boot.loaded, now);
        this.restore_schedule(boot.schedule, now);
        this.update_schedule(now);
        for run in this.runs.keys().copied().collect::<Vec<_>>() {
            this.watch_page(run, now);
        }
        let page = this.health.as_ref().map(|(_, health)| health.run());
        this.connection.inherit(page);
        this.settle(now);
        // What was to happen while no daemon lived.
        this.handle_tick(now);
        this.settle(now);
        this
    }

    /// Something happened. The only way in.
    pub fn handle(&mut self, event: Event, now: Moment) {
        if self.has_exited {
            return self.reject_after_exit(event);
        }
        match event {
            Event::Tick => self.handle_tick(now),
            Event::Command {
                ticket,
                command: request,
            } => self.handle_command(ticket, request, now),
            Event::CommandWithdrawn { ticket } => self.handle_command_withdrawn(ticket),
            Event::Spawned { run, pid } => {
                self.update_run(run, |machine, out| machine.handle_spawned(pid, now, out));
                self.watch_page(run, now);
                self.on_browser_started(run);
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
                let index = self.runs.get(&run).copied();
                self.update_run(run, |machine, out| {
                    machine.handle_exited(ending, tree_left, now, out);
                });
                if let Some(index) = index {
                    self.expect_display_back(index, now);
                }
            }
            Event::TreeGone { run } => {
                let index = self.runs.get(&run).copied();
                self.update_run(run, |machine, out| machine.handle_tree_gone(now, out));
                if let Some(index) = index {
                    self.expect_display_back(index, now);
                }
            }
            Event::Ready { run } => self.update_run(run, |machine, _| machine.handle_ready()),
            Event::PageCommandDone {
                ticket: Some(ticket),
                result,
                ..
            } => self.handle_client_page_command_done(ticket, result, now),
            Event::PageCommandDone {
                run,
                command: order,
                ticket: None,
                result,
            } => self.handle_page_command_done(run, &order, result, now),
            Event::PageObserved {
                run,
                observation: sight,
            } => {
                // Without an address there is no page that something could be laid over.
                let is_loading =
                    matches!(&sight, page::PageObservation::Loading { url } if !url.is_empty());
                self.handle_page_observed(run, sight, now);
                self.watch_connection(run, is_loading, now);
            }
            Event::Network { connected } => {
                self.handle_network(connected, now);
                self.set_initial_network(connected);
                if connected {
                    self.retry_page_overrides_now(now);
                }
            }
            Event::ServerProbed { url, reachable } => {
                self.handle_server_probed(&url, reachable, now);
            }
            Event::Saved => self.handle_saved(now),
            Event::SaveFailed { failure } => self.handle_save_failed(failure, now),
            Event::Read { bytes } => self.handle_read(bytes, now),
            Event::ProgramChecked { result } => self.handle_program_checked(result),
            Event::Displays { present } => self.handle_displays(present, now),
            Event::Screen { .. }
            | Event::Connectors { .. }
            | Event::Power { .. }
            | Event::Rotated { .. } => self.handle_screen_event(event, now),
            Event::Clock { .. }
            | Event::TimeZone { .. }
            | Event::ScheduleSaved { .. }
            | Event::RuleDone { .. } => self.handle_schedule_event(event, now),
            Event::Reload => self.request_reload(None),
            Event::Shutdown => self.begin_shutdown(now),
        }
        self.update_connection(now);
        self.update_page(now);
        self.update_schedule(now);
        self.settle(now);
    }

    /// The next thing to do. The only way out; to be called until it says `None`.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When to say [`Event::Tick`]; `None` where nothing is waited for.
    pub fn poll_timeout(&self) -> Option<Moment> {
        let deadline = self.deadlines.first().map(|(moment, _)| *moment);
        let deadlines = [
            deadline,
            self.disk.deadline(),
            self.page_deadline(),
            self.connection_deadline(),
            self.screens.deadline(),
            self.schedule_deadline(),
            self.screen_deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Whether the configuration file is being read again, or is to be.
    pub fn is_reloading(&self) -> bool {
        self.disk.is_reloading()
    }

    /// What the operator is shown.
    pub fn status(&self) -> &Rc<Snapshot> {
        &self.status
    }

    fn handle_tick(&mut self, now: Moment) {
        while let Some((moment, index)) = self.deadlines.first().copied() {
            if moment > now {
                break;
            }
            self.update_machine(index, |machine, out| machine.handle_deadline(now, out));
            self.index_machine(index);
        }
        self.handle_disk_deadline(now);
        self.handle_screen_deadline(now);
        self.handle_screen_wait(now);
    }

    /// Lets something happen to the machine of a run; late news of a run that is over falls away.
    fn update_run(&mut self, run: RunId, change: impl FnOnce(&mut Machine, &mut VecDeque<Action>)) {
        if let Some(index) = self.runs.get(&run).copied() {
            self.update_machine(index, change);
        }
    }

    /// Lets something happen to a machine.
    fn update_machine<T>(
        &mut self,
        index: usize,
        change: impl FnOnce(&mut Machine, &mut VecDeque<Action>) -> T,
    ) -> T {
        self.updated.push(index);
        self.may_start_more = true;
        let before = self.machines[index].run();
        let result = change(&mut self.machines[index], &mut self.actions);
        let after = self.machines[index].run();
        if before != after {
            if let Some(run) = before {
                self.runs.remove(&run);
            }
            if let Some(run) = after {
                self.runs.insert(run, index);
            }
        }
        result
    }

    /// Draws every conclusion from what happened, until nothing follows any more.
    fn settle(&mut self, now: Moment) {
        let mut changed = Vec::new();
        loop {
            while let Some(index) = self.updated.pop() {
                self.index_machine(index);
                changed.push(index);
            }
            self.admit(now);
            if self.updated.is_empty() {
                break;
            }
        }
        self.drop_ended_processes();
        if self.layout_changed {
            changed = (0..self.machines.len()).collect();
        }
        self.publish_snapshot(&mut changed, now);
        self.save_memories(&changed);
        self.exit_if_done();
        self.upgrade_if_ready();
    }

    /// Has what became of these machines kept for the next daemon.
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

    /// Enters a machine in the lists by which it is found again.
    fn index_machine(&mut self, index: usize) {
        let machine = &self.machines[index];
        let deadline = machine.deadline();
        if self.indexed_deadlines[index] != deadline {
            if let Some(old) = self.indexed_deadlines[index] {
                self.deadlines.remove(&(old, index));
            }
            if let Some(new) = deadline {
                self.deadlines.insert((new, index));
            }
            self.indexed_deadlines[index] = deadline;
        }
        if machine.awaits_admission() {
            self.awaiting_admission.insert(index);
        } else {
            self.awaiting_admission.remove(&index);
        }
    }

    /// Makes all lists anew, after the machines were put into another order.
    fn reindex(&mut self) {
        self.deadlines.clear();
        self.awaiting_admission.clear();
        self.indexed_deadlines = vec![None; self.machines.len()];
        self.runs = self
            .machines
            .iter()
            .enumerate()
            .filter_map(|(index, machine)| Some((machine.run()?, index)))
            .collect();
        self.updated = (0..self.machines.len()).collect();
    }

    /// The browser of this run was executed.
    fn on_browser_started(&mut self, run: RunId) {
        if let Some(index) = self.runs.get(&run) {
            self.on_start_page_opened(*index);
        }
    }

    fn index_of(&self, id: &Id) -> Option<usize> {
        self.machines
            .iter()
            .position(|machine| machine.process.id == *id)
    }
}
