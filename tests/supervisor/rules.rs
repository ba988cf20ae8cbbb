//! The schedule from an operator's point of view. The test holds both clocks.

use crate::stage::{DiskBehavior, Stage, change_process, id};
use jiff::{SignedDuration, Timestamp};
use ossuary::supervisor::{
    Action, ClockReading, Command, Done, Edit, Ending, Event, Failure, Refusal, RuleOutcome,
    RuleStatus, SavedSchedule, ScheduleBoot, State, Ticket,
};
use ossuary::supervisor::{PageCommand, PageCommandResult};
use ossuary::time::Moment;
use serde_json::{Value, json};
use std::time::Duration;

pub const DAY_PAGE: &str = "https://example.org/day";

/// A Thursday in Berlin, where it is an hour later than at UTC.
pub const MORNING: &str = "2026-11-26T06:00:00Z";

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub fn document(rules: Value) -> Value {
    json!({
        "version": 3,
        "processes": {
            "screen": {"type": "chromium", "url": "https://example.org/", "display": ":0"},
            "night": {"type": "chromium", "url": "https://example.org/night", "display": ":0", "autostart": false},
            "sync": {"command": "sync", "env": {"MODE": "slow"}},
            "extra": {"command": "extra", "autostart": false}
        },
        "active_display_process": "screen",
        "schedule": {"timezone": "Europe/Berlin", "rules": rules}
    })
}

pub fn time(time: &str) -> Value {
    json!({"type": "time", "time": time, "days": ["*"]})
}

pub fn run(name: &str, time: &str) -> Value {
    json!({"id": name, "trigger": self::time(time), "action": {"type": "run_command", "command": name}})
}

pub fn canvas(name: &str, from: &str, until: &str, url: &str) -> Value {
    json!({
        "id": name, "trigger": time(from), "until": until,
        "action": {"type": "switch_canvas", "process_id": "screen", "url": url},
    })
}

pub fn with(mut rule: Value, field: &str, value: Value) -> Value {
    rule[field] = value;
    rule
}

/// A kiosk with a wall clock.
pub struct Kiosk {
    pub stage: Stage,
    pub clock: ClockReading,
}

impl Kiosk {
    pub fn new(rules: Value, wall: &str) -> Kiosk {
        Kiosk::begin(
            document(rules),
            at(wall),
            true,
            SavedSchedule::default(),
            "one",
        )
    }

    pub fn begin(
        document: Value,
        wall: Timestamp,
        trusted: bool,
        saved_schedule: SavedSchedule,
        boot: &str,
    ) -> Kiosk {
        Kiosk::begin_on(&[":0"], document, wall, trusted, saved_schedule, boot)
    }

    /// The same, with these displays.
    pub fn begin_on(
        displays: &[&str],
        document: Value,
        wall: Timestamp,
        trusted: bool,
        saved_schedule: SavedSchedule,
        boot: &str,
    ) -> Kiosk {
        let now = Moment::from_boot(Duration::from_secs(100));
        let clock = ClockReading { at: now, wall };
        let schedule = ScheduleBoot {
            saved: saved_schedule,
            boot: boot.to_owned(),
            clock: trusted.then_some(clock),
            zone: Some((
                ossuary::config::Zone::Named("Europe/Berlin".into()),
                crate::stage::find_zone("Europe/Berlin"),
            )),
        };
        let mut stage = Stage::boot(document, displays, schedule, now);
        let screens = displays.iter().map(|name| (name.parse().unwrap(), true));
        stage.screens = screens.collect();
        stage.perform();
        Kiosk { stage, clock }
    }

    pub fn wall(&self) -> Timestamp {
        self.clock.wall + SignedDuration::try_from(self.stage.now.since(self.clock.at)).unwrap()
    }

    /// Advances the time until the wall clock shows this.
    pub fn until(&mut self, wall: &str) {
        let by = Duration::try_from(at(wall).duration_since(self.wall())).unwrap();
        self.stage.pass(by);
    }

    /// Sets the wall clock.
    pub fn set(&mut self, wall: &str, trusted: bool) {
        self.clock = ClockReading {
            at: self.stage.now,
            wall: at(wall),
        };
        self.stage.handle(Event::Clock {
            reading: self.clock,
            trusted,
        });
    }

    /// The power is cut, and back at this time.
    pub fn lose_power_until(self, wall: &str) -> Kiosk {
        let document = self
            .stage
            .supervisor
            .status()
            .configuration
            .document
            .clone();
        let document = Value::Object(document.as_map().clone());
        let saved_schedule = self.stage.saved_schedule.unwrap_or_default();
        let bytes = saved_schedule.to_bytes();
        let saved_schedule = SavedSchedule::from_bytes(&bytes).unwrap();
        Kiosk::begin(document, at(wall), true, saved_schedule, "another")
    }

    /// The commands that ran since the last call.
    pub fn ran(&mut self) -> Vec<String> {
        let actions = self.stage.actions.drain(..);
        let commands = actions.filter_map(|action| match action {
            Action::RunCommand { command, .. } => Some(command),
            _ => None,
        });
        commands.collect()
    }

