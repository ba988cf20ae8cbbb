//! Decides what is done when the server of the page on the screen goes away and comes back.
//!
//! ```text
//!            refused once          twice                     answers
//!   There ───────────────▶ Doubtful ────▶ Lost ─────────────────────────────▶ Back
//!     ▲  ◀──── answers ─────┘              │ after `timeout_seconds`:          │ after `delay_seconds`: undone,
//!     │                                    │ a notice, a pause, a refresh      │ then a refresh, a restart, nothing
//!     └────────────────────────────────────┴───────────────────────────────────┘
//! ```
//!
//! Whether there is a network at all the kernel tells; whether the server can be reached is tried, by a connection
//! to the page's own server and to nobody else, every [`PAUSE`]: with a refusal and a second look a server that
//! dies is noticed within 8 s. It costs one TCP handshake each time, and nothing where no behaviour asks for it.
//! A page that cannot be loaded is not our matter but that of `health`, which shows a page of our own and tries again.

use super::page::{Order, PageState};
use super::{Action, Reason, RunId, Supervisor};
use crate::config::{Behaviors, WhenLost, WhenRegained};
use crate::time::Moment;
use std::time::Duration;

/// Between two tries of a server that answers.
pub const PAUSE: Duration = Duration::from_secs(6);

/// Until a server is tried again that has not answered once.
const DOUBT: Duration = Duration::from_secs(1);

/// A server that is away is tried often for so long ...
const IMPATIENT: Duration = Duration::from_secs(300);
/// ... so often, ...
const OFTEN: Duration = Duration::from_secs(2);
/// ... and then so.
const SELDOM: Duration = Duration::from_secs(10);

/// What is known of the connection to the page's server.
#[derive(Debug)]
pub(super) struct Connection {
    /// This machine has a network.
    network: bool,
    /// The page that is on the screen, where it has a server.
    page: Option<Watched>,
}

/// A page whose server is watched.
#[derive(Debug)]
struct Watched {
    run: RunId,
    /// Its address.
    url: String,
    phase: Phase,
    /// When its server is tried next.
    try_at: Moment,
    trying: bool,
    /// When it was loaded last, as far as is known.
    loaded: Moment,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    There,
    Doubtful { since: Moment },
    Lost(Loss),
    Back { since: Moment, loss: Loss },
}

/// A connection that is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Loss {
    since: Moment,
    /// It has lasted as long as it takes to count, and what was to be done then was done.
    counts: bool,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// Try the server of this address.
    Try(RunId, String),
    /// Have this done with the page, and say why.
    Order(Order, &'static str),
    /// Start the browser anew.
    Restart,
}

impl Default for Connection {
    fn default() -> Self {
        Self {
            network: true,
            page: None,
        }
    }
}

impl Connection {
    /// This page is on the screen, and well.
    fn watch(&mut self, run: RunId, url: &str, now: Moment) {
        let server = server_of(url);
        if let Some(page) = &mut self.page
            && page.run == run
            && server_of(&page.url) == server
        {
            url.clone_into(&mut page.url);
            return;
        }
        let phase = match self.network || is_local(url) {
            true => Phase::There,
            false => Phase::Lost(Loss::new(now)),
        };
        self.page = server.map(|_| Watched {
            run,
            url: url.to_owned(),
            phase,
            try_at: now + PAUSE,
            trying: false,
            loaded: now,
        });
    }

    /// The page is loaded anew: whatever was laid over it is gone.
    fn handle_loading(&mut self, run: RunId, behaviors: &Behaviors, now: Moment) {
        let Some(page) = self.page.as_mut().filter(|page| page.run == run) else {
            return;
        };
        page.loaded = now;
        if let Phase::Lost(loss) | Phase::Back { loss, .. } = &mut page.phase
            && behaviors.when_lost != WhenLost::Refresh
        {
            loss.counts = false;
        }
    }

    /// The machine has a network, or has none any more.
    fn handle_network(&mut self, connected: bool, now: Moment) {
        self.network = connected;
        let Some(page) = self.page.as_mut().filter(|page| !is_local(&page.url)) else {
            return;
        };
        match (connected, page.phase) {
            (true, _) => page.try_at = now,
            (false, Phase::There | Phase::Doubtful { .. }) => {
                page.phase = Phase::Lost(Loss::new(now));
            }
            (false, Phase::Back { loss, .. }) => page.phase = Phase::Lost(loss),
            (false, Phase::Lost(_)) => {}
        }
    }

