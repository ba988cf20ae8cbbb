//! Migration of the documents of Ossuary 0.1 to version 3, without losing a setting.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use ossuary::config::{Config, Display, Flags, Kind, Loaded, Process};
use serde_json::{Value, json};

const PLAN: &str = include_str!("data/plan.json");
const V1: &str = include_str!("data/v1.json");
const V1_DOCUMENTED: &str = include_str!("data/v1-documented.json");
const V1_PAGE: &str = include_str!("data/v1-page.json");
const V2: &str = include_str!("data/v2.json");

fn load(text: &str) -> Loaded {
    Loaded::from_bytes(text.as_bytes()).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// `V2` with some of its fields set.
fn v2(changes: Value) -> Loaded {
    let mut document: Value = serde_json::from_str(V2).unwrap();
    for (name, value) in changes.as_object().unwrap() {
        document[name] = value.clone();
    }
    load(&document.to_string())
}

/// The one process of a configuration.
fn only(config: &Config) -> &Process {
    assert_eq!(config.processes.len(), 1);
    &config.processes[0]
}

#[test]
fn a_document_of_version_2_is_valid() {
    let loaded = load(PLAN);
    assert_eq!(loaded.migration, None);
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    assert_eq!(
        loaded.document.as_map(),
        &serde_json::from_str(PLAN).unwrap()
    );

    let ids: Vec<_> = loaded
        .config
        .processes
        .iter()
        .map(|process| process.id.as_str())
        .collect();
    assert_eq!(ids, ["main-display", "data-sync", "api-server"]);
    let main = &loaded.config.processes[0];
    assert_eq!(main.name, "Gallery Display");
    assert_eq!(main.kind, Kind::Chromium);
    assert_eq!(main.display, Some(Display::X(0)));
    assert_eq!(
        main.flags,
        Flags {
            webgpu: true,
            ..Flags::default()
        }
    );
    assert_eq!(loaded.config.active_display.as_ref(), Some(&main.id));
}

#[test]
fn the_startup_command_of_version_1_becomes_a_process() {
    let loaded = load(V1);
    assert_eq!(loaded.migration.as_ref().unwrap().from, 1);
    assert_eq!(
        Value::Object(loaded.document.as_map().clone()),
        json!({
            "version": 3,
            "processes": {
                "main-display": {
                    "id": "main-display",
                    "name": "Main Display",
                    "type": "chromium",
                    "command": "chromium --kiosk https://example.com/board",
                    "display": ":0",
                    "enabled": true,
                    "autostart": true,
                    "restart_on_crash": true,
                },
            },
            "active_display_process": "main-display",
            "wifi_networks": [],
        })
    );
    let names: Vec<_> = loaded.document.as_map().keys().collect();
    assert_eq!(
        names,
        [
            "version",
            "processes",
            "active_display_process",
            "wifi_networks"
        ]
    );
}

#[test]
fn every_setting_of_version_1_is_kept_or_has_an_equivalent() {
    let loaded = load(V1_DOCUMENTED);
    let process = only(&loaded.config);
    assert_eq!(process.kind, Kind::Custom);
    assert_eq!(
        process.command.as_deref(),
        Some("cd /home/pi/app && node server.js")
    );
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        process.env,
        [pair("NODE_ENV", "production"), pair("PORT", "3000")]
    );
    assert_eq!(
        loaded.config.active_display, None,
        "a program without a page is no display process"
    );

    let old: Value = serde_json::from_str(V1_DOCUMENTED).unwrap();
    for name in [
        "environment",
        "restart_delay",
        "max_restarts",
        "installed_by",
    ] {
        assert_eq!(loaded.document.as_map()[name], old[name]);
    }
}

#[test]
fn an_invalid_environment_is_not_migrated() {
    for environment in [
        json!({"PORT": 3000}),
        json!({"A B": "c"}),
        json!("PORT=3000"),
        json!([]),
    ] {
        let old = json!({"startup_command": "node x", "environment": environment});
        let loaded = load(&old.to_string());
        assert!(only(&loaded.config).env.is_empty());
        assert_eq!(loaded.document.as_map()["environment"], environment);
    }
}

#[test]
fn a_display_that_the_command_names_is_used() {
    let loaded = load(V1_PAGE);
    let process = only(&loaded.config);
    assert_eq!(process.kind, Kind::Chromium);
    assert_eq!(process.display, Some(Display::Wayland(0)));
    assert!(loaded.document.as_map().contains_key("behaviors"));
    assert_eq!(
        loaded.document.as_map()["saved_networks"][0]["password"],
        "paper and ink"
    );

    for (command, display) in [
        ("DISPLAY=:1 chromium https://x", Some(Display::X(1))),
        (
            "export DISPLAY=:0.0; chromium https://x",
            Some(Display::X(0)),
        ),
        ("DISPLAY=$D chromium https://x", Some(Display::X(0))),
        ("python3 show.py", Some(Display::X(0))),
        ("cage -- chromium https://x", None),
        ("startx /usr/bin/chromium", None),
    ] {
        let loaded = load(&json!({"startup_command": command}).to_string());
        assert_eq!(only(&loaded.config).display, display, "{command}");
    }
}

