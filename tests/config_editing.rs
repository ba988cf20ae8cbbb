//! Edits of a configuration: each succeeds as a whole or changes nothing, and other fields are kept.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use ossuary::config::{Id, Loaded, Problem, Section, WhenLost};
use serde_json::{Map, Value, json};
use std::rc::Rc;

fn load(document: &Value) -> Loaded {
    let bytes = document.to_string();
    Loaded::from_bytes(bytes.as_bytes()).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn id(text: &str) -> Id {
    text.parse().unwrap()
}

fn fields(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn json_of(loaded: &Loaded) -> Value {
    Value::Object(loaded.document.as_map().clone())
}

fn lines(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(Problem::to_string).collect()
}

/// A configuration with unknown fields.
fn gallery() -> Loaded {
    load(&json!({
        "version": 3,
        "notes": "mine",
        "processes": {
            "sync": {
                "command": "node sync",
                "limits": {"memory_max": "64M", "io_weight": 10},
                "colour": "teal",
            },
            "page": {
                "type": "chromium",
                "url": "https://example.com/",
                "depends_on": ["sync"],
                "flags": {"webgpu": true, "sparkle": 1},
            },
        },
        "active_display_process": "page",
        "behaviors": {"on_connection_lost": {"action": "show_overlay"}},
    }))
}

#[test]
fn a_new_process_is_appended_with_an_id_made_from_its_name() {
    let new = json!({"name": "Data Sync", "command": "node x", "user": null, "status": "stopped"});
    let (once, first) = gallery().with_process(fields(new.clone())).unwrap();
    assert_eq!(first.as_str(), "data-sync");
    assert_eq!(
        json_of(&once)["processes"]["data-sync"].to_string(),
        r#"{"id":"data-sync","name":"Data Sync","command":"node x"}"#
    );
    let (twice, second) = once.with_process(fields(new.clone())).unwrap();
    let (thrice, third) = twice.with_process(fields(new)).unwrap();
    assert_eq!(
        [second.as_str(), third.as_str()],
        ["data-sync-2", "data-sync-3"]
    );
    let ids: Vec<_> = thrice
        .config
        .processes
        .iter()
        .map(|process| process.id.as_str())
        .collect();
    assert_eq!(
        ids,
        ["sync", "page", "data-sync", "data-sync-2", "data-sync-3"]
    );
}

#[test]
fn a_client_may_choose_the_id_of_a_new_process() {
    let (_, chosen) = gallery()
        .with_process(fields(json!({"id": "Api_1", "command": "node x"})))
        .unwrap();
    assert_eq!(chosen.as_str(), "Api_1");
    for (written, problem) in [
        (json!("sync"), "id: is the id of another process"),
        (
            json!("a b"),
            "id: must contain only letters, digits, - and _",
        ),
        (json!(7), "id: must be a string, not a number"),
    ] {
        let new = fields(json!({"id": written, "command": "node x"}));
        assert_eq!(lines(&gallery().with_process(new).unwrap_err()), [problem]);
    }
}

#[test]
fn the_paths_of_problems_start_at_the_new_process() {
    let new = json!({
        "id": "manager",
        "name": "",
        "colour": "teal",
        "shape": null,
        "env": {"A": 1},
        "depends_on": ["gone"],
    });
    assert_eq!(
        lines(&gallery().with_process(fields(new)).unwrap_err()),
        [
            "id: must not be `manager`, which is reserved",
            "shape: unknown field",
            "name: must have 1 to 80 characters",
            "command: is required",
            "env.A: must be a string, not a number; write \"1\"",
            "depends_on[0]: there is no process \"gone\"",
            "colour: unknown field",
        ]
    );
}

#[test]
fn a_change_replaces_the_given_fields_only() {
    let loaded = gallery();
    let changed = loaded
        .with_changes(
            &id("sync"),
            fields(json!({"name": "Sync", "command": "node other"})),
        )
        .unwrap();
    let mut expected = json_of(&loaded);
    expected["processes"]["sync"]["name"] = json!("Sync");
    expected["processes"]["sync"]["command"] = json!("node other");
    assert_eq!(
        json_of(&changed).to_string(),
        expected.to_string(),
        "order and all"
    );
    assert!(
        Rc::ptr_eq(&changed.config.processes[1], &loaded.config.processes[1]),
        "what has not changed is the same"
    );
}

#[test]
fn a_client_may_send_back_what_it_has_read() {
    let loaded = gallery();
    for process in &loaded.config.processes {
        let mut shown = fields(serde_json::to_value(process).unwrap());
        for name in [
            "status", "pid", "uptime", "restarts", "since", "reason", "page", "run",
        ] {
            shown.insert(name.to_owned(), json!(1));
        }
        let changed = loaded.with_changes(&process.id, shown).unwrap();
        assert_eq!(changed.document, loaded.document);
    }
}

#[test]
fn null_resets_a_field_to_its_default() {
    let changed = gallery()
        .with_changes(&id("sync"), fields(json!({"limits": null})))
        .unwrap();
    assert_eq!(changed.config.processes[0].limits, Default::default());
    let problems = gallery().with_changes(&id("sync"), fields(json!({"command": null})));
    assert_eq!(lines(&problems.unwrap_err()), ["command: is required"]);
}

#[test]
fn an_unknown_field_in_a_request_is_a_problem() {
    for (change, path) in [
        (json!({"shape": "round"}), "shape"),
        (json!({"shape": null}), "shape"),
        (json!({"flags": {"shape": 1}}), "flags.shape"),
        (
            json!({"log": {"persist": {"shape": 1}}}),
            "log.persist.shape",
        ),
        (json!({"id": "other"}), "id"),
    ] {
        let problems = gallery()
            .with_changes(&id("page"), fields(change))
            .unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(problems[0].path, path);
    }
}

#[test]
fn an_unknown_field_of_the_file_is_kept_until_it_is_removed_by_name() {
    let page = id("page");
    let changed = gallery()
        .with_changes(&page, fields(json!({"flags": {"kiosk": false}})))
        .unwrap();
    assert_eq!(
        json_of(&changed)["processes"]["page"]["flags"],
        json!({"kiosk": false, "sparkle": 1})
    );
    assert!(
        !changed.config.processes[1].flags.webgpu,
        "what is known is replaced as a whole"
    );
    let changed = gallery()
        .with_changes(&id("sync"), fields(json!({"colour": null})))
        .unwrap();
    assert_eq!(json_of(&changed)["processes"]["sync"].get("colour"), None);
}

#[test]
fn the_one_of_restart_and_restart_on_crash_that_is_given_wins() {
    let always = load(&json!({
        "version": 3,
        "processes": {"p": {"command": "x", "restart": "always", "restart_on_crash": true}},
    }));
    let change = |change| {
        let changed = always.with_changes(&id("p"), fields(change)).unwrap();
        assert!(changed.warnings.is_empty());
        json_of(&changed)["processes"]["p"].clone()
    };
    assert_eq!(
        change(json!({"restart_on_crash": false})),
        json!({"command": "x", "restart_on_crash": false})
    );
    assert_eq!(
        change(json!({"restart": "never"})),
        json!({"command": "x", "restart": "never"})
    );
}

#[test]
fn a_change_that_closes_a_cycle_is_a_problem_of_its_own_field() {
    let problems = gallery().with_changes(&id("sync"), fields(json!({"depends_on": ["page"]})));
    assert_eq!(
        lines(&problems.unwrap_err()),
        ["depends_on: has a cycle: sync → page → sync"]
    );
}

#[test]
fn a_process_that_is_no_longer_a_display_process_is_not_the_active_display() {
    let change = json!({"type": "custom", "command": "node x", "url": null, "flags": null});
    let changed = gallery().with_changes(&id("page"), fields(change)).unwrap();
    assert_eq!(changed.config.active_display, None);
}

#[test]
fn a_process_is_removed_with_the_references_to_it() {
    let without = gallery().without_process(&id("sync")).unwrap();
    assert!(without.config.processes[0].depends_on.is_empty());
    let without = without.without_process(&id("page")).unwrap();
    assert_eq!(without.config.active_display, None);
    assert_eq!(
        json_of(&without),
        json!({
            "version": 3,
            "notes": "mine",
            "processes": {},
            "active_display_process": null,
            "behaviors": {"on_connection_lost": {"action": "show_overlay"}},
        })
    );
}

/// Found by fuzzing: the daemon ended over each of the first two.
#[test]
fn removing_a_process_that_rules_name_succeeds_or_says_why_not() {
    let with_rule = |action: Value| {
        let rule = json!({"trigger": {"type": "time", "time": "08:00"}, "action": action});
        let mut document = json_of(&gallery());
        document["schedule"] = json!({"rules": [rule]});
        load(&document)
    };
    for updates in [json!({"name": "Night"}), json!({"depends_on": ["sync"]})] {
        for changed in ["sync", "page"] {
            if updates.get("depends_on").is_some() && changed == "sync" {
                continue; // A process cannot depend on itself.
            }
            let action =
                json!({"type": "update_process", "process_id": changed, "updates": updates});
            let without = with_rule(action.clone())
                .without_process(&id("sync"))
                .unwrap();
            let rule = &json_of(&without)["schedule"]["rules"][0];
            assert_eq!(rule["action"], action, "the operator wrote it");
            let is_off = rule["enabled"] == false;
            assert_eq!(
                is_off,
                changed == "sync" || updates.get("depends_on").is_some()
            );
        }
    }
    // A rule of version 0.1 without a process means the one that holds the display.
    let mut document = json_of(&with_rule(json!({"type": "restart"})));
    document["processes"] = json!({"page": document["processes"]["page"]});
    document["processes"]["page"]["depends_on"] = json!([]);
    let refused = load(&document).without_process(&id("page")).unwrap_err();
    assert_eq!(
        lines(&refused),
        ["schedule.rules[0].action.process_id: is required"]
    );
}

#[test]
fn the_active_display_follows_a_switch() {
    let loaded = gallery();
    let (loaded, lobby) = loaded
        .with_process(fields(
            json!({"name": "Lobby", "type": "chromium", "url": "about:blank"}),
        ))
        .unwrap();
    let switched = loaded.with_active_display(Some(&lobby));
    assert_eq!(switched.config.active_display, Some(lobby));
    assert_eq!(
        switched.with_active_display(None).config.active_display,
        None
    );
    let unfit = switched.with_active_display(Some(&id("sync")));
    assert_eq!(unfit.config.active_display, switched.config.active_display);
}

#[test]
fn a_section_is_replaced_as_a_whole() {
    let pause = json!({"on_connection_lost": {"action": "pause"}});
    let changed = gallery()
        .with_section(Section::Behaviors, pause.clone())
        .unwrap();
    assert_eq!(changed.document.section(Section::Behaviors), pause);
    assert_eq!(changed.config.behaviors.when_lost, WhenLost::Pause);
    assert_eq!(changed.document.section(Section::Schedule), json!({}));
    let unknown = gallery()
        .with_section(Section::Behaviors, json!({"x": 1}))
        .unwrap_err();
    assert_eq!(lines(&unknown), ["behaviors.x: unknown field"]);
    let problems = gallery()
        .with_section(Section::Schedule, json!([]))
        .unwrap_err();
    assert_eq!(
        lines(&problems),
        ["schedule: must be an object, not a list"]
    );
    let large = json!({"x": "y".repeat(300_000)});
    assert_eq!(
        gallery()
            .with_section(Section::Schedule, large)
            .unwrap_err()
            .last()
            .unwrap()
            .path,
        ""
    );
}

#[test]
fn replacing_the_document_keeps_unknown_fields_and_refuses_new_ones() {
    let loaded = gallery();
    let same = loaded.replaced_by(json_of(&loaded)).unwrap();
    assert_eq!(same.document, loaded.document);

    let mut document = json!({
        "version": 3,
        "processes": {"page": {"type": "chromium", "url": "about:blank", "flags": {}}},
    });
    let replaced = loaded.replaced_by(document.clone()).unwrap();
    assert_eq!(
        json_of(&replaced),
        json!({
            "version": 3,
            "processes": {
                "page": {"type": "chromium", "url": "about:blank", "flags": {"sparkle": 1}},
            },
            "notes": "mine",
        })
    );

    document["shape"] = json!("round");
    document["processes"]["page"]["shape"] = json!("round");
    assert_eq!(
        lines(&loaded.replaced_by(document).unwrap_err()),
        [
            "processes.page.shape: unknown field",
            "shape: unknown field"
        ]
    );
    let problems = loaded.replaced_by(json!([])).unwrap_err();
    assert_eq!(lines(&problems), ["must be a JSON object, not a list"]);
}

#[test]
fn a_document_of_version_0_1_may_replace_the_document() {
    let old = json!({"version": 2, "startup_command": "node x", "saved_networks": []});
    let replaced = gallery().replaced_by(old).unwrap();
    assert_eq!(replaced.config.processes[0].id.as_str(), "main-display");
    assert_eq!(replaced.migration, None);
}

/// Makes random edits, valid and invalid ones.
struct Client {
    random: fastrand::Rng,
}

impl Client {
    fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.random.usize(..choices.len())].clone()
    }

    /// Some fields of a process, each valid or invalid.
    fn some_fields(&mut self, ids: &[String]) -> Map<String, Value> {
        let mut some = Map::new();
        for _ in 0..self.random.usize(0..5) {
            let other = self.pick(ids);
            let choices = [
                ("name", json!("Gallery Display")),
                ("command", json!("chromium https://x/?a=b&c=d")),
                ("command", json!("'")),
                ("type", json!("chromium")),
                ("type", json!("custom")),
                ("url", json!("about:blank")),
                ("display", json!(":1")),
                ("enabled", json!(false)),
                ("restart", json!("always")),
                ("restart_on_crash", json!(false)),
                ("flags", json!({"cursor": true})),
                ("env", json!({"A": "b"})),
                ("limits", json!({"memory_max": "64M"})),
                ("depends_on", json!([other])),
                ("depends_on", json!([])),
                ("log", json!({"memory_kib": 64})),
                ("shape", json!("round")),
                ("pid", json!(1)),
                ("flags", Value::Null),
                ("url", Value::Null),
            ];
            let (name, value) = self.pick(&choices);
            some.insert(name.to_owned(), value);
        }
        some
    }

    fn change(&mut self, loaded: &Loaded) -> Option<Loaded> {
        let mut ids: Vec<_> = loaded
            .config
            .processes
            .iter()
            .map(|p| p.id.to_string())
            .collect();
        ids.push("gone".to_owned());
        let chosen = id(&self.pick(&ids));
        match self.random.u32(0..8) {
            0..=2 => {
                let mut new = self.some_fields(&ids);
                new.entry("command").or_insert(json!("node x"));
                loaded.with_process(new).ok().map(|(loaded, _)| loaded)
            }
            3..=5 => loaded.with_changes(&chosen, self.some_fields(&ids)).ok(),
            6 => Some(loaded.with_active_display(Some(&chosen))),
            _ if ids.len() > 6 => Some(loaded.without_process(&chosen).unwrap()),
            _ => loaded
                .with_section(Section::Schedule, json!({"rules": [1.5, 1e100]}))
                .ok(),
        }
    }
}