    /// Whether there is a network, and the page's server can be reached as far as is known.
    pub(super) fn is_there(&self) -> bool {
        let is_lost = |page: &Watched| matches!(page.phase, Phase::Lost(_));
        self.network && !self.page.as_ref().is_some_and(is_lost)
    }

    /// The server of a page was tried.
    fn handle_tried(&mut self, run: RunId, reachable: bool, now: Moment) {
        let network = self.network;
        let Some(page) = self.page.as_mut().filter(|page| page.run == run) else {
            return;
        };
        page.trying = false;
        // It was asked before the network went.
        let reachable = reachable && (network || is_local(&page.url));
        let (phase, pause) = match (page.phase, reachable) {
            (Phase::There | Phase::Doubtful { .. }, true) => (Phase::There, PAUSE),
            (Phase::There, false) => (Phase::Doubtful { since: now }, DOUBT),
            (Phase::Doubtful { since }, false) => (Phase::Lost(Loss::new(since)), OFTEN),
            (Phase::Lost(loss), true) => (Phase::Back { since: now, loss }, PAUSE),
            (Phase::Lost(loss) | Phase::Back { loss, .. }, false) => {
                let is_new = now.since(loss.since) < IMPATIENT;
                (Phase::Lost(loss), if is_new { OFTEN } else { SELDOM })
            }
            (back @ Phase::Back { .. }, true) => (back, PAUSE),
        };
        page.phase = phase;
        page.try_at = now + pause;
    }

    /// The next thing to do, if it is time; to be asked until there is none.
    fn step(&mut self, behaviors: &Behaviors, now: Moment) -> Option<Step> {
        if self.deadline(behaviors)? > now {
            return None;
        }
        let page = self.page.as_mut()?;
        match &mut page.phase {
            Phase::Lost(loss) if !loss.counts && loss.since + behaviors.lost_after <= now => {
                loss.counts = true;
                return match behaviors.when_lost {
                    WhenLost::ShowOverlay => Some(Step::Order(
                        Order::ShowOverlay,
                        "its server cannot be reached; a notice is laid over it",
                    )),
                    WhenLost::Pause => Some(Step::Order(
                        Order::Pause,
                        "its server cannot be reached; it stands still",
                    )),
                    WhenLost::Refresh => Some(Step::Order(
                        Order::Reload,
                        "its server cannot be reached; it is loaded anew",
                    )),
                    WhenLost::Nothing => self.step(behaviors, now),
                };
            }
            Phase::Back { loss, .. } if !loss.counts => {
                page.phase = Phase::There;
                return self.step(behaviors, now);
            }
            Phase::Back { since, .. } if *since + behaviors.regained_after <= now => {
                page.phase = Phase::There;
                return match (behaviors.when_regained, behaviors.when_lost) {
                    (WhenRegained::Restart, _) => Some(Step::Restart),
                    (WhenRegained::RefreshPage, _) => Some(Step::Order(
                        Order::Reload,
                        "its server is back; it is loaded anew",
                    )),
                    (WhenRegained::Continue, WhenLost::ShowOverlay) => Some(Step::Order(
                        Order::HideOverlay,
                        "its server is back; the notice is taken away",
                    )),
                    (WhenRegained::Continue, WhenLost::Pause) => {
                        Some(Step::Order(Order::Resume, "its server is back; it goes on"))
                    }
                    (WhenRegained::Continue, _) => self.step(behaviors, now),
                };
            }
            Phase::There
                if behaviors
                    .refresh
                    .is_some_and(|every| page.loaded + every <= now) =>
            {
                page.loaded = now;
                return Some(Step::Order(
                    Order::Reload,
                    "it is loaded anew, as it is every so often",
                ));
            }
            _ => {}
        }
        if page.trying || page.try_at > now {
            return None;
        }
        page.trying = true;
        Some(Step::Try(page.run, page.url.clone()))
    }