    /// An operator shows another page; returns the ticket.
    fn operator_navigates(&mut self) -> Ticket {
        let answer = self.stage.ask(Command::Navigate {
            id: id("screen"),
            url: "https://example.org/mine".into(),
            transition: Default::default(),
        });
        assert!(answer.is_none(), "{answer:?}");
        Ticket(self.stage.next_ticket - 1)
    }

    /// The driver answers the last page command.
    fn answer_page(&mut self, result: Result<PageCommandResult, Failure>) {
        let command = self.stage.actions.iter().rev().find_map(|it| match it {
            Action::RunPageCommand {
                run,
                command,
                requester,
            } => Some((*run, command.clone(), *requester)),
            _ => None,
        });
        let (run, command, requester) = command.unwrap();
        self.stage.handle(Event::PageCommandDone {
            run,
            command,
            requester,
            result,
        });
    }

    /// The URLs shown since the last call, by starting a browser or in a running one.
    pub fn shown(&mut self) -> Vec<String> {
        let actions = self.stage.actions.drain(..);
        let shown = actions.filter_map(|action| match action {
            Action::Spawn { process, .. } if process.is_display() => Some(format!(
                "start {}",
                process.url.as_deref().unwrap_or_default()
            )),
            Action::RunPageCommand {
                command: PageCommand::Navigate { url, .. },
                ..
            } => Some(url),
            _ => None,
        });
        shown.collect()
    }

    pub fn rule(&self, name: &str) -> RuleStatus {
        let rules = &self.stage.supervisor.status().schedule.rules;
        rules
            .iter()
            .find(|rule| rule.id == id(name))
            .unwrap()
            .clone()
    }

    /// The outcome of the latest execution of a rule, and its detail.
    pub fn last(&self, name: &str) -> (RuleOutcome, String) {
        let last = self
            .rule(name)
            .last
            .unwrap_or_else(|| panic!("{name} did nothing"));
        (last.outcome, last.detail.clone().unwrap_or_default())
    }

    pub fn next(&self, name: &str) -> String {
        self.rule(name)
            .next
            .map(|next| next.to_string())
            .unwrap_or_default()
    }

    pub fn field(&self, process: &str, name: &str) -> Value {
        let status = self.stage.supervisor.status();
        status.configuration.document.as_map()["processes"][process][name].clone()
    }
}

// ---- when ----

#[test]
fn a_rule_runs_at_its_second_and_again_the_next_day() {
    let mut kiosk = Kiosk::new(json!([run("a", "08:00:30")]), MORNING);
    assert_eq!(kiosk.next("a"), "2026-11-26T08:00:30+01:00");
    kiosk.until("2026-11-26T07:00:29.999Z");
    assert_eq!(kiosk.ran(), [""; 0]);
    kiosk.until("2026-11-26T07:00:30Z");
    assert_eq!(kiosk.ran(), ["a"]);
    assert_eq!(kiosk.last("a").0, RuleOutcome::Done);
    assert_eq!(kiosk.next("a"), "2026-11-27T08:00:30+01:00");
    kiosk.until("2026-11-28T00:00:00Z");
    assert_eq!(kiosk.ran(), ["a"]);
}

#[test]
fn two_rules_of_one_second_run_in_their_order() {
    let rules = json!([run("b", "08:00"), run("a", "08:00"), run("c", "07:59:59")]);
    let mut kiosk = Kiosk::new(rules, MORNING);
    kiosk.until("2026-11-26T07:00:00Z");
    assert_eq!(kiosk.ran(), ["c", "b", "a"]);
}

#[test]
fn a_time_in_a_gap_is_due_after_it_and_a_repeated_time_the_first_time() {
    let mut kiosk = Kiosk::new(json!([run("a", "02:30")]), "2027-03-27T12:00:00Z");
    assert_eq!(kiosk.next("a"), "2027-03-28T03:00:00+02:00");
    kiosk.until("2027-03-28T01:00:00Z");
    assert_eq!(kiosk.ran(), ["a"]);
    kiosk.until("2027-03-28T12:00:00Z");
    assert_eq!(kiosk.ran(), [""; 0]);
    assert_eq!(kiosk.next("a"), "2027-03-29T02:30:00+02:00");

    let mut kiosk = Kiosk::new(json!([run("a", "02:30")]), "2026-10-24T12:00:00Z");
    assert_eq!(kiosk.next("a"), "2026-10-25T02:30:00+02:00");
    kiosk.until("2026-10-25T00:30:00Z");
    assert_eq!(kiosk.ran(), ["a"]);
    kiosk.until("2026-10-25T12:00:00Z");
    assert_eq!(kiosk.ran(), [""; 0]);
}

