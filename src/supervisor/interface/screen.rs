//! Screens, their outputs, and the connectors of the machine.

use super::Failure;
use crate::config::Rotation;
use crate::time::Moment;
use serde::{Serialize, Serializer};
use std::fmt;
use std::rc::Rc;

/// A width and a height in pixels, displayed as `1920x1080`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(with = "String"))]
pub struct Size {
    /// The width.
    pub width: u32,
    /// The height.
    pub height: u32,
}

/// What the server of a display reports about its screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Screen {
    /// The size of the whole screen, with its rotation applied.
    pub size: Size,
    /// The active outputs, in the server's order.
    pub outputs: Vec<Output>,
}

/// An output that shows a display or a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its name: `HDMI-A-1`, and on some X servers `HDMI-1`.
    pub name: String,
    /// Its rotation, if it is one of the four supported ones.
    pub rotation: Option<Rotation>,
    /// The monitor, if it identifies itself.
    pub monitor: Option<Monitor>,
}

/// The identity of a monitor (EDID).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Monitor {
    /// The three letters of its manufacturer: `DEL`.
    pub maker: String,
    /// The manufacturer's product code.
    pub product: u16,
    /// The product name.
    pub name: Option<String>,
    /// The serial number.
    pub serial: Option<String>,
    /// The preferred size.
    pub preferred: Option<Size>,
}

/// A connector of the machine (`/sys/class/drm/card0-HDMI-A-1`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connector {
    /// Its name, the same for the kernel and for Wayland: `HDMI-A-1`.
    pub name: String,
    /// Whether something is plugged in.
    pub connected: bool,
    /// Whether the kernel drives it; `None` if the kernel does not say.
    pub lit: Option<bool>,
    /// The size that it has by default.
    pub preferred: Option<Size>,
    /// The monitor, if it identifies itself.
    pub monitor: Option<Monitor>,
}

/// How a screen is switched, the most reliable backend first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// The compositor, by wlr-output-power-management.
    OutputPower,
    /// The X server, by its DPMS extension.
    Dpms,
    /// The television, by HDMI-CEC.
    Cec,
    /// The firmware of older Raspberry Pi systems.
    Vcgencmd,
}

names!(Backend {
    OutputPower = "wlr-output-power",
    Dpms = "dpms",
    Cec = "cec",
    Vcgencmd = "vcgencmd",
});

/// The result of switching a screen or reading its power.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PowerReport {
    /// How it is switched; `None` if nothing on this system can.
    pub backend: Option<Backend>,
    /// Whether it is on, read back last; `None` if unknown.
    pub actual: Option<bool>,
    /// The error.
    pub failure: Option<Failure>,
}

/// The power of a screen in a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PowerStatus {
    /// Whether it was requested to be on or off.
    pub requested: Option<bool>,
    /// Whether it is on.
    pub actual: Option<bool>,
    /// How it is switched.
    pub backend: Option<Backend>,
    /// When any of this last changed.
    pub since: Option<Moment>,
    /// Why the actual state is not the requested one, or is not known.
    pub problem: Option<String>,
}

/// A screen in a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScreenStatus {
    /// What its display server reports.
    pub screen: Option<Rc<Screen>>,
    /// Its rotation.
    pub rotation: RotationStatus,
    /// Its power.
    pub power: PowerStatus,
    /// The kernel's name of its connector, if known.
    pub connector: Option<String>,
}

/// The rotation of a display.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RotationStatus {
    /// The configured rotation.
    pub requested: Option<Rotation>,
    /// The actual rotation, if known.
    pub actual: Option<Rotation>,
    /// Why it could not be rotated.
    pub problem: Option<String>,
}

impl Screen {
    /// Its rotation, if all outputs have the same.
    pub fn rotation(&self) -> Option<Rotation> {
        let (first, others) = self.outputs.split_first()?;
        let alike = others
            .iter()
            .all(|output| output.rotation == first.rotation);
        first.rotation.filter(|_| alike)
    }

    /// Its output, if there is exactly one.
    pub fn output(&self) -> Option<&Output> {
        match self.outputs.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }
}

impl Output {
    /// The connector of this output, if that is certain: it has the same name, or is the only one with the same
    /// monitor.
    pub fn connector<'c>(&self, connectors: &'c [Connector]) -> Option<&'c Connector> {
        let named = connectors.iter().find(|other| other.name == self.name);
        if named.is_some() {
            return named;
        }
        let monitor = self.monitor.as_ref()?;
        let mut same = (connectors.iter()).filter(|other| other.monitor.as_ref() == Some(monitor));
        same.next().filter(|_| same.next().is_none())
    }
}

impl Size {
    /// The size after a rotation by 90°.
    pub fn rotated(self) -> Size {
        Size {
            width: self.height,
            height: self.width,
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn monitor(serial: &str) -> Option<Monitor> {
        Some(Monitor {
            maker: "DEL".to_owned(),
            serial: Some(serial.to_owned()),
            ..Monitor::default()
        })
    }

    fn connector(name: &str, monitor: Option<Monitor>) -> Connector {
        Connector {
            name: name.to_owned(),
            connected: true,
            lit: None,
            preferred: None,
            monitor,
        }
    }

    fn output(name: &str, monitor: Option<Monitor>) -> Output {
        Output {
            name: name.to_owned(),
            rotation: None,
            monitor,
        }
    }

    #[test]
    fn an_output_is_found_by_its_name_or_by_its_monitor_and_never_guessed() {
        let connectors = [
            connector("HDMI-A-1", monitor("1")),
            connector("HDMI-A-2", monitor("2")),
        ];
        let found = |output: Output| Some(output.connector(&connectors)?.name.clone());
        assert_eq!(found(output("HDMI-A-2", None)).as_deref(), Some("HDMI-A-2"));
        assert_eq!(
            found(output("HDMI-1", monitor("1"))).as_deref(),
            Some("HDMI-A-1")
        );
        assert_eq!(found(output("HDMI-1", monitor("3"))), None);
        assert_eq!(found(output("HDMI-1", None)), None);
        let twins = [
            connector("HDMI-A-1", monitor("1")),
            connector("HDMI-A-2", monitor("1")),
        ];
        assert_eq!(output("HDMI-1", monitor("1")).connector(&twins), None);
    }
}
