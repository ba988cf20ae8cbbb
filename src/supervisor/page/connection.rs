//! Decides what happens when the server of the kiosk page is lost and regained, and when the page is refreshed.
//!
//! ```text
//!              refused             refused again                  answers
//!   Unprobed ─────────▶ Suspect ─────────────────▶ Lost ──────────────────────▶ Regained
//!      │                 ▲  │                      ▲ │ after `timeout_seconds`:  │ after `delay_seconds`: undone,
//!      │         refused │  │ answers              │ │ notice, pause, refresh    │ then refresh, restart, nothing
//!      │ answers         │  ▼          refused     │                             ▼
//!      └───────────▶ Reachable ◀──────────────────────────────────────────────────
//! ```
//!
//! Three independent facts: whether this machine has a network (the kernel reports it), whether the page's server is
//! reachable ([`Server`]), and what is on the screen ([`Page`]). Reachability does not follow from the screen: during an
//! outage that may show the page under a notice, a built-in page, a page override, or nothing while the browser restarts.
//!
//! The server itself, and no third party, is probed by a TCP connection every [`PROBE_INTERVAL`]; with a second probe
//! after a refusal, a server that stops is noticed within 8 s. It is probed if a behavior or a network rule of the schedule
//! needs it, and during an outage until its end.

use crate::config::{Behaviors, Origin, Schedule, Trigger, Url, WhenLost, WhenRegained};
use crate::supervisor::interface::{PageCommand, RunId};
use crate::time::Moment;
use std::rc::Rc;
use std::time::Duration;

/// Between two probes of a server that answers.
pub const PROBE_INTERVAL: Duration = Duration::from_secs(6);

/// Between a first refusal and the next probe.
const RECHECK_PAUSE: Duration = Duration::from_secs(1);

/// How long a lost server is probed frequently.
const FREQUENT_PERIOD: Duration = Duration::from_secs(300);
/// The pause between frequent probes.
const FREQUENT_PAUSE: Duration = Duration::from_secs(2);
/// The pause between later probes.
const RARE_PAUSE: Duration = Duration::from_secs(10);

/// The state of the connection to the page's server.
#[derive(Debug)]
pub(in crate::supervisor) struct Connection {
    /// Whether this machine has a network.
    network: bool,
    /// The server of the kiosk page.
    server: Option<Server>,
    /// The page of the run on the screen.
    page: Option<Page>,
    /// A run of an earlier daemon, which may have left its page under a notice or paused.
    inherited: Option<RunId>,
    /// Whether this schedule has network rules.
    rules: (Rc<Schedule>, bool),
}

/// A server and whether it is reachable.
#[derive(Debug)]
struct Server {
    /// A URL on it.
    url: String,
    phase: Phase,
    /// When it is probed next.
    probe_at: Moment,
    /// A probe is in progress.
    is_probing: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It was not probed yet. Until then the previous state counts.
    Unprobed {
        was_reachable: bool,
    },
    Reachable,
    Suspect {
        since: Moment,
        was_reachable: bool,
    },
    Lost(Loss),
    Regained {
        since: Moment,
        loss: Loss,
    },
}

/// A lost connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Loss {
    since: Moment,
    /// It has lasted for `on_connection_lost.timeout_seconds`.
    is_effective: bool,
}

/// The page of a run.
#[derive(Debug)]
struct Page {
    run: RunId,
    /// When it was last loaded, if known.
    loaded: Moment,
    /// It is on the screen, and no built-in page in its place.
    is_shown: bool,
    /// It comes from `Connection::server`.
    is_from_server: bool,
    /// What was done to it because its server was lost, and when. Undone when the server is back.
    affected: Option<(WhenLost, Moment)>,
}

/// What the configuration requires.
#[derive(Clone, Copy, Debug)]
struct Policy {
    behaviors: Behaviors,
    /// Whether there are network rules.
    has_rules: bool,
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Probe the server of this URL.
    Probe(String),
    /// Send this page command, and log why.
    Command(PageCommand, &'static str),
    /// Undo what an earlier daemon may have done to the page.
    Undo(PageCommand),
    /// Restart the browser.
    Restart,
}

impl Default for Connection {
    fn default() -> Self {
        Self {
            network: true,
            server: None,
            page: None,
            inherited: None,
            rules: Default::default(),
        }
    }
}

impl Connection {
    /// An earlier daemon started this run.
    pub(in crate::supervisor) fn inherit(&mut self, run: Option<RunId>) {
        self.inherited = run;
    }