#[test]
fn no_rule_with_a_time_runs_before_the_clock_is_trusted_and_the_right_ones_after() {
    let rules = json!([
        run("early", "01:00"),
        run("late", "09:00"),
        canvas("day", "08:00", "18:00", DAY_PAGE),
        {"id": "often", "trigger": {"type": "interval", "minutes": 30}, "action": {"type": "run_command", "command": "often"}},
    ]);
    let epoch = at("1970-01-01T00:00:00Z");
    let mut kiosk = Kiosk::begin(
        document(rules),
        epoch,
        false,
        SavedSchedule::default(),
        "one",
    );
    assert_eq!(
        kiosk.shown(),
        ["start https://example.org/"],
        "the page is there"
    );
    kiosk.stage.pass_seconds(7200);
    assert_eq!(kiosk.ran(), ["often"; 4]);
    assert!(!kiosk.stage.supervisor.status().schedule.clock_trusted);
    assert_eq!(kiosk.next("late"), "");
    kiosk.set("2026-11-26T07:30:00Z", true);
    assert_eq!(kiosk.shown(), [DAY_PAGE]);
    kiosk.until("2026-11-26T08:00:00Z");
    assert_eq!(kiosk.ran(), ["often", "late"]);
}

#[test]
fn a_repeated_time_does_not_run_again() {
    let mut kiosk = Kiosk::new(json!([run("a", "08:00")]), MORNING);
    kiosk.until("2026-11-26T07:30:00Z");
    assert_eq!(kiosk.ran(), ["a"]);
    kiosk.set("2026-11-26T06:30:00Z", true);
    assert_eq!(kiosk.next("a"), "2026-11-27T08:00:00+01:00");
    kiosk.until("2026-11-26T09:00:00Z");
    assert_eq!(kiosk.ran(), [""; 0]);
}

#[test]
fn what_the_clock_jumps_over_is_missed_or_runs_late_once() {
    let rules = json!([
        run("lazy", "08:00"),
        with(run("eager", "09:00"), "catch_up", json!(true)),
    ]);
    let mut kiosk = Kiosk::new(rules, MORNING);
    kiosk.set("2026-11-29T12:00:00Z", true);
    assert_eq!(kiosk.ran(), ["eager"]);
    assert_eq!(kiosk.last("lazy").0, RuleOutcome::Missed);
    // The jump was a mistake: an occurrence that did not run does so at its time, one that ran does not.
    kiosk.set("2026-11-26T06:00:00Z", true);
    kiosk.until("2026-11-26T12:00:00Z");
    assert_eq!(kiosk.ran(), ["lazy", "eager"]);
    kiosk.until("2026-11-29T06:00:00Z");
    assert_eq!(kiosk.ran(), ["lazy", "eager", "lazy", "eager"]);
    kiosk.until("2026-11-29T12:00:00Z");
    assert_eq!(kiosk.ran(), ["lazy"], "that one was done late before");
}

#[test]
fn a_small_step_over_a_rule_does_not_lose_it() {
    let mut kiosk = Kiosk::new(json!([run("a", "08:00")]), MORNING);
    kiosk.until("2026-11-26T06:59:58Z");
    kiosk.set("2026-11-26T07:00:03Z", true);
    assert_eq!(kiosk.ran(), ["a"]);
}

#[test]
fn a_long_suspend_is_noticed_by_the_elapsed_time() {
    let rules = json!([
        run("lazy", "08:00"),
        with(run("eager", "09:00"), "catch_up", json!(true))
    ]);
    let mut kiosk = Kiosk::new(rules, MORNING);
    // A suspended machine wakes up days later; no timer has fired meanwhile.
    kiosk.stage.now = kiosk.stage.now + Duration::from_secs(3 * 24 * 3600);
    kiosk.stage.handle(Event::Tick);
    assert_eq!(kiosk.ran(), ["eager"]);
    assert_eq!(kiosk.last("lazy").0, RuleOutcome::Missed);
}

#[test]
fn what_was_due_without_power_is_missed_or_runs_late_once() {
    let rules = json!([
        run("lazy", "08:00"),
        with(run("eager", "09:00"), "catch_up", json!(true)),
        run("before", "07:30"),
    ]);
    let mut kiosk = Kiosk::new(rules, MORNING);
    kiosk.until("2026-11-26T06:45:00Z");
    assert_eq!(kiosk.ran(), ["before"]);
    let mut kiosk = kiosk.lose_power_until("2026-11-26T10:00:00Z");
    assert_eq!(kiosk.ran(), ["eager"]);
    assert_eq!(kiosk.last("lazy").0, RuleOutcome::Missed);
    let record = kiosk.stage.supervisor.status().schedule.record.clone();
    let before = record.iter().find(|(entry, _)| entry.rule == id("before"));
    assert_eq!(before.unwrap().0.outcome, None, "its begin is saved");
    let mut kiosk = kiosk.lose_power_until("2026-11-26T10:01:00Z");
    assert_eq!(kiosk.ran(), [""; 0]);
}

#[test]
fn a_start_right_after_a_due_time_loses_nothing() {
    let kiosk = Kiosk::new(json!([run("a", "08:00"), run("b", "07:30")]), MORNING);
    let mut kiosk = kiosk;
    kiosk.until("2026-11-26T06:59:50Z");
    let mut kiosk = kiosk.lose_power_until("2026-11-26T07:00:10Z");
    assert_eq!(kiosk.ran(), ["a"]);
}

