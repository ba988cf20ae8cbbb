//! The HTTP API and the page: every way in from outside, and nothing that decides.
//!
//! A connection is accepted by [`server`], finds its place in the [`crowd`], and waits
//! in [`mod@line`] until a whole request head has come, which [`head`] judges. picoserve, on
//! the [`runtime`] made for it here, reads the request and calls [`service`]: the
//! [`door`] looks at where it comes from and, with the [`keeper`], at who sends it; [`routes`] says who answers, and the handler
//! (a file for each subject) shows the newest picture from the [`feed`] or asks the
//! mind over the counter in [`client`]. What is refused becomes a problem in [`error`].

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

/// Tells whether this machine has a time zone of a name.
pub type CheckZone = dyn Fn(String) -> Pin<Box<dyn Future<Output = Result<(), String>>>>;

/// All that the handlers know. One is shared by all listeners.
pub struct Api {
    /// The newest picture of the kiosk. The loop hangs it up, the handlers show it.
    pub feed: SnapshotFeed,
    /// The way to the mind.
    pub commands: CommandSender,
    /// What the processes printed.
    pub logs: Rc<Logs>,
    /// Who may come in.
    pub auth: Rc<AuthService>,
    /// Reads both clocks.
    pub clock: fn() -> Now,
    /// Reads the facts of the machine.
    pub system: Box<dyn Fn() -> MachineFacts>,
    /// Whether a time zone can be used on this machine, as the daemon finds out; why not.
    pub check_zone: Box<CheckZone>,
    /// Why the limits of a process are not enforced, or not all of them; `None` where they are.
    pub why_unenforced: Box<WhyUnenforced>,
    /// What the run of a process uses.
    pub usage: Box<dyn Fn(&Id) -> Usage>,
    /// Facts of the daemon.
    pub about: About,
    /// By which whoever watches over the daemon sees that clients are still let in.
    pub liveness: ListenerLiveness,
    /// Names by which a client may call this machine, beside its own.
    pub hosts: Vec<String>,
    /// Bounds on clients.
    pub limits: Limits,
    connections: Rc<server::connection_limiter::ConnectionLimiter>,
    wall: api::wall_time::WallTime,
    processes: api::processes::CachedLists,
    screenshots: api::page::ScreenshotsInTransit,
}

/// Facts of the daemon that do not change while it runs, and the machine's name.
pub struct About {
    /// The version of the program.
    pub version: &'static str,
    /// The configuration file, as it was named.
    pub config_file: String,
    /// When the daemon was started.
    pub started: Moment,
    /// Names the numbering of log lines, which outlives the daemon where its processes do.
    pub log_epoch: u64,
    /// Why it was started.
    pub last_start: LastStart,
    /// The machine's name now. A client may call it by this name, alone or with `.local`.
    pub hostname: Box<dyn Fn() -> String>,
}

impl Api {
    /// An API with the default limits that knows nothing of the machine and of what processes may and
    /// do use; all of this may be set afterwards.
    pub fn new(
        feed: SnapshotFeed,
        mind: CommandSender,
        logs: Rc<Logs>,
        auth: Rc<AuthService>,
        clock: fn() -> Now,
        about: About,
    ) -> Self {
        Self {
            feed,
            commands: mind,
            logs,
            auth: auth,
            clock,
            system: Box::new(MachineFacts::default),
            check_zone: Box::new(|_| Box::pin(std::future::ready(Ok(())))),
            why_unenforced: Box::new(|_| Some("nobody enforces them here".to_owned())),
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
            .field("crowd", &self.connections)
            .finish_non_exhaustive()
    }
}
