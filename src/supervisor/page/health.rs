//! Decides how the page on the screen fares, and what is done for one that is not well.
//!
//! | what is seen | state | what follows |
//! |---|---|---|
//! | it answers and shows something | healthy | looked at every [`PAUSE`]; after [`FORGIVEN`] its past is forgotten |
//! | one look unanswered | as before | looked at again at once: a busy page is left alone |
//! | two looks in a row unanswered | hung | the next rung |
//! | nothing on it for [`BLANK`] | blank | the next rung |
//! | a browser that was just started has shown no page yet | loading | for [`COLD`] it is left alone |
//! | nothing on it, and still on its way after [`STALLED`] | blank | the next rung |
//! | what draws it has died | crashed | the next rung |
//! | the browser itself is silent, twice in a row | hung | restart of the browser |
//! | its server cannot be reached, and a behavior covers or pauses it | net_error | see [`super::connection`] |
//! | it could not be loaded | net_error | our own page says so; its address is tried again until it comes |
//! | our own page, unexpectedly | net_error | the address that it must stand for is tried until it comes |
//! | no page at all | loading | as one that is on its way |
//!
//! A page of our own is one like any other: where it does not come, hangs or dies, the ladder goes on. While an
//! order of the mind is carried out, the page is not looked at.
//!
//! The rungs: load it anew, a fresh tab, restart of the browser; then a page of our own until it has become
//! quiet. No more than [`STEPS_MAX`] of them an hour, each told in the log with its reason.

use super::{
    BuiltIn, PageCommand, PageCommandResult, PageObservation, PageState, Screenshot, Transition,
};
use crate::supervisor::{Action, Failure, Reason, RunId, Supervisor};
use crate::time::Moment;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

/// Between two looks at a page that is well. With a look's own 5 s, twice, a hang is told within 20 s.
pub const OBSERVE_INTERVAL: Duration = Duration::from_secs(6);

/// Until a page is looked at whose screen has become another one: a window manager needs as long, where there is one.
const RESIZE_PAUSE: Duration = Duration::from_secs(1);

/// Until a page that was not well is looked at again.
const RECHECK_PAUSE: Duration = Duration::from_secs(2);

/// How long a page may be empty: a slow program on a small board is still drawing nothing.
pub const BLANK_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a browser that was started may take until something of its page is there. On a small board with a slow card
/// that is most of a minute, and whoever restarts it meanwhile has it begin anew.
const STARTUP_TIMEOUT: Duration = Duration::from_secs(180);

/// How long a page may be on its way with nothing to be seen: a script that never comes holds it up for ever.
pub const LOADING_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a page has to be well until its past counts no more.
const FORGIVING_PERIOD: Duration = Duration::from_secs(60);

/// How long a step may take to show.
const STEP_GRACE: Duration = Duration::from_secs(10);

/// Steps in any hour. A page that is never well does not keep the device busy.
pub const STEPS_PER_HOUR: usize = 12;

/// The span of [`STEPS_MAX`].
pub const HOUR: Duration = Duration::from_secs(3600);

/// A server that is away is asked often for so long ...
const FREQUENT_PERIOD: Duration = Duration::from_secs(300);
/// ... so often, ...
const FREQUENT_PAUSE: Duration = Duration::from_secs(4);
/// ... and then so.
const RARE_PAUSE: Duration = Duration::from_secs(30);

/// `page` of a display process in the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageStatus {
    /// How it fares.
    pub state: PageState,
    /// Since when.
    pub since: Moment,
    /// Its address, where it is known; of a page that could not be loaded, that one's.
    pub url: Option<String>,
    /// Its title.
    pub title: Option<String>,
    /// Why it is in its state, where there is something to say.
    pub reason: Option<String>,
    /// Of a page that is not well: when it was last seen to be.
    pub last_painted: Option<Moment>,
    /// What was done last for one that was not well.
    pub last_step: Option<Rc<RecoveryStep>>,
    /// Whether its server takes connections, where it has one and that is known.
    pub server_reachable: Option<bool>,
}

