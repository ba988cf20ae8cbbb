//! Decides about the health of the page on the screen and its recovery.
//!
//! | observation | state | consequence |
//! |---|---|---|
//! | it answers and shows something | healthy | observed every [`OBSERVE_INTERVAL`]; after [`FORGIVING_PERIOD`] recovery starts over |
//! | one missed answer | unchanged | observed again at once: the page may be busy |
//! | two missed answers in a row | hung | the next recovery step |
//! | empty for [`BLANK_TIMEOUT`] | blank | the next recovery step |
//! | no page yet after the start of the browser | loading | nothing for [`STARTUP_TIMEOUT`] |
//! | empty and loading for [`LOADING_TIMEOUT`] | blank | the next recovery step |
//! | the renderer crashed | crashed | the next recovery step |
//! | the browser misses two answers in a row | hung | browser restart |
//! | its server is not reachable, and a behavior covers or pauses it | net_error | see [`super::connection`] |
//! | it could not be loaded | net_error | a built-in page is shown; its URL is retried until it loads |
//! | an unexpected built-in page | net_error | the URL that it replaces is retried until it loads |
//! | no page at all | loading | like a page that is loading |
//!
//! A built-in page is observed like any other: if it does not load, hangs or crashes, recovery continues. While a command
//! of the supervisor is being carried out, the page is not observed.
//!
//! The recovery ladder: reload, new tab, browser restart; then a built-in page until the page has recovered. At most
//! [`STEPS_PER_HOUR`] steps an hour are taken, each logged with its reason.

use crate::supervisor::backoff::{HOUR, RecentTimes};
use crate::supervisor::interface::{
    BuiltIn, PageCommand, PageCommandResult, PageObservation, PageState, PageStatus, RecoveryStep,
    RunId, Screenshot, Transition,
};
use crate::time::Moment;
use std::rc::Rc;
use std::time::Duration;

/// Between two observations of a healthy page. With two answer timeouts of 5 s, a hang is reported within 20 s.
pub const OBSERVE_INTERVAL: Duration = Duration::from_secs(6);

/// Between a change of the screen and the next observation: a window manager needs this long.
const RESIZE_PAUSE: Duration = Duration::from_secs(1);

/// Between two observations of a page that is not healthy.
const RECHECK_PAUSE: Duration = Duration::from_secs(2);

/// How long a page may be empty: a slow page on a small board has not painted yet.
pub const BLANK_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a browser may take to show something after its start. A small board with a slow card needs most of a
/// minute, and a restart would begin that again.
const STARTUP_TIMEOUT: Duration = Duration::from_secs(180);

/// How long an empty page may be loading: a script that never arrives blocks it for ever.
pub const LOADING_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a page must be healthy before recovery starts over.
const FORGIVING_PERIOD: Duration = Duration::from_secs(60);

/// How long a recovery step may take to have an effect.
const STEP_GRACE: Duration = Duration::from_secs(10);

/// Recovery steps in any hour: a page that never recovers must not keep the device busy.
pub const STEPS_PER_HOUR: usize = 12;

/// How long a URL that cannot be loaded is retried frequently.
const FREQUENT_PERIOD: Duration = Duration::from_secs(300);
/// The pause between frequent retries.
const FREQUENT_PAUSE: Duration = Duration::from_secs(4);
/// The pause between later retries.
const RARE_PAUSE: Duration = Duration::from_secs(30);

/// The health of the page of one run.
#[derive(Debug)]
pub(in crate::supervisor) struct Health {
    run: RunId,
    /// The URL that its browser was started with.
    start_url: Option<String>,
    /// While its browser may be starting: until its page was observed, and no longer than this.
    starting_until: Option<Moment>,
    status: PageStatus,
    /// When to observe the page or retry its URL.
    due: Option<Moment>,
    /// Commands of the supervisor that are being carried out.
    commands_in_flight: Vec<PageCommand>,
    /// Consecutive observations that the page did not answer.
    unanswered: u32,
    /// Consecutive observations that the browser did not answer.
    silent: u32,
    /// Since when it is empty.
    blank_since: Option<Moment>,
    /// The URL that a built-in page replaces, and since when.
    replaced: Option<(String, Moment)>,
    /// Since when a built-in page is observed.
    built_in_since: Option<Moment>,
    /// Until when a page that cannot be loaded is not announced again.
    announced_until: Moment,
    /// When the next recovery step may be taken.
    not_before: Moment,
    history: RecoveryHistory,
}

