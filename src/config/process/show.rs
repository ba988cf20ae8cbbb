//! Serializes a process for the API, with the names and the order of the fields in the file.

use super::{Limits, Log, Process, Ready, ReadySign, Restart, StopSignal};
use crate::config::document::Etag;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Number;
use std::time::Duration;

impl Process {
    /// The entity tag of the configuration of this process.
    pub fn etag(&self) -> Etag {
        Etag::of(&serde_json::to_vec(self).expect("a process can always be serialized"))
    }
}

/// The fields with their defaults filled in; fields without a value, and rarely used ones with their default, are left
/// out.
impl Serialize for Process {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("name", &self.name)?;
        map.serialize_entry("type", &self.kind)?;
        entry_if_some(&mut map, "command", self.command.as_ref())?;
        entry_if_some(&mut map, "url", self.url.as_ref())?;
        entry_if_some(&mut map, "display", self.display.as_ref())?;
        map.serialize_entry("enabled", &self.enabled)?;
        map.serialize_entry("autostart", &self.autostart)?;
        map.serialize_entry("restart_on_crash", &(self.restart != Restart::Never))?;
        match self.restart {
            Restart::Always => map.serialize_entry("restart", "always")?,
            // The default of a display process is `always`.
            Restart::OnCrash if self.is_display() => map.serialize_entry("restart", "on_crash")?,
            Restart::OnCrash | Restart::Never => {}
        }
        if self.is_display() {
            map.serialize_entry("flags", &self.flags)?;
        }
        entry_if_some(&mut map, "user", self.user.as_ref())?;
        entry_if_some(&mut map, "cwd", self.cwd.as_ref())?;
        if !self.env.is_empty() {
            map.serialize_entry("env", &Pairs(&self.env))?;
        }
        if !self.depends_on.is_empty() {
            map.serialize_entry("depends_on", &self.depends_on)?;
        }
        if self.ready.sign != ReadySign::Started {
            map.serialize_entry("ready", &self.ready)?;
        }
        if self.limits != Limits::default() {
            map.serialize_entry("limits", &self.limits)?;
        }
        if self.stop_signal != StopSignal::Term {
            map.serialize_entry("stop_signal", &self.stop_signal)?;
        }
        if self.stop_timeout != Process::STOP_TIMEOUT {
            map.serialize_entry("stop_timeout_seconds", &seconds(self.stop_timeout))?;
        }
        if self.log != Log::default() {
            map.serialize_entry("log", &self.log)?;
        }
        map.end()
    }
}

impl Serialize for Ready {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match &self.sign {
            ReadySign::Started => map.serialize_entry("type", "started")?,
            ReadySign::Notify => map.serialize_entry("type", "notify")?,
            ReadySign::Http { url } => {
                map.serialize_entry("type", "http")?;
                map.serialize_entry("url", url)?;
            }
            ReadySign::Tcp { port } => {
                map.serialize_entry("type", "tcp")?;
                map.serialize_entry("port", port)?;
            }
            ReadySign::Command { command } => {
                map.serialize_entry("type", "command")?;
                map.serialize_entry("command", command)?;
            }
        }
        map.serialize_entry("timeout_seconds", &seconds(self.timeout))?;
        map.end()
    }
}

/// The environment as an object.
struct Pairs<'a>(&'a [(String, String)]);

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

fn entry_if_some<M: SerializeMap>(
    map: &mut M,
    name: &'static str,
    value: Option<&impl Serialize>,
) -> Result<(), M::Error> {
    value.map_or(Ok(()), |value| map.serialize_entry(name, value))
}

/// Seconds, as an integer if possible.
fn seconds(duration: Duration) -> Number {
    if duration.subsec_nanos() == 0 {
        return duration.as_secs().into();
    }
    Number::from_f64(duration.as_secs_f64()).expect("a duration is finite")
}