/// Something that was done for a page that was not well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryStep {
    /// When.
    pub at: Moment,
    /// How the page was.
    pub state: PageState,
    /// Why and what, in a sentence.
    pub what: String,
    /// What was on the screen before, and when that was taken.
    pub evidence: Option<(Moment, Screenshot)>,
}

/// What is known of the page of one run.
#[derive(Debug)]
pub(in crate::supervisor) struct Health {
    run: RunId,
    /// The address that its browser was started with.
    start_url: Option<String>,
    /// Until when its browser may be starting: until its page was seen, and no longer than this.
    starting_until: Option<Moment>,
    status: PageStatus,
    /// When to do something next: look, or try the address again.
    due: Option<Moment>,
    /// Orders of ours that are being carried out.
    commands_in_flight: Vec<PageCommand>,
    /// Looks in a row that were not answered.
    unanswered: u32,
    /// Looks in a row that the browser itself did not answer.
    silent: u32,
    /// Since when it has been empty.
    blank_since: Option<Moment>,
    /// The address that a page of our own stands for, and since when.
    replaced: Option<(String, Moment)>,
    /// Since when it was seen to stand there, look by look.
    built_in_since: Option<Moment>,
    /// Until when an address that cannot be loaded is not said again to be one.
    announced_until: Moment,
    /// What it takes until the next rung is climbed.
    not_before: Moment,
    history: RecoveryHistory,
}

/// What outlives the run: its restart is one of the rungs of the ladder.
#[derive(Clone, Debug, Default)]
struct RecoveryHistory {
    /// How far the ladder was climbed.
    next_step: usize,
    /// The steps of the last hour.
    recent_steps: VecDeque<Moment>,
    /// When the page was last seen to be well.
    last_painted: Option<Moment>,
    last_step: Option<Rc<RecoveryStep>>,
}

/// What is to be done about a page.
#[derive(Debug, PartialEq, Eq)]
enum Recovery {
    Command(PageCommand),
    Restart(String),
}