    /// When there is something to do next.
    fn deadline(&self, behaviors: &Behaviors) -> Option<Moment> {
        let page = self.page.as_ref()?;
        let of_phase = match page.phase {
            Phase::Lost(loss) if !loss.counts => Some(loss.since + behaviors.lost_after),
            Phase::Back { loss, since } if !loss.counts => Some(since),
            Phase::Back { since, .. } => Some(since + behaviors.regained_after),
            Phase::There => behaviors.refresh.map(|every| page.loaded + every),
            _ => None,
        };
        let is_asked_for = behaviors.when_lost != WhenLost::Nothing
            || behaviors.when_regained != WhenRegained::Continue
            || behaviors.refresh.is_some();
        // Without a network there is nothing to try.
        let may_try = is_asked_for && !page.trying && (self.network || is_local(&page.url));
        let trying = may_try.then_some(page.try_at);
        of_phase.into_iter().chain(trying).min()
    }
}

impl Loss {
    fn new(since: Moment) -> Self {
        Self {
            since,
            counts: false,
        }
    }
}

/// Scheme, host and port of a page that comes from a server.
fn server_of(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let is_web = ["http", "https"]
        .iter()
        .any(|web| scheme.eq_ignore_ascii_case(web));
    let host = rest.split(['/', '?', '#']).next()?;
    (is_web && !host.is_empty()).then(|| &url[..scheme.len() + 3 + host.len()])
}

/// The server is this machine: no network is needed.
fn is_local(url: &str) -> bool {
    let server = server_of(url).unwrap_or_default();
    let host = server.split_once("://").map_or("", |(_, host)| host);
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    ["localhost", "127.", "[::1]"].iter().any(|local| {
        host.get(..local.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(local))
    })
}

impl Supervisor {
    /// Something was seen of the page of this run, and taken into its health.
    pub(super) fn watch_connection(&mut self, run: RunId, is_loading: bool, now: Moment) {
        let Some((_, health)) = &self.health else {
            return;
        };
        let behaviors = self.loaded.config.behaviors;
        if is_loading {
            self.connection.handle_loading(run, &behaviors, now);
        }
        let status = health.status();
        match (status.state, &status.url) {
            (PageState::Healthy, Some(url)) => self.connection.watch(run, url, now),
            // A page of our own stands for it.
            (PageState::NetError, _) => self.connection.page = None,
            _ => {}
        }
    }

    /// The kernel says whether there is a network.
    pub(super) fn handle_network(&mut self, connected: bool, now: Moment) {
        self.connection.handle_network(connected, now);
        if connected && let Some((_, health)) = &mut self.health {
            health.hurry(now);
        }
    }

    /// The server of the page of this run was tried.
    pub(super) fn handle_server_tried(&mut self, run: RunId, reachable: bool, now: Moment) {
        self.connection.handle_tried(run, reachable, now);
    }

    /// When there is something to do because of the connection.
    pub(super) fn connection_deadline(&self) -> Option<Moment> {
        let page = self.connection.page.as_ref()?;
        self.page_in_sight(page.run)?;
        self.connection.deadline(&self.loaded.config.behaviors)
    }