/// What outlives the run, whose restart is a recovery step.
#[derive(Clone, Debug, Default)]
pub(super) struct RecoveryHistory {
    /// The next step of the ladder.
    next_step: usize,
    /// The steps of the last hour.
    recent_steps: RecentTimes<STEPS_PER_HOUR>,
    /// When the page was last healthy.
    last_painted: Option<Moment>,
    last_step: Option<Rc<RecoveryStep>>,
}

/// What to do to recover the page.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Recovery {
    Command(PageCommand),
    Restart(String),
}

impl Health {
    pub(super) fn new(
        run: RunId,
        start_url: Option<String>,
        history: RecoveryHistory,
        now: Moment,
    ) -> Self {
        Self {
            run,
            start_url,
            starting_until: Some(now + STARTUP_TIMEOUT),
            status: PageStatus {
                state: PageState::Loading,
                since: now,
                url: None,
                title: None,
                reason: None,
                last_painted: history.last_painted,
                last_step: history.last_step.clone(),
                server_reachable: None,
            },
            due: Some(now + OBSERVE_INTERVAL),
            commands_in_flight: Vec::new(),
            unanswered: 0,
            silent: 0,
            blank_since: None,
            replaced: None,
            built_in_since: None,
            announced_until: now,
            not_before: now,
            history,
        }
    }

    fn set_state(&mut self, state: PageState, reason: Option<String>, now: Moment) {
        if self.status.state != state {
            self.status.state = state;
            self.status.since = now;
        }
        self.status.reason = reason;
        // For a healthy page it would change with every observation.
        let is_healthy = state == PageState::Healthy;
        self.status.last_painted = self.history.last_painted.filter(|_| !is_healthy);
    }

    /// Records a recovery step. Its evidence is what was on the screen before the first step since the page was
    /// healthy, unless another screenshot arrives.
    pub(super) fn record_step(&mut self, what: String, now: Moment) {
        let painted = self.history.last_painted;
        let before = (self.history.last_step.take())
            .filter(|step| painted.is_none_or(|painted| painted < step.at));
        let step = RecoveryStep {
            at: now,
            state: self.status.state,
            what,
            evidence: before.and_then(|step| step.evidence.clone()),
        };
        self.set_last_step(step);
    }

    /// What was on the screen before the current step.
    pub(super) fn set_evidence(&mut self, screenshot: Screenshot, now: Moment) {
        if let Some(step) = &self.history.last_step {
            let evidence = Some((now, screenshot));
            self.set_last_step(RecoveryStep {
                evidence,
                ..RecoveryStep::clone(step)
            });
        }
    }

    fn set_last_step(&mut self, step: RecoveryStep) {
        self.history.last_step = Some(Rc::new(step));
        self.status.last_step = self.history.last_step.clone();
    }

    fn set_page(&mut self, url: String, title: Option<String>) {
        // An empty tab is loading; this is not its URL.
        if url != EMPTY_TAB {
            self.status.url = Some(url);
        }
        self.status.title = title;
    }

