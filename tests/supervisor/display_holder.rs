//! Which process occupies a display when the configuration, a client or the hardware changes: the screen never stays
//! dark while a display process could run.

use crate::stage::{Stage, change_process, id, load};
use ossuary::supervisor::{
    Action, Boot, Command, Edit, Ending, Event, Memory, RunId, Source, State, Supervisor,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const TERMINATED: Ending = Ending::Signal(15);
const DONE: Ending = Ending::Code(0);

/// Browsers on `:0` in this order; the first is active.
fn browsers(names: &[&str]) -> Value {
    let processes: Map<String, Value> = names
        .iter()
        .map(|name| {
            let url = format!("https://example.org/{name}");
            ((*name).to_owned(), json!({"type": "chromium", "url": url}))
        })
        .collect();
    json!({"version": 3, "processes": processes, "active_display_process": names[0]})
}

fn put(stage: &mut Stage, document: Value) {
    let outcome = stage.ask(Edit::ReplaceConfig {
        document,
        if_match: None,
    });
    assert!(matches!(outcome, Some(Ok(_))), "{outcome:?}");
}

fn change(stage: &mut Stage, name: &str, fields: Value) {
    let Value::Object(fields) = fields else {
        panic!("fields are an object");
    };
    let outcome = stage.ask(change_process(id(name), fields));
    assert!(matches!(outcome, Some(Ok(_))), "{outcome:?}");
}

fn plug(stage: &mut Stage, displays: &[&str]) {
    stage.handle(Event::Displays {
        present: displays.iter().map(|name| name.parse().unwrap()).collect(),
    });
}

#[test]
fn a_renamed_browser_starts_when_the_old_one_has_ended() {
    let mut stage = Stage::new(browsers(&["old"]));
    stage.taken_actions();
    put(&mut stage, browsers(&["new"]));
    assert_eq!(stage.taken_actions(), ["save", "signal Term"]);
    assert_eq!(stage.reason("new"), "waits until old has ended");
    stage.exit("old", TERMINATED);
    assert_eq!(stage.taken_actions(), ["spawn new"]);
}

#[test]
fn removing_the_browser_and_making_another_active_switches_to_it() {
    for autostart in [true, false] {
        let mut document = browsers(&["day", "night"]);
        document["processes"]["night"]["autostart"] = json!(autostart);
        let mut stage = Stage::new(document);
        stage.taken_actions();
        let mut document = browsers(&["night"]);
        document["processes"]["night"]["autostart"] = json!(autostart);
        put(&mut stage, document);
        assert_eq!(stage.taken_actions(), ["save", "signal Term"]);
        stage.exit("day", TERMINATED);
        assert_eq!(
            stage.taken_actions(),
            ["spawn night"],
            "autostart: {autostart}"
        );
    }
}

#[test]
fn disabling_one_browser_and_enabling_another_switches_in_either_order() {
    for night_first in [false, true] {
        for ends_between in [false, true] {
            let mut document = browsers(&["day", "night"]);
            document["processes"]["night"]["enabled"] = json!(false);
            let mut stage = Stage::new(document);
            stage.taken_actions();
            if night_first {
                change(&mut stage, "night", json!({"enabled": true}));
                change(&mut stage, "day", json!({"enabled": false}));
            } else {
                change(&mut stage, "day", json!({"enabled": false}));
                if ends_between {
                    stage.exit("day", TERMINATED);
                }
                change(&mut stage, "night", json!({"enabled": true}));
            }
            if night_first || !ends_between {
                stage.exit("day", TERMINATED);
            }
            assert_eq!(stage.state("night"), State::Running, "{night_first}");
        }
    }
}

#[test]
fn a_custom_process_gets_the_display_of_one_that_was_removed_or_disabled() {
    let document = json!({"version": 3, "processes": {
        "film": {"command": "mpv film", "display": ":0"},
        "clock": {"command": "xclock", "display": ":0"}
    }});
    for remove in [true, false] {
        let mut stage = Stage::new(document.clone());
        assert_eq!(stage.taken_actions(), ["spawn film"]);
        assert_eq!(stage.reason("clock"), "the display is taken by film");
        if remove {
            let mut document = document.clone();
            document["processes"]
                .as_object_mut()
                .unwrap()
                .remove("film");
            put(&mut stage, document);
        } else {
            change(&mut stage, "film", json!({"enabled": false}));
        }
        assert_eq!(stage.reason("clock"), "waits until film has ended");
        stage.exit("film", TERMINATED);
        assert_eq!(stage.state("clock"), State::Running, "removed: {remove}");
    }
}

#[test]
fn what_an_operator_stopped_stays_stopped_and_is_not_replaced() {
    let mut stage = Stage::new(browsers(&["day", "night"]));
    stage.ask(Command::Stop(id("day")));
    stage.exit("day", TERMINATED);
    stage.taken_actions();
    change(&mut stage, "night", json!({"name": "By night"}));
    plug(&mut stage, &[]);
    plug(&mut stage, &[":0"]);
    stage.pass_seconds(60);
    assert_eq!(stage.taken_actions(), ["save"]);
    assert_eq!(stage.reason("day"), "stopped by the operator");
    assert_eq!(stage.reason("night"), "not started yet");
}

#[test]
fn a_replaced_browser_returns_when_its_successor_is_disabled() {
    let mut stage = Stage::new(browsers(&["day", "night"]));
    stage.ask(Command::Start(id("night")));
    stage.exit("day", TERMINATED);
    assert_eq!(stage.state("night"), State::Running);
    change(&mut stage, "night", json!({"enabled": false}));
    stage.exit("night", TERMINATED);
    assert_eq!(stage.state("day"), State::Running);
}

/// The next daemon, with what this one saved and another document.
fn next_daemon(stage: &Stage, document: Value) -> Stage {
    let mut memories: BTreeMap<_, Memory> = BTreeMap::new();
    for action in &stage.actions {
        if let Action::Remember { memory } = action {
            memories.insert(memory.process.id.clone(), (**memory).clone());
        }
    }
    let mut next = Stage::new(document.clone());
    next.actions.clear();
    next.now = stage.now;
    next.live = stage.live.clone();
    next.supervisor = Supervisor::new(
        Boot {
            loaded: load(document),
            source: Source::File,
            problems: Vec::new(),
            displays: vec![":0".parse().unwrap(), ":1".parse().unwrap()],
            memories: memories.into_values().collect(),
            next_run: stage.live.keys().last().map_or(1, |RunId(run)| run + 1),
            schedule: Default::default(),
        },
        stage.now,
    );
    next.perform();
    next
}

#[test]
fn another_active_browser_written_while_no_daemon_ran_is_switched_to() {
    let stage = Stage::new(browsers(&["day", "night"]));
    let mut document = browsers(&["day", "night"]);
    let mut same = next_daemon(&stage, document.clone());
    assert!(same.taken_actions().is_empty(), "nothing was edited");
    document["active_display_process"] = json!("night");
    let mut next = next_daemon(&stage, document);
    assert_eq!(next.taken_actions(), ["signal Term"]);
    next.exit("day", TERMINATED);
    assert_eq!(next.state("night"), State::Running);
}

#[test]
fn a_stop_by_an_operator_survives_the_daemon() {
    let mut stage = Stage::new(browsers(&["day", "night"]));
    stage.ask(Command::Stop(id("day")));
    stage.exit("day", TERMINATED);
    let mut next = next_daemon(&stage, browsers(&["day", "night"]));
    assert!(next.taken_actions().is_empty());
    assert_eq!(next.reason("day"), "stopped by the operator");
}

#[test]
fn a_start_while_a_run_that_was_not_ready_is_ending_is_carried_out() {
    let mut stage = Stage::new(json!({"version": 3, "processes": {"server": {
        "command": "server", "restart_on_crash": false,
        "ready": {"type": "notify", "timeout_seconds": 5}
    }}}));
    stage.pass_seconds(6);
    assert_eq!(stage.state("server"), State::Stopping);
    stage.taken_actions();
    let outcome = stage.ask(Command::Start(id("server")));
    assert!(matches!(outcome, Some(Ok(_))), "{outcome:?}");
    stage.exit("server", TERMINATED);
    assert_eq!(stage.taken_actions(), ["spawn server"]);
}

#[test]
fn a_changed_browser_does_not_outrank_the_operators_later_choice() {
    let mut document = browsers(&["day", "night"]);
    document["processes"]["api"] = json!({"command": "api", "autostart": false,
        "ready": {"type": "notify", "timeout_seconds": 600}});
    document["processes"]["night"]["depends_on"] = json!(["api"]);
    let mut stage = Stage::new(document);
    // It waits for a dependency, and the other one stays on the screen meanwhile.
    stage.ask(Command::Start(id("night")));
    change(
        &mut stage,
        "day",
        json!({"command": "chromium --incognito"}),
    );
    stage.exit("day", TERMINATED);
    assert_eq!(stage.state("day"), State::Running);
    let run = stage.run("api");
    stage.handle(Event::Ready { run });
    stage.exit("day", TERMINATED);
    assert_eq!(stage.state("night"), State::Running);
    assert_eq!(stage.reason("day"), "replaced by night");
}

#[test]
fn a_browser_that_exits_cleanly_is_restarted() {
    let mut stage = Stage::new(browsers(&["day"]));
    stage.taken_actions();
    stage.exit("day", DONE);
    assert_eq!(stage.taken_actions(), ["spawn day"]);
    let mut document = browsers(&["day"]);
    document["processes"]["day"]["restart_on_crash"] = json!(false);
    let mut stage = Stage::new(document);
    stage.exit("day", DONE);
    assert_eq!(stage.state("day"), State::Stopped);
}

#[test]
fn a_browser_that_ended_with_its_display_starts_when_the_display_returns() {
    for restart in ["always", "on_crash"] {
        for ends_first in [true, false] {
            let mut document = browsers(&["day"]);
            document["processes"]["day"]["restart"] = json!(restart);
            let mut stage = Stage::new(document);
            if ends_first {
                stage.exit("day", DONE);
                plug(&mut stage, &[]);
                if restart == "always" {
                    stage.exit("day", Ending::Code(1));
                }
            } else {
                plug(&mut stage, &[]);
                stage.exit("day", DONE);
            }
            // A crash right after another is restarted after a second.
            stage.pass_seconds(2);
            let what = format!("restart: {restart}, ends first: {ends_first}");
            assert_eq!(stage.reason("day"), "waits for display :0", "{what}");
            plug(&mut stage, &[":0"]);
            assert_eq!(stage.state("day"), State::Running, "{what}");
        }
    }
}

#[test]
fn a_display_that_returns_does_not_restart_what_had_finished() {
    let mut stage = Stage::new(json!({"version": 3, "processes": {
        "film": {"command": "mpv film", "display": ":0"}
    }}));
    stage.exit("film", DONE);
    stage.pass_seconds(60);
    plug(&mut stage, &[]);
    plug(&mut stage, &[":0"]);
    assert_eq!(stage.state("film"), State::Stopped);
}

#[test]
fn a_newer_choice_replaces_one_that_waits_for_a_missing_display() {
    let mut document = browsers(&["day", "night"]);
    for name in ["day", "night"] {
        document["processes"][name]["display"] = json!(":5");
    }
    let mut stage = Stage::new(document);
    assert_eq!(stage.state("day"), State::Waiting);
    stage.ask(Command::Start(id("night")));
    assert_eq!(stage.state("day"), State::Stopped);
    assert_eq!(stage.reason("day"), "replaced by night");
    plug(&mut stage, &[":5"]);
    assert_eq!(stage.state("night"), State::Running);
}

#[test]
fn while_the_display_of_the_active_browser_is_missing_another_one_is_shown() {
    let mut document = browsers(&["main", "other"]);
    document["processes"]["main"]["display"] = json!(":1");
    let mut stage = Stage::with_displays(document, &[":0"]);
    assert_eq!(stage.state("main"), State::Waiting);
    stage.taken_actions();
    stage.pass_seconds(30);
    assert_eq!(stage.taken_actions(), ["spawn other"]);
    plug(&mut stage, &[":0", ":1"]);
    assert_eq!(stage.taken_actions(), ["signal Term"]);
    stage.exit("other", TERMINATED);
    assert_eq!(stage.taken_actions(), ["spawn main"]);
    plug(&mut stage, &[":0"]);
    stage.exit("main", Ending::Code(1));
    stage.pass_seconds(30);
    assert_eq!(stage.state("other"), State::Running);
}

#[test]
fn a_display_that_appears_soon_is_awaited() {
    let mut document = browsers(&["main", "other"]);
    document["processes"]["main"]["display"] = json!(":1");
    let mut stage = Stage::with_displays(document, &[":0"]);
    stage.pass_seconds(5);
    plug(&mut stage, &[":0", ":1"]);
    assert_eq!(stage.taken_actions(), ["spawn main"]);
}
