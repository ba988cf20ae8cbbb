//! Speaks with a Wayland compositor: what shows its display, how it is turned, whether it is on.
//!
//! Every compositor describes its outputs (`wl_output`). Those built on wlroots (cage from 0.2, labwc, sway)
//! also let a client switch them (`zwlr_output_power_manager_v1`) and turn them
//! (`zwlr_output_manager_v1`). The three interfaces are a dozen messages on a socket, without descriptors
//! or buffers, so they are written here ([`wire`]) instead of a client library and its code generator.

mod output;
mod session;
mod wire;

use crate::config::{Display, Rotation};
use crate::supervisor::{Backend, Failure, Screen};
use crate::sys::display::server::{PowerAnswer, Server};
use session::Session;
use std::path::Path;

/// A client of a compositor.
#[derive(Debug)]
pub(in crate::sys) struct Wayland {
    session: Session,
}

impl Wayland {
    /// Becomes a client of the compositor behind `socket`.
    ///
    /// # Errors
    /// It is no compositor, or does not answer.
    pub(in crate::sys) async fn connect(display: &Display, socket: &Path) -> Result<Self, Failure> {
        let mut session = Session::open(display, socket).await?;
        // The first roundtrip lists the objects, the second describes them.
        session.round_trip().await?;
        session.round_trip().await?;
        Ok(Self { session })
    }

    fn power_answer(&self) -> PowerAnswer {
        match self.session.can_switch() {
            true => PowerAnswer::Is(Backend::OutputPower, self.session.is_on()),
            false => PowerAnswer::Cannot,
        }
    }
}

impl Server for Wayland {
    async fn screen(&mut self) -> Result<Screen, Failure> {
        self.session.round_trip().await?;
        Ok(self.session.screen())
    }

    async fn changed(&mut self) -> Result<(), Failure> {
        self.session.news().await
    }

    async fn switch(&mut self, on: bool) -> Result<PowerAnswer, Failure> {
        self.session.switch(on);
        self.session.round_trip().await?;
        Ok(self.power_answer())
    }

    async fn power(&mut self) -> Result<PowerAnswer, Failure> {
        self.session.round_trip().await?;
        Ok(self.power_answer())
    }

    async fn turn(&mut self, rotation: Rotation) -> Result<(), Failure> {
        self.session.turn(rotation).await
    }
}