    /// Handles an observation; returns what to do about it.
    pub(super) fn handle_observation(
        &mut self,
        observation: PageObservation,
        now: Moment,
    ) -> Option<Recovery> {
        if !matches!(observation, PageObservation::Unresponsive) {
            self.unanswered = 0;
        }
        if !matches!(observation, PageObservation::BrowserUnresponsive) {
            self.silent = 0;
        }
        if !matches!(observation, PageObservation::Blank { .. }) {
            self.blank_since = None;
        }
        if !shows_built_in(&observation) {
            self.built_in_since = None;
        }
        if self.is_starting(&observation, now) {
            self.set_state(PageState::Loading, None, now);
            self.due = Some(now + RECHECK_PAUSE);
            return None;
        }
        match observation {
            // A built-in page is loading ...
            PageObservation::Loading { url } if is_built_in(&url) => None,
            // ... or shown.
            observation if shows_built_in(&observation) => {
                self.handle_unexpected_built_in(now);
                if now.since(*self.built_in_since.get_or_insert(now)) >= FORGIVING_PERIOD {
                    self.history.next_step = 0;
                }
                None
            }
            // The browser itself retries a page that could not be loaded; the result will be observed.
            PageObservation::Loading { url } if self.replaced.is_some() && !url.is_empty() => None,
            PageObservation::Loading { url } => {
                // Without a URL there is no page, and no built-in page; the URL to show is still the previous one.
                match url.is_empty() {
                    true => self.replaced = None,
                    false => self.set_page(url, None),
                }
                self.set_state(PageState::Loading, None, now);
                self.due = Some(now + OBSERVE_INTERVAL);
                let is_cold = self.starting_until.is_some_and(|until| now < until);
                if is_cold || now.since(self.status.since) < LOADING_TIMEOUT {
                    return None;
                }
                self.recover(PageState::Blank, "the page does not load", now)
            }
            PageObservation::Painted { url, title } => {
                self.replaced = None;
                self.set_page(url, Some(title));
                self.history.last_painted = Some(now);
                self.set_state(PageState::Healthy, None, now);
                // The recovery step has worked: a later problem is a new one.
                self.not_before = now;
                if now.since(self.status.since) >= FORGIVING_PERIOD {
                    self.history.next_step = 0;
                }
                self.due = Some(now + OBSERVE_INTERVAL);
                None
            }
            PageObservation::Blank { url, title } => {
                self.set_page(url, Some(title));
                let since = *self.blank_since.get_or_insert(now);
                self.due = Some(now + RECHECK_PAUSE);
                if now.since(since) < BLANK_TIMEOUT {
                    return None;
                }
                self.recover(PageState::Blank, "the page is blank", now)
            }
            PageObservation::Unresponsive => {
                self.unanswered += 1;
                self.due = Some(now);
                if self.unanswered < 2 {
                    return None;
                }
                self.recover(PageState::Hung, "the page does not answer", now)
            }
            PageObservation::Crashed => {
                self.recover(PageState::Crashed, "the renderer crashed", now)
            }
            PageObservation::BrowserUnresponsive => {
                self.silent += 1;
                self.due = Some(now);
                if self.silent < 2 {
                    return None;
                }
                self.history.next_step = RESTART_STEP;
                self.recover(PageState::Hung, "the browser does not answer", now)
            }
            PageObservation::NotLoaded { url, error } => self.handle_not_loaded(url, error, now),
            PageObservation::NotObservable => {
                self.set_state(PageState::Unknown, None, now);
                self.due = None;
                None
            }
        }
    }

    /// Whether the browser is still starting: it does not answer, or shows its initial empty tab.
    fn is_starting(&mut self, observation: &PageObservation, now: Moment) -> bool {
        match observation {
            PageObservation::Unresponsive | PageObservation::BrowserUnresponsive => {}
            PageObservation::Blank { url, .. } if url == EMPTY_TAB => {}
            // The page is still to come.
            PageObservation::Loading { .. } => return false,
            _ => self.starting_until = None,
        }
        self.starting_until.is_some_and(|until| now < until)
    }

