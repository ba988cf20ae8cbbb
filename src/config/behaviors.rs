//! `behaviors`: what the kiosk does when the connection is lost, when it is regained, and periodically.

use super::fields::Fields;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Half a day.
const SECONDS: RangeInclusive<u32> = 0..=43_200;

/// A week.
const MINUTES: RangeInclusive<u64> = 1..=10_080;

/// `behaviors`.
///
/// By default a notice covers the page while its server cannot be reached. The page keeps its state, so what a
/// visitor has typed is still there afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behaviors {
    /// `on_connection_lost.action`
    pub when_lost: WhenLost,
    /// `on_connection_lost.timeout_seconds`: how long the connection must be down to count as lost, at most half a
    /// day.
    pub lost_after: Duration,
    /// `on_connection_regained.action`
    pub when_regained: WhenRegained,
    /// `on_connection_regained.delay_seconds`: how long it must be up to count as regained, at most half a day.
    pub regained_after: Duration,
    /// `scheduled_refresh`, if it is enabled: the interval, from a minute to a week.
    pub refresh: Option<Duration>,
}

/// What happens when the connection is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenLost {
    /// A notice is shown over the page, which keeps its state.
    ShowOverlay,
    /// The page is paused.
    Pause,
    /// The page is reloaded, from the cache if need be.
    Refresh,
    /// Nothing.
    Nothing,
}

/// What happens when the connection is regained, besides undoing what happened when it was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenRegained {
    /// The page is reloaded.
    RefreshPage,
    /// The browser is restarted.
    Restart,
    /// Nothing.
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
    /// Reads `behaviors`; a missing field has its value of [`Behaviors::default`].
    pub(super) fn read(fields: Fields<'_>) -> Self {
        let mut all = Self::default();
        if let Some(fields) = fields.nested("on_connection_lost") {
            // In version 0.1 an empty string means no action.
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
        if let Some(fields) = fields.nested("on_connection_regained") {
            // `refresh` and the empty string are those of version 0.1.
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
        if let Some(fields) = fields.nested("scheduled_refresh") {
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
    use crate::config::path::Path;
    use crate::config::problem::Findings;

    fn read(text: &str) -> (Behaviors, Vec<String>) {
        let map = serde_json::from_str(text).unwrap();
        let findings = Findings::default();
        let path = Path::Root.field("behaviors");
        let behaviors = Behaviors::read(Fields::new(&map, path, &findings));
        let problems = findings.finish().problems.into_iter();
        (
            behaviors,
            problems.map(|problem| problem.to_string()).collect(),
        )
    }

    #[test]
    fn the_values_of_version_0_1_are_read() {
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
    fn every_problem_has_its_path() {
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
