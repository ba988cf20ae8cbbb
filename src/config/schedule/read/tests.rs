//! Tests of valid and invalid rules.

use super::*;
use crate::config::Loaded;
use serde_json::json;

fn document(rules: Value) -> Value {
    json!({
        "version": 3,
        "processes": {
            "screen": {"type": "chromium", "url": "https://example.org/"},
            "sync": {"command": "sync"}
        },
        "schedule": {"enabled": true, "timezone": "Europe/Berlin", "rules": rules}
    })
}

fn load(rules: Value) -> Result<Loaded, Vec<String>> {
    let loaded = Loaded::from_bytes(document(rules).to_string().as_bytes());
    loaded.map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

fn rule(trigger: Value, action: Value) -> Value {
    json!({"trigger": trigger, "action": action})
}

fn morning() -> Value {
    json!({"type": "time", "time": "08:00", "days": ["mon", "sun"]})
}

#[test]
fn every_trigger_and_every_action_is_read_and_serialized_as_it_was_written() {
    let actions = [
        json!({"type": "update_process", "process_id": "sync", "updates": {"command": "other", "env": null}}),
        json!({"type": "switch_canvas", "process_id": "screen", "url": "https://example.org/day"}),
        json!({"type": "start_process", "process_id": "sync"}),
        json!({"type": "stop_process", "process_id": "sync"}),
        json!({"type": "restart_process", "process_id": "sync"}),
        json!({"type": "enable_process", "process_id": "sync"}),
        json!({"type": "disable_process", "process_id": "sync"}),
        json!({"type": "refresh_page", "process_id": "screen"}),
        json!({"type": "refresh_page"}),
        json!({"type": "display_power", "power": "off", "display": ":0"}),
        json!({"type": "display_power", "power": "on"}),
        json!({"type": "run_command", "command": "A=1 sync | cat"}),
        json!({"type": "reboot"}),
    ];
    let rules = actions.iter().map(|action| rule(morning(), action.clone()));
    let loaded = load(rules.collect()).unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    let read = loaded.config.schedule.rules.iter();
    let shown: Vec<Value> = read.map(|rule| json!(rule.action)).collect();
    assert_eq!(shown, actions);

    let reboot = json!({"type": "run_command", "command": "x"});
    let triggers = [
        json!({"type": "time", "time": "23:59:59"}),
        json!({"type": "interval", "minutes": 90}),
        json!({"type": "boot"}),
        json!({"type": "connection", "event": "lost"}),
        json!({"type": "connection", "event": "regained"}),
    ];
    let rules = triggers
        .iter()
        .map(|trigger| rule(trigger.clone(), reboot.clone()));
    let loaded = load(rules.collect()).unwrap();
    let read: Vec<&Trigger> = (loaded.config.schedule.rules.iter())
        .map(|rule| &rule.trigger)
        .collect();
    let at = TimeOfDay {
        hour: 23,
        minute: 59,
        second: 59,
    };
    let days = Days::ALL;
    assert_eq!(read[0], &Trigger::Time { at, days });
    assert_eq!(read[1], &Trigger::Interval(Duration::from_secs(5400)));
    assert_eq!(
        read[2..],
        [&Trigger::Boot, &Trigger::Lost, &Trigger::Regained]
    );
}

#[test]
fn every_problem_has_its_path() {
    let reboot = json!({"type": "reboot"});
    for (rule, problem) in [
        (
            json!(7),
            "schedule.rules[0]: must be an object, not a number",
        ),
        (
            json!({"action": {"type": "reboot"}}),
            "schedule.rules[0].trigger: is required",
        ),
        (
            rule(json!({"type": "time", "time": "8:00"}), reboot.clone()),
            "schedule.rules[0].trigger.time: must be a time of day such as \"08:00\" or \"08:00:30\"",
        ),
        (
            rule(
                json!({"type": "time", "time": "08:00", "days": ["monday"]}),
                reboot.clone(),
            ),
            "schedule.rules[0].trigger.days[0]: must be mon, tue, wed, thu, fri, sat, sun or *, not \"monday\"",
        ),
        (
            rule(
                json!({"type": "time", "time": "08:00", "days": []}),
                reboot.clone(),
            ),
            "schedule.rules[0].trigger.days: must name at least one day",
        ),
        (
            rule(json!({"type": "interval", "minutes": 0}), reboot.clone()),
            "schedule.rules[0].trigger.minutes: must be a whole number from 1 to 40320, not 0",
        ),
        (
            rule(json!({"type": "boot"}), reboot.clone()),
            "schedule.rules[0].action.type: must not be used with the trigger \"boot\": the device would reboot forever",
        ),
        (
            rule(
                morning(),
                json!({"type": "start_process", "process_id": "gone"}),
            ),
            "schedule.rules[0].action.process_id: there is no process \"gone\"",
        ),
        (
            rule(
                morning(),
                json!({"type": "switch_canvas", "process_id": "sync", "url": "https://x/"}),
            ),
            "schedule.rules[0].action.process_id: must be a process of type \"chromium\"",
        ),
        (
            rule(
                morning(),
                json!({"type": "update_process", "process_id": "sync", "updates": {"enabled": 1}}),
            ),
            "schedule.rules[0].action.updates.enabled: must be true or false, not a number",
        ),
        (
            rule(
                morning(),
                json!({"type": "update_process", "process_id": "sync", "updates": {"colour": "red"}}),
            ),
            "schedule.rules[0].action.updates.colour: unknown field",
        ),
        (
            rule(
                morning(),
                json!({"type": "update_process", "process_id": "sync", "updates": {"command": null}}),
            ),
            "schedule.rules[0].action.updates.command: is required",
        ),
        (
            json!({"trigger": morning(), "action": {"type": "reboot"}, "until": "09:00"}),
            "schedule.rules[0].until: is not allowed: an action of this type cannot be undone",
        ),
        (
            json!({"trigger": {"type": "boot"}, "action": {"type": "start_process", "process_id": "sync"}, "until": "09:00"}),
            "schedule.rules[0].until: is only allowed with a trigger of type \"time\"",
        ),
        (
            json!({"trigger": morning(), "action": {"type": "start_process", "process_id": "sync"}, "until": "08:00"}),
            "schedule.rules[0].until: must differ from the time of the trigger",
        ),
    ] {
        assert_eq!(load(json!([rule])).unwrap_err(), [problem]);
    }
}

#[test]
fn a_disabled_rule_may_be_invalid() {
    let mut wrong = rule(
        morning(),
        json!({"type": "start_process", "process_id": "gone"}),
    );
    wrong["enabled"] = json!(false);
    let loaded = load(json!([wrong])).unwrap();
    let warned: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warned,
        ["schedule.rules[0].action.process_id: there is no process \"gone\""]
    );
    assert_eq!(loaded.config.schedule.invalid.len(), 1);
}

