//! Tests with screens that switch back, hang, or report a false state.

use super::*;
use crate::supervisor::backoff::ATTEMPTS_PER_HOUR;
use crate::supervisor::interface::{Backend, Failure};

/// A screen and its simulated backend.
struct Stage {
    display: Display,
    power: Power,
    now: Moment,
    /// Whether it is on.
    is_on: bool,
    /// How the backend behaves.
    behavior: Behavior,
    switches: Vec<(Moment, bool)>,
    reads: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Behavior {
    Works,
    /// It reports success without an effect.
    NoEffect,
    /// It never answers.
    Hangs,
    /// It cannot read whether the screen is on.
    Unreadable,
    /// It fails with an error.
    Fails,
}

impl Stage {
    fn new(behavior: Behavior) -> Self {
        let mut stage = Self {
            display: Display::X(0),
            power: Power::default(),
            now: Moment::from_boot(Duration::from_secs(100)),
            is_on: true,
            behavior,
            switches: Vec::new(),
            reads: 0,
        };
        stage.recheck();
        stage.pass(Duration::from_secs(60));
        stage
    }

    fn recheck(&mut self) {
        let mut out = VecDeque::new();
        let connector = Some("HDMI-A-1");
        self.power
            .recheck(&self.display, connector, self.now, &mut out);
        self.perform(out);
    }

    fn request(&mut self, on: bool) {
        let mut out = VecDeque::new();
        self.power.request(&self.display, on, self.now, &mut out);
        self.perform(out);
    }

    /// Runs actions; the backend answers at once.
    fn perform(&mut self, mut out: VecDeque<Action>) {
        while let Some(action) = out.pop_front() {
            match action {
                Action::SwitchPower { on, .. } => {
                    self.switches.push((self.now, on));
                    if matches!(self.behavior, Behavior::Works | Behavior::Unreadable) {
                        self.is_on = on;
                    }
                }
                Action::ReadPower { .. } => self.reads += 1,
                other => panic!("{other:?}"),
            }
            let report = PowerReport {
                backend: Some(Backend::Dpms),
                actual: (self.behavior != Behavior::Unreadable).then_some(self.is_on),
                failure: (self.behavior == Behavior::Fails).then(|| Failure::system("no cable")),
            };
            if self.behavior != Behavior::Hangs {
                let (display, now) = (&self.display, self.now);
                self.power.handle_report(display, report, now, &mut out);
            }
        }
    }

    /// Advances the time from deadline to deadline.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(deadline) = self.power.deadline().filter(|deadline| *deadline <= end) {
            self.now = deadline.max(self.now);
            let mut out = VecDeque::new();
            self.power
                .handle_deadline(&self.display, self.now, &mut out);
            self.perform(out);
            let next = self.power.deadline();
            assert!(next.is_none_or(|next| next > self.now), "the clock stands");
        }
        self.now = end;
    }

    fn problem(&self) -> &str {
        self.power.status().problem.as_deref().unwrap_or_default()
    }
}

const DAY: Duration = Duration::from_secs(24 * 3600);

#[test]
fn a_screen_without_a_request_is_read_once_and_never_switched() {
    let mut stage = Stage::new(Behavior::Works);
    stage.pass(DAY);
    assert!(stage.switches.is_empty());
    assert_eq!(stage.reads, 1);
    assert_eq!(stage.power.deadline(), None);
    assert_eq!(stage.power.status().actual, Some(true));
    assert_eq!(stage.power.status().requested, None);
}

#[test]
fn a_screen_that_stays_as_requested_is_switched_once() {
    let mut stage = Stage::new(Behavior::Works);
    stage.request(false);
    stage.pass(DAY);
    assert_eq!(stage.switches.len(), 1);
    assert_eq!(stage.power.status().actual, Some(false));
    stage.request(true);
    stage.pass(DAY);
    assert_eq!(stage.switches.len(), 2);
    assert_eq!(stage.problem(), "");
    // A screen that is on as requested needs no checks.
    assert_eq!(stage.power.deadline(), None);
}

