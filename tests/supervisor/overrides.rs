//! What rules override and what is restored: pages that cannot be shown, screens, and changes by an operator.

use crate::rules::{DAY_PAGE, Kiosk, MORNING, at, canvas, document, time};
use crate::stage::id;
use ossuary::config::{Display, Section};
use ossuary::supervisor::{Command, Done, Edit, Event, RuleOutcome, SavedSchedule, State};
use serde_json::{Value, json};

const OWN_PAGE: &str = "https://example.org/";
const DEAD_PAGE: &str = "https://dead.example.org/";

/// A rule without `until` that shows a page.
fn show(name: &str, at: &str, url: &str) -> Value {
    json!({
        "id": name, "trigger": time(at),
        "action": {"type": "switch_canvas", "process_id": "screen", "url": url},
    })
}

/// A rule that switches screens off for the night.
fn dark(name: &str, display: Option<&str>) -> Value {
    json!({
        "id": name, "trigger": time("22:00"), "until": "06:00",
        "action": {"type": "display_power", "power": "off", "display": display},
    })
}

fn display(name: &str) -> Display {
    name.parse().unwrap()
}

/// A kiosk with these displays.
fn kiosk_on(displays: &[&str], rules: Value, wall: &str) -> Kiosk {
    let saved_schedule = SavedSchedule::default();
    Kiosk::begin_on(
        displays,
        document(rules),
        at(wall),
        true,
        saved_schedule,
        "one",
    )
}

impl Kiosk {
    /// The daemon ends and another one starts, in the same boot of the machine unless `boot` differs.
    fn restart_daemon(self, displays: &[&str], boot: &str, edit: impl FnOnce(&mut Value)) -> Kiosk {
        let configuration = &self.stage.supervisor.status().configuration;
        let mut document = Value::Object(configuration.document.as_map().clone());
        edit(&mut document);
        let saved_schedule = self
            .stage
            .saved_schedule
            .clone()
            .unwrap_or_default()
            .to_bytes();
        let saved_schedule = SavedSchedule::from_bytes(&saved_schedule).unwrap();
        let wall = self.wall();
        let screens = self.stage.screens.clone();
        let mut kiosk = Kiosk::begin_on(displays, document, wall, true, saved_schedule, boot);
        if boot == "one" {
            kiosk.stage.screens.extend(screens);
        }
        kiosk
    }

    fn switch(&mut self, name: &str, on: bool) {
        let request = Command::SwitchPower {
            display: display(name),
            on,
        };
        assert_eq!(self.stage.ask(request), Some(Ok(Done::Accepted)));
    }

    fn is_on(&self, name: &str) -> bool {
        self.stage.screens[&display(name)]
    }

    /// Sets the displays that exist.
    fn plug(&mut self, names: &[&str]) {
        let present: Vec<Display> = names.iter().map(|name| display(name)).collect();
        for display in &present {
            self.stage.screens.entry(display.clone()).or_insert(true);
        }
        self.stage.handle(Event::Displays { present });
    }

    fn set_rules(&mut self, rules: Value) {
        let request = Edit::ReplaceSection {
            section: Section::Schedule,
            value: json!({"timezone": "Europe/Berlin", "rules": rules}),
            if_match: None,
        };
        assert_eq!(self.stage.ask(request), Some(Ok(Done::Changed)));
    }

    /// The page that a browser opens if it is started now.
    fn opens(&mut self) -> String {
        self.shown();
        self.stage.ask(Command::Restart(id("screen")));
        let signal = ossuary::supervisor::Ending::Signal(15);
        self.stage.exit("screen", signal);
        self.shown().remove(0)
    }
}

// ---- pages ----

#[test]
fn an_edited_page_is_not_hidden_by_an_earlier_override() {
    for rule in [
        show("day", "08:00", DAY_PAGE),
        canvas("day", "08:00", "18:00", DAY_PAGE),
    ] {
        let mut kiosk = Kiosk::new(json!([rule]), MORNING);
        kiosk.until("2026-11-26T08:00:00Z");
        assert_eq!(kiosk.opens(), format!("start {DAY_PAGE}"));
        let mut kiosk = kiosk.restart_daemon(&[":0"], "two", |document| {
            document["processes"]["screen"]["url"] = json!("https://example.org/new");
        });
        assert_eq!(kiosk.shown(), ["start https://example.org/new"]);
        kiosk.until("2026-11-26T20:00:00Z");
        assert_eq!(kiosk.shown(), [""; 0]);
    }
}

