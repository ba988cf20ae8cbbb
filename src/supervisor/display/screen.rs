//! What is known of screens: of those that a display shows itself on, and of the sockets they are plugged into.

use crate::config::Rotation;
use serde::{Serialize, Serializer};
use std::fmt;

/// A width and a height in pixels; `1920x1080` where it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// From left to right.
    pub width: u32,
    /// From top to bottom.
    pub height: u32,
}

/// What the server of a display tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Screen {
    /// All of it, turned as it is.
    pub size: Size,
    /// The outputs that show it now, in the server's order.
    pub outputs: Vec<Output>,
}

/// Something that shows a display, or a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its name: `HDMI-A-1`, and on some X servers `HDMI-1`.
    pub name: String,
    /// How it is turned, where it is one of the four ways.
    pub rotation: Option<Rotation>,
    /// What is plugged in, where it says so.
    pub monitor: Option<Monitor>,
}

/// Who a monitor says it is (EDID).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Monitor {
    /// Three letters that stand for its maker: `DEL`.
    pub maker: String,
    /// The maker's number for the product.
    pub product: u16,
    /// What people call it.
    pub name: Option<String>,
    /// Which one of its kind.
    pub serial: Option<String>,
    /// The size it was made for.
    pub preferred: Option<Size>,
}

/// A socket of the machine that a screen can be plugged into (`/sys/class/drm/card0-HDMI-A-1`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connector {
    /// Its name, the same for the kernel and for Wayland: `HDMI-A-1`.
    pub name: String,
    /// Something is plugged in.
    pub connected: bool,
    /// The kernel sends it a picture; nothing where the kernel does not say.
    pub lit: Option<bool>,
    /// The size it would be driven at by itself.
    pub preferred: Option<Size>,
    /// What is plugged in, where it says so.
    pub monitor: Option<Monitor>,
}

impl Screen {
    /// How it is turned, where all its outputs are turned alike.
    pub fn rotation(&self) -> Option<Rotation> {
        let (first, others) = self.outputs.split_first()?;
        let alike = others
            .iter()
            .all(|output| output.rotation == first.rotation);
        first.rotation.filter(|_| alike)
    }

    /// The output that shows it, where there is only one.
    pub fn output(&self) -> Option<&Output> {
        match self.outputs.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }
}

impl Output {
    /// The connector that this is, where that can be told without guessing: it has the same name, or
    /// the same monitor and no other has.
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
    /// The same, lying on its side.
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
