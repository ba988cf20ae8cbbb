//! Determines why the daemon was started, from what the previous one left.

use std::fmt;

/// The traces of the previous daemon.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traces {
    /// The version from which this program was upgraded in place.
    pub upgraded_from: Option<String>,
    /// The shutdown marker in the state directory.
    pub marker: MarkerState,
    /// The current boot of the machine; empty if the kernel does not say.
    pub boot: String,
    /// The result of the service according to the service manager (`SERVICE_RESULT` of systemd.exec(5)).
    pub service_result: Option<String>,
    /// Whether the hardware watchdog reset the machine.
    pub reset_by_watchdog: bool,
}

/// The shutdown marker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum MarkerState {
    /// No daemon has run with this directory.
    #[default]
    Nothing,
    /// One ran in this boot and did not end cleanly.
    Running(String),
    /// One ended cleanly in this boot.
    Ended(String),
}

/// Why the daemon was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastStart {
    /// The reason, for programs.
    pub reason: StartReason,
    /// The reason, for people.
    pub detail: String,
}

/// `last_start.reason` in the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartReason {
    /// The daemon or the machine was stopped.
    Clean,
    /// The daemon crashed.
    Crash,
    /// The daemon hung, and the service manager killed it.
    Watchdog,
    /// The machine lost power.
    Power,
    /// The machine hung, and its hardware watchdog reset it.
    HardwareWatchdog,
    /// Another version of the program was upgraded in place.
    Upgrade,
    /// No daemon ran before.
    FirstStart,
}

names!(StartReason {
    Clean = "clean",
    Crash = "crash",
    Watchdog = "watchdog",
    Power = "power",
    HardwareWatchdog = "hardware watchdog",
    Upgrade = "upgrade",
    FirstStart = "first start",
});

impl StartReason {
    /// Whether it was intended.
    pub fn is_orderly(self) -> bool {
        use StartReason::{Clean, FirstStart, Upgrade};
        matches!(self, Clean | FirstStart | Upgrade)
    }
}

impl fmt::Display for LastStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason.as_str(), self.detail)
    }
}

impl LastStart {
    /// Determines the reason.
    pub fn from_traces(traces: &Traces) -> Self {
        let same_boot = |boot: &String| *boot == traces.boot;
        if let Some(version) = &traces.upgraded_from {
            let detail = format!("upgraded in place from version {version}");
            return last_start(StartReason::Upgrade, &detail);
        }
        match &traces.marker {
            MarkerState::Nothing => last_start(
                StartReason::FirstStart,
                "no daemon has run with this state directory before",
            ),
            MarkerState::Ended(boot) if same_boot(boot) => {
                last_start(StartReason::Clean, "the daemon was stopped in order")
            }
            MarkerState::Ended(_) => {
                last_start(StartReason::Clean, "the machine was shut down in order")
            }
            MarkerState::Running(boot) if same_boot(boot) => {
                crashed(traces.service_result.as_deref())
            }
            MarkerState::Running(_) if traces.reset_by_watchdog => last_start(
                StartReason::HardwareWatchdog,
                "the machine hung, and its watchdog reset it",
            ),
            MarkerState::Running(_) => last_start(
                StartReason::Power,
                "the machine went down without a shutdown: its power was cut, or it was reset",
            ),
        }
    }
}

fn last_start(reason: StartReason, detail: &str) -> LastStart {
    LastStart {
        reason,
        detail: detail.to_owned(),
    }
}

/// The daemon crashed but the machine did not. The results are those of systemd.exec(5); without a service manager
/// there is none.
fn crashed(result: Option<&str>) -> LastStart {
    let detail = match result {
        Some("watchdog") => {
            return last_start(
                StartReason::Watchdog,
                "the daemon hung, and the service manager killed it",
            );
        }
        Some("oom-kill") => "the daemon was killed because memory ran out",
        Some("timeout") => "the daemon was killed because it took too long to start or to end",
        Some("exit-code") => "the daemon left with an error",
        Some("signal" | "core-dump") => "the daemon was killed by a signal",
        _ => "the daemon crashed; the cause is unknown",
    };
    last_start(StartReason::Crash, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trace_has_one_reason() {
        use StartReason::*;
        let nothing = MarkerState::Nothing;
        let running = |boot: &str| MarkerState::Running(boot.into());
        let ended = |boot: &str| MarkerState::Ended(boot.into());
        // The marker, the result of the service, the hardware watchdog; the current boot is "now".
        let table = [
            (&nothing, None, false, FirstStart),
            (&nothing, Some("watchdog"), true, FirstStart),
            (&ended("now"), None, false, Clean),
            (&ended("now"), Some("watchdog"), false, Clean),
            (&ended("before"), None, true, Clean),
            (&running("now"), None, false, Crash),
            (&running("now"), Some("signal"), true, Crash),
            (&running("now"), Some("oom-kill"), false, Crash),
            (&running("now"), Some("what is this"), false, Crash),
            (&running("now"), Some("watchdog"), false, Watchdog),
            (&running("before"), None, false, Power),
            (&running("before"), Some("watchdog"), false, Power),
            (&running("before"), None, true, HardwareWatchdog),
        ];
        for (mark, result, reset_by_watchdog, reason) in table {
            let mut traces = Traces {
                upgraded_from: None,
                marker: mark.clone(),
                boot: "now".into(),
                service_result: result.map(str::to_owned),
                reset_by_watchdog,
            };
            let last = LastStart::from_traces(&traces);
            assert_eq!(last.reason, reason, "{traces:?}");
            assert!(!last.detail.is_empty());
            traces.upgraded_from = Some("0.9".into());
            let last = LastStart::from_traces(&traces);
            assert_eq!(
                last.to_string(),
                "upgrade: upgraded in place from version 0.9"
            );
        }
    }

    #[test]
    fn a_crash_says_how_where_the_service_manager_knows() {
        let detail = |result: Option<&str>| crashed(result).detail;
        assert!(detail(Some("oom-kill")).contains("memory"));
        assert!(detail(Some("signal")).contains("signal"));
        assert!(detail(None).contains("the cause is unknown"));
    }
}