    /// The page is not healthy: returns the next recovery step, unless one was taken just now or too many within the
    /// hour.
    fn recover(&mut self, state: PageState, why: &str, now: Moment) -> Option<Recovery> {
        self.set_state(state, Some(why.to_owned()), now);
        self.due = Some(now + RECHECK_PAUSE);
        // The observation is still of the previous page.
        if self.is_built_in_loading() || now < self.not_before {
            return None;
        }
        if let Some(next) = self.history.recent_steps.full_until(now, HOUR) {
            self.not_before = next;
            // A retry of the URL is not a recovery step.
            self.due = Some(match self.replaced {
                Some(_) => next.min(now + self.retry_pause(now)),
                None => next,
            });
            return None;
        }
        self.history.recent_steps.record(now, HOUR);
        self.not_before = now + STEP_GRACE;
        self.replaced = None;
        let step = self.history.next_step;
        self.history.next_step = (step + 1) % RECOVERY_STEPS;
        Some(match (step, self.target_url()) {
            (0, _) => Recovery::Command(PageCommand::Reload),
            (1, Some(url)) => Recovery::Command(PageCommand::NewTab { url }),
            // A URL that only the command line of the browser knows can only be loaded by a restart.
            (RESTART_STEP, _) | (_, None) => Recovery::Restart(why.to_owned()),
            (_, Some(url)) => {
                self.replaced = Some((url, now));
                self.due = Some(now + FREQUENT_PERIOD);
                Recovery::Command(PageCommand::ShowBuiltIn(BuiltIn::Failed {
                    name: String::new(),
                    reason: why.to_owned(),
                }))
            }
        })
    }

    /// The URL that the browser should show: the last one observed, or the one it was started with.
    fn target_url(&self) -> Option<String> {
        let seen = self.status.url.clone().filter(|url| !url.is_empty());
        seen.or_else(|| self.start_url.clone())
    }

    /// The page could not be loaded: a built-in page says so, and the URL is retried.
    fn handle_not_loaded(&mut self, url: String, error: String, now: Moment) -> Option<Recovery> {
        let since = match &self.replaced {
            Some((address, since)) if *address == url => *since,
            _ => now,
        };
        let is_announced =
            self.is_built_in_loading() || self.replaced.is_some() && now < self.announced_until;
        self.set_page(url.clone(), None);
        self.set_state(PageState::NetError, Some(error.clone()), now);
        self.replaced = Some((url.clone(), since));
        self.due = Some(now + self.retry_pause(now));
        if is_announced {
            return None;
        }
        self.announced_until = now + RARE_PAUSE;
        Some(Recovery::Command(PageCommand::ShowBuiltIn(
            BuiltIn::Offline { url, error },
        )))
    }

    /// A built-in page is loading; observations are still of the page before.
    fn is_built_in_loading(&self) -> bool {
        let is_built_in = |command: &PageCommand| matches!(command, PageCommand::ShowBuiltIn(_));
        self.commands_in_flight.iter().any(is_built_in)
    }

    /// A built-in page is shown and it is not known why: a navigation failed, or an earlier daemon showed it.
    fn handle_unexpected_built_in(&mut self, now: Moment) {
        if let (None, Some(url)) = (&self.replaced, self.target_url()) {
            self.set_page(url.clone(), None);
            let why = self.status.reason.take();
            let why = why.unwrap_or_else(|| "a built-in page replaces it".to_owned());
            self.set_state(PageState::NetError, Some(why), now);
            self.replaced = Some((url, now));
            self.due = Some(now);
        }
    }

    /// The pause before the URL is retried.
    fn retry_pause(&self, now: Moment) -> Duration {
        match &self.replaced {
            Some((_, since)) if now.since(*since) >= FREQUENT_PERIOD => RARE_PAUSE,
            _ => FREQUENT_PAUSE,
        }
    }

    /// It is time to observe the page, or to retry its URL.
    pub(super) fn handle_due(&mut self, now: Moment) -> PageCommand {
        // A missed answer is checked first.
        let is_missed = self.unanswered == 1 || self.silent == 1;
        match &self.replaced {
            Some((url, _)) if !is_missed => {
                self.due = Some(now + self.retry_pause(now));
                PageCommand::Navigate {
                    url: url.clone(),
                    transition: Transition::Cut,
                }
            }
            _ => {
                self.due = Some(now + OBSERVE_INTERVAL);
                PageCommand::Observe
            }
        }
    }

