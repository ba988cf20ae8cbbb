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
pub const PAUSE: Duration = Duration::from_secs(6);

/// Until a page is looked at whose screen has become another one: a window manager needs as long, where there is one.
const RESIZED: Duration = Duration::from_secs(1);

/// Until a page that was not well is looked at again.
const SOON: Duration = Duration::from_secs(2);

/// How long a page may be empty: a slow program on a small board is still drawing nothing.
pub const BLANK: Duration = Duration::from_secs(15);

/// How long a browser that was started may take until something of its page is there. On a small board with a slow card
/// that is most of a minute, and whoever restarts it meanwhile has it begin anew.
const COLD: Duration = Duration::from_secs(180);

/// How long a page may be on its way with nothing to be seen: a script that never comes holds it up for ever.
pub const STALLED: Duration = Duration::from_secs(60);

/// How long a page has to be well until its past counts no more.
const FORGIVEN: Duration = Duration::from_secs(60);

/// How long a step may take to show.
const GRACE: Duration = Duration::from_secs(10);

/// Steps in any hour. A page that is never well does not keep the device busy.
pub const STEPS_MAX: usize = 12;

/// The span of [`STEPS_MAX`].
pub const HOUR: Duration = Duration::from_secs(3600);

/// A server that is away is asked often for so long ...
const IMPATIENT: Duration = Duration::from_secs(300);
/// ... so often, ...
const OFTEN: Duration = Duration::from_secs(4);
/// ... and then so.
const SELDOM: Duration = Duration::from_secs(30);

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
    pub last_step: Option<Rc<Step>>,
    /// Whether its server takes connections, where it has one and that is known.
    pub server_reachable: Option<bool>,
}

/// Something that was done for a page that was not well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
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
    home: Option<String>,
    /// Until when its browser may be starting: until its page was seen, and no longer than this.
    cold_until: Option<Moment>,
    status: PageStatus,
    /// When to do something next: look, or try the address again.
    due: Option<Moment>,
    /// Orders of ours that are being carried out.
    under_way: Vec<PageCommand>,
    /// Looks in a row that were not answered.
    unanswered: u32,
    /// Looks in a row that the browser itself did not answer.
    silent: u32,
    /// Since when it has been empty.
    blank: Option<Moment>,
    /// The address that a page of our own stands for, and since when.
    stands_for: Option<(String, Moment)>,
    /// Since when it was seen to stand there, look by look.
    ours_since: Option<Moment>,
    /// Until when an address that cannot be loaded is not said again to be one.
    said_until: Moment,
    /// What it takes until the next rung is climbed.
    not_before: Moment,
    past: Past,
}

/// What outlives the run: its restart is one of the rungs of the ladder.
#[derive(Clone, Debug, Default)]
struct Past {
    /// How far the ladder was climbed.
    rung: usize,
    /// The steps of the last hour.
    steps: VecDeque<Moment>,
    /// When the page was last seen to be well.
    painted: Option<Moment>,
    last_step: Option<Rc<Step>>,
}

/// What is to be done about a page.
#[derive(Debug, PartialEq, Eq)]
enum Remedy {
    Order(PageCommand),
    Restart(String),
}

impl Health {
    fn new(run: RunId, home: Option<String>, past: Past, now: Moment) -> Self {
        Self {
            run,
            home,
            cold_until: Some(now + COLD),
            status: PageStatus {
                state: PageState::Loading,
                since: now,
                url: None,
                title: None,
                reason: None,
                last_painted: past.painted,
                last_step: past.last_step.clone(),
                server_reachable: None,
            },
            due: Some(now + PAUSE),
            under_way: Vec::new(),
            unanswered: 0,
            silent: 0,
            blank: None,
            stands_for: None,
            ours_since: None,
            said_until: now,
            not_before: now,
            past,
        }
    }

    fn become_(&mut self, state: PageState, reason: Option<String>, now: Moment) {
        if self.status.state != state {
            self.status.state = state;
            self.status.since = now;
        }
        self.status.reason = reason;
        // Of a page that is well it is now, which would be news at every look.
        let is_well = state == PageState::Healthy;
        self.status.last_painted = self.past.painted.filter(|_| !is_well);
    }

    /// Something is done about the page. What was on the screen before the first thing stands for all that are done
    /// until the page is well, where no other picture comes.
    fn record(&mut self, what: String, now: Moment) {
        let painted = self.past.painted;
        let before = (self.past.last_step.take())
            .filter(|step| painted.is_none_or(|painted| painted < step.at));
        let step = Step {
            at: now,
            state: self.status.state,
            what,
            evidence: before.and_then(|step| step.evidence.clone()),
        };
        self.keep(step);
    }