    /// The page of a run: it is shown and healthy, or could not be loaded and a built-in page replaces it.
    pub(super) fn watch(&mut self, run: RunId, url: &str, is_shown: bool, now: Moment) {
        let page = match &mut self.page {
            Some(page) if page.run == run => page,
            other => other.insert(Page {
                run,
                loaded: now,
                is_shown: true,
                is_from_server: false,
                affected: None,
            }),
        };
        let is_hidden = page.is_shown && !is_shown;
        if page.is_shown != is_shown {
            page.show(is_shown, now);
        }
        let Some(origin) = server_of(url) else {
            page.is_from_server = false;
            if self.server.as_ref().is_some_and(Server::is_there) {
                self.server = None;
            }
            return;
        };
        match &mut self.server {
            Some(server) if server_of(&server.url) == Some(origin) => {
                page.is_from_server = true;
                url.clone_into(&mut server.url);
                if is_hidden && !server.is_lost() {
                    server.probe_at = now;
                }
            }
            // A page of this machine needs no network and says nothing about a lost server.
            Some(server) if !server.is_there() && is_local(url) => page.is_from_server = false,
            before => {
                page.is_from_server = true;
                let was_reachable = before.as_ref().is_none_or(Server::is_there);
                let phase = match self.network || is_local(url) {
                    true => Phase::Unprobed { was_reachable },
                    false => Phase::Lost(Loss::new(now)),
                };
                *before = Some(Server {
                    url: url.to_owned(),
                    phase,
                    probe_at: now,
                    is_probing: false,
                });
            }
        }
    }

    /// A built-in page replaces the page of this run.
    pub(super) fn hide(&mut self, run: RunId, now: Moment) {
        if let Some(page) = self.page.as_mut().filter(|page| page.run == run)
            && page.is_shown
        {
            page.show(false, now);
        }
    }

    /// The page is being loaded, which removes notice and pause.
    pub(super) fn handle_loading(&mut self, run: RunId, now: Moment) {
        self.inherited = self.inherited.filter(|inherited| *inherited != run);
        if let Some(page) = self.page.as_mut().filter(|page| page.run == run) {
            page.begin(now);
        }
    }

    /// The network was connected or lost.
    pub(super) fn handle_network(&mut self, connected: bool, now: Moment) {
        self.network = connected;
        let Some(server) = self.server.as_mut().filter(|it| !is_local(&it.url)) else {
            return;
        };
        match (connected, server.phase) {
            (true, _) => server.probe_at = now,
            (false, Phase::Unprobed { .. } | Phase::Reachable | Phase::Suspect { .. }) => {
                server.phase = Phase::Lost(Loss::new(now));
            }
            (false, Phase::Regained { loss, .. }) => server.phase = Phase::Lost(loss),
            (false, Phase::Lost(_)) => {}
        }
    }

    /// Whether there is a network, and the page's server is reachable as far as is known.
    pub(in crate::supervisor) fn assumed_reachable(&self) -> bool {
        self.network && self.server.as_ref().is_none_or(Server::is_there)
    }

    /// A server was probed. Returns whether it has just come back.
    pub(super) fn handle_probed(&mut self, url: &str, reachable: bool, now: Moment) -> bool {
        let network = self.network;
        let Some(server) =
            (self.server.as_mut()).filter(|server| server_of(&server.url) == server_of(url))
        else {
            return false;
        };
        server.is_probing = false;
        // The probe began before the network was lost.
        let reachable = reachable && (network || is_local(&server.url));
        let (phase, pause) = match (server.phase, reachable) {
            (Phase::Unprobed { .. } | Phase::Reachable | Phase::Suspect { .. }, true) => {
                (Phase::Reachable, PROBE_INTERVAL)
            }
            (Phase::Reachable, false) => (Phase::suspect(now, true), RECHECK_PAUSE),
            (Phase::Unprobed { was_reachable }, false) => {
                (Phase::suspect(now, was_reachable), RECHECK_PAUSE)
            }
            (Phase::Suspect { since, .. }, false) => {
                (Phase::Lost(Loss::new(since)), FREQUENT_PAUSE)
            }
            (Phase::Lost(loss), true) => (Phase::Regained { since: now, loss }, PROBE_INTERVAL),
            (Phase::Lost(loss) | Phase::Regained { loss, .. }, false) => {
                let is_new = now.since(loss.since) < FREQUENT_PERIOD;
                (
                    Phase::Lost(loss),
                    if is_new { FREQUENT_PAUSE } else { RARE_PAUSE },
                )
            }
            (back @ Phase::Regained { .. }, true) => (back, PROBE_INTERVAL),
        };
        let is_back = matches!(
            (server.phase, phase),
            (Phase::Lost(_), Phase::Regained { .. })
        );
        server.phase = phase;
        server.probe_at = now + pause;
        is_back
    }