#[test]
fn ids_are_made_from_names_and_are_unique() {
    let named = |name: &str| {
        let mut rule = rule(morning(), json!({"type": "reboot"}));
        rule["name"] = json!(name);
        rule
    };
    let mut chosen = named("Third");
    chosen["id"] = json!("good-morning");
    let nameless = rule(morning(), json!({"type": "reboot"}));
    let rules = json!([
        named("Good morning!"),
        named("Good morning!"),
        chosen,
        nameless
    ]);
    let loaded = load(rules.clone()).unwrap();
    let ids: Vec<&str> = (loaded.config.schedule.rules.iter())
        .map(|rule| rule.id.as_str())
        .collect();
    assert_eq!(
        ids,
        ["good-morning-2", "good-morning-3", "good-morning", "rule"]
    );
    // Rules that are saved without ids get them.
    let section = crate::config::Section::Schedule;
    let saved = loaded
        .with_section(section, json!({"rules": rules}))
        .unwrap();
    let written = saved.document.section(section);
    assert_eq!(written["rules"][0]["id"], "good-morning-2");
    let twice = json!([{"id": "a", "trigger": morning(), "action": {"type": "reboot"}},
        {"id": "a", "trigger": morning(), "action": {"type": "reboot"}}]);
    assert_eq!(
        load(twice).unwrap_err(),
        ["schedule.rules[1].id: is the id of another rule"]
    );
}

#[test]
fn the_name_of_a_time_zone_is_checked() {
    for (zone, is_right) in [
        ("auto", true),
        ("UTC", true),
        ("America/Argentina/Buenos_Aires", true),
        ("Etc/GMT+5", true),
        ("", false),
        ("../etc/passwd", false),
        ("Europe/", false),
        ("Europe Berlin", false),
    ] {
        assert_eq!(check_zone(zone).is_ok(), is_right, "{zone:?}");
    }
}