#[test]
fn a_page_override_survives_another_daemon() {
    let mut kiosk = Kiosk::new(json!([show("day", "08:00", DAY_PAGE)]), MORNING);
    kiosk.until("2026-11-26T08:00:00Z");
    let mut kiosk = kiosk.restart_daemon(&[":0"], "two", |_| {});
    assert_eq!(kiosk.shown(), [format!("start {DAY_PAGE}")]);
}

#[test]
fn a_page_that_was_never_shown_is_not_restored() {
    let rules = json!([
        show("dead", "08:00", DEAD_PAGE),
        canvas("win", "08:01", "08:02", DAY_PAGE),
    ]);
    let mut kiosk = Kiosk::new(rules, MORNING);
    kiosk.stage.unreachable_pages.push(DEAD_PAGE.to_owned());
    kiosk.until("2026-11-26T07:00:30Z");
    assert_eq!(kiosk.last("dead").0, RuleOutcome::Failed);
    kiosk.until("2026-11-26T07:01:30Z");
    kiosk.shown();
    kiosk.until("2026-11-26T07:02:00Z");
    assert_eq!(kiosk.shown(), [OWN_PAGE]);
    assert_eq!(kiosk.last("win"), (RuleOutcome::Done, String::new()));
    kiosk.until("2026-11-26T09:00:00Z");
    assert_eq!(kiosk.shown(), [""; 0], "another rule came after it");
    assert_eq!(kiosk.opens(), format!("start {OWN_PAGE}"));
}

#[test]
fn a_browser_does_not_start_with_a_page_that_could_not_be_shown() {
    let mut kiosk = Kiosk::new(json!([show("dead", "08:00", DEAD_PAGE)]), MORNING);
    kiosk.stage.unreachable_pages.push(DEAD_PAGE.to_owned());
    kiosk.until("2026-11-26T07:00:30Z");
    assert_eq!(kiosk.opens(), format!("start {OWN_PAGE}"));
    // It is still wanted.
    let mut kiosk = kiosk.restart_daemon(&[":0"], "two", |_| {});
    assert_eq!(kiosk.shown()[0], format!("start {OWN_PAGE}"));
    kiosk.stage.pass_seconds(120);
    assert_eq!(kiosk.shown(), [DEAD_PAGE]);
}

#[test]
fn without_its_rule_a_page_is_not_opened_by_a_restart() {
    for (url, fails) in [(DAY_PAGE, false), (DEAD_PAGE, true)] {
        let mut kiosk = Kiosk::new(json!([show("rule", "08:00", url)]), MORNING);
        if fails {
            kiosk.stage.unreachable_pages.push(url.to_owned());
        }
        kiosk.until("2026-11-26T07:00:30Z");
        kiosk.set_rules(json!([]));
        kiosk.shown();
        kiosk.stage.pass_seconds(3600);
        assert_eq!(kiosk.shown(), [""; 0], "what is on the screen stays there");
        assert_eq!(kiosk.opens(), format!("start {OWN_PAGE}"));
        let mut kiosk = kiosk.restart_daemon(&[":0"], "two", |_| {});
        assert_eq!(kiosk.shown(), [format!("start {OWN_PAGE}")]);
    }
}

#[test]
fn a_rule_that_is_edited_while_no_daemon_runs_leaves_no_override() {
    let mut kiosk = Kiosk::new(json!([show("day", "08:00", DAY_PAGE)]), MORNING);
    kiosk.until("2026-11-26T08:00:00Z");
    let mut kiosk = kiosk.restart_daemon(&[":0"], "two", |document| {
        document["schedule"]["rules"] = json!([]);
    });
    assert_eq!(kiosk.shown(), [format!("start {OWN_PAGE}")]);
}

#[test]
fn a_page_that_fails_while_another_override_ends_does_not_affect_it() {
    let rules = json!([
        canvas("win", "08:00", "09:00", DAY_PAGE),
        show("dead", "09:00", DEAD_PAGE),
    ]);
    let mut kiosk = Kiosk::new(rules, MORNING);
    kiosk.stage.unreachable_pages.push(DEAD_PAGE.to_owned());
    kiosk.until("2026-11-26T07:30:00Z");
    kiosk.shown();
    kiosk.until("2026-11-26T08:00:00Z");
    assert_eq!(kiosk.shown(), [DEAD_PAGE, OWN_PAGE]);
    assert_eq!(kiosk.last("win"), (RuleOutcome::Done, String::new()));
    // It is still retried.
    kiosk.stage.unreachable_pages.clear();
    kiosk.stage.pass_seconds(120);
    assert_eq!(kiosk.shown(), [DEAD_PAGE]);
    assert_eq!(kiosk.opens(), format!("start {DEAD_PAGE}"));
}