    /// What was on the screen before what is done now.
    fn take_evidence(&mut self, picture: Screenshot, now: Moment) {
        if let Some(step) = &self.past.last_step {
            let evidence = Some((now, picture));
            self.keep(Step {
                evidence,
                ..Step::clone(step)
            });
        }
    }

    fn keep(&mut self, step: Step) {
        self.past.last_step = Some(Rc::new(step));
        self.status.last_step = self.past.last_step.clone();
    }

    fn show(&mut self, url: String, title: Option<String>) {
        // A tab that is empty is on its way to an address, and none itself.
        if url != EMPTY_TAB {
            self.status.url = Some(url);
        }
        self.status.title = title;
    }

    /// Something was seen; what is to be done about it.
    fn handle_sight(&mut self, sight: PageObservation, now: Moment) -> Option<Remedy> {
        if !matches!(sight, PageObservation::Unanswered) {
            self.unanswered = 0;
        }
        if !matches!(sight, PageObservation::Silent) {
            self.silent = 0;
        }
        if !matches!(sight, PageObservation::Blank { .. }) {
            self.blank = None;
        }
        if !is_ours_there(&sight) {
            self.ours_since = None;
        }
        if self.is_starting(&sight, now) {
            self.become_(PageState::Loading, None, now);
            self.due = Some(now + SOON);
            return None;
        }
        match sight {
            // The page of our own is on its way ...
            PageObservation::Loading { url } if is_ours(&url) => None,
            // ... or is there.
            sight if is_ours_there(&sight) => {
                self.stand_again(now);
                if now.since(*self.ours_since.get_or_insert(now)) >= FORGIVEN {
                    self.past.rung = 0;
                }
                None
            }
            // The browser tries by itself what could not be loaded: what comes of it will be seen.
            PageObservation::Loading { url } if self.stands_for.is_some() && !url.is_empty() => {
                None
            }
            PageObservation::Loading { url } => {
                // Without an address there is no page, ours neither; the one to be shown is still the one there was.
                match url.is_empty() {
                    true => self.stands_for = None,
                    false => self.show(url, None),
                }
                self.become_(PageState::Loading, None, now);
                self.due = Some(now + PAUSE);
                let is_cold = self.cold_until.is_some_and(|until| now < until);
                if is_cold || now.since(self.status.since) < STALLED {
                    return None;
                }
                self.sick(PageState::Blank, "the page does not come", now)
            }
            PageObservation::Painted { url, title } => {
                self.stands_for = None;
                self.show(url, Some(title));
                self.past.painted = Some(now);
                self.become_(PageState::Healthy, None, now);
                // What was done has helped: whatever comes next is another matter.
                self.not_before = now;
                if now.since(self.status.since) >= FORGIVEN {
                    self.past.rung = 0;
                }
                self.due = Some(now + PAUSE);
                None
            }
            PageObservation::Blank { url, title } => {
                self.show(url, Some(title));
                let since = *self.blank.get_or_insert(now);
                self.due = Some(now + SOON);
                if now.since(since) < BLANK {
                    return None;
                }
                self.sick(PageState::Blank, "nothing is on the page", now)
            }
            PageObservation::Unanswered => {
                self.unanswered += 1;
                self.due = Some(now);
                if self.unanswered < 2 {
                    return None;
                }
                self.sick(PageState::Hung, "the page does not answer", now)
            }
            PageObservation::Crashed => {
                self.sick(PageState::Crashed, "what draws the page has died", now)
            }
            PageObservation::Silent => {
                self.silent += 1;
                self.due = Some(now);
                if self.silent < 2 {
                    return None;
                }
                self.past.rung = RESTART;
                self.sick(PageState::Hung, "the browser does not answer", now)
            }
            PageObservation::NotLoaded { url, error } => self.not_loaded(url, error, now),
            PageObservation::Unseen => {
                self.become_(PageState::Unknown, None, now);
                self.due = None;
                None
            }
        }
    }

    /// Whether this is what a browser looks like that has not come to its page yet: it is busy with itself, or shows the
    /// empty tab that it begins with.
    fn is_starting(&mut self, sight: &PageObservation, now: Moment) -> bool {
        match sight {
            PageObservation::Unanswered | PageObservation::Silent => {}
            PageObservation::Blank { url, .. } if url == EMPTY_TAB => {}
            // Where it is told of, the page is still to come.
            PageObservation::Loading { .. } => return false,
            _ => self.cold_until = None,
        }
        self.cold_until.is_some_and(|until| now < until)
    }

