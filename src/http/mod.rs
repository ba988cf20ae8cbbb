//! The web UI and the HTTP API.
//!
//! [`server`] accepts a connection, takes a slot for it, and waits until a whole request head has arrived and is valid.
//! picoserve then parses the request and calls the dispatcher: the guard checks where the request comes from and, with
//! [`auth_service`], who sends it; [`api::routes`] selects the handler (one file a subject), which shows the newest
//! snapshot from [`snapshot_feed`] or sends a command to the supervisor through [`command_queue`]. Errors become
//! problem details in [`error`].

pub mod api;
pub mod error;
pub mod server;

mod auth_service;
mod body;
mod caller;
mod command_queue;
mod connection_limiter;
mod context;
mod future;
mod guard;
mod limits;
mod listener_liveness;
mod percent;
mod reply;
mod screenshots;
mod snapshot_feed;
mod ui;
mod usage;
mod wall_time;

pub use auth_service::{AuthService, CredentialStore};
pub use command_queue::{CommandQueue, CommandSender};
pub use context::{About, Api, CheckZone};
pub use error::ErrorKind;
pub use future::BoxFuture;
pub use limits::Limits;
pub use listener_liveness::ListenerLiveness;
pub use server::accept::{Listener, serve};
pub use snapshot_feed::SnapshotFeed;
pub use usage::{Memory, Usage, WhyUnenforced};
pub use wall_time::Now;