#[test]
fn a_rule_whose_page_another_rule_replaced_reports_it() {
    let rules = json!([
        canvas("win", "08:00", "10:00", DAY_PAGE),
        show("other", "09:00", "https://example.org/other"),
    ]);
    let mut kiosk = Kiosk::new(rules, MORNING);
    kiosk.until("2026-11-26T08:30:00Z");
    kiosk.shown();
    kiosk.until("2026-11-26T10:00:00Z");
    assert_eq!(kiosk.shown(), [""; 0], "the later rule wins");
    let why = "another rule has changed it, and that is kept";
    assert_eq!(kiosk.last("win"), (RuleOutcome::Skipped, why.into()));
}

#[test]
fn only_changes_by_an_operator_are_reported_as_such() {
    let mut kiosk = Kiosk::new(json!([canvas("day", "08:00", "18:00", DAY_PAGE)]), MORNING);
    kiosk.until("2026-11-26T08:00:00Z");
    kiosk.operator_opens("https://example.org/mine", true);
    kiosk.until("2026-11-26T18:00:00Z");
    let why = "an operator has changed it, and that is kept";
    assert_eq!(kiosk.last("day"), (RuleOutcome::Skipped, why.into()));
}

#[test]
fn the_configured_page_is_retried_until_it_loads() {
    let rules = json!([canvas("day", "08:00", "09:00", DAY_PAGE)]);
    let mut kiosk = Kiosk::new(rules, MORNING);
    kiosk.until("2026-11-26T07:30:00Z");
    kiosk.stage.unreachable_pages.push(OWN_PAGE.to_owned());
    kiosk.until("2026-11-26T08:00:30Z");
    assert_eq!(kiosk.last("day").0, RuleOutcome::Failed);
    kiosk.stage.unreachable_pages.clear();
    kiosk.shown();
    kiosk.stage.pass_seconds(120);
    assert_eq!(kiosk.shown(), [OWN_PAGE]);
    kiosk.stage.pass_seconds(3600);
    assert_eq!(kiosk.shown(), [""; 0]);
}

#[test]
fn a_base_page_that_cannot_be_shown_is_replaced_by_the_configured_one() {
    let rules = json!([
        canvas("dead", "08:00", "18:00", DEAD_PAGE),
        canvas("win", "09:00", "10:00", DAY_PAGE),
    ]);
    let mut kiosk = Kiosk::new(rules, MORNING);
    kiosk.stage.unreachable_pages.push(DEAD_PAGE.to_owned());
    kiosk.until("2026-11-26T08:59:50Z");
    kiosk.shown();
    kiosk.until("2026-11-26T09:00:00Z");
    assert_eq!(kiosk.shown(), [DEAD_PAGE, OWN_PAGE]);
    kiosk.stage.unreachable_pages.clear();
    kiosk.stage.pass_seconds(120);
    assert_eq!(kiosk.shown(), [DEAD_PAGE], "it is active until its end");
    kiosk.until("2026-11-26T17:00:00Z");
    assert_eq!(kiosk.shown(), [OWN_PAGE]);
}

#[test]
fn a_failed_navigation_by_an_operator_keeps_the_override() {
    let rules = json!([canvas("day", "08:00", "18:00", DAY_PAGE)]);
    let mut kiosk = Kiosk::new(rules, MORNING);
    kiosk.until("2026-11-26T08:00:00Z");
    kiosk.operator_opens(DEAD_PAGE, false);
    kiosk.shown();
    kiosk.until("2026-11-26T17:00:00Z");
    assert_eq!(kiosk.shown(), [OWN_PAGE]);
    assert_eq!(kiosk.last("day").0, RuleOutcome::Done);
}

// ---- screens ----