#[test]
fn what_must_not_run_twice_is_saved_before_it_runs() {
    let reboot = json!([
        {"id": "a", "trigger": time("08:00"), "action": {"type": "reboot"}, "catch_up": true}
    ]);
    let mut kiosk = Kiosk::new(reboot.clone(), MORNING);
    kiosk.stage.disk = DiskBehavior::Silent;
    kiosk.until("2026-11-26T07:00:00Z");
    let reboots = |kiosk: &mut Kiosk| {
        let actions = kiosk.stage.actions.drain(..);
        actions
            .filter(|it| matches!(it, Action::Reboot { .. }))
            .count()
    };
    assert_eq!(reboots(&mut kiosk), 0, "it waits for the disk");
    kiosk.stage.disk = DiskBehavior::Works;
    kiosk.stage.handle(Event::ScheduleSaved { result: Ok(()) });
    assert_eq!(reboots(&mut kiosk), 1);

    let mut kiosk = Kiosk::new(reboot.clone(), MORNING);
    kiosk.until("2026-11-26T07:00:00Z");
    assert_eq!(reboots(&mut kiosk), 1);
    let mut kiosk = kiosk.lose_power_until("2026-11-26T07:00:25Z");
    assert_eq!(reboots(&mut kiosk), 0, "it was done");

    let mut kiosk = Kiosk::new(reboot, MORNING);
    kiosk.stage.disk = DiskBehavior::Full;
    kiosk.until("2026-11-26T07:00:00Z");
    assert_eq!(reboots(&mut kiosk), 0, "it would never end");
    assert!(
        kiosk.last("a").1.contains("no space left"),
        "{:?}",
        kiosk.last("a")
    );
}

#[test]
fn a_rule_that_was_added_after_its_time_waits_for_the_next_day() {
    let mut kiosk = Kiosk::new(json!([]), MORNING);
    kiosk.until("2026-11-26T07:30:00Z");
    let rule = with(run("a", "08:00"), "catch_up", json!(true));
    let schedule = json!({"timezone": "Europe/Berlin", "rules": [rule]});
    let request = Edit::ReplaceSection {
        section: ossuary::config::Section::Schedule,
        value: schedule,
        if_match: None,
    };
    assert_eq!(kiosk.stage.ask(request), Some(Ok(Done::Changed)));
    assert_eq!(kiosk.ran(), [""; 0]);
    let mut kiosk = kiosk.lose_power_until("2026-11-26T08:00:00Z");
    assert_eq!(kiosk.ran(), [""; 0]);
    assert_eq!(kiosk.next("a"), "2026-11-27T08:00:00+01:00");
}

#[test]
fn an_unknown_zone_is_reported_and_stops_nothing_else() {
    let mut document = document(json!([
        run("a", "08:00"),
        {"id": "often", "trigger": {"type": "interval", "minutes": 60}, "action": {"type": "run_command", "command": "often"}},
    ]));
    document["schedule"]["timezone"] = json!("Europe/Nowhere");
    let mut kiosk = Kiosk::begin(document, at(MORNING), true, SavedSchedule::default(), "one");
    kiosk.until("2026-11-26T08:00:00Z");
    assert_eq!(kiosk.ran(), ["often"; 2]);
    assert!(kiosk.stage.supervisor.status().schedule.problem.is_some());
}

// ---- overrides ----

#[test]
fn a_kiosk_that_is_switched_on_during_an_override_starts_with_its_page() {
    let rules = json!([canvas("day", "08:00", "18:00", DAY_PAGE)]);
    let mut kiosk = Kiosk::new(rules, "2026-11-26T07:30:00Z");
    assert_eq!(
        kiosk.shown(),
        [format!("start {DAY_PAGE}")],
        "and no other first"
    );
    assert!(kiosk.rule("day").active);
    kiosk.until("2026-11-26T17:00:00Z");
    assert_eq!(kiosk.shown(), ["https://example.org/"]);
    assert!(!kiosk.rule("day").active);
    kiosk.until("2026-11-27T07:00:00Z");
    assert_eq!(kiosk.shown(), [DAY_PAGE]);
}

#[test]
fn a_kiosk_that_is_off_at_the_begin_of_an_override_starts_with_its_page() {
    let rules = json!([canvas("day", "08:00", "18:00", DAY_PAGE)]);
    let mut kiosk = Kiosk::new(rules, MORNING);
    kiosk.until("2026-11-26T06:55:00Z");
    assert_eq!(kiosk.shown(), ["start https://example.org/"]);
    let mut kiosk = kiosk.lose_power_until("2026-11-26T07:30:00Z");
    assert_eq!(kiosk.shown(), [format!("start {DAY_PAGE}")]);
    let mut kiosk = kiosk.lose_power_until("2026-11-26T20:00:00Z");
    assert_eq!(
        kiosk.shown(),
        ["start https://example.org/"],
        "its end has passed meanwhile"
    );
}

#[test]
fn a_restarted_browser_shows_the_page_of_the_override() {
    let rules = json!([canvas("day", "08:00", "18:00", DAY_PAGE)]);
    let mut kiosk = Kiosk::new(rules, MORNING);
    kiosk.until("2026-11-26T08:00:00Z");
    kiosk.shown();
    kiosk
        .stage
        .exit("screen", ossuary::supervisor::Ending::Signal(11));
    assert_eq!(kiosk.shown(), [format!("start {DAY_PAGE}")]);
}