/// The invariants of every configuration.
fn assert_valid(loaded: &Loaded) {
    let again =
        Loaded::from_bytes(&loaded.document.to_bytes()).expect("what is written can be read");
    assert_eq!(again.document, loaded.document);
    assert_eq!(again.config, loaded.config);
    assert_eq!(again.warnings, loaded.warnings);
    assert_eq!(again.migration, None);
}

#[test]
fn random_edits_keep_the_document_valid_and_its_unknown_fields() {
    for seed in 0..12 {
        let mut client = Client {
            random: fastrand::Rng::with_seed(seed),
        };
        let mut loaded = gallery();
        let mut done = 0;
        for _ in 0..60 {
            let Some(next) = client.change(&loaded) else {
                continue;
            };
            assert_valid(&next);
            let (before, after) = (json_of(&loaded), json_of(&next));
            assert_eq!(after["notes"], "mine", "seed {seed}");
            for (id, process) in after["processes"].as_object().unwrap() {
                let old = &before["processes"][id];
                for path in ["/colour", "/limits/io_weight", "/flags/sparkle"] {
                    let parent = path.rsplit_once('/').unwrap().0;
                    if process.pointer(parent).is_some() && old.pointer(path).is_some() {
                        assert_eq!(
                            process.pointer(path),
                            old.pointer(path),
                            "seed {seed}: {path}"
                        );
                    }
                }
            }
            loaded = next;
            done += 1;
        }
        assert!(done > 20, "most changes must succeed: {done}");
    }
}