#[test]
fn switching_one_screen_on_at_night_leaves_the_others_to_their_rule() {
    let mut kiosk = kiosk_on(&[":0", ":1"], json!([dark("night", None)]), MORNING);
    kiosk.until("2026-11-26T22:00:00Z");
    assert!(!kiosk.is_on(":0") && !kiosk.is_on(":1"));
    kiosk.switch(":1", true);
    kiosk.until("2026-11-27T02:00:00Z");
    assert!(!kiosk.is_on(":0") && kiosk.is_on(":1"));
    kiosk.until("2026-11-27T05:00:00Z");
    assert!(kiosk.is_on(":0") && kiosk.is_on(":1"));
    kiosk.until("2026-11-27T22:00:00Z");
    assert!(!kiosk.is_on(":0") && !kiosk.is_on(":1"));
    kiosk.until("2026-11-28T05:00:00Z");
    assert!(kiosk.is_on(":0") && kiosk.is_on(":1"));
}

#[test]
fn a_screen_that_an_operator_switched_off_in_the_evening_is_on_every_morning() {
    for rule in [dark("night", None), dark("night", Some(":0"))] {
        let mut kiosk = Kiosk::new(json!([rule]), MORNING);
        kiosk.until("2026-11-26T20:30:00Z");
        kiosk.switch(":0", false);
        for morning in ["2026-11-27T05:00:00Z", "2026-11-28T05:00:00Z"] {
            kiosk.until(morning);
            assert!(kiosk.is_on(":0"), "{morning}");
            assert_eq!(kiosk.last("night"), (RuleOutcome::Done, String::new()));
        }
    }
}

#[test]
fn a_power_request_of_an_operator_survives_the_daemon() {
    let mut kiosk = kiosk_on(&[":0", ":1"], json!([dark("night", None)]), MORNING);
    kiosk.switch(":1", false);
    let mut kiosk = kiosk.restart_daemon(&[":0", ":1"], "one", |_| {});
    assert_eq!(kiosk.requested(":1"), Some(false));
    assert!(!kiosk.is_on(":1"));
    // Only the rule switches it, at the configured times.
    kiosk.until("2026-11-26T20:59:00Z");
    assert!(!kiosk.is_on(":1") && kiosk.is_on(":0"));
    kiosk.until("2026-11-26T22:00:00Z");
    kiosk.switch(":1", true);
    let mut kiosk = kiosk.restart_daemon(&[":0", ":1"], "one", |_| {});
    assert!(!kiosk.is_on(":0") && kiosk.is_on(":1"));
    kiosk.until("2026-11-27T02:00:00Z");
    assert!(!kiosk.is_on(":0") && kiosk.is_on(":1"));
    kiosk.until("2026-11-27T05:00:00Z");
    assert!(kiosk.is_on(":0") && kiosk.is_on(":1"));
}

#[test]
fn a_boot_forgets_that_an_operator_switched_a_screen_off() {
    let mut kiosk = kiosk_on(&[":0", ":1"], json!([dark("night", None)]), MORNING);
    kiosk.switch(":1", false);
    let kiosk = kiosk.restart_daemon(&[":0", ":1"], "two", |_| {});
    assert_eq!(kiosk.requested(":1"), None);
    assert!(kiosk.is_on(":1"));
    // What an operator switched on at night is not switched off by the next daemon.
    let mut kiosk = kiosk_on(&[":0", ":1"], json!([dark("night", None)]), MORNING);
    kiosk.until("2026-11-26T22:00:00Z");
    kiosk.switch(":1", true);
    let mut kiosk = kiosk.restart_daemon(&[":0", ":1"], "two", |_| {});
    kiosk.stage.pass_seconds(600);
    assert!(!kiosk.is_on(":0") && kiosk.is_on(":1"));
}

#[test]
fn a_screen_that_appears_during_an_override_is_switched_by_it() {
    let mut kiosk = kiosk_on(&[], json!([dark("night", None)]), "2026-11-26T22:00:00Z");
    kiosk.plug(&[":0"]);
    kiosk.stage.pass_seconds(60);
    assert!(!kiosk.is_on(":0"));
    kiosk.plug(&[":0", ":1"]);
    kiosk.stage.pass_seconds(60);
    assert!(!kiosk.is_on(":1"));
    // A display that is gone at the end is on when it is back.
    kiosk.plug(&[":0"]);
    kiosk.until("2026-11-27T05:00:00Z");
    assert!(kiosk.is_on(":0"));
    kiosk.plug(&[":0", ":1"]);
    kiosk.stage.pass_seconds(600);
    assert!(kiosk.is_on(":1"));
}