#[test]
fn an_override_over_midnight_counts_as_the_day_it_began() {
    let rule = canvas("night", "22:00", "06:00", "https://example.org/stars");
    let rule = with(
        rule,
        "trigger",
        json!({"type": "time", "time": "22:00", "days": ["thu"]}),
    );
    // Friday, three in the morning.
    let mut kiosk = Kiosk::new(json!([rule]), "2026-11-27T02:00:00Z");
    assert_eq!(kiosk.shown(), ["start https://example.org/stars"]);
    kiosk.until("2026-11-27T05:00:00Z");
    assert_eq!(kiosk.shown(), ["https://example.org/"]);
    kiosk.until("2026-11-28T12:00:00Z");
    assert_eq!(kiosk.shown(), [""; 0], "Friday's night is not meant");
}

#[test]
fn a_page_that_cannot_be_shown_is_reported_and_retried() {
    let rules = json!([canvas("day", "08:00", "18:00", DAY_PAGE)]);
    let mut kiosk = Kiosk::new(rules, MORNING);
    kiosk.stage.pages_load = false;
    kiosk.until("2026-11-26T07:00:00Z");
    assert_eq!(kiosk.last("day").0, RuleOutcome::Failed);
    kiosk.until("2026-11-26T08:00:00Z");
    assert!(kiosk.shown().len() < 80, "a minute apart in the end");
    kiosk.stage.pages_load = true;
    kiosk.stage.handle(Event::Network { connected: true });
    assert_eq!(kiosk.shown(), [DAY_PAGE], "at once when there is a network");
    kiosk.until("2026-11-26T09:00:00Z");
    assert_eq!(kiosk.shown(), [""; 0]);
}

#[test]
fn a_page_that_an_operator_shows_replaces_the_override() {
    let rules = json!([canvas("day", "08:00", "18:00", DAY_PAGE)]);
    let mut kiosk = Kiosk::new(rules, MORNING);
    kiosk.until("2026-11-26T08:00:00Z");
    kiosk.operator_navigates();
    kiosk.answer_page(Ok(PageCommandResult::Done));
    kiosk.shown();
    kiosk.until("2026-11-26T18:00:00Z");
    assert_eq!(kiosk.shown(), [""; 0]);
    assert_eq!(kiosk.last("day").0, RuleOutcome::Skipped);
}

#[test]
fn a_failed_or_cancelled_navigation_keeps_the_page_of_the_rule() {
    for is_cancelled in [false, true] {
        let rules = json!([canvas("day", "08:00", "18:00", DAY_PAGE)]);
        let mut kiosk = Kiosk::new(rules, MORNING);
        kiosk.until("2026-11-26T08:00:00Z");
        let ticket = kiosk.operator_navigates();
        if is_cancelled {
            kiosk.stage.handle(Event::CommandWithdrawn { ticket });
            let withdraws = |action: &Action| matches!(action, Action::CancelPageCommand { ticket: of, .. } if *of == ticket);
            assert!(kiosk.stage.actions.iter().any(withdraws));
        }
        kiosk.answer_page(Err(Failure::system("it is not there within 15 s")));
        let answer = &kiosk.stage.replies[&ticket.0];
        assert!(matches!(answer, Err(Refusal::PageFailed(..))), "{answer:?}");
        // The browser is restarted with the page in effect.
        kiosk.shown();
        kiosk.stage.exit("screen", Ending::Signal(9));
        kiosk.stage.pass_seconds(60);
        assert_eq!(kiosk.shown(), [format!("start {DAY_PAGE}")]);
        kiosk.until("2026-11-26T18:00:00Z");
        assert_eq!(kiosk.shown(), ["https://example.org/"]);
    }
}

#[test]
fn an_update_is_undone_at_its_end_even_by_another_daemon() {
    let rule = json!([{
        "id": "fast", "trigger": time("08:00"), "until": "18:00",
        "action": {"type": "update_process", "process_id": "sync", "updates": {"env": {"MODE": "fast"}, "restart": "always"}},
    }]);
    let mut kiosk = Kiosk::new(rule, MORNING);
    kiosk.until("2026-11-26T08:00:00Z");
    assert_eq!(kiosk.field("sync", "env"), json!({"MODE": "fast"}));
    let saves = kiosk.stage.actions.iter();
    let saves = saves.filter(|it| matches!(it, Action::Save { .. })).count();
    assert_eq!(saves, 1);
    let mut kiosk = kiosk.lose_power_until("2026-11-26T16:00:00Z");
    assert!(kiosk.rule("fast").active);
    kiosk.until("2026-11-26T17:00:00Z");
    assert_eq!(kiosk.field("sync", "env"), json!({"MODE": "slow"}));
    assert_eq!(kiosk.field("sync", "restart"), Value::Null);
    assert_eq!(kiosk.last("fast").0, RuleOutcome::Done);
}

