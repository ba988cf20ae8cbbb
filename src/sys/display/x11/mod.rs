//! Speaks with an X server: how large its screen is, what shows it, how it is turned, whether it is on.
//!
//! The requests and answers are x11rb-protocol's; what carries them over the socket is ours ([`connection`]),
//! because it has to fit our loop and to bound what a server may send. No request is sent but when something has
//! happened: the server reports changes (RandR) and of DPMS.

mod authority;
mod connection;
mod power;
mod screen;

use crate::config::{Display, Rotation};
use crate::supervisor::{Failure, Screen};
use crate::sys::display::server::{PowerAnswer, Server};
use connection::{Connection, Extension};
use std::borrow::Cow;
use std::path::Path;
use x11rb_protocol::protocol::xproto::{
    ChangeWindowAttributesAux, ChangeWindowAttributesRequest, EventMask, InternAtomRequest,
};
use x11rb_protocol::protocol::{dpms, randr};

/// A client of an X server.
#[derive(Debug)]
pub(in crate::sys) struct X {
    connection: Connection,
    /// RandR 1.3 or newer, where the server has it.
    randr: Option<Extension>,
    dpms: Option<Extension>,
    /// The property that holds what a monitor says of itself.
    edid: u32,
}

impl X {
    /// Becomes a client of the server behind `socket`.
    ///
    /// # Errors
    /// It does not let us in, or is no X server.
    pub(in crate::sys) async fn connect(display: &Display, socket: &Path) -> Result<Self, Failure> {
        let mut connection = Connection::open(display, socket).await?;
        let randr = connection.extension(randr::X11_EXTENSION_NAME).await?;
        let dpms = connection.extension(dpms::X11_EXTENSION_NAME).await?;
        let edid = intern(&mut connection, b"EDID").await?;
        let mut this = Self {
            connection,
            randr,
            dpms,
            edid,
        };
        this.listen().await?;
        Ok(this)
    }

    /// Subscribes to changes of the screen's size and power.
    async fn listen(&mut self) -> Result<(), Failure> {
        let request = ChangeWindowAttributesRequest {
            window: self.connection.root(),
            value_list: Cow::Owned(
                ChangeWindowAttributesAux::new().event_mask(EventMask::STRUCTURE_NOTIFY),
            ),
        };
        self.connection.send(0, request).await?;
        self.select_randr().await?;
        self.select_dpms().await
    }
}

async fn intern(connection: &mut Connection, name: &[u8]) -> Result<u32, Failure> {
    let request = InternAtomRequest {
        only_if_exists: false,
        name: name.into(),
    };
    Ok(connection.ask(0, request).await?.atom)
}

impl Server for X {
    async fn screen(&mut self) -> Result<Screen, Failure> {
        self.read_screen().await
    }

    async fn changed(&mut self) -> Result<(), Failure> {
        self.connection.news().await
    }

    async fn switch(&mut self, on: bool) -> Result<PowerAnswer, Failure> {
        self.set_power(on).await
    }

    async fn power(&mut self) -> Result<PowerAnswer, Failure> {
        self.read_power().await
    }

    async fn turn(&mut self, rotation: Rotation) -> Result<(), Failure> {
        self.set_rotation(rotation).await
    }
}

#[cfg(test)]
mod tests;