    /// Does what is to be done because of the connection.
    pub(super) fn see_to_the_connection(&mut self, now: Moment) {
        let Some(run) = self.connection.page.as_ref().map(|page| page.run) else {
            return;
        };
        let Some(index) = self.page_in_sight(run) else {
            return;
        };
        let behaviors = self.loaded.config.behaviors;
        while let Some(step) = self.connection.step(&behaviors, now) {
            match step {
                Step::Try(run, url) => self.actions.push_back(Action::TryServer { run, url }),
                Step::Order(order, why) => {
                    self.note_of_page(index, why);
                    self.steer_page(run, order);
                }
                Step::Restart => {
                    let why = "its server is back";
                    self.note_of_page(index, &format!("{why}; the browser is restarted"));
                    self.restart_browser(index, Reason::ForThePage(why.to_owned()), now);
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://example.org/page";

    fn at(seconds: u64) -> Moment {
        Moment::from_boot(Duration::from_secs(seconds))
    }

    fn well(now: Moment) -> Connection {
        let mut connection = Connection::default();
        connection.watch(RunId(1), URL, now);
        connection
    }

    /// Lets time pass by the second; a server is tried at once. What was done, and when.
    fn live(
        connection: &mut Connection,
        behaviors: &Behaviors,
        span: std::ops::Range<u64>,
        is_up: impl Fn(u64) -> bool,
    ) -> Vec<(u64, Order)> {
        let mut done = Vec::new();
        for second in span {
            while let Some(step) = connection.step(behaviors, at(second)) {
                match step {
                    Step::Try(run, _) => connection.handle_tried(run, is_up(second), at(second)),
                    Step::Order(order, _) => done.push((second, order)),
                    Step::Restart => panic!("nobody asked for it"),
                }
            }
        }
        done
    }

    #[test]
    fn a_server_that_goes_is_noticed_within_ten_seconds_and_one_that_comes_back_as_well() {
        let mut connection = well(at(0));
        let behaviors = Behaviors::default();
        let done = live(&mut connection, &behaviors, 0..200, |second| {
            !(100..150).contains(&second)
        });
        let [
            (covered, Order::ShowOverlay),
            (uncovered, Order::HideOverlay),
        ] = done[..]
        else {
            panic!("{done:?}");
        };
        assert!((100..=110).contains(&covered), "{covered}");
        assert!((150..=150 + 2 + 3).contains(&uncovered), "{uncovered}");
    }

    #[test]
    fn one_refusal_and_an_absence_that_is_too_short_to_count_do_nothing() {
        let mut connection = well(at(0));
        let behaviors = Behaviors {
            lost_after: Duration::from_secs(60),
            when_regained: WhenRegained::RefreshPage,
            ..Behaviors::default()
        };
        let blinks = |second: u64| second % 100 != 6 && !(500..540).contains(&second);
        assert_eq!(live(&mut connection, &behaviors, 0..1000, blinks), []);
    }

    #[test]
    fn what_the_kernel_says_counts_at_once_but_not_for_a_page_of_this_machine() {
        let behaviors = Behaviors::default();
        let mut connection = well(at(0));
        connection.handle_network(false, at(1));
        let step = connection.step(&behaviors, at(1));
        assert!(matches!(step, Some(Step::Order(Order::ShowOverlay, _))));
        assert_eq!(connection.step(&behaviors, at(1)), None);
        assert_eq!(connection.deadline(&behaviors), None, "nothing is tried");
        connection.handle_network(true, at(50));
        assert!(matches!(
            connection.step(&behaviors, at(50)),
            Some(Step::Try(..))
        ));

        let mut connection = Connection::default();
        connection.watch(RunId(1), "http://LocalHost:3000/", at(0));
        connection.handle_network(false, at(1));
        assert_eq!(live(&mut connection, &behaviors, 1..100, |_| true), []);
    }

    #[test]
    fn a_page_that_is_loaded_anew_is_covered_anew() {
        let behaviors = Behaviors::default();
        let mut connection = well(at(0));
        connection.handle_network(false, at(1));
        assert!(connection.step(&behaviors, at(1)).is_some());
        connection.handle_loading(RunId(1), &behaviors, at(5));
        let step = connection.step(&behaviors, at(5));
        assert!(matches!(step, Some(Step::Order(Order::ShowOverlay, _))));
    }

    #[test]
    fn a_refresh_every_so_often_is_one_however_long_nobody_looked_and_waits_for_the_server() {
        let behaviors = Behaviors {
            refresh: Some(Duration::from_secs(600)),
            when_lost: WhenLost::Nothing,
            ..Behaviors::default()
        };
        let mut connection = well(at(0));
        let done = live(&mut connection, &behaviors, 0..1900, |_| true);
        assert_eq!(done.len(), 3, "{done:?}");
        let done = live(&mut connection, &behaviors, 10_000..10_500, |_| true);
        assert_eq!(done.len(), 1, "{done:?}");
        let up = |second: u64| second > 13_000;
        let done = live(&mut connection, &behaviors, 10_500..13_020, up);
        let early: Vec<_> = done
            .iter()
            .filter(|(when, _)| (11_100..13_000).contains(when))
            .collect();
        assert!(early.is_empty(), "{early:?}");
        assert_eq!(done.last().map(|(_, order)| order), Some(&Order::Reload));
    }

    #[test]
    fn nothing_is_tried_where_nothing_would_be_done() {
        let behaviors = Behaviors {
            when_lost: WhenLost::Nothing,
            ..Behaviors::default()
        };
        assert_eq!(well(at(0)).deadline(&behaviors), None);
        let mut connection = Connection::default();
        connection.watch(RunId(1), "file:///srv/page.html", at(0));
        assert_eq!(connection.deadline(&Behaviors::default()), None);
    }
}