    /// The next step that is due; call it until there is none. `in_sight`: the browser runs and takes commands.
    pub(super) fn step(
        &mut self,
        behaviors: Behaviors,
        is_driven: bool,
        now: Moment,
    ) -> Option<Step> {
        self.next_step(&self.policy(behaviors), is_driven, now)
    }

    fn next_step(&mut self, policy: &Policy, is_driven: bool, now: Moment) -> Option<Step> {
        if self.next_deadline(policy, is_driven)? > now {
            return None;
        }
        let behaviors = &policy.behaviors;
        if let Some(server) = &mut self.server {
            match &mut server.phase {
                Phase::Lost(loss) if loss.since + behaviors.lost_after <= now => {
                    loss.is_effective = true;
                }
                Phase::Regained { loss, .. } if !loss.is_effective => {
                    server.phase = Phase::Reachable
                }
                Phase::Regained { since, .. } if *since + behaviors.regained_after <= now => {
                    let back = *since;
                    server.phase = Phase::Reachable;
                    let page = self.page.as_mut().filter(|page| page.is_from_server);
                    let step = page.and_then(|page| page.regain(behaviors.when_regained, back));
                    if is_driven && step.is_some() {
                        return step;
                    }
                }
                _ => {}
            }
        }
        if self.must_be_affected(policy, is_driven)
            && let Some(page) = &mut self.page
        {
            page.affected = Some((behaviors.when_lost, now));
            self.inherited = None;
            match behaviors.when_lost {
                WhenLost::ShowOverlay => {
                    let why = "its server cannot be reached; a notice covers it";
                    return Some(Step::Command(PageCommand::ShowOverlay, why));
                }
                WhenLost::Pause => {
                    let why = "its server cannot be reached; it is paused";
                    return Some(Step::Command(PageCommand::Pause, why));
                }
                WhenLost::Refresh => {
                    let why = "its server cannot be reached; reloading";
                    return Some(Step::Command(PageCommand::Reload, why));
                }
                WhenLost::Nothing => {}
            }
        }
        if let Some(command) = self.command_to_undo(policy, is_driven) {
            self.inherited = None;
            return Some(Step::Undo(command));
        }
        if self
            .next_refresh(policy, is_driven)
            .is_some_and(|at| at <= now)
            && let Some(page) = &mut self.page
        {
            page.loaded = now;
            return Some(Step::Command(
                PageCommand::Reload,
                "scheduled refresh; reloading",
            ));
        }
        if self
            .next_probe(policy, is_driven)
            .is_some_and(|at| at <= now)
            && let Some(server) = &mut self.server
        {
            server.is_probing = true;
            return Some(Step::Probe(server.url.clone()));
        }
        None
    }

    /// When the next step is due.
    pub(super) fn deadline(&self, behaviors: Behaviors, is_driven: bool) -> Option<Moment> {
        self.next_deadline(&self.policy(behaviors), is_driven)
    }