    /// The page is not well: the next rung, unless one was climbed just now or too many were this hour.
    fn sick(&mut self, state: PageState, why: &str, now: Moment) -> Option<Remedy> {
        self.become_(state, Some(why.to_owned()), now);
        self.due = Some(now + SOON);
        // What was seen is still the page before ours.
        if self.is_ours_to_come() || now < self.not_before {
            return None;
        }
        while (self.past.steps.front()).is_some_and(|step| now.since(*step) >= HOUR) {
            self.past.steps.pop_front();
        }
        if self.past.steps.len() >= STEPS_MAX {
            let next = *self.past.steps.front()? + HOUR;
            self.not_before = next;
            // To try an address is no step.
            self.due = Some(match self.stands_for {
                Some(_) => next.min(now + self.patience(now)),
                None => next,
            });
            return None;
        }
        self.past.steps.push_back(now);
        self.not_before = now + GRACE;
        self.stands_for = None;
        let rung = self.past.rung;
        self.past.rung = (rung + 1) % RUNGS;
        Some(match (rung, self.address()) {
            (0, _) => Remedy::Order(PageCommand::Reload),
            (1, Some(url)) => Remedy::Order(PageCommand::FreshTarget { url }),
            // To an address that only its command line knows, there is no other way.
            (RESTART, _) | (_, None) => Remedy::Restart(why.to_owned()),
            (_, Some(url)) => {
                self.stands_for = Some((url, now));
                self.due = Some(now + IMPATIENT);
                Remedy::Order(PageCommand::ShowBuiltIn(BuiltIn::Failed {
                    name: String::new(),
                    reason: why.to_owned(),
                }))
            }
        })
    }

    /// Where the browser is to be: the address that was seen last, or else the one it was started with.
    fn address(&self) -> Option<String> {
        let seen = self.status.url.clone().filter(|url| !url.is_empty());
        seen.or_else(|| self.home.clone())
    }

    /// The page could not be loaded: ours says so, once, and it is tried again.
    fn not_loaded(&mut self, url: String, error: String, now: Moment) -> Option<Remedy> {
        let since = match &self.stands_for {
            Some((address, since)) if *address == url => *since,
            _ => now,
        };
        let is_said = self.is_ours_to_come() || self.stands_for.is_some() && now < self.said_until;
        self.show(url.clone(), None);
        self.become_(PageState::NetError, Some(error.clone()), now);
        self.stands_for = Some((url.clone(), since));
        self.due = Some(now + self.patience(now));
        if is_said {
            return None;
        }
        self.said_until = now + SELDOM;
        Some(Remedy::Order(PageCommand::ShowBuiltIn(BuiltIn::Offline {
            url,
            error,
        })))
    }

    /// A page of our own is on its way: what is seen is still the one before it.
    fn is_ours_to_come(&self) -> bool {
        let is_ours = |order: &PageCommand| matches!(order, PageCommand::ShowBuiltIn(_));
        self.under_way.iter().any(is_ours)
    }

    /// A page of our own is there, also where nobody remembers for which: an operator's wish came to nothing, or another
    /// daemon has shown it.
    fn stand_again(&mut self, now: Moment) {
        if let (None, Some(url)) = (&self.stands_for, self.address()) {
            self.show(url.clone(), None);
            let why = self.status.reason.take();
            let why = why.unwrap_or_else(|| "a page of our own stands for it".to_owned());
            self.become_(PageState::NetError, Some(why), now);
            self.stands_for = Some((url, now));
            self.due = Some(now);
        }
    }

    /// Until the address is tried again.
    fn patience(&self, now: Moment) -> Duration {
        match &self.stands_for {
            Some((_, since)) if now.since(*since) >= IMPATIENT => SELDOM,
            _ => OFTEN,
        }
    }

    /// It is time to look, or to try the address again.
    fn handle_due(&mut self, now: Moment) -> PageCommand {
        // One that was missed is looked for again first.
        let is_missed = self.unanswered == 1 || self.silent == 1;
        match &self.stands_for {
            Some((url, _)) if !is_missed => {
                self.due = Some(now + self.patience(now));
                PageCommand::Navigate {
                    url: url.clone(),
                    transition: Transition::Cut,
                }
            }
            _ => {
                self.due = Some(now + PAUSE);
                PageCommand::Look
            }
        }
    }