impl Health {
    fn new(run: RunId, home: Option<String>, past: RecoveryHistory, now: Moment) -> Self {
        Self {
            run,
            start_url: home,
            starting_until: Some(now + STARTUP_TIMEOUT),
            status: PageStatus {
                state: PageState::Loading,
                since: now,
                url: None,
                title: None,
                reason: None,
                last_painted: past.last_painted,
                last_step: past.last_step.clone(),
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
            history: past,
        }
    }

    fn set_state(&mut self, state: PageState, reason: Option<String>, now: Moment) {
        if self.status.state != state {
            self.status.state = state;
            self.status.since = now;
        }
        self.status.reason = reason;
        // Of a page that is well it is now, which would be news at every look.
        let is_well = state == PageState::Healthy;
        self.status.last_painted = self.history.last_painted.filter(|_| !is_well);
    }

    /// Something is done about the page. What was on the screen before the first thing stands for all that are done
    /// until the page is well, where no other picture comes.
    fn record_step(&mut self, what: String, now: Moment) {
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

    /// What was on the screen before what is done now.
    fn set_evidence(&mut self, picture: Screenshot, now: Moment) {
        if let Some(step) = &self.history.last_step {
            let evidence = Some((now, picture));
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
        // A tab that is empty is on its way to an address, and none itself.
        if url != EMPTY_TAB {
            self.status.url = Some(url);
        }
        self.status.title = title;
    }

    /// Something was seen; what is to be done about it.
    fn handle_observation(&mut self, sight: PageObservation, now: Moment) -> Option<Recovery> {
        if !matches!(sight, PageObservation::Unresponsive) {
            self.unanswered = 0;
        }
        if !matches!(sight, PageObservation::BrowserUnresponsive) {
            self.silent = 0;
        }
        if !matches!(sight, PageObservation::Blank { .. }) {
            self.blank_since = None;
        }
        if !shows_built_in(&sight) {
            self.built_in_since = None;
        }
        if self.is_starting(&sight, now) {
            self.set_state(PageState::Loading, None, now);
            self.due = Some(now + RECHECK_PAUSE);
            return None;
        }
        match sight {
            // The page of our own is on its way ...
            PageObservation::Loading { url } if is_built_in(&url) => None,
            // ... or is there.
            sight if shows_built_in(&sight) => {
                self.handle_unexpected_built_in(now);
                if now.since(*self.built_in_since.get_or_insert(now)) >= FORGIVING_PERIOD {
                    self.history.next_step = 0;
                }
                None
            }
            // The browser tries by itself what could not be loaded: what comes of it will be seen.
            PageObservation::Loading { url } if self.replaced.is_some() && !url.is_empty() => None,
            PageObservation::Loading { url } => {
                // Without an address there is no page, ours neither; the one to be shown is still the one there was.
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
                self.recover(PageState::Blank, "the page does not come", now)
            }
            PageObservation::Painted { url, title } => {
                self.replaced = None;
                self.set_page(url, Some(title));
                self.history.last_painted = Some(now);
                self.set_state(PageState::Healthy, None, now);
                // What was done has helped: whatever comes next is another matter.
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
                self.recover(PageState::Blank, "nothing is on the page", now)
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
                self.recover(PageState::Crashed, "what draws the page has died", now)
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

    /// Whether this is what a browser looks like that has not come to its page yet: it is busy with itself, or shows the
    /// empty tab that it begins with.
    fn is_starting(&mut self, sight: &PageObservation, now: Moment) -> bool {
        match sight {
            PageObservation::Unresponsive | PageObservation::BrowserUnresponsive => {}
            PageObservation::Blank { url, .. } if url == EMPTY_TAB => {}
            // Where it is told of, the page is still to come.
            PageObservation::Loading { .. } => return false,
            _ => self.starting_until = None,
        }
        self.starting_until.is_some_and(|until| now < until)
    }

    /// The page is not well: the next rung, unless one was climbed just now or too many were this hour.
    fn recover(&mut self, state: PageState, why: &str, now: Moment) -> Option<Recovery> {
        self.set_state(state, Some(why.to_owned()), now);
        self.due = Some(now + RECHECK_PAUSE);
        // What was seen is still the page before ours.
        if self.is_built_in_loading() || now < self.not_before {
            return None;
        }
        while (self.history.recent_steps.front()).is_some_and(|step| now.since(*step) >= HOUR) {
            self.history.recent_steps.pop_front();
        }
        if self.history.recent_steps.len() >= STEPS_PER_HOUR {
            let next = *self.history.recent_steps.front()? + HOUR;
            self.not_before = next;
            // To try an address is no step.
            self.due = Some(match self.replaced {
                Some(_) => next.min(now + self.retry_pause(now)),
                None => next,
            });
            return None;
        }
        self.history.recent_steps.push_back(now);
        self.not_before = now + STEP_GRACE;
        self.replaced = None;
        let rung = self.history.next_step;
        self.history.next_step = (rung + 1) % RECOVERY_STEPS;
        Some(match (rung, self.target_url()) {
            (0, _) => Recovery::Command(PageCommand::Reload),
            (1, Some(url)) => Recovery::Command(PageCommand::NewTab { url }),
            // To an address that only its command line knows, there is no other way.
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

    /// Where the browser is to be: the address that was seen last, or else the one it was started with.
    fn target_url(&self) -> Option<String> {
        let seen = self.status.url.clone().filter(|url| !url.is_empty());
        seen.or_else(|| self.start_url.clone())
    }

    /// The page could not be loaded: ours says so, once, and it is tried again.
    fn handle_not_loaded(&mut self, url: String, error: String, now: Moment) -> Option<Recovery> {
        let since = match &self.replaced {
            Some((address, since)) if *address == url => *since,
            _ => now,
        };
        let is_said =
            self.is_built_in_loading() || self.replaced.is_some() && now < self.announced_until;
        self.set_page(url.clone(), None);
        self.set_state(PageState::NetError, Some(error.clone()), now);
        self.replaced = Some((url.clone(), since));
        self.due = Some(now + self.retry_pause(now));
        if is_said {
            return None;
        }
        self.announced_until = now + RARE_PAUSE;
        Some(Recovery::Command(PageCommand::ShowBuiltIn(
            BuiltIn::Offline { url, error },
        )))
    }

    /// A page of our own is on its way: what is seen is still the one before it.
    fn is_built_in_loading(&self) -> bool {
        let is_ours = |order: &PageCommand| matches!(order, PageCommand::ShowBuiltIn(_));
        self.commands_in_flight.iter().any(is_ours)
    }

    /// A page of our own is there, also where nobody remembers for which: an operator's wish came to nothing, or another
    /// daemon has shown it.
    fn handle_unexpected_built_in(&mut self, now: Moment) {
        if let (None, Some(url)) = (&self.replaced, self.target_url()) {
            self.set_page(url.clone(), None);
            let why = self.status.reason.take();
            let why = why.unwrap_or_else(|| "a page of our own stands for it".to_owned());
            self.set_state(PageState::NetError, Some(why), now);
            self.replaced = Some((url, now));
            self.due = Some(now);
        }
    }

    /// Until the address is tried again.
    fn retry_pause(&self, now: Moment) -> Duration {
        match &self.replaced {
            Some((_, since)) if now.since(*since) >= FREQUENT_PERIOD => RARE_PAUSE,
            _ => FREQUENT_PAUSE,
        }
    }

    /// It is time to look, or to try the address again.
    fn handle_due(&mut self, now: Moment) -> PageCommand {
        // One that was missed is looked for again first.
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

    /// An order of ours is not under way any more.
    fn end_command(&mut self, order: &PageCommand) {
        if let Some(place) = self
            .commands_in_flight
            .iter()
            .position(|other| other == order)
        {
            self.commands_in_flight.remove(place);
        }
    }

    /// An order of ours was carried out.
    fn handle_done(&mut self, order: &PageCommand, done: &PageCommandResult) {
        // A page that was led to its address is on the screen: ours is not, whatever comes of the other.
        if let (PageCommand::Navigate { .. }, PageCommandResult::Done) = (order, done) {
            self.replaced = None;
        }
    }

    /// An order of ours came to nothing; what is to be done next because of it.
    fn handle_failure(&mut self, order: &PageCommand, now: Moment) -> Option<PageCommand> {
        match order {
            // The browser has a page of its own that says so. Ours is shown again later.
            PageCommand::ShowBuiltIn(BuiltIn::Offline { .. }) => {
                self.announced_until = now + FREQUENT_PERIOD
            }
            PageCommand::ShowBuiltIn(_) => {
                self.replaced = None;
                self.due = Some(now + RECHECK_PAUSE);
            }
            // Its server is away as before. Or ours is not there any more, or the browser, which only a look tells.
            PageCommand::Navigate { .. } if self.replaced.is_some() => {
                return Some(PageCommand::Observe);
            }
            _ => {}
        }
        None
    }

    /// The run whose page it is.
    pub(in crate::supervisor) fn run(&self) -> RunId {
        self.run
    }

    /// How the page fares.
    pub(in crate::supervisor) fn status(&self) -> &PageStatus {
        &self.status
    }

    /// Whether the page itself is on the screen, and no built-in page in its place.
    pub(in crate::supervisor) fn shows_page(&self) -> bool {
        self.status.state != PageState::NetError && self.replaced.is_none()
    }

    /// The network is back: a page that could not be loaded is tried now.
    pub(in crate::supervisor) fn retry_now(&mut self, now: Moment) {
        if self.replaced.is_some() {
            self.due = Some(now);
        }
    }

    /// The screen is another one: the page is looked at before long, which makes it as large as the screen. A page
    /// that is tried again at its time is not tried earlier for a loose plug.
    fn observe_soon(&mut self, now: Moment) {
        // What cannot be seen at all is not looked at either.
        if self.replaced.is_none() && self.status.state != PageState::Unknown {
            let soon = now + RESIZE_PAUSE;
            self.due = Some(self.due.map_or(soon, |due| due.min(soon)));
        }
    }

    /// When to do something, where no order of ours is under way.
    fn deadline(&self) -> Option<Moment> {
        self.due.filter(|_| self.commands_in_flight.is_empty())
    }
}

/// The rung that restarts the browser, and how many there are.
const RESTART_STEP: usize = 2;
const RECOVERY_STEPS: usize = 4;

/// What a browser shows before its page.
const EMPTY_TAB: &str = "about:blank";

/// Pages of our own have no address that a server could have.
fn is_built_in(url: &str) -> bool {
    ["about:welcome", "about:offline", "about:failed"].contains(&url)
}

/// Whether a page of our own is on the screen.
fn shows_built_in(sight: &PageObservation) -> bool {
    match sight {
        PageObservation::Painted { url, .. } | PageObservation::Blank { url, .. } => {
            is_built_in(url)
        }
        _ => false,
    }
}

impl Supervisor {
    /// A run can be looked at from now on.
    pub(in crate::supervisor) fn watch_page(&mut self, run: RunId, now: Moment) {
        let Some(index) = self.runs.get(&run).copied() else {
            return;
        };
        // What runs counts: the configuration may have changed since.
        let running = self.machines[index].running();
        let Some(process) = running.filter(|process| process.is_display()) else {
            return;
        };
        let home = process.url.clone();
        // What was done for the run before counts on, if it was of this process.
        let past = match self.health.take() {
            Some((id, health)) if id == self.machines[index].process.id => health.history,
            _ => RecoveryHistory::default(),
        };
        let mut health = Health::new(run, home, past, now);
        // One that an earlier daemon has started has had its time.
        if let Some(started) = self.machines[index].started() {
            health.starting_until = Some(started + STARTUP_TIMEOUT);
        }
        self.health = Some((self.machines[index].process.id.clone(), health));
        self.publish_page_status(index);
    }

    /// The operator does something about the page: what was, is forgotten.
    pub(in crate::supervisor) fn reset_page_recovery(&mut self, run: RunId) {
        if let Some((_, health)) = &mut self.health
            && health.run == run
        {
            (health.history.next_step, health.history.recent_steps) = Default::default();
            health.replaced = None;
        }
    }

    /// Something was seen of a page.
    pub(in crate::supervisor) fn handle_page_observed(
        &mut self,
        run: RunId,
        sight: PageObservation,
        now: Moment,
    ) {
        let Some(index) = self.driven_page(run) else {
            return;
        };
        let Some((_, health)) = &mut self.health else {
            return;
        };
        match health.handle_observation(sight, now) {
            None => {}
            Some(Recovery::Command(order)) => self.run_recovery(index, order, now),
            Some(Recovery::Restart(why)) => {
                self.record_recovery(index, format!("{why}; the browser is restarted"), now);
                self.restart_browser(index, Reason::PageRecovery(why), now);
            }
        }
        self.publish_page_status(index);
    }

    /// An order of the mind was carried out, or could not be: what comes of it will be seen.
    pub(in crate::supervisor) fn handle_page_command_done(
        &mut self,
        run: RunId,
        order: &PageCommand,
        result: Result<PageCommandResult, Failure>,
        now: Moment,
    ) {
        let index = self.driven_page(run);
        let Some((_, health)) = &mut self.health else {
            return;
        };
        if health.run != run {
            return;
        }
        health.end_command(order);
        match (result, index) {
            (Ok(PageCommandResult::Evidence(Some(picture))), _) => {
                health.set_evidence(picture, now);
                if let Some(index) = self.runs.get(&run) {
                    self.publish_page_status(*index);
                }
            }
            (Ok(done), _) => health.handle_done(order, &done),
            (Err(failure), Some(index)) => {
                let next = health.handle_failure(order, now);
                if matches!(order, PageCommand::ShowBuiltIn(_)) {
                    self.log_page(index, &failure.to_string());
                }
                if let Some(order) = next {
                    self.send_page_command(run, order);
                }
            }
            (Err(_), None) => {}
        }
    }

    /// A screen has become another one, perhaps that of the page.
    pub(in crate::supervisor) fn observe_page_soon(&mut self, now: Moment) {
        if let Some((_, health)) = &mut self.health {
            health.observe_soon(now);
        }
    }

    /// When a page is to be looked at.
    pub(in crate::supervisor) fn page_deadline(&self) -> Option<Moment> {
        let (_, health) = self.health.as_ref()?;
        self.driven_page(health.run)?;
        health.deadline()
    }

    /// Looks at the page, where it is time to.
    pub(in crate::supervisor) fn update_page(&mut self, now: Moment) {
        if self.page_deadline().is_none_or(|deadline| deadline > now) {
            return;
        }
        let Some((_, health)) = &mut self.health else {
            return;
        };
        let order = health.handle_due(now);
        let run = health.run;
        self.send_page_command(run, order);
    }

    /// Restarts the browser, for the sake of its page.
    pub(in crate::supervisor) fn restart_browser(
        &mut self,
        index: usize,
        reason: Reason,
        now: Moment,
    ) {
        self.update_machine(index, |machine, out| {
            machine.restart_automatically(reason, now, out)
        });
    }

    /// The machine of a run whose page can be asked.
    pub(in crate::supervisor) fn driven_page(&self, run: RunId) -> Option<usize> {
        let (_, health) = self.health.as_ref()?;
        let index = *self.runs.get(&run)?;
        let machine = &self.machines[index];
        let lives = machine.pid().is_some() && !machine.is_stopping();
        (health.run == run && lives && !self.shutting_down).then_some(index)
    }

    fn run_recovery(&mut self, index: usize, mut order: PageCommand, now: Moment) {
        let Some((_, health)) = &self.health else {
            return;
        };
        let run = health.run;
        let why = health.status.reason.clone().unwrap_or_default();
        let what = match &mut order {
            PageCommand::Reload => "it is loaded anew",
            PageCommand::NewTab { .. } => "it is loaded in a fresh tab",
            PageCommand::ShowBuiltIn(BuiltIn::Failed { name, .. }) => {
                name.clone_from(&self.machines[index].process.name);
                "everything was tried; a page of our own is shown"
            }
            _ => "a page of our own says so until it comes",
        };
        if !matches!(order, PageCommand::ShowBuiltIn(BuiltIn::Offline { .. })) {
            self.send_page_command(run, PageCommand::CaptureEvidence);
        }
        self.record_recovery(index, format!("{why}; {what}"), now);
        self.send_page_command(run, order);
    }

    /// What is done about the page, in its log and on its card.
    fn record_recovery(&mut self, index: usize, what: String, now: Moment) {
        self.log_page(index, &what);
        if let Some((_, health)) = &mut self.health {
            health.record_step(what, now);
        }
    }

    pub(in crate::supervisor) fn send_page_command(&mut self, run: RunId, order: PageCommand) {
        if let Some((_, health)) = &mut self.health {
            health.commands_in_flight.push(order.clone());
        }
        self.actions.push_back(Action::RunPageCommand {
            run,
            command: order,
            ticket: None,
        });
    }

    pub(in crate::supervisor) fn log_page(&mut self, index: usize, text: &str) {
        self.actions.push_back(Action::Note {
            process: self.machines[index].process.id.clone(),
            text: format!("page: {text}"),
        });
    }

    /// Has the status of the process show the page as it is now: its health, and what its connection makes of that.
    pub(in crate::supervisor) fn publish_page_status(&mut self, index: usize) {
        let Some((_, health)) = &self.health else {
            return;
        };
        let mut status = PageStatus {
            server_reachable: self.is_page_server_reachable(health.run),
            ..health.status.clone()
        };
        // The page answers as before, but what people see is a notice, or a page that is paused.
        if status.state == PageState::Healthy
            && let Some(since) = self.connection.affects(health.run)
        {
            status.state = PageState::NetError;
            status.since = since;
            status.reason = Some("its server cannot be reached".to_owned());
            status.last_painted = Some(since);
        }
        let machine = &mut self.machines[index];
        if machine.page_status.as_deref() != Some(&status) {
            machine.page_status = Some(Rc::new(status));
            self.updated.push(index);
        }
    }
}

#[cfg(test)]
mod tests;