#[test]
fn a_change_during_an_override_is_kept() {
    let rule = json!([{
        "id": "fast", "trigger": time("08:00"), "until": "18:00",
        "action": {"type": "update_process", "process_id": "sync", "updates": {"command": "fast", "name": "Fast"}},
    }]);
    let mut kiosk = Kiosk::new(rule, MORNING);
    kiosk.until("2026-11-26T08:00:00Z");
    let mine = json!({"command": "mine"}).as_object().unwrap().clone();
    kiosk.stage.ask(change_process(id("sync"), mine));
    kiosk.until("2026-11-26T18:00:00Z");
    assert_eq!(kiosk.field("sync", "command"), "mine");
    assert_eq!(
        kiosk.field("sync", "name"),
        Value::Null,
        "and the rest is undone"
    );
}

#[test]
fn overlapping_rules_end_in_any_order_and_the_base_is_restored() {
    let rules = json!([
        canvas("a", "08:00", "13:00", "https://example.org/a"),
        canvas("b", "12:00", "18:00", "https://example.org/b"),
        canvas("c", "18:00", "19:00", "https://example.org/c"),
    ]);
    let mut kiosk = Kiosk::new(rules, MORNING);
    kiosk.shown();
    kiosk.until("2026-11-26T22:00:00Z");
    assert_eq!(
        kiosk.shown(),
        [
            "https://example.org/a",
            "https://example.org/b",
            "https://example.org/c",
            "https://example.org/"
        ]
    );
}

#[test]
fn a_process_runs_during_an_override_and_another_is_stopped() {
    let rules = json!([
        {"id": "on", "trigger": time("08:00"), "until": "18:00", "action": {"type": "start_process", "process_id": "extra"}},
        {"id": "off", "trigger": time("08:00"), "until": "18:00", "action": {"type": "stop_process", "process_id": "sync"}},
    ]);
    let mut kiosk = Kiosk::new(rules.clone(), MORNING);
    kiosk.until("2026-11-26T07:00:00Z");
    assert_eq!(kiosk.stage.state("extra"), State::Running);
    assert_eq!(kiosk.stage.state("sync"), State::Stopping);
    assert_eq!(kiosk.stage.reason("sync"), "stopped by the schedule");
    kiosk
        .stage
        .exit("sync", ossuary::supervisor::Ending::Signal(15));
    let mut kiosk = kiosk.lose_power_until("2026-11-26T08:00:00Z");
    assert_eq!(kiosk.stage.state("extra"), State::Running);
    assert_eq!(
        kiosk.stage.state("sync"),
        State::Stopped,
        "it was never started"
    );
    kiosk.until("2026-11-26T17:00:00Z");
    assert_eq!(kiosk.stage.state("extra"), State::Stopping);
    assert_eq!(kiosk.stage.state("sync"), State::Running);

    let mut kiosk = Kiosk::new(rules, MORNING);
    kiosk.until("2026-11-26T08:00:00Z");
    kiosk.stage.ask(Command::Stop(id("extra")));
    kiosk
        .stage
        .exit("extra", ossuary::supervisor::Ending::Signal(15));
    kiosk.stage.ask(Command::Start(id("extra")));
    kiosk.until("2026-11-26T18:00:00Z");
    assert_eq!(
        kiosk.stage.state("extra"),
        State::Running,
        "it was stopped on purpose"
    );
}

#[test]
fn another_display_process_is_shown_during_an_override() {
    let rules = json!([
        {"id": "night", "trigger": time("20:00"), "until": "06:00", "action": {"type": "start_process", "process_id": "night"}},
    ]);
    let mut kiosk = Kiosk::new(rules, MORNING);
    kiosk.until("2026-11-26T19:00:00Z");
    kiosk
        .stage
        .exit("screen", ossuary::supervisor::Ending::Signal(15));
    assert_eq!(kiosk.stage.state("night"), State::Running);
    kiosk.until("2026-11-27T05:00:00Z");
    kiosk
        .stage
        .exit("night", ossuary::supervisor::Ending::Signal(15));
    assert_eq!(kiosk.stage.state("screen"), State::Running);
    assert_eq!(
        kiosk.stage.supervisor.status().active_display,
        Some(id("screen"))
    );
}

#[test]
fn an_override_ends_when_its_rule_is_disabled() {
    let rules = json!([canvas("day", "08:00", "18:00", DAY_PAGE)]);
    let mut kiosk = Kiosk::new(rules, MORNING);
    kiosk.until("2026-11-26T08:00:00Z");
    kiosk.shown();
    let set = |kiosk: &mut Kiosk, enabled: bool| {
        let rule = canvas("day", "08:00", "18:00", DAY_PAGE);
        let rule = with(rule, "enabled", json!(enabled));
        let request = Edit::ReplaceSection {
            section: ossuary::config::Section::Schedule,
            value: json!({"timezone": "Europe/Berlin", "rules": [rule]}),
            if_match: None,
        };
        assert_eq!(kiosk.stage.ask(request), Some(Ok(Done::Changed)));
    };
    set(&mut kiosk, false);
    assert_eq!(kiosk.shown(), ["https://example.org/"]);
    set(&mut kiosk, true);
    assert_eq!(kiosk.shown(), [DAY_PAGE]);
}

