//! Screens that lie, hang, and come back, against a clock in the hand.

use super::*;
use crate::supervisor::backoff::ATTEMPTS_PER_HOUR;

/// A screen, and the hands that switch it.
struct Stage {
    display: Display,
    power: Power,
    now: Moment,
    /// Whether it is on.
    lit: bool,
    /// What a switch does.
    mood: Mood,
    switches: Vec<(Moment, bool)>,
    looks: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Works,
    /// It says yes, and nothing happens.
    Lies,
    /// Nothing is ever answered.
    Hangs,
    /// It cannot be asked whether it is on.
    Blind,
    /// It says why not.
    Fails,
}

impl Stage {
    fn new(mood: Mood) -> Self {
        let mut stage = Self {
            display: Display::X(0),
            power: Power::default(),
            now: Moment::from_boot(Duration::from_secs(100)),
            lit: true,
            mood,
            switches: Vec::new(),
            looks: 0,
        };
        stage.stir();
        stage.pass(Duration::from_secs(60));
        stage
    }

    fn stir(&mut self) {
        let mut out = VecDeque::new();
        let connector = Some("HDMI-A-1");
        self.power
            .recheck(&self.display, connector, self.now, &mut out);
        self.perform(out);
    }

    fn ask(&mut self, on: bool) {
        let mut out = VecDeque::new();
        self.power.request(&self.display, on, self.now, &mut out);
        self.perform(out);
    }

    /// The hands do what they are told, and answer at once.
    fn perform(&mut self, mut out: VecDeque<Action>) {
        while let Some(action) = out.pop_front() {
            match action {
                Action::SwitchPower { on, .. } => {
                    self.switches.push((self.now, on));
                    if matches!(self.mood, Mood::Works | Mood::Blind) {
                        self.lit = on;
                    }
                }
                Action::ReadPower { .. } => self.looks += 1,
                other => panic!("{other:?}"),
            }
            let report = PowerReport {
                backend: Some(Backend::Dpms),
                actual: (self.mood != Mood::Blind).then_some(self.lit),
                failure: (self.mood == Mood::Fails).then(|| Failure::system("no cable")),
            };
            if self.mood != Mood::Hangs {
                let (display, now) = (&self.display, self.now);
                self.power.handle_report(display, report, now, &mut out);
            }
        }
    }

    /// Lets time pass, deadline by deadline.
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
fn a_screen_nobody_asked_about_is_looked_at_once_and_never_switched() {
    let mut stage = Stage::new(Mood::Works);
    stage.pass(DAY);
    assert!(stage.switches.is_empty());
    assert_eq!(stage.looks, 1);
    assert_eq!(stage.power.deadline(), None);
    assert_eq!(stage.power.status().actual, Some(true));
    assert_eq!(stage.power.status().requested, None);
}

#[test]
fn a_screen_that_stays_as_it_was_asked_for_is_switched_once() {
    let mut stage = Stage::new(Mood::Works);
    stage.ask(false);
    stage.pass(DAY);
    assert_eq!(stage.switches.len(), 1);
    assert_eq!(stage.power.status().actual, Some(false));
    stage.ask(true);
    stage.pass(DAY);
    assert_eq!(stage.switches.len(), 2);
    assert_eq!(stage.problem(), "");
    // One that is on and is to be on needs no watching.
    assert_eq!(stage.power.deadline(), None);
}

#[test]
fn a_screen_that_comes_back_by_itself_is_switched_off_again() {
    let mut stage = Stage::new(Mood::Works);
    stage.ask(false);
    stage.pass(Duration::from_secs(2));
    stage.lit = true;
    stage.pass(Duration::from_secs(10));
    assert!(!stage.lit);
    assert_eq!(stage.switches.len(), 2);
    // Hours later, and nobody tells.
    stage.pass(Duration::from_secs(7200));
    stage.lit = true;
    stage.pass(OFF_CHECK_INTERVAL + Duration::from_secs(5));
    assert!(!stage.lit);
}

#[test]
fn a_backend_that_lies_is_caught_and_not_asked_for_ever() {
    let mut stage = Stage::new(Mood::Lies);
    stage.ask(false);
    let status = stage.power.status();
    assert_eq!((status.requested, status.actual), (Some(false), Some(true)));
    assert_eq!(
        stage.problem(),
        "the screen is on, although dpms was told to switch it off"
    );
    stage.pass(DAY);
    let status = stage.power.status();
    assert_eq!((status.requested, status.actual), (Some(false), Some(true)));
    assert!(
        stage.problem().contains("is tried again later"),
        "{}",
        stage.problem()
    );
    let hour = Duration::from_secs(3600);
    for (at, _) in &stage.switches[1..] {
        let within = (stage.switches[1..].iter())
            .filter(|(other, _)| other >= at && other.since(*at) < hour);
        assert!(within.count() <= ATTEMPTS_PER_HOUR);
    }
    // It is never given up either.
    assert!(stage.switches.len() > 24);
    stage.mood = Mood::Works;
    stage.pass(hour + hour);
    assert!(!stage.lit && stage.problem().is_empty());
}

#[test]
fn hands_that_do_not_come_back_are_not_waited_for() {
    let mut stage = Stage::new(Mood::Works);
    stage.mood = Mood::Hangs;
    stage.ask(false);
    stage.pass(ANSWER_TIMEOUT);
    assert_eq!(stage.problem(), "nothing answered within 30 s");
    assert_eq!(stage.power.status().actual, None);
    stage.pass(DAY);
    assert!((2..=1 + ATTEMPTS_PER_HOUR * 25).contains(&stage.switches.len()));
    stage.mood = Mood::Works;
    stage.pass(Duration::from_secs(7200));
    assert_eq!(stage.power.status().actual, Some(false));
}

#[test]
fn what_cannot_be_read_back_is_said_and_not_repeated() {
    let mut stage = Stage::new(Mood::Blind);
    stage.ask(false);
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
    let mut stage = Stage::new(Mood::Works);
    stage.mood = Mood::Fails;
    stage.ask(false);
    assert_eq!(stage.problem(), "no cable");
    stage.mood = Mood::Works;
    stage.pass(Duration::from_secs(600));
    assert_eq!(stage.problem(), "");
    assert!(!stage.lit);
}

#[test]
fn the_last_of_two_wishes_counts() {
    let mut stage = Stage::new(Mood::Works);
    let mut out = VecDeque::new();
    stage
        .power
        .request(&Display::X(0), false, stage.now, &mut out);
    stage
        .power
        .request(&Display::X(0), true, stage.now, &mut out);
    assert_eq!(out.len(), 1, "the second waits for the first: {out:?}");
    stage.perform(out);
    assert!(stage.lit);
    assert_eq!(stage.switches.last().map(|(_, on)| *on), Some(true));
    assert_eq!(stage.problem(), "");
}

#[test]
fn a_loose_plug_is_looked_at_every_two_seconds_at_most() {
    let mut stage = Stage::new(Mood::Works);
    let before = stage.looks;
    for _ in 0..1000 {
        stage.stir();
        stage.pass(Duration::from_millis(100));
    }
    let looks = stage.looks - before;
    assert!((40..=51).contains(&looks), "{looks}");
    assert!(stage.switches.is_empty());
}
