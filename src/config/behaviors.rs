//! What the kiosk does when the network goes and comes back, and every now and then: `behaviors`.

use super::fields::Fields;
use super::path::Path;
use super::problem::Findings;
use serde_json::{Map, Value};
use std::ops::RangeInclusive;
use std::time::Duration;

/// Half a day: who waits longer for a connection waits for nothing.
const SECONDS: RangeInclusive<u32> = 0..=43_200;

/// A week.
const MINUTES: RangeInclusive<u64> = 1..=10_080;

/// `behaviors`.
///
/// A page that nobody has said anything about is covered by a notice while its server is away, and is left as it
/// was when that is back: what somebody has typed into it is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behaviors {
    /// `on_connection_lost.action`
    pub when_lost: WhenLost,
    /// `on_connection_lost.timeout_seconds`: how long a connection has to be away to count as lost, at most
    /// half a day.
    pub lost_after: Duration,
    /// `on_connection_regained.action`
    pub when_regained: WhenRegained,
    /// `on_connection_regained.delay_seconds`: how long it has to be back to count as regained, at most half a day.
    pub regained_after: Duration,
    /// `scheduled_refresh`, where it is enabled: how often, from a minute to a week.
    pub refresh: Option<Duration>,
}

/// What is done when the connection is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenLost {
    /// A notice is laid over the page, which keeps its state.
    ShowOverlay,
    /// The page stands still.
    Pause,
    /// It is loaded anew, from wherever it may come.
    Refresh,
    /// Nothing.
    Nothing,
}

/// What is done when it is regained, apart from undoing what was done when it was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenRegained {
    /// The page is loaded anew.
    RefreshPage,
    /// The browser is started anew.
    Restart,
    /// Nothing more.
    Continue,
}

impl Default for Behaviors {
    fn default() -> Self {
        Self {
            when_lost: WhenLost::ShowOverlay,
            lost_after: Duration::ZERO,
            when_regained: WhenRegained::Continue,
            regained_after: Duration::from_secs(3),
            refresh: None,
        }
    }
}

impl Behaviors {
    /// Reads what stands at `path`; what is missing is as in [`Behaviors::default`].
    pub(super) fn read(map: &Map<String, Value>, path: Path<'_>, findings: &Findings) -> Self {
        let mut all = Self::default();
        let fields = Fields::new(map, path, findings);
        if let Some(map) = fields.object("on_connection_lost") {
            let fields = Fields::new(map, path.field("on_connection_lost"), findings);
            // The older program took no word for nothing.
            let choices = [
                ("show_overlay", WhenLost::ShowOverlay),
                ("pause", WhenLost::Pause),
                ("refresh", WhenLost::Refresh),
                ("none", WhenLost::Nothing),
                ("", WhenLost::Nothing),
            ];
            all.when_lost = fields.one_of("action", &choices).unwrap_or(all.when_lost);
            let after = fields.seconds("timeout_seconds", SECONDS);
            all.lost_after = after.unwrap_or(all.lost_after);
            fields.finish();
        }
        if let Some(map) = fields.object("on_connection_regained") {
            let fields = Fields::new(map, path.field("on_connection_regained"), findings);
            // Two of them are the older program's.
            let choices = [
                ("refresh_page", WhenRegained::RefreshPage),
                ("restart", WhenRegained::Restart),
                ("continue", WhenRegained::Continue),
                ("refresh", WhenRegained::RefreshPage),
                ("", WhenRegained::Continue),
            ];
            let action = fields.one_of("action", &choices);
            all.when_regained = action.unwrap_or(all.when_regained);
            let after = fields.seconds("delay_seconds", SECONDS);
            all.regained_after = after.unwrap_or(all.regained_after);
            fields.finish();
        }
        if let Some(map) = fields.object("scheduled_refresh") {
            let fields = Fields::new(map, path.field("scheduled_refresh"), findings);
            let minutes = fields.integer("interval_minutes", MINUTES).unwrap_or(60);
            if fields.boolean("enabled") == Some(true) {
                all.refresh = Some(Duration::from_secs(minutes * 60));
            }
            fields.finish();
        }
        fields.finish();
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Behaviors, Vec<String>) {
        let map = serde_json::from_str(text).unwrap();
        let findings = Findings::default();
        let behaviors = Behaviors::read(&map, Path::Root.field("behaviors"), &findings);
        let problems = findings.finish().problems.into_iter();
        (
            behaviors,
            problems.map(|problem| problem.to_string()).collect(),
        )
    }

    #[test]
    fn what_the_older_program_wrote_is_understood() {
        let (behaviors, problems) = read(
            r#"{"on_connection_lost": {"action": "show_overlay", "timeout_seconds": 60},
                "on_connection_regained": {"action": "refresh_page", "delay_seconds": 3},
                "scheduled_refresh": {"enabled": false, "interval_minutes": 60}}"#,
        );
        assert!(problems.is_empty(), "{problems:?}");
        let expected = Behaviors {
            lost_after: Duration::from_secs(60),
            when_regained: WhenRegained::RefreshPage,
            ..Behaviors::default()
        };
        assert_eq!(behaviors, expected);
        let (behaviors, problems) = read(
            r#"{"on_connection_lost": {"action": ""}, "on_connection_regained": {"action": "refresh"},
                "scheduled_refresh": {"enabled": true}}"#,
        );
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(behaviors.when_lost, WhenLost::Nothing);
        assert_eq!(behaviors.when_regained, WhenRegained::RefreshPage);
        assert_eq!(behaviors.refresh, Some(Duration::from_secs(3600)));
    }

    #[test]
    fn every_mistake_is_told_with_its_place() {
        let (_, problems) = read(
            r#"{"on_connection_lost": {"action": "panic", "timeout_seconds": -1},
                "on_connection_regained": [],
                "scheduled_refresh": {"enabled": 1, "interval_minutes": 0}}"#,
        );
        let places: Vec<_> = problems
            .iter()
            .map(|problem| problem.split_once(": ").unwrap().0)
            .collect();
        assert_eq!(
            places,
            [
                "behaviors.on_connection_lost.action",
                "behaviors.on_connection_lost.timeout_seconds",
                "behaviors.on_connection_regained",
                "behaviors.scheduled_refresh.interval_minutes",
                "behaviors.scheduled_refresh.enabled",
            ]
        );
    }
}