    /// The history, for the next run of the same process.
    pub(super) fn into_history(self) -> RecoveryHistory {
        self.history
    }

    /// When its browser was started.
    pub(super) fn set_started(&mut self, started: Moment) {
        self.starting_until = Some(started + STARTUP_TIMEOUT);
    }

    pub(super) fn reset_recovery(&mut self) {
        (self.history.next_step, self.history.recent_steps) = Default::default();
        self.replaced = None;
    }

    /// A command of the supervisor was sent.
    pub(super) fn begin_command(&mut self, command: PageCommand) {
        self.commands_in_flight.push(command);
    }

    /// A command of the supervisor has ended.
    pub(super) fn end_command(&mut self, command: &PageCommand) {
        if let Some(place) = self
            .commands_in_flight
            .iter()
            .position(|other| other == command)
        {
            self.commands_in_flight.remove(place);
        }
    }

    /// A command of the supervisor was carried out.
    pub(super) fn handle_done(&mut self, command: &PageCommand, result: &PageCommandResult) {
        // The page was loaded: the built-in page is gone in any case.
        if let (PageCommand::Navigate { .. }, PageCommandResult::Done) = (command, result) {
            self.replaced = None;
        }
    }

    /// A command of the supervisor failed; returns the command that follows.
    pub(super) fn handle_failure(
        &mut self,
        command: &PageCommand,
        now: Moment,
    ) -> Option<PageCommand> {
        match command {
            // The error page of the browser is shown instead. The built-in page is tried again later.
            PageCommand::ShowBuiltIn(BuiltIn::Offline { .. }) => {
                self.announced_until = now + FREQUENT_PERIOD
            }
            PageCommand::ShowBuiltIn(_) => {
                self.replaced = None;
                self.due = Some(now + RECHECK_PAUSE);
            }
            // Its server is still not reachable, or the built-in page or the browser is gone: only an observation can
            // say.
            PageCommand::Navigate { .. } if self.replaced.is_some() => {
                return Some(PageCommand::Observe);
            }
            _ => {}
        }
        None
    }

    pub(in crate::supervisor) fn run(&self) -> RunId {
        self.run
    }

    /// The status of the page.
    pub(in crate::supervisor) fn status(&self) -> &PageStatus {
        &self.status
    }

    /// Whether the page itself is on the screen, and no built-in page.
    pub(in crate::supervisor) fn shows_page(&self) -> bool {
        self.status.state != PageState::NetError && self.replaced.is_none()
    }

    /// The network is back: a page that could not be loaded is retried now.
    pub(in crate::supervisor) fn retry_now(&mut self, now: Moment) {
        if self.replaced.is_some() {
            self.due = Some(now);
        }
    }

    /// The screen changed: observes the page soon, which adapts it to the size of the screen. A pending retry is not
    /// moved: a loose plug must not speed it up.
    pub(super) fn observe_soon(&mut self, now: Moment) {
        // A page that cannot be observed is not observed now either.
        if self.replaced.is_none() && self.status.state != PageState::Unknown {
            let soon = now + RESIZE_PAUSE;
            self.due = Some(self.due.map_or(soon, |due| due.min(soon)));
        }
    }

    /// When to do something; `None` while a command of the supervisor is being carried out.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.due.filter(|_| self.commands_in_flight.is_empty())
    }
}

/// The recovery step that restarts the browser, and the number of steps.
const RESTART_STEP: usize = 2;
const RECOVERY_STEPS: usize = 4;

/// What a browser shows before its page.
const EMPTY_TAB: &str = "about:blank";

/// Built-in pages have URLs that no server can have.
fn is_built_in(url: &str) -> bool {
    ["about:welcome", "about:offline", "about:failed"].contains(&url)
}

/// Whether a built-in page is on the screen.
fn shows_built_in(observation: &PageObservation) -> bool {
    match observation {
        PageObservation::Painted { url, .. } | PageObservation::Blank { url, .. } => {
            is_built_in(url)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
