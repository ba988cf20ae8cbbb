//! What an attendant asks of the server of a display, in whichever protocol.

use crate::config::Rotation;
use crate::supervisor::{Backend, Failure, Screen};
use std::future::Future;

/// Programs that serve displays, by their protocol.
pub(in crate::sys) trait Server {
    /// What it shows itself on now.
    fn screen(&mut self) -> impl Future<Output = Result<Screen, Failure>>;
    /// Resolves once that may have changed. May be dropped at any time: nothing is lost.
    fn changed(&mut self) -> impl Future<Output = Result<(), Failure>>;
    /// Switches the screen, and looks.
    fn switch(&mut self, on: bool) -> impl Future<Output = Result<PowerAnswer, Failure>>;
    /// Looks whether the screen is on.
    fn power(&mut self) -> impl Future<Output = Result<PowerAnswer, Failure>>;
    /// Turns the screen.
    fn turn(&mut self, rotation: Rotation) -> impl Future<Output = Result<(), Failure>>;
}

/// What a server says of the power of its screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sys) enum PowerAnswer {
    /// It cannot switch it.
    Cannot,
    /// By which way it does, and whether it is on.
    Is(Backend, Option<bool>),
}