#[test]
fn rules_about_one_screen_and_about_all_end_in_any_order() {
    let rules = json!([
        dark("night", None),
        {
            "id": "show", "trigger": time("23:00"), "until": "01:00",
            "action": {"type": "display_power", "power": "on", "display": ":1"},
        },
        {
            "id": "late", "trigger": time("05:00"), "until": "07:00",
            "action": {"type": "display_power", "power": "off", "display": ":0"},
        },
    ]);
    let mut kiosk = kiosk_on(&[":0", ":1"], rules, MORNING);
    for (wall, zero, one) in [
        ("2026-11-26T21:30:00Z", false, false),
        ("2026-11-26T22:30:00Z", false, true),
        ("2026-11-27T00:30:00Z", false, false),
        ("2026-11-27T04:30:00Z", false, false),
        ("2026-11-27T05:30:00Z", false, true),
        ("2026-11-27T06:30:00Z", true, true),
    ] {
        kiosk.until(wall);
        assert_eq!(
            (kiosk.is_on(":0"), kiosk.is_on(":1")),
            (zero, one),
            "{wall}"
        );
    }
}

#[test]
fn a_refused_power_request_removes_no_override() {
    let mut kiosk = kiosk_on(&[":0"], json!([dark("night", Some(":0"))]), MORNING);
    kiosk.until("2026-11-26T22:00:00Z");
    kiosk.plug(&[]);
    let request = Command::SwitchPower {
        display: display(":0"),
        on: true,
    };
    assert!(kiosk.stage.ask(request).unwrap().is_err());
    kiosk.plug(&[":0"]);
    kiosk.until("2026-11-27T05:00:00Z");
    assert!(kiosk.is_on(":0"));
    assert_eq!(kiosk.last("night").0, RuleOutcome::Done);
}

// ---- processes ----

#[test]
fn a_failed_process_is_replaced_at_the_end_of_its_override() {
    let mut document = document(json!([{
        "id": "night", "trigger": time("20:00"), "until": "06:00",
        "action": {"type": "start_process", "process_id": "night"},
    }]));
    document["processes"]["night"]["restart"] = json!("never");
    // A process that does not start automatically would be replaced at once when it has finished.
    document["processes"]["night"]["autostart"] = json!(true);
    let mut kiosk = Kiosk::begin(document, at(MORNING), true, SavedSchedule::default(), "one");
    kiosk.until("2026-11-26T19:00:00Z");
    let signal = ossuary::supervisor::Ending::Signal(15);
    kiosk.stage.exit("screen", signal);
    kiosk
        .stage
        .exit("night", ossuary::supervisor::Ending::Code(0));
    kiosk.until("2026-11-27T05:00:00Z");
    let state = kiosk.stage.state("screen");
    assert_eq!(state, State::Running);
    assert_eq!(kiosk.last("night"), (RuleOutcome::Done, String::new()));
}

#[test]
fn a_stop_by_an_operator_is_not_attributed_to_the_schedule() {
    let rules = json!([{
        "id": "stop", "trigger": time("08:00"),
        "action": {"type": "stop_process", "process_id": "sync"},
    }]);
    let mut kiosk = Kiosk::new(rules, MORNING);
    kiosk.stage.ask(Command::Stop(id("sync")));
    let signal = ossuary::supervisor::Ending::Signal(15);
    kiosk.stage.exit("sync", signal);
    kiosk.until("2026-11-26T08:00:00Z");
    assert_eq!(kiosk.last("stop").0, RuleOutcome::Done);
    assert_eq!(kiosk.stage.reason("sync"), "stopped by the operator");
}

// ---- preview ----

#[test]
fn adjacent_spans_report_each_occurrence_once() {
    let rules = json!([
        canvas("day", "08:00", "18:00", DAY_PAGE),
        {"id": "often", "trigger": {"type": "interval", "minutes": 60}, "action": {"type": "refresh_page"}},
    ]);
    let mut kiosk = Kiosk::new(rules, MORNING);
    let mut occurrences = Vec::new();
    for hour in 6..30 {
        let instant =
            |hour: i64| at("2026-11-26T00:00:00Z") + jiff::SignedDuration::from_hours(hour);
        let request = Command::Preview {
            from: instant(hour),
            to: instant(hour + 1),
        };
        let Some(Ok(Done::Preview(preview))) = kiosk.stage.ask(request) else {
            panic!("it is answered at once");
        };
        for it in &preview.occurrences {
            assert!(it.at.instant() >= instant(hour) && it.at.instant() < instant(hour + 1));
            occurrences.push(format!("{} {:?} {}", it.at, it.kind, it.rule.id));
        }
    }
    let of_day: Vec<&String> = occurrences
        .iter()
        .filter(|line| line.ends_with(" day"))
        .collect();
    assert_eq!(
        of_day,
        [
            "2026-11-26T08:00:00+01:00 Begin day",
            "2026-11-26T18:00:00+01:00 End day",
        ]
    );
    let often = occurrences.iter().filter(|line| line.ends_with(" often"));
    assert_eq!(often.count(), 24);
}

