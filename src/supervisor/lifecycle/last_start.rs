//! Why the daemon was started last, from what the one before has left.

use std::fmt;

/// What is found of the daemon before this one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traces {
    /// The version that this program took over from in place.
    pub upgraded_from: Option<String>,
    /// What stands in the state directory.
    pub marker: MarkerState,
    /// The boot of the machine that this daemon runs in; empty where the kernel does not say.
    pub boot: String,
    /// What the service manager said of the end of the service (`SERVICE_RESULT` of systemd.exec(5)).
    pub service_result: Option<String>,
    /// The machine was reset by its hardware watchdog.
    pub reset_by_watchdog: bool,
}

/// What a daemon leaves in the state directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum MarkerState {
    /// None ever ran with this directory.
    #[default]
    Nothing,
    /// One ran in this boot, and did not get to its end.
    Running(String),
    /// One ended in order in this boot.
    Ended(String),
}

/// Why the daemon was started last, and what is known of it in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastStart {
    /// Why, for programs.
    pub reason: StartReason,
    /// The same for people.
    pub detail: String,
}

/// `last_start.reason` in the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartReason {
    /// The daemon, or the machine, was stopped in order.
    Clean,
    /// The daemon died.
    Crash,
    /// The daemon hung, and the service manager killed it.
    Watchdog,
    /// The machine went down under the daemon.
    Power,
    /// The machine hung, and its watchdog reset it.
    HardwareWatchdog,
    /// Another version of the program took over in place.
    Upgrade,
    /// None was there before.
    FirstStart,
}

impl StartReason {
    /// All of them.
    pub const ALL: [StartReason; 7] = [
        StartReason::Clean,
        StartReason::Crash,
        StartReason::Watchdog,
        StartReason::Power,
        StartReason::HardwareWatchdog,
        StartReason::Upgrade,
        StartReason::FirstStart,
    ];

    /// Its name in the API and on the page.
    pub const fn as_str(self) -> &'static str {
        match self {
            StartReason::Clean => "clean",
            StartReason::Crash => "crash",
            StartReason::Watchdog => "watchdog",
            StartReason::Power => "power",
            StartReason::HardwareWatchdog => "hardware watchdog",
            StartReason::Upgrade => "upgrade",
            StartReason::FirstStart => "first start",
        }
    }

    /// Somebody wanted it so.
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
    /// Draws the conclusion.
    pub fn from_traces(traces: &Traces) -> Self {
        let same_boot = |boot: &String| *boot == traces.boot;
        if let Some(version) = &traces.upgraded_from {
            let detail = format!("took over in place from version {version}");
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

/// The daemon died, the machine did not. The results are those of systemd.exec(5); without a service
/// manager there is none.
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
        _ => "the daemon died; nothing says how",
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
        // The mark, the result of the service, the hardware watchdog; the boot is "now".
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
                "upgrade: took over in place from version 0.9"
            );
        }
    }

    #[test]
    fn a_crash_says_how_where_the_service_manager_knows() {
        let detail = |result: Option<&str>| crashed(result).detail;
        assert!(detail(Some("oom-kill")).contains("memory"));
        assert!(detail(Some("signal")).contains("signal"));
        assert!(detail(None).contains("nothing says how"));
    }
}