#[test]
fn the_type_is_chromium_where_the_command_starts_that_browser() {
    for (command, kind) in [
        ("chromium-browser --kiosk https://x", Kind::Chromium),
        ("DISPLAY=:0 /usr/bin/chromium https://x", Kind::Chromium),
        ("xset s off && chromium https://x", Kind::Chromium),
        ("python3 /home/pi/chromium-stats.py", Kind::Custom),
        ("pkill chromium; node server.js", Kind::Custom),
    ] {
        let loaded = load(&json!({"startup_command": command}).to_string());
        assert_eq!(only(&loaded.config).kind, kind, "{command}");
    }
}

#[test]
fn the_active_profile_wins_over_an_empty_startup_command() {
    let loaded = load(V2);
    assert_eq!(loaded.migration.as_ref().unwrap().from, 2);
    let process = only(&loaded.config);
    assert_eq!(process.id.as_str(), "main-display");
    assert_eq!(process.name, "LumenCanvas Display");
    assert_eq!(process.kind, Kind::Chromium);
    assert_eq!(
        process.url.as_deref(),
        Some("https://lumencanvas.studio/canvas/abc123")
    );
    assert_eq!(
        process.flags,
        Flags {
            webgpu: true,
            ..Flags::default()
        }
    );
    assert_eq!(loaded.config.active_display.as_ref(), Some(&process.id));

    let loaded = v2(json!({"active_profile": "webgpu_kiosk"}));
    assert_eq!(
        only(&loaded.config).url.as_deref(),
        Some("https://example.com/board")
    );
    assert!(!only(&loaded.config).flags.webgpu);

    let loaded = v2(json!({"active_profile": "custom"}));
    assert_eq!(
        only(&loaded.config).command.as_deref(),
        Some("python3 /home/pi/show.py")
    );
    assert_eq!(only(&loaded.config).kind, Kind::Custom);
}

#[test]
fn a_startup_command_wins_over_the_active_profile() {
    let loaded = v2(json!({"startup_command": "node x"}));
    assert_eq!(only(&loaded.config).command.as_deref(), Some("node x"));
    assert!(loaded.document.as_map()["profiles"]["lumencanvas"].is_object());
}

#[test]
fn a_url_is_completed_as_in_version_0_1() {
    for (typed, url) in [
        ("proj_7", "https://lumencanvas.studio/projector/proj_7"),
        ("abc123", "https://lumencanvas.studio/canvas/abc123"),
        ("canvas.example.com/x", "https://canvas.example.com/x"),
    ] {
        let profiles = json!({"lumencanvas": {"config": {"canvas_url": typed}}});
        let loaded = v2(json!({"profiles": profiles}));
        assert_eq!(only(&loaded.config).url.as_deref(), Some(url));
    }
}

#[test]
fn a_profile_that_says_nothing_makes_no_process() {
    for profiles in [
        json!({}),
        json!({"lumencanvas": {"config": {"canvas_url": ""}}}),
        json!({"lumencanvas": {"config": {"canvas_url": "no address"}}}),
        json!({"lumencanvas": {"config": 7}}),
        json!("none"),
    ] {
        let loaded = v2(json!({"profiles": profiles}));
        assert!(loaded.config.processes.is_empty(), "from {profiles}");
        assert_eq!(loaded.document.as_map()["profiles"], profiles);
    }
}

#[test]
fn behaviors_schedule_networks_and_unknown_fields_are_kept() {
    let loaded = load(V2);
    let old: Value = serde_json::from_str(V2).unwrap();
    for (name, value) in old.as_object().unwrap() {
        if !["version", "startup_command", "schedule"].contains(&name.as_str()) {
            assert_eq!(&loaded.document.as_map()[name], value, "{name}");
        }
    }
    assert!(!loaded.document.as_map().contains_key("startup_command"));
    let warnings: Vec<_> = loaded
        .warnings
        .iter()
        .map(|warning| warning.path.as_str())
        .collect();
    assert_eq!(
        warnings,
        ["hostname"],
        "what the older program wrote is no news"
    );
}