#[test]
fn a_rule_that_needs_no_clock_does_not_wait_for_it() {
    let rules = json!([
        canvas("day", "08:00", "18:00", DAY_PAGE),
        {"id": "often", "trigger": {"type": "interval", "minutes": 30}, "action": {"type": "refresh_page"}},
    ]);
    let epoch = at("1970-01-01T00:00:00Z");
    let mut kiosk = Kiosk::begin(
        document(rules),
        epoch,
        false,
        SavedSchedule::default(),
        "one",
    );
    let waits = |kiosk: &Kiosk, name: &str| kiosk.rule(name).waits_for_clock;
    assert!(waits(&kiosk, "day") && !waits(&kiosk, "often"));
    kiosk.set(MORNING, true);
    assert!(!waits(&kiosk, "day") && !waits(&kiosk, "often"));
}

impl Kiosk {
    fn requested(&self, name: &str) -> Option<bool> {
        let displays = &self.stage.supervisor.status().displays;
        let display = displays.iter().find(|it| it.display == display(name));
        display.and_then(|it| it.screen.power.requested)
    }

    /// A client opens a page, and the driver answers.
    pub fn operator_opens(&mut self, url: &str, works: bool) {
        use ossuary::supervisor::PageCommandResult;
        use ossuary::supervisor::{Action, Failure};
        self.stage.actions.clear();
        self.stage.ask(Command::Navigate {
            id: id("screen"),
            url: url.to_owned(),
            transition: Default::default(),
        });
        let mut page_commands = self.stage.actions.iter().filter_map(|action| match action {
            Action::RunPageCommand {
                run,
                command: order,
                requester,
            } => Some((*run, order.clone(), *requester)),
            _ => None,
        });
        let (run, order, requester) = page_commands.next().unwrap();
        let result = match works {
            true => Ok(PageCommandResult::Done),
            false => Err(Failure::system("it cannot be loaded")),
        };
        self.stage.handle(Event::PageCommandDone {
            run,
            command: order,
            requester,
            result,
        });
    }
}

#[test]
fn the_state_of_the_first_release_is_read() {
    let saved_schedule = include_bytes!("../data/schedule-0.1.json");
    let rules = json!([
        show("morning", "08:00", "https://example.org/morning"),
        canvas("day", "09:00", "18:00", DAY_PAGE),
        {"id": "dark", "trigger": time("10:00"), "until": "12:00", "action": {"type": "display_power", "power": "off"}},
        {"id": "fast", "trigger": time("08:30"), "until": "18:00",
         "action": {"type": "update_process", "process_id": "sync", "updates": {"env": {"MODE": "fast"}}}},
        {"id": "extra", "trigger": time("08:30"), "until": "18:00", "action": {"type": "start_process", "process_id": "extra"}},
    ]);
    let mut document = document(rules);
    document["processes"]["sync"]["env"]["MODE"] = json!("fast");
    let saved_schedule = SavedSchedule::from_bytes(saved_schedule).unwrap();
    let wall = at("2026-11-26T09:30:00Z");
    let mut kiosk = Kiosk::begin_on(&[":0", ":1"], document, wall, true, saved_schedule, "two");
    assert_eq!(kiosk.shown(), [format!("start {DAY_PAGE}")]);
    assert!(!kiosk.is_on(":0") && !kiosk.is_on(":1"));
    assert_eq!(kiosk.stage.state("extra"), State::Running);
    kiosk.until("2026-11-26T11:00:00Z");
    assert!(kiosk.is_on(":0"), "its base was off");
    assert!(kiosk.is_on(":1"));
    kiosk.until("2026-11-26T17:00:00Z");
    assert_eq!(kiosk.shown(), ["https://example.org/morning"]);
    assert_eq!(kiosk.field("sync", "env"), json!({"MODE": "slow"}));
    assert_eq!(kiosk.stage.state("extra"), State::Stopping);
    assert_eq!(kiosk.last("fast").0, RuleOutcome::Done);
}