// ---- outcomes ----

#[test]
fn a_failed_action_is_reported_and_harms_nothing() {
    let rules = json!([
        {"id": "broken", "trigger": time("08:00"), "action": {"type": "run_command", "command": "false"}},
        {"id": "dead", "trigger": time("08:00"), "action": {"type": "refresh_page", "process_id": "night"}},
        {"id": "off", "trigger": time("08:00"), "action": {"type": "disable_process", "process_id": "extra"}},
        {"id": "start", "trigger": time("08:00"), "action": {"type": "start_process", "process_id": "extra"}},
        run("fine", "08:00"),
    ]);
    let mut kiosk = Kiosk::new(rules, MORNING);
    kiosk.until("2026-11-26T07:00:00Z");
    assert_eq!(
        kiosk.last("broken"),
        (
            RuleOutcome::Failed,
            "the command failed: exit status: 1".into()
        )
    );
    assert_eq!(
        kiosk.last("dead"),
        (
            RuleOutcome::Failed,
            "night does not run; start it first".into()
        )
    );
    assert_eq!(kiosk.last("off").0, RuleOutcome::Done);
    assert_eq!(
        kiosk.last("start").0,
        RuleOutcome::Failed,
        "it was disabled the moment before"
    );
    assert_eq!(kiosk.last("fine").0, RuleOutcome::Done);
    assert_eq!(kiosk.stage.state("sync"), State::Running);
    let record = &kiosk.stage.supervisor.status().schedule.record;
    assert_eq!(record[0].0.rule, id("fine"), "newest first");
    assert_eq!(record.len(), 5);
}

#[test]
fn a_full_disk_fails_an_update_and_nothing_else() {
    let rules = json!([
        {"id": "update", "trigger": time("08:00"), "action": {"type": "update_process", "process_id": "sync", "updates": {"command": "other"}}},
        run("after", "08:00"),
    ]);
    let mut kiosk = Kiosk::new(rules, MORNING);
    kiosk.stage.disk = DiskBehavior::Full;
    kiosk.until("2026-11-26T07:00:00Z");
    assert_eq!(kiosk.last("update").0, RuleOutcome::Failed);
    assert_eq!(kiosk.ran(), ["after"]);
}

#[test]
fn a_client_runs_a_rule() {
    let mut kiosk = Kiosk::new(
        json!([run("a", "08:00"), canvas("day", "08:00", "18:00", DAY_PAGE)]),
        MORNING,
    );
    kiosk.shown();
    let answer = kiosk.stage.ask(Command::RunRule(id("day")));
    let done = Done::RuleRun {
        rule: id("day"),
        outcome: Some(RuleOutcome::Done),
        detail: None,
    };
    assert_eq!(answer, Some(Ok(done)));
    assert_eq!(kiosk.shown(), [DAY_PAGE]);
    let answer = kiosk.stage.ask(Command::RunRule(id("gone")));
    assert_eq!(answer, Some(Err(Refusal::NoSuchRule(id("gone")))));
}

#[test]
fn a_process_that_rules_use_is_not_deleted_without_force() {
    let rule = json!({"id": "r", "name": "Every morning", "trigger": time("08:00"), "action": {"type": "start_process", "process_id": "extra"}});
    let mut kiosk = Kiosk::new(json!([rule]), MORNING);
    let answer = kiosk.stage.ask(Edit::Delete {
        id: id("extra"),
        force: false,
    });
    let refusal = Refusal::UsedByRules(id("extra"), vec!["Every morning".into()]);
    assert_eq!(answer, Some(Err(refusal)));
    let answer = kiosk.stage.ask(Edit::Delete {
        id: id("extra"),
        force: true,
    });
    assert_eq!(answer, Some(Ok(Done::Changed)));
    let status = kiosk.stage.supervisor.status();
    let document = status.configuration.document.as_map();
    assert_eq!(document["schedule"]["rules"][0]["enabled"], false);
    let warnings: Vec<String> = status
        .configuration
        .warnings
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        warnings,
        ["schedule.rules[0].action.process_id: there is no process \"extra\""]
    );
}

#[test]
fn boots_and_connections_trigger_rules() {
    let rule = |name: &str, trigger: Value| json!({"id": name, "trigger": trigger, "action": {"type": "run_command", "command": name}});
    let rules = json!([
        rule("boot", json!({"type": "boot"})),
        rule("lost", json!({"type": "connection", "event": "lost"})),
        rule(
            "regained",
            json!({"type": "connection", "event": "regained"})
        ),
    ]);
    let mut kiosk = Kiosk::new(rules, MORNING);
    assert_eq!(kiosk.ran(), ["boot"]);
    kiosk.stage.handle(Event::Network { connected: true });
    kiosk.stage.handle(Event::Network { connected: false });
    kiosk.stage.pass_seconds(5);
    assert_eq!(kiosk.ran(), ["lost"]);
    kiosk.stage.handle(Event::Network { connected: true });
    kiosk.stage.pass_seconds(5);
    assert_eq!(kiosk.ran(), ["regained"]);
    // Another daemon in the same boot.
    let saved_schedule = kiosk.stage.saved_schedule.clone().unwrap();
    let document = kiosk
        .stage
        .supervisor
        .status()
        .configuration
        .document
        .as_map()
        .clone();
    let mut kiosk = Kiosk::begin(
        Value::Object(document),
        at("2026-11-26T07:00:00Z"),
        true,
        saved_schedule,
        "one",
    );
    assert_eq!(kiosk.ran(), [""; 0]);
}