    fn next_deadline(&self, policy: &Policy, is_driven: bool) -> Option<Moment> {
        let behaviors = &policy.behaviors;
        let phase_deadline = self.server.as_ref().and_then(|server| match server.phase {
            Phase::Lost(loss) if !loss.is_effective || self.must_be_affected(policy, is_driven) => {
                Some(loss.since + behaviors.lost_after)
            }
            Phase::Regained { loss, since } if !loss.is_effective => Some(since),
            Phase::Regained { since, .. } => Some(since + behaviors.regained_after),
            _ => None,
        });
        let undo = self
            .command_to_undo(policy, is_driven)
            .map(|_| Moment::default());
        let deadlines = [
            undo,
            phase_deadline,
            self.next_refresh(policy, is_driven),
            self.next_probe(policy, is_driven),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Whether the loss counts and the page was not treated for it yet.
    fn must_be_affected(&self, policy: &Policy, is_driven: bool) -> bool {
        let counts =
            |server: &Server| matches!(server.phase, Phase::Lost(loss) if loss.is_effective);
        let is_unaffected =
            |page: &Page| page.is_shown && page.is_from_server && page.affected.is_none();
        is_driven
            && policy.behaviors.when_lost != WhenLost::Nothing
            && self.server.as_ref().is_some_and(counts)
            && self.page.as_ref().is_some_and(is_unaffected)
    }

    /// What an earlier daemon may have left on the page, now that its server is reachable: the outage may have ended
    /// while no daemon ran.
    fn command_to_undo(&self, policy: &Policy, is_driven: bool) -> Option<PageCommand> {
        let is_affected =
            |page: &&Page| is_driven && page.is_from_server && Some(page.run) == self.inherited;
        self.page.as_ref().filter(is_affected)?;
        let server = self.server.as_ref()?;
        match policy.behaviors.when_lost {
            _ if server.phase != Phase::Reachable => None,
            WhenLost::ShowOverlay => Some(PageCommand::HideOverlay),
            WhenLost::Pause => Some(PageCommand::Resume),
            WhenLost::Refresh | WhenLost::Nothing => None,
        }
    }

    /// When the page is refreshed next. A page of a server waits until that is reachable.
    fn next_refresh(&self, policy: &Policy, is_driven: bool) -> Option<Moment> {
        let every = policy.behaviors.refresh?;
        let page = (self.page.as_ref()).filter(|page| is_driven && page.is_shown)?;
        let server = self.server.as_ref().filter(|_| page.is_from_server);
        let can_be_loaded = server.is_none_or(|server| server.phase == Phase::Reachable);
        can_be_loaded.then_some(page.loaded + every)
    }

    /// When the server is probed next.
    fn next_probe(&self, policy: &Policy, is_driven: bool) -> Option<Moment> {
        let server = self.server.as_ref()?;
        let is_asked_for = match is_driven {
            true => policy.needs_probes() || !server.is_settled(),
            // There is no page to treat, but rules wait for the server.
            false => policy.has_rules && !server.is_settled(),
        };
        // Without a network a probe is pointless.
        let is_possible = self.network || is_local(&server.url);
        (is_asked_for && is_possible && !server.is_probing).then_some(server.probe_at)
    }

    /// Since when the page of this run is covered by a notice or paused because its server is lost.
    pub(in crate::supervisor) fn affects(&self, run: RunId) -> Option<Moment> {
        let page = self.page.as_ref().filter(|page| page.run == run)?;
        match page.affected? {
            (WhenLost::ShowOverlay | WhenLost::Pause, since) => Some(since),
            (WhenLost::Refresh | WhenLost::Nothing, _) => None,
        }
    }

    /// Whether the server of this run's page is reachable, if known.
    pub(super) fn is_reachable(&self, run: RunId, behaviors: Behaviors) -> Option<bool> {
        let page = self.page.as_ref().filter(|page| page.run == run)?;
        let server = self.server.as_ref().filter(|_| page.is_from_server)?;
        match server.phase {
            Phase::Lost(_) => Some(false),
            Phase::Regained { .. } => Some(true),
            Phase::Suspect { was_reachable, .. } => was_reachable.then_some(true),
            Phase::Reachable => self.policy(behaviors).needs_probes().then_some(true),
            Phase::Unprobed { .. } => None,
        }
    }
}

impl Connection {
    /// The run whose page it is.
    pub(super) fn run(&self) -> Option<RunId> {
        self.page.as_ref().map(|page| page.run)
    }

    fn policy(&self, behaviors: Behaviors) -> Policy {
        Policy {
            behaviors,
            has_rules: self.rules.1,
        }
    }

    pub(super) fn update_rules(&mut self, schedule: &Rc<Schedule>) {
        if !Rc::ptr_eq(&self.rules.0, schedule) {
            let of_connections = |trigger| matches!(trigger, &Trigger::Lost | &Trigger::Regained);
            let mut rules = schedule.rules.iter();
            let has_rules =
                schedule.enabled && rules.any(|rule| rule.enabled && of_connections(&rule.trigger));
            self.rules = (schedule.clone(), has_rules);
        }
    }

    /// The process of the page is no longer configured.
    pub(super) fn forget_server(&mut self) {
        self.server = None;
    }
}

impl Policy {
    /// Whether anything depends on the reachability of the server.
    fn needs_probes(&self) -> bool {
        self.has_rules
            || self.behaviors.when_lost != WhenLost::Nothing
            || self.behaviors.when_regained != WhenRegained::Continue
            || self.behaviors.refresh.is_some()
    }
}

impl Server {
    fn is_there(&self) -> bool {
        match self.phase {
            Phase::Unprobed { was_reachable } | Phase::Suspect { was_reachable, .. } => {
                was_reachable
            }
            Phase::Reachable | Phase::Regained { .. } => true,
            Phase::Lost(_) => false,
        }
    }

    fn is_lost(&self) -> bool {
        matches!(self.phase, Phase::Lost(_))
    }

    /// Whether no outage is being tracked.
    fn is_settled(&self) -> bool {
        matches!(self.phase, Phase::Unprobed { .. } | Phase::Reachable)
    }
}

impl Page {
    /// It replaces a built-in page, or is replaced by one.
    fn show(&mut self, is_shown: bool, now: Moment) {
        self.is_shown = is_shown;
        self.begin(now);
    }

    /// It is loaded. `Refresh` is kept: one refresh in an outage is enough for a page that loads from elsewhere.
    fn begin(&mut self, now: Moment) {
        self.loaded = now;
        self.affected = (self.affected).filter(|(how, _)| *how == WhenLost::Refresh);
    }

    /// Its server came back at `back`. A page that was loaded since is not reloaded.
    fn regain(&mut self, when_regained: WhenRegained, back: Moment) -> Option<Step> {
        let affected = self.affected.take().map(|(how, _)| how);
        let is_old = self.is_shown && self.loaded < back;
        match (when_regained, affected) {
            (WhenRegained::Restart, _) => is_old.then_some(Step::Restart),
            (WhenRegained::RefreshPage, _) => is_old.then_some(Step::Command(
                PageCommand::Reload,
                "its server is back; reloading",
            )),
            (WhenRegained::Continue, Some(WhenLost::ShowOverlay)) => Some(Step::Command(
                PageCommand::HideOverlay,
                "its server is back; the notice is removed",
            )),
            (WhenRegained::Continue, Some(WhenLost::Pause)) => Some(Step::Command(
                PageCommand::Resume,
                "its server is back; it resumes",
            )),
            (WhenRegained::Continue, _) => None,
        }
    }
}

impl Phase {
    fn suspect(since: Moment, was_reachable: bool) -> Self {
        Phase::Suspect {
            since,
            was_reachable,
        }
    }
}

impl Loss {
    fn new(since: Moment) -> Self {
        Self {
            since,
            is_effective: false,
        }
    }
}

/// The server of a page, if it has one.
fn server_of(url: &str) -> Option<Origin<'_>> {
    Url::parse(url).ok()?.origin()
}

/// Whether the server is this machine, so that no network is needed.
fn is_local(url: &str) -> bool {
    let authority = Url::parse(url).ok().and_then(|url| url.authority);
    authority.is_some_and(|authority| authority.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://example.org/page";

    fn at(seconds: u64) -> Moment {
        Moment::from_boot(Duration::from_secs(seconds))
    }

    fn healthy(now: Moment) -> Connection {
        let mut connection = Connection::default();
        connection.watch(RunId(1), URL, true, now);
        connection
    }

    fn policy_of(behaviors: Behaviors) -> Policy {
        Policy {
            behaviors,
            has_rules: false,
        }
    }

    /// Simulates a span second by second; probes are answered at once. Returns the commands and their times.
    fn simulate(
        connection: &mut Connection,
        policy: &Policy,
        span: std::ops::Range<u64>,
        is_up: impl Fn(u64) -> bool,
    ) -> Vec<(u64, PageCommand)> {
        let mut done = Vec::new();
        for second in span {
            while let Some(step) = connection.next_step(policy, true, at(second)) {
                match step {
                    Step::Probe(url) => {
                        connection.handle_probed(&url, is_up(second), at(second));
                    }
                    Step::Command(command, _) => done.push((second, command)),
                    Step::Undo(_) | Step::Restart => panic!("nothing asks for it"),
                }
            }
        }
        done
    }

    #[test]
    fn a_lost_server_is_noticed_within_ten_seconds_and_a_regained_one_too() {
        let mut connection = healthy(at(0));
        let policy = policy_of(Behaviors::default());
        let done = simulate(&mut connection, &policy, 0..200, |second| {
            !(100..150).contains(&second)
        });
        let [
            (covered, PageCommand::ShowOverlay),
            (uncovered, PageCommand::HideOverlay),
        ] = done[..]
        else {
            panic!("{done:?}");
        };
        assert!((100..=110).contains(&covered), "{covered}");
        assert!((150..=150 + 2 + 3).contains(&uncovered), "{uncovered}");
    }

    #[test]
    fn one_refusal_and_a_short_outage_do_nothing() {
        let mut connection = healthy(at(0));
        let policy = policy_of(Behaviors {
            lost_after: Duration::from_secs(60),
            when_regained: WhenRegained::RefreshPage,
            ..Behaviors::default()
        });
        let blinks = |second: u64| second % 100 != 6 && !(500..540).contains(&second);
        assert_eq!(simulate(&mut connection, &policy, 0..1000, blinks), []);
    }

    #[test]
    fn a_lost_network_counts_at_once_but_not_for_a_page_of_this_machine() {
        let policy = policy_of(Behaviors::default());
        let mut connection = healthy(at(0));
        connection.handle_network(false, at(1));
        let step = connection.next_step(&policy, true, at(1));
        assert!(matches!(
            step,
            Some(Step::Command(PageCommand::ShowOverlay, _))
        ));
        assert_eq!(connection.next_step(&policy, true, at(1)), None);
        assert_eq!(
            connection.next_deadline(&policy, true),
            None,
            "nothing is tried"
        );
        connection.handle_network(true, at(50));
        assert!(matches!(
            connection.next_step(&policy, true, at(50)),
            Some(Step::Probe(..))
        ));

        let mut connection = Connection::default();
        connection.watch(RunId(1), "http://LocalHost:3000/", true, at(0));
        connection.handle_network(false, at(1));
        assert_eq!(simulate(&mut connection, &policy, 1..100, |_| true), []);
    }

    #[test]
    fn a_reloaded_page_is_covered_again() {
        let policy = policy_of(Behaviors::default());
        let mut connection = healthy(at(0));
        connection.handle_network(false, at(1));
        assert!(connection.next_step(&policy, true, at(1)).is_some());
        connection.handle_loading(RunId(1), at(5));
        let step = connection.next_step(&policy, true, at(5));
        assert!(matches!(
            step,
            Some(Step::Command(PageCommand::ShowOverlay, _))
        ));
    }

    #[test]
    fn a_periodic_refresh_happens_once_after_a_long_gap_and_waits_for_the_server() {
        let policy = policy_of(Behaviors {
            refresh: Some(Duration::from_secs(600)),
            when_lost: WhenLost::Nothing,
            ..Behaviors::default()
        });
        let mut connection = healthy(at(0));
        let done = simulate(&mut connection, &policy, 0..1900, |_| true);
        assert_eq!(done.len(), 3, "{done:?}");
        let done = simulate(&mut connection, &policy, 10_000..10_500, |_| true);
        assert_eq!(done.len(), 1, "{done:?}");
        let up = |second: u64| second > 13_000;
        let done = simulate(&mut connection, &policy, 10_500..13_020, up);
        let early: Vec<_> = done
            .iter()
            .filter(|(when, _)| (11_100..13_000).contains(when))
            .collect();
        assert!(early.is_empty(), "{early:?}");
        assert_eq!(
            done.last().map(|(_, command)| command),
            Some(&PageCommand::Reload)
        );
    }

    #[test]
    fn nothing_is_probed_if_nothing_depends_on_it() {
        let policy = policy_of(Behaviors {
            when_lost: WhenLost::Nothing,
            ..Behaviors::default()
        });
        assert_eq!(healthy(at(0)).next_deadline(&policy, true), None);
        let mut connection = Connection::default();
        connection.watch(RunId(1), "file:///srv/page.html", true, at(0));
        assert_eq!(connection.next_deadline(&policy, true), None);
    }
}