#[test]
fn a_screen_that_switches_back_on_is_switched_off_again() {
    let mut stage = Stage::new(Behavior::Works);
    stage.request(false);
    stage.pass(Duration::from_secs(2));
    stage.is_on = true;
    stage.pass(Duration::from_secs(10));
    assert!(!stage.is_on);
    assert_eq!(stage.switches.len(), 2);
    // Hours later, without a report.
    stage.pass(Duration::from_secs(7200));
    stage.is_on = true;
    stage.pass(OFF_CHECK_INTERVAL + Duration::from_secs(5));
    assert!(!stage.is_on);
}

#[test]
fn a_backend_without_effect_is_noticed_and_not_asked_for_ever() {
    let mut stage = Stage::new(Behavior::NoEffect);
    stage.request(false);
    let status = stage.power.status();
    assert_eq!((status.requested, status.actual), (Some(false), Some(true)));
    assert_eq!(
        stage.problem(),
        "the screen is on, although dpms was asked to switch it off"
    );
    stage.pass(DAY);
    let status = stage.power.status();
    assert_eq!((status.requested, status.actual), (Some(false), Some(true)));
    assert!(
        stage.problem().contains("retrying later"),
        "{}",
        stage.problem()
    );
    let hour = Duration::from_secs(3600);
    for (at, _) in &stage.switches[1..] {
        let within = (stage.switches[1..].iter())
            .filter(|(other, _)| other >= at && other.since(*at) < hour);
        assert!(within.count() <= ATTEMPTS_PER_HOUR);
    }
    // It never gives up either.
    assert!(stage.switches.len() > 24);
    stage.behavior = Behavior::Works;
    stage.pass(hour + hour);
    assert!(!stage.is_on && stage.problem().is_empty());
}

#[test]
fn an_answer_that_does_not_arrive_is_not_awaited() {
    let mut stage = Stage::new(Behavior::Works);
    stage.behavior = Behavior::Hangs;
    stage.request(false);
    stage.pass(ANSWER_TIMEOUT);
    assert_eq!(stage.problem(), "no answer within 30 s");
    assert_eq!(stage.power.status().actual, None);
    stage.pass(DAY);
    assert!((2..=1 + ATTEMPTS_PER_HOUR * 25).contains(&stage.switches.len()));
    stage.behavior = Behavior::Works;
    stage.pass(Duration::from_secs(7200));
    assert_eq!(stage.power.status().actual, Some(false));
}

#[test]
fn a_screen_that_cannot_be_read_is_reported_and_not_switched_again() {
    let mut stage = Stage::new(Behavior::Unreadable);
    stage.request(false);
    stage.pass(DAY);
    assert_eq!(stage.switches.len(), 1);
    assert_eq!(stage.power.status().actual, None);
    assert_eq!(
        stage.problem(),
        "dpms does not say whether the screen is on"
    );
}

#[test]
fn why_a_switch_failed_is_shown_until_it_works() {
    let mut stage = Stage::new(Behavior::Works);
    stage.behavior = Behavior::Fails;
    stage.request(false);
    assert_eq!(stage.problem(), "no cable");
    stage.behavior = Behavior::Works;
    stage.pass(Duration::from_secs(600));
    assert_eq!(stage.problem(), "");
    assert!(!stage.is_on);
}

#[test]
fn the_last_of_two_requests_counts() {
    let mut stage = Stage::new(Behavior::Works);
    let mut out = VecDeque::new();
    stage
        .power
        .request(&Display::X(0), false, stage.now, &mut out);
    stage
        .power
        .request(&Display::X(0), true, stage.now, &mut out);
    assert_eq!(out.len(), 1, "the second waits for the first: {out:?}");
    stage.perform(out);
    assert!(stage.is_on);
    assert_eq!(stage.switches.last().map(|(_, on)| *on), Some(true));
    assert_eq!(stage.problem(), "");
}

#[test]
fn a_loose_plug_causes_a_read_every_two_seconds_at_most() {
    let mut stage = Stage::new(Behavior::Works);
    let before = stage.reads;
    for _ in 0..1000 {
        stage.recheck();
        stage.pass(Duration::from_millis(100));
    }
    let reads = stage.reads - before;
    assert!((40..=51).contains(&reads), "{reads}");
    assert!(stage.switches.is_empty());
}