    /// An order of ours is not under way any more.
    fn end_order(&mut self, order: &PageCommand) {
        if let Some(place) = self.under_way.iter().position(|other| other == order) {
            self.under_way.remove(place);
        }
    }

    /// An order of ours was carried out.
    fn handle_done(&mut self, order: &PageCommand, done: &PageCommandResult) {
        // A page that was led to its address is on the screen: ours is not, whatever comes of the other.
        if let (PageCommand::Navigate { .. }, PageCommandResult::Done) = (order, done) {
            self.stands_for = None;
        }
    }

    /// An order of ours came to nothing; what is to be done next because of it.
    fn handle_refusal(&mut self, order: &PageCommand, now: Moment) -> Option<PageCommand> {
        match order {
            // The browser has a page of its own that says so. Ours is shown again later.
            PageCommand::ShowBuiltIn(BuiltIn::Offline { .. }) => self.said_until = now + IMPATIENT,
            PageCommand::ShowBuiltIn(_) => {
                self.stands_for = None;
                self.due = Some(now + SOON);
            }
            // Its server is away as before. Or ours is not there any more, or the browser, which only a look tells.
            PageCommand::Navigate { .. } if self.stands_for.is_some() => {
                return Some(PageCommand::Look);
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
        self.status.state != PageState::NetError && self.stands_for.is_none()
    }

    /// The network is back: a page that could not be loaded is tried now.
    pub(in crate::supervisor) fn hurry(&mut self, now: Moment) {
        if self.stands_for.is_some() {
            self.due = Some(now);
        }
    }

    /// The screen is another one: the page is looked at before long, which makes it as large as the screen. A page
    /// that is tried again at its time is not tried earlier for a loose plug.
    fn look_soon(&mut self, now: Moment) {
        // What cannot be seen at all is not looked at either.
        if self.stands_for.is_none() && self.status.state != PageState::Unknown {
            let soon = now + RESIZED;
            self.due = Some(self.due.map_or(soon, |due| due.min(soon)));
        }
    }

    /// When to do something, where no order of ours is under way.
    fn deadline(&self) -> Option<Moment> {
        self.due.filter(|_| self.under_way.is_empty())
    }
}

/// The rung that restarts the browser, and how many there are.
const RESTART: usize = 2;
const RUNGS: usize = 4;

/// What a browser shows before its page.
const EMPTY_TAB: &str = "about:blank";

/// Pages of our own have no address that a server could have.
fn is_ours(url: &str) -> bool {
    ["about:welcome", "about:offline", "about:failed"].contains(&url)
}

/// Whether a page of our own is on the screen.
fn is_ours_there(sight: &PageObservation) -> bool {
    match sight {
        PageObservation::Painted { url, .. } | PageObservation::Blank { url, .. } => is_ours(url),
        _ => false,
    }
}

impl Supervisor {
    /// A run can be looked at from now on.
    pub(in crate::supervisor) fn watch_page_of(&mut self, run: RunId, now: Moment) {
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
            Some((id, health)) if id == self.machines[index].process.id => health.past,
            _ => Past::default(),
        };
        let mut health = Health::new(run, home, past, now);
        // One that an earlier daemon has started has had its time.
        if let Some(started) = self.machines[index].started() {
            health.cold_until = Some(started + COLD);
        }
        self.health = Some((self.machines[index].process.id.clone(), health));
        self.show_page(index);
    }

    /// The operator does something about the page: what was, is forgotten.
    pub(in crate::supervisor) fn forgive_page(&mut self, run: RunId) {
        if let Some((_, health)) = &mut self.health
            && health.run == run
        {
            (health.past.rung, health.past.steps) = Default::default();
            health.stands_for = None;
        }
    }

    /// Something was seen of a page.
    pub(in crate::supervisor) fn handle_saw(
        &mut self,
        run: RunId,
        sight: PageObservation,
        now: Moment,
    ) {
        let Some(index) = self.page_in_sight(run) else {
            return;
        };
        let Some((_, health)) = &mut self.health else {
            return;
        };
        match health.handle_sight(sight, now) {
            None => {}
            Some(Remedy::Order(order)) => self.remedy(index, order, now),
            Some(Remedy::Restart(why)) => {
                self.explain(index, format!("{why}; the browser is restarted"), now);
                self.restart_browser(index, Reason::ForThePage(why), now);
            }
        }
        self.show_page(index);
    }

    /// An order of the mind was carried out, or could not be: what comes of it will be seen.
    pub(in crate::supervisor) fn handle_obeyed(
        &mut self,
        run: RunId,
        order: &PageCommand,
        result: Result<PageCommandResult, Failure>,
        now: Moment,
    ) {
        let index = self.page_in_sight(run);
        let Some((_, health)) = &mut self.health else {
            return;
        };
        if health.run != run {
            return;
        }
        health.end_order(order);
        match (result, index) {
            (Ok(PageCommandResult::Evidence(Some(picture))), _) => {
                health.take_evidence(picture, now);
                if let Some(index) = self.runs.get(&run) {
                    self.show_page(*index);
                }
            }
            (Ok(done), _) => health.handle_done(order, &done),
            (Err(failure), Some(index)) => {
                let next = health.handle_refusal(order, now);
                if matches!(order, PageCommand::ShowBuiltIn(_)) {
                    self.note_of_page(index, &failure.to_string());
                }
                if let Some(order) = next {
                    self.steer_page(run, order);
                }
            }
            (Err(_), None) => {}
        }
    }

    /// A screen has become another one, perhaps that of the page.
    pub(in crate::supervisor) fn look_at_the_page_soon(&mut self, now: Moment) {
        if let Some((_, health)) = &mut self.health {
            health.look_soon(now);
        }
    }

    /// When a page is to be looked at.
    pub(in crate::supervisor) fn page_deadline(&self) -> Option<Moment> {
        let (_, health) = self.health.as_ref()?;
        self.page_in_sight(health.run)?;
        health.deadline()
    }

    /// Looks at the page, where it is time to.
    pub(in crate::supervisor) fn see_to_the_page(&mut self, now: Moment) {
        if self.page_deadline().is_none_or(|deadline| deadline > now) {
            return;
        }
        let Some((_, health)) = &mut self.health else {
            return;
        };
        let order = health.handle_due(now);
        let run = health.run;
        self.steer_page(run, order);
    }

    /// Restarts the browser, for the sake of its page.
    pub(in crate::supervisor) fn restart_browser(
        &mut self,
        index: usize,
        reason: Reason,
        now: Moment,
    ) {
        self.with(index, |machine, out| machine.restart(reason, now, out));
    }

    /// The machine of a run whose page can be asked.
    pub(in crate::supervisor) fn page_in_sight(&self, run: RunId) -> Option<usize> {
        let (_, health) = self.health.as_ref()?;
        let index = *self.runs.get(&run)?;
        let machine = &self.machines[index];
        let lives = machine.pid().is_some() && !machine.is_stopping();
        (health.run == run && lives && !self.shutting_down).then_some(index)
    }

    fn remedy(&mut self, index: usize, mut order: PageCommand, now: Moment) {
        let Some((_, health)) = &self.health else {
            return;
        };
        let run = health.run;
        let why = health.status.reason.clone().unwrap_or_default();
        let what = match &mut order {
            PageCommand::Reload => "it is loaded anew",
            PageCommand::FreshTarget { .. } => "it is loaded in a fresh tab",
            PageCommand::ShowBuiltIn(BuiltIn::Failed { name, .. }) => {
                name.clone_from(&self.machines[index].process.name);
                "everything was tried; a page of our own is shown"
            }
            _ => "a page of our own says so until it comes",
        };
        if !matches!(order, PageCommand::ShowBuiltIn(BuiltIn::Offline { .. })) {
            self.steer_page(run, PageCommand::KeepEvidence);
        }
        self.explain(index, format!("{why}; {what}"), now);
        self.steer_page(run, order);
    }

    /// What is done about the page, in its log and on its card.
    fn explain(&mut self, index: usize, what: String, now: Moment) {
        self.note_of_page(index, &what);
        if let Some((_, health)) = &mut self.health {
            health.record(what, now);
        }
    }

    pub(in crate::supervisor) fn steer_page(&mut self, run: RunId, order: PageCommand) {
        if let Some((_, health)) = &mut self.health {
            health.under_way.push(order.clone());
        }
        self.actions.push_back(Action::RunPageCommand {
            run,
            command: order,
            ticket: None,
        });
    }

    pub(in crate::supervisor) fn note_of_page(&mut self, index: usize, text: &str) {
        self.actions.push_back(Action::Note {
            process: self.machines[index].process.id.clone(),
            text: format!("page: {text}"),
        });
    }

    /// Has the status of the process show the page as it is now: its health, and what its connection makes of that.
    pub(in crate::supervisor) fn show_page(&mut self, index: usize) {
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
        if machine.page.as_deref() != Some(&status) {
            machine.page = Some(Rc::new(status));
            self.touched.push(index);
        }
    }
}

#[cfg(test)]
mod tests;
