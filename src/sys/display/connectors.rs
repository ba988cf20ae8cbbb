//! Reports what is plugged in where: the connectors of the kernel's graphics (`/sys/class/drm/card0-HDMI-A-1`).
//!
//! Each is a directory; its files are a line or a block each. Uevents say when to look again,
//! so nothing is polled. That a compositor switches a screen off is no uevent: the one that switched it
//! looks by [`ConnectorDirectory::lit`].

use super::edid;
use super::hotplug::HotplugEvents;
use crate::supervisor::{Connector, Event, Size};
use crate::sys::errno::words;
use smol::channel::Sender;
use smol::future;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// More sockets than any machine has; a directory with more of them is not the kernel's.
const CONNECTORS_MAX: usize = 32;

/// How much of a file is read: an EDID with its extensions has 32 KiB at most, of which the first block is used,
/// and of a list of modes the first line.
const FILE_MAX: u64 = 4096;

/// The directory of connectors.
#[derive(Clone, Debug)]
pub(in crate::sys) struct ConnectorDirectory(PathBuf);

impl ConnectorDirectory {
    /// Where the connectors are.
    pub(in crate::sys) fn new(directory: PathBuf) -> Self {
        Self(directory)
    }

    /// All connectors, sorted by name.
    pub(in crate::sys) fn connectors(&self) -> Vec<Connector> {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let named = entries.filter_map(|entry| {
            let file = entry.file_name();
            let name = name_of(file.to_str()?)?;
            Some((name.to_owned(), entry.path()))
        });
        let mut connectors: Vec<Connector> = named
            .take(CONNECTORS_MAX)
            .filter_map(|(name, path)| connector(name, &path))
            .collect();
        connectors.sort_by(|a, b| a.name.cmp(&b.name));
        // A machine with two graphics cards may have a name twice, and then it identifies nothing.
        let twice = |name: &str, all: &[Connector]| {
            all.iter().filter(|other| other.name == name).count() > 1
        };
        let all = connectors.clone();
        connectors.retain(|connector| !twice(&connector.name, &all));
        connectors
    }

    /// Whether the kernel sends a picture to a connector.
    pub(in crate::sys) fn lit(&self, name: &str) -> Option<bool> {
        let connectors = self.connectors();
        connectors.iter().find(|other| other.name == name)?.lit
    }

    /// Whether the system has no graphics of the kernel's at all, as with the older firmware of a Raspberry Pi.
    pub(in crate::sys) fn is_empty(&self) -> bool {
        self.connectors().is_empty()
    }

    /// Sends the connectors to `events`: at first, and after each change. Never resolves.
    pub(in crate::sys) async fn watch(self, events: Sender<Event>) {
        let uevents = HotplugEvents::open();
        let mut reported = None;
        loop {
            let connectors = self.connectors();
            if reported.as_ref() != Some(&connectors) {
                reported = Some(connectors.clone());
                let _ = events.send(Event::Connectors { connectors }).await;
            }
            let news = match &uevents {
                Ok(uevents) => uevents.about_screens().await,
                Err(error) => {
                    log::warn!("plugged screens are not noticed: {}", words(error));
                    future::pending().await
                }
            };
            if let Err(error) = news {
                log::error!("plugged screens are no longer noticed: {}", words(&error));
                return future::pending().await;
            }
        }
    }
}

/// `card0-HDMI-A-1` without the card; nothing where it is none, as for `card0`, `version` and `renderD128`.
fn name_of(file: &str) -> Option<&str> {
    let (number, name) = file.strip_prefix("card")?.split_once('-')?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    // A desktop's own screen that nothing is plugged into.
    (is_number && !name.starts_with("Writeback")).then_some(name)
}

fn connector(name: String, path: &Path) -> Option<Connector> {
    let status = read(&path.join("status"))?;
    let connected = status.trim_ascii() == b"connected";
    let monitor = read(&path.join("edid")).and_then(|bytes| edid::parse(&bytes));
    let dpms = read(&path.join("dpms"));
    let enabled = read(&path.join("enabled"));
    let lit = match (dpms.as_deref(), enabled.as_deref()) {
        (Some(b"On\n" | b"On"), Some(b"disabled\n" | b"disabled")) => Some(false),
        (Some(b"On\n" | b"On"), _) => Some(true),
        (Some(_), _) => Some(false),
        (None, _) => None,
    };
    let modes = read(&path.join("modes")).unwrap_or_default();
    Some(Connector {
        name,
        connected,
        lit,
        preferred: first_mode(&modes),
        monitor,
    })
}

/// The first of the modes is the preferred one; `1920x1080`, interlaced ones with an `i` behind.
fn first_mode(modes: &[u8]) -> Option<Size> {
    let line = modes.split(|byte| *byte == b'\n').next()?;
    let (width, height) = std::str::from_utf8(line).ok()?.split_once('x')?;
    Some(Size {
        width: width.parse().ok()?,
        height: height.trim_end_matches('i').parse().ok()?,
    })
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path).ok()?;
    file.take(FILE_MAX).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::test::Dir;

    fn plug(root: &Path, name: &str, files: &[(&str, &[u8])]) {
        let directory = root.join(name);
        fs::create_dir_all(&directory).unwrap();
        for (file, bytes) in files {
            fs::write(directory.join(file), bytes).unwrap();
        }
    }

    #[test]
    fn what_is_plugged_in_where_is_reported() {
        let dir = Dir::new("drm");
        let edid = edid::specimen("SAM", "SAMSUNG", "H4ZR");
        plug(
            dir.path(),
            "card1-HDMI-A-1",
            &[
                ("status", b"connected\n"),
                ("enabled", b"enabled\n"),
                ("dpms", b"On\n"),
                ("modes", b"1920x1080\n1920x1080i\n1280x720\n"),
                ("edid", &edid),
            ],
        );
        plug(
            dir.path(),
            "card1-HDMI-A-2",
            &[
                ("status", b"disconnected\n"),
                ("dpms", b"Off\n"),
                ("edid", b""),
            ],
        );
        plug(dir.path(), "card1-Writeback-1", &[("status", b"unknown\n")]);
        plug(dir.path(), "card1", &[]);
        plug(dir.path(), "renderD128", &[]);
        let drm = ConnectorDirectory::new(dir.path().to_owned());
        let connectors = drm.connectors();
        assert_eq!(connectors.len(), 2);
        let first = &connectors[0];
        assert_eq!((first.name.as_str(), first.connected), ("HDMI-A-1", true));
        assert_eq!(first.preferred.unwrap().to_string(), "1920x1080");
        let monitor = first.monitor.as_ref().unwrap();
        assert_eq!(monitor.name.as_deref(), Some("SAMSUNG"));
        assert_eq!(connectors[1].monitor, None);
        assert_eq!(drm.lit("HDMI-A-1"), Some(true));
        assert_eq!(drm.lit("HDMI-A-2"), Some(false));
        assert_eq!(drm.lit("DP-1"), None);
        fs::write(dir.path().join("card1-HDMI-A-1/dpms"), "Off\n").unwrap();
        assert_eq!(drm.lit("HDMI-A-1"), Some(false));
    }

    #[test]
    fn a_system_without_graphics_has_no_connectors() {
        assert!(ConnectorDirectory::new("/nonexistent".into()).is_empty());
    }
}
