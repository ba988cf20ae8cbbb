//! The web UI and the HTTP API.
//!
//! [`server`] accepts a connection, takes a slot for it, and waits until a whole request head has arrived and is valid.
//! picoserve then parses the request and calls the dispatcher: the guard checks where the request comes from and, with
//! [`auth_service`], who sends it; [`api::routes`] selects the handler (one file a subject), which shows the newest
//! snapshot from [`snapshot_feed`] or sends a command to the supervisor through [`command_queue`]. Errors become
//! problem details in [`error`].

pub mod api;
pub mod auth_service;
pub mod command_queue;
pub mod error;
pub mod server;
pub mod snapshot_feed;

mod guard;
mod percent;
mod reply;
mod ui;

pub use api::usage::{Memory, Usage, WhyUnenforced};
pub use api::wall_time::Now;
pub use auth_service::{AuthService, CredentialStore, MemoryStore};
pub use command_queue::{CommandQueue, CommandSender};
pub use error::ErrorKind;
pub use reply::BoxFuture;
pub use server::accept::{Listener, serve};
pub use server::limits::Limits;
pub use server::listener_liveness::ListenerLiveness;
pub use snapshot_feed::SnapshotFeed;

use crate::config::Id;
use crate::facts::MachineFacts;
use crate::logs::Logs;
use crate::supervisor::LastStart;
use crate::time::Moment;
use std::pin::Pin;
use std::rc::Rc;

/// Checks whether this machine has a time zone of this name; the error is the reason.
pub type CheckZone = dyn Fn(String) -> Pin<Box<dyn Future<Output = Result<(), String>>>>;

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
    connections: Rc<server::connection_limiter::ConnectionLimiter>,
    wall: api::wall_time::WallTime,
    processes: api::processes::CachedLists,
    screenshots: api::page::ScreenshotsInTransit,
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
            auth: auth,
            clock,
            system: Box::new(MachineFacts::default),
            check_zone: Box::new(|_| Box::pin(std::future::ready(Ok(())))),
            why_unenforced: Box::new(|_| Some("this system does not enforce limits".to_owned())),
            usage: Box::new(|_| Usage::default()),
            about,
            liveness: ListenerLiveness::default(),
            hosts: Vec::new(),
            limits: Limits::default(),
            connections: server::connection_limiter::ConnectionLimiter::new(),
            wall: api::wall_time::WallTime::default(),
            processes: api::processes::CachedLists::default(),
            screenshots: api::page::ScreenshotsInTransit::default(),
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
