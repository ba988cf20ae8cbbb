//! Switches the screen of an X server (the DPMS extension).

use super::X;
use crate::supervisor::{Backend, Failure};
use crate::sys::display::server::PowerAnswer;
use x11rb_protocol::protocol::dpms::{
    CapableRequest, DPMSMode, EnableRequest, EventMask, ForceLevelRequest, GetVersionRequest,
    InfoRequest, SelectInputRequest, SetTimeoutsRequest,
};

impl X {
    /// Subscribes to switches of the screen by other clients, if the server supports that (DPMS 1.2), and keeps
    /// quiet about DPMS where it cannot switch at all.
    pub(super) async fn select_dpms(&mut self) -> Result<(), Failure> {
        let Some(dpms) = self.dpms else { return Ok(()) };
        let version = GetVersionRequest {
            client_major_version: 1,
            client_minor_version: 2,
        };
        let version = self.connection.ask(dpms.major, version).await?;
        if !self
            .connection
            .ask(dpms.major, CapableRequest)
            .await?
            .capable
        {
            self.dpms = None;
            return Ok(());
        }
        if (version.server_major_version, version.server_minor_version) >= (1, 2) {
            let request = SelectInputRequest {
                event_mask: EventMask::INFO_NOTIFY,
            };
            self.connection.send(dpms.major, request).await?;
        }
        Ok(())
    }

    /// Switches the screen. The times after which the server would switch it off automatically are cleared: the client that
    /// asks for a screen to be on means it.
    pub(super) async fn set_power(&mut self, on: bool) -> Result<PowerAnswer, Failure> {
        let Some(dpms) = self.dpms else {
            return Ok(PowerAnswer::Cannot);
        };
        let never = SetTimeoutsRequest {
            standby_timeout: 0,
            suspend_timeout: 0,
            off_timeout: 0,
        };
        let power_level = if on { DPMSMode::ON } else { DPMSMode::OFF };
        self.connection.send(dpms.major, never).await?;
        self.connection.send(dpms.major, EnableRequest).await?;
        let force = ForceLevelRequest { power_level };
        self.connection.send(dpms.major, force).await?;
        self.read_power().await
    }

    /// Whether the screen is on.
    pub(super) async fn read_power(&mut self) -> Result<PowerAnswer, Failure> {
        let Some(dpms) = self.dpms else {
            return Ok(PowerAnswer::Cannot);
        };
        let info = self.connection.ask(dpms.major, InfoRequest).await?;
        let on = !info.state || info.power_level == DPMSMode::ON;
        Ok(PowerAnswer::Is(Backend::Dpms, Some(on)))
    }
}
