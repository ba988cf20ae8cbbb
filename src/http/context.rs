//! The context of all handlers.

use super::auth_service::AuthService;
use super::command_queue::CommandSender;
use super::connection_limiter::ConnectionLimiter;
use super::future::BoxFuture;
use super::limits::Limits;
use super::listener_liveness::ListenerLiveness;
use super::screenshots::ScreenshotsInTransit;
use super::snapshot_feed::SnapshotFeed;
use super::usage::{Usage, WhyUnenforced};
use super::wall_time::{Now, WallTime};
use crate::config::Id;
use crate::facts::MachineFacts;
use crate::logs::Logs;
use crate::supervisor::LastStart;
use crate::time::Moment;
use std::cell::RefCell;
use std::rc::Rc;

/// Checks whether this machine has a time zone of this name; the error is the reason.
pub type CheckZone = dyn Fn(String) -> BoxFuture<'static, Result<(), String>>;

/// The context of all handlers, shared by all listeners.
pub struct Api {
    /// The newest snapshot, which the loop publishes.
    pub feed: SnapshotFeed,
    /// Sends commands to the supervisor.
    pub commands: CommandSender,
    /// The output of the processes.
    pub logs: Rc<Logs>,
    /// Authenticates clients.
    pub auth: Rc<AuthService>,
    /// Reads both clocks.
    pub clock: fn() -> Now,
    /// Reads facts about the machine.
    pub system: Box<dyn Fn() -> MachineFacts>,
    /// Checks whether this machine has a time zone.
    pub check_zone: Box<CheckZone>,
    /// Why limits of a process are not enforced; `None` if they are.
    pub why_unenforced: Box<WhyUnenforced>,
    /// The resource usage of a process.
    pub usage: Box<dyn Fn(&Id) -> Usage>,
    /// Facts about the daemon.
    pub about: About,
    /// Lets the watchdog check that connections are accepted.
    pub liveness: ListenerLiveness,
    /// Further names of this machine.
    pub hosts: Vec<String>,
    /// Limits on clients.
    pub limits: Limits,
    pub(in crate::http) connections: Rc<ConnectionLimiter>,
    pub(in crate::http) wall: WallTime,
    /// The lists of processes as last serialized: redacted and full.
    pub(in crate::http) process_lists: [RefCell<Option<CachedList>>; 2],
    pub(in crate::http) screenshots: ScreenshotsInTransit,
}

/// A list of processes as last serialized. It contains whole seconds, so it is serialized at most once a second and
/// generation.
#[derive(Debug)]
pub(in crate::http) struct CachedList {
    pub generation: u64,
    pub second: u64,
    pub bytes: Rc<[u8]>,
}

/// Facts about the daemon that do not change while it runs, and the host name.
pub struct About {
    /// The version of the program.
    pub version: &'static str,
    /// The configuration file, as given on the command line.
    pub config_file: String,
    /// When the daemon was started.
    pub started: Moment,
    /// Identifies the numbering of log lines, which survives the daemon together with its processes.
    pub log_epoch: u64,
    /// Why it was started.
    pub last_start: LastStart,
    /// Reads the host name. A client may use it alone or with `.local`.
    pub hostname: Box<dyn Fn() -> String>,
}

impl Api {
    /// A context with default limits and without facts about the machine and the resources of processes, which can be
    /// set afterwards.
    pub fn new(
        feed: SnapshotFeed,
        commands: CommandSender,
        logs: Rc<Logs>,
        auth: Rc<AuthService>,
        clock: fn() -> Now,
        about: About,
    ) -> Self {
        Self {
            feed,
            commands,
            logs,
            auth,
            clock,
            system: Box::new(MachineFacts::default),
            check_zone: Box::new(|_| Box::pin(std::future::ready(Ok(())))),
            why_unenforced: Box::new(|_| Some("this system does not enforce limits".to_owned())),
            usage: Box::new(|_| Usage::default()),
            about,
            liveness: ListenerLiveness::default(),
            hosts: Vec::new(),
            limits: Limits::default(),
            connections: ConnectionLimiter::new(),
            wall: WallTime::default(),
            process_lists: Default::default(),
            screenshots: ScreenshotsInTransit::default(),
        }
    }
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api")
            .field("limits", &self.limits)
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}