#[test]
fn the_preview_lists_occurrences_and_contradictions() {
    let rules = json!([
        canvas("a", "08:00", "13:00", "https://example.org/a"),
        canvas("b", "12:00", "18:00", "https://example.org/b"),
        {"id": "start", "trigger": time("09:00"), "action": {"type": "start_process", "process_id": "extra"}},
        {"id": "stop", "trigger": time("09:00"), "action": {"type": "stop_process", "process_id": "extra"}},
    ]);
    let mut kiosk = Kiosk::new(rules, MORNING);
    let request = Command::Preview {
        from: at(MORNING),
        to: at("2026-11-27T06:00:00Z"),
    };
    let Some(Ok(Done::Preview(preview))) = kiosk.stage.ask(request) else {
        panic!("the preview is answered at once");
    };
    let occurrences: Vec<String> = (preview.occurrences.iter())
        .map(|it| format!("{} {:?} {}", it.at, it.kind, it.rule.id))
        .collect();
    assert_eq!(
        occurrences,
        [
            "2026-11-26T08:00:00+01:00 Begin a",
            "2026-11-26T09:00:00+01:00 Begin start",
            "2026-11-26T09:00:00+01:00 Begin stop",
            "2026-11-26T12:00:00+01:00 Begin b",
            "2026-11-26T13:00:00+01:00 End a",
            "2026-11-26T18:00:00+01:00 End b",
        ]
    );
    let pairs: Vec<[&str; 2]> = (preview.conflicts.iter())
        .map(|it| [it.rules[0].as_str(), it.rules[1].as_str()])
        .collect();
    assert_eq!(pairs, [["start", "stop"], ["a", "b"]]);
}

/// The time limit on the machine that runs the tests; printed with `--nocapture`.
#[test]
fn ten_thousand_rules_are_handled_in_milliseconds() {
    use ossuary::config::{Days, Loaded, Rule, RuleAction, Schedule, TimeOfDay, Trigger, Zone};
    use ossuary::supervisor::{Boot, Source, Supervisor};
    use std::rc::Rc;
    let rule = |number: u32| {
        Rc::new(Rule {
            id: id(&format!("r{number}")),
            name: format!("Rule {number}"),
            enabled: true,
            trigger: Trigger::Time {
                at: TimeOfDay {
                    hour: (number / 3600 % 24) as u8,
                    minute: (number / 60 % 60) as u8,
                    second: (number % 60) as u8,
                },
                days: Days::ALL,
            },
            action: RuleAction::Run("true".into()),
            until: None,
            catch_up: false,
        })
    };
    let mut loaded = Loaded::empty();
    Rc::make_mut(&mut loaded.config).schedule = Rc::new(Schedule {
        zone: Zone::Named("Europe/Berlin".into()),
        rules: (0..10_000).map(|number| rule(number * 8)).collect(),
        ..Schedule::default()
    });
    let now = Moment::from_boot(Duration::from_secs(100));
    let clock = ClockReading {
        at: now,
        wall: at(MORNING),
    };
    let boot = Boot {
        loaded,
        source: Source::Empty,
        problems: Vec::new(),
        displays: Vec::new(),
        memories: Vec::new(),
        next_run: 1,
        schedule: ScheduleBoot {
            clock: Some(clock),
            zone: Some((
                Zone::Named("Europe/Berlin".into()),
                crate::stage::find_zone("Europe/Berlin"),
            )),
            ..ScheduleBoot::default()
        },
    };
    let begun = cpu_time();
    let mut supervisor = Supervisor::new(boot, now);
    let start = cpu_time() - begun;
    let mut slowest = Duration::ZERO;
    for _ in 0..200 {
        let due = supervisor.poll_timeout().unwrap();
        let begun = cpu_time();
        supervisor.handle(Event::Tick, due);
        while let Some(action) = supervisor.poll_action() {
            let answer = match action {
                Action::SaveSchedule { .. } => Event::ScheduleSaved { result: Ok(()) },
                Action::RunCommand { execution, .. } => Event::RuleDone {
                    execution,
                    result: Ok(None),
                },
                _ => continue,
            };
            supervisor.handle(answer, due);
        }
        slowest = slowest.max(cpu_time() - begun);
    }
    println!("10,000 rules: start {start:?}, slowest of 200 executions {slowest:?}");
    // Ten times the limit: it must not fail in a build without optimisation.
    let most = 10 * Duration::from_millis(50);
    assert!(start < most && slowest < most, "{start:?} {slowest:?}");
}

/// The CPU time of this thread, so that other load does not count.
fn cpu_time() -> Duration {
    let clock = nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID;
    Duration::from(nix::time::clock_gettime(clock).unwrap())
}