#[test]
fn the_rules_of_version_0_1_are_converted() {
    let loaded = load(V2);
    let schedule = &loaded.document.as_map()["schedule"];
    assert_eq!(
        schedule["rules"],
        json!([{
            "id": "rule-1",
            "name": "Morning Display",
            "enabled": true,
            "trigger": {"type": "time", "time": "08:00", "days": ["mon", "tue"]},
            "action": {
                "type": "switch_canvas",
                "process_id": "main-display",
                "url": "https://lumencanvas.studio/canvas/abc123",
            },
            "until": "18:00",
        }])
    );
    assert_eq!(schedule["timezone"], "Europe/Berlin");
    let rule = &loaded.config.schedule.rules[0];
    assert!(loaded.config.schedule.enabled && rule.enabled);

    let rule = |action: Value| json!({"id": "r", "trigger": {"type": "time", "time": "08:00", "days": ["*"]}, "action": action});
    for (action, modern) in [
        (
            json!({"type": "refresh", "profile": "refresh"}),
            json!({"type": "refresh_page"}),
        ),
        (
            json!({"type": "restart", "profile": "restart"}),
            json!({"type": "restart_process", "process_id": "main-display"}),
        ),
        (
            json!({"type": "switch_profile", "profile": "webgpu"}),
            json!({"type": "switch_canvas", "process_id": "main-display", "url": "https://example.com/board"}),
        ),
        (
            json!({"type": "switch_profile", "profile": "custom"}),
            json!({"type": "update_process", "process_id": "main-display", "updates": {
                "type": "custom", "command": "python3 /home/pi/show.py", "url": null, "flags": null,
            }}),
        ),
    ] {
        let loaded = v2(json!({"schedule": {"rules": [rule(action.clone())]}}));
        let schedule = &loaded.document.as_map()["schedule"];
        assert_eq!(schedule["rules"][0]["action"], modern, "{action}");
        assert_eq!(schedule["enabled"], false, "it was disabled by default");
        assert!(
            loaded.config.schedule.invalid.is_empty(),
            "{:?}",
            loaded.warnings
        );
    }
}

#[test]
fn an_invalid_rule_is_disabled_and_the_document_is_valid() {
    let rules = json!([
        {"id": "a", "name": "Nothing", "trigger": {"type": "time", "time": "8", "days": []}, "action": {"type": "refresh"}},
        {"id": "b", "trigger": {"type": "time", "time": "08:00"}, "action": {"type": "switch_profile", "profile": "gone"}},
        {"id": "c", "trigger": {"type": "time", "time": "08:00"}, "action": {"type": "refresh"}},
    ]);
    let loaded = v2(json!({"schedule": {"enabled": true, "rules": rules}}));
    let schedule = &loaded.config.schedule;
    assert_eq!(schedule.rules.len(), 1);
    assert_eq!(schedule.invalid.len(), 2);
    let notes = loaded.migration.as_ref().unwrap().notes.join("\n");
    assert!(
        notes.contains(
            "the rule Nothing is disabled: schedule.rules[0].trigger.time: must be a time of day"
        ),
        "{notes}"
    );
    let warned = loaded.warnings.iter().map(ToString::to_string);
    assert!(
        warned
            .into_iter()
            .any(|it| it.starts_with("schedule.rules[1].action"))
    );
}

#[test]
fn existing_processes_are_kept() {
    let old = json!({
        "startup_command": "node x",
        "processes": {"main-display": {"type": "chromium", "url": "about:blank"}},
        "active_display_process": "main-display",
    });
    let loaded = load(&old.to_string());
    let ids: Vec<_> = loaded
        .config
        .processes
        .iter()
        .map(|process| process.id.as_str())
        .collect();
    assert_eq!(ids, ["main-display", "main-display-2"]);
    assert_eq!(
        loaded.config.active_display.as_ref().unwrap().as_str(),
        "main-display"
    );
}

#[test]
fn a_second_migration_changes_nothing() {
    for text in [V1, V1_DOCUMENTED, V1_PAGE, V2, "{}"] {
        let once = load(text);
        let again = Loaded::from_bytes(&once.document.to_bytes()).unwrap();
        assert_eq!(again.migration, None);
        assert_eq!(again.document.to_bytes(), once.document.to_bytes());
        assert_eq!(again.config, once.config);
        assert_eq!(load(text).document.to_bytes(), once.document.to_bytes());
        assert_eq!(load(text).migration, once.migration);
    }
}

#[test]
fn what_cannot_be_migrated_is_a_problem_of_the_old_field() {
    for (old, problem) in [
        (
            json!({"startup_command": 7}),
            "startup_command: must be a string, not a number",
        ),
        (
            json!({"startup_command": "chromium 'x"}),
            "startup_command: a ' quote is not closed",
        ),
        (
            json!({"processes": []}),
            "processes: must be an object, not a list",
        ),
        (
            json!({"version": 4}),
            "version: must be at most 3; 4 was written by a newer Ossuary",
        ),
        (
            json!({"version": "2"}),
            "version: must be a number, not a string",
        ),
        (
            json!({"version": 2.5}),
            "version: must be 1, 2 or 3, not 2.5",
        ),
    ] {
        let problems = Loaded::from_bytes(old.to_string().as_bytes()).unwrap_err();
        assert_eq!(problems[0].to_string(), problem);
    }
    let empty = load(r#"{"startup_command": null}"#);
    assert!(empty.config.processes.is_empty());
}
