//! Valid and invalid documents of version 3.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use ossuary::config::{
    Display, Flags, Kind, Limits, Loaded, Log, Persist, Problem, Process, ReadySign, Restart,
    StopSignal,
};
use serde_json::{Value, json};
use std::rc::Rc;
use std::time::Duration;

fn read(document: &Value) -> Result<Loaded, Vec<Problem>> {
    Loaded::from_bytes(document.to_string().as_bytes())
}

/// A document with these processes.
fn with_processes(processes: Value) -> Value {
    json!({"version": 3, "processes": processes})
}

/// A valid process with these fields.
fn process(fields: Value) -> Value {
    let mut process = json!({"command": "node x"});
    for (name, value) in fields.as_object().unwrap() {
        process[name] = value.clone();
    }
    process
}

/// The meaning of a process with these fields.
fn meaning(fields: Value) -> Rc<Process> {
    let document = with_processes(json!({"p": fields}));
    let loaded = read(&document).unwrap_or_else(|problems| panic!("{document}: {problems:?}"));
    loaded.config.processes[0].clone()
}

fn lines(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(Problem::to_string).collect()
}

fn problems(document: &Value) -> Vec<String> {
    lines(&read(document).expect_err("must be refused"))
}

fn warnings(document: &Value) -> Vec<String> {
    lines(&read(document).unwrap().warnings)
}

#[test]
fn a_command_is_all_that_a_process_needs() {
    let process = meaning(json!({"command": "node x"}));
    assert_eq!(process.id.as_str(), "p");
    assert_eq!(process.name, "p");
    assert_eq!(process.kind, Kind::Custom);
    assert_eq!(process.display, None);
    assert!(process.enabled && process.autostart);
    assert_eq!(process.restart, Restart::OnCrash);
    assert_eq!(process.ready.sign, ReadySign::Started);
    assert_eq!(process.ready.timeout, Duration::from_secs(30));
    assert_eq!(process.limits, Limits::default());
    assert_eq!(process.stop_signal, StopSignal::Term);
    assert_eq!(process.stop_timeout, Duration::from_secs(10));
    assert_eq!(
        process.log,
        Log {
            memory_kib: 256,
            persist: None
        }
    );
}

#[test]
fn a_display_process_may_have_a_url_instead_of_a_command() {
    let process = meaning(json!({"type": "chromium", "url": "https://example.com/?a=b&c=d"}));
    assert_eq!(process.command, None);
    assert_eq!(process.display, Some(Display::X(0)));
    assert_eq!(
        process.flags,
        Flags {
            kiosk: true,
            webgpu: false,
            autoplay: true,
            cursor: false
        }
    );
}

#[test]
fn every_field_is_read() {
    let process = meaning(json!({
        "id": "p",
        "name": "Die Bühne",
        "type": "chromium",
        "command": "chromium",
        "url": "file:///srv/index.html",
        "display": "wayland-1",
        "enabled": false,
        "autostart": false,
        "restart_on_crash": true,
        "restart": "always",
        "flags": {"kiosk": false, "webgpu": true, "autoplay": false, "cursor": true},
        "user": "kiosk",
        "cwd": "/srv/kiosk",
        "env": {"LANG": "C.UTF-8", "KEY": "two\nlines"},
        "depends_on": [],
        "ready": {"type": "http", "url": "http://localhost:3000/", "timeout_seconds": 60},
        "limits": {"memory_max": "64M", "memory_high": 33554432, "cpu_percent": 150, "pids_max": 64},
        "stop_signal": "sigint",
        "stop_timeout_seconds": 2.5,
        "log": {"memory_kib": 64, "persist": {"max_bytes": "1M", "files": 5}},
    }));
    assert_eq!(process.name, "Die Bühne");
    assert_eq!(process.display, Some(Display::Wayland(1)));
    assert_eq!(process.restart, Restart::Always);
    assert!(!process.flags.kiosk && process.flags.cursor);
    assert_eq!(process.env[1], ("KEY".to_owned(), "two\nlines".to_owned()));
    let url = "http://localhost:3000/".to_owned();
    assert_eq!(process.ready.sign, ReadySign::Http { url });
    assert_eq!(process.ready.timeout, Duration::from_secs(60));
    assert_eq!(process.limits.memory_max, Some(64 << 20));
    assert_eq!(process.limits.memory_high, Some(32 << 20));
    assert_eq!(process.limits.cpu_percent, Some(150));
    assert_eq!(process.stop_signal, StopSignal::Int);
    assert_eq!(process.stop_timeout, Duration::from_millis(2500));
    let persist = Some(Persist {
        max_bytes: 1 << 20,
        files: 5,
    });
    assert_eq!(
        process.log,
        Log {
            memory_kib: 64,
            persist
        }
    );
}

#[test]
fn there_are_five_readiness_checks() {
    for (ready, sign) in [
        (json!({"type": "started"}), ReadySign::Started),
        (
            json!({"type": "tcp", "port": 65535}),
            ReadySign::Tcp { port: 65535 },
        ),
        (json!({"type": "notify"}), ReadySign::Notify),
        (
            json!({"type": "command", "command": "test -e /run/x"}),
            ReadySign::Command {
                command: "test -e /run/x".to_owned(),
            },
        ),
        (
            json!({"type": "http", "url": "http://[::1]/"}),
            ReadySign::Http {
                url: "http://[::1]/".to_owned(),
            },
        ),
    ] {
        assert_eq!(meaning(process(json!({"ready": ready}))).ready.sign, sign);
    }
}

/// A value of each JSON type except these.
fn values_but(fitting: &[&str]) -> Vec<Value> {
    let all = [
        ("null", json!(null)),
        ("boolean", json!(true)),
        ("number", json!(-7.5)),
        ("string", json!("\u{1}")),
        ("list", json!([[]])),
        ("object", json!({"?": {}})),
    ];
    let other = all.into_iter().filter(|(name, _)| !fitting.contains(name));
    other.map(|(_, value)| value).collect()
}

#[test]
fn a_wrong_type_of_any_field_of_a_process_is_reported_with_its_path() {
    // The path from the process, and the types that are valid.
    let fields: &[(&str, &[&str])] = &[
        ("id", &[]),
        ("name", &[]),
        ("type", &[]),
        ("command", &[]),
        ("url", &[]),
        ("display", &[]),
        ("enabled", &["boolean"]),
        ("autostart", &["boolean"]),
        ("restart_on_crash", &["boolean"]),
        ("restart", &[]),
        ("flags", &["object"]),
        ("flags.kiosk", &["boolean"]),
        ("flags.webgpu", &["boolean"]),
        ("flags.autoplay", &["boolean"]),
        ("flags.cursor", &["boolean"]),
        ("user", &[]),
        ("cwd", &[]),
        ("env", &["object"]),
        ("env.A", &[]),
        ("depends_on", &["list"]),
        ("ready", &["object"]),
        ("ready.type", &[]),
        ("ready.timeout_seconds", &[]),
        ("limits", &["object"]),
        ("limits.memory_max", &[]),
        ("limits.memory_high", &[]),
        ("limits.cpu_percent", &[]),
        ("limits.pids_max", &[]),
        ("stop_signal", &[]),
        ("stop_timeout_seconds", &[]),
        ("log", &["object"]),
        ("log.memory_kib", &[]),
        ("log.persist", &["object"]),
        ("log.persist.max_bytes", &[]),
        ("log.persist.files", &[]),
    ];
    for (field, fitting) in fields {
        for value in values_but(fitting) {
            let mut process = process(json!({"type": "chromium"}));
            if field.starts_with("ready.") {
                process["ready"] = json!({"type": "notify"});
            }
            let pointer = format!("/{}", field.replace('.', "/"));
            let (parents, name) = pointer.rsplit_once('/').unwrap();
            let mut parent = &mut process;
            for step in parents.split('/').skip(1) {
                parent = &mut parent[step];
                if parent.is_null() {
                    *parent = json!({});
                }
            }
            parent[name] = value.clone();

            let problems = read(&with_processes(json!({"p": process}))).expect_err(&pointer);
            assert_eq!(problems.len(), 1, "{field} = {value}: {problems:?}");
            assert_eq!(
                problems[0].path,
                format!("processes.p.{field}"),
                "= {value}"
            );
        }
    }
}

#[test]
fn a_wrong_type_of_a_top_level_field_is_reported_with_its_path() {
    for (field, fitting) in [
        ("version", &[][..]),
        ("processes", &["object"]),
        ("active_display_process", &["null"]),
        ("behaviors", &["object"]),
        ("schedule", &["object"]),
    ] {
        for value in values_but(fitting) {
            let mut document = with_processes(json!({}));
            document[field] = value;
            let problems = read(&document).expect_err(field);
            assert_eq!(problems.len(), 1);
            assert_eq!(problems[0].path, field);
        }
    }
    for value in values_but(&["object"]) {
        let problems = read(&value).expect_err("a document is an object");
        assert_eq!(problems[0].path, "");
    }
}

#[test]
fn every_bound_is_checked() {
    for (fields, path) in [
        (json!({"name": ""}), "name"),
        (json!({"name": "x".repeat(81)}), "name"),
        (json!({"name": "a\nb"}), "name"),
        (json!({"id": "q"}), "id"),
        (json!({"command": ""}), "command"),
        (json!({"command": "a 'b"}), "command"),
        (json!({"command": "a\u{0}b"}), "command"),
        (json!({"command": null, "type": "chromium"}), "command"),
        (
            json!({"type": "chromium", "url": "javascript:alert(1)"}),
            "url",
        ),
        (json!({"display": ":256"}), "display"),
        (json!({"type": "browser"}), "type"),
        (json!({"restart": "sometimes"}), "restart"),
        (json!({"user": ""}), "user"),
        (json!({"user": "a b"}), "user"),
        (json!({"user": "a\u{0}"}), "user"),
        (json!({"cwd": "home/pi"}), "cwd"),
        (json!({"cwd": "/a\u{0}"}), "cwd"),
        (json!({"env": {"A=B": "c"}}), "env[\"A=B\"]"),
        (json!({"env": {"1A": "c"}}), "env.1A"),
        (json!({"env": {"": "c"}}), "env[\"\"]"),
        (json!({"env": {"A": "\u{0}"}}), "env.A"),
        (json!({"env": {"A": 80}}), "env.A"),
        (json!({"ready": {}}), "ready.type"),
        (json!({"ready": {"type": "http"}}), "ready.url"),
        (
            json!({"ready": {"type": "http", "url": "https://x/"}}),
            "ready.url",
        ),
        (json!({"ready": {"type": "tcp"}}), "ready.port"),
        (json!({"ready": {"type": "tcp", "port": 0}}), "ready.port"),
        (
            json!({"ready": {"type": "tcp", "port": 65536}}),
            "ready.port",
        ),
        (json!({"ready": {"type": "command"}}), "ready.command"),
        (
            json!({"ready": {"type": "command", "command": "a \""}}),
            "ready.command",
        ),
        (
            json!({"ready": {"type": "notify", "timeout_seconds": 0}}),
            "ready.timeout_seconds",
        ),
        (
            json!({"ready": {"type": "notify", "timeout_seconds": 3601}}),
            "ready.timeout_seconds",
        ),
        (json!({"limits": {"memory_max": 0}}), "limits.memory_max"),
        (
            json!({"limits": {"memory_max": "64 cows"}}),
            "limits.memory_max",
        ),
        (
            json!({"limits": {"memory_high": 1.5}}),
            "limits.memory_high",
        ),
        (json!({"limits": {"cpu_percent": 0}}), "limits.cpu_percent"),
        (
            json!({"limits": {"cpu_percent": 10001}}),
            "limits.cpu_percent",
        ),
        (json!({"limits": {"pids_max": 0}}), "limits.pids_max"),
        (json!({"stop_signal": "STOP"}), "stop_signal"),
        (json!({"stop_timeout_seconds": -1}), "stop_timeout_seconds"),
        (
            json!({"stop_timeout_seconds": 3601}),
            "stop_timeout_seconds",
        ),
        (json!({"log": {"memory_kib": 0}}), "log.memory_kib"),
        (json!({"log": {"memory_kib": 65537}}), "log.memory_kib"),
        (
            json!({"log": {"persist": {"max_bytes": 1}}}),
            "log.persist.max_bytes",
        ),
        (
            json!({"log": {"persist": {"files": 0}}}),
            "log.persist.files",
        ),
    ] {
        let document = with_processes(json!({"p": process(fields.clone())}));
        let problems = read(&document).expect_err(&fields.to_string());
        assert_eq!(problems.len(), 1, "{fields}: {problems:?}");
        assert_eq!(problems[0].path, format!("processes.p.{path}"), "{fields}");
    }
}

#[test]
fn all_problems_are_reported_at_once() {
    let document = json!({
        "version": 3,
        "processes": {
            "sync": {"name": 7, "enabled": "yes", "depends_on": ["api", "sync", 3]},
            "manager": {"command": "node x"},
            "page": {"type": "chromium"},
            "list": [],
        },
        "active_display_process": "gone",
        "schedule": [],
    });
    assert_eq!(
        problems(&document),
        [
            "processes.sync.name: must be a string, not a number",
            "processes.sync.command: is required",
            "processes.sync.enabled: must be true or false, not a string",
            "processes.sync.depends_on[1]: must not be the process itself",
            "processes.sync.depends_on[2]: must be the id of a process, not a number",
            "processes.manager: its id must not be `manager`, which is reserved",
            "processes.page.command: is required, unless there is a `url`",
            "processes.list: must be an object, not a list",
            "processes.sync.depends_on[0]: there is no process \"api\"",
            "active_display_process: there is no process \"gone\"",
            "schedule: must be an object, not a list",
        ]
    );
}

#[test]
fn a_cycle_of_dependencies_is_spelled_out() {
    let needs = |id: &str| json!({"command": "node x", "depends_on": [id]});
    let document =
        with_processes(json!({"a": needs("b"), "b": needs("c"), "c": needs("a"), "d": needs("a")}));
    assert_eq!(
        problems(&document),
        ["processes.a.depends_on: has a cycle: a → b → c → a"]
    );
}

#[test]
fn the_active_display_process_is_a_display_process() {
    let processes =
        json!({"p": {"command": "node x"}, "q": {"type": "chromium", "url": "about:blank"}});
    let mut document = with_processes(processes);
    document["active_display_process"] = json!("p");
    assert_eq!(
        problems(&document),
        ["active_display_process: must be a process of type \"chromium\""]
    );
    document["active_display_process"] = json!("q");
    assert_eq!(
        read(&document)
            .unwrap()
            .config
            .active_display
            .as_ref()
            .unwrap()
            .as_str(),
        "q"
    );
}

#[test]
fn a_duplicate_name_is_a_problem() {
    let text = r#"{"version": 3, "processes": {"a": {"command": "x"}, "a": {"command": "y"}}}"#;
    let found = Loaded::from_bytes(text.as_bytes()).unwrap_err();
    assert_eq!(
        lines(&found),
        ["processes.a: is defined twice; keep one of the two"]
    );
}

#[test]
fn harmless_mistakes_are_warnings() {
    let starts = |display: &str| json!({"command": "node x", "display": display});
    let document = with_processes(json!({
        "a": starts(":0"),
        "b": starts(":0"),
        "c": starts(":1"),
        "d": {"command": "node x", "flags": {"kiosk": true}, "url": "http://x/", "colour": "teal"},
        "e": {"command": "node x", "restart": "always", "restart_on_crash": false, "enabled": false},
        "f": {"command": "node x", "depends_on": ["e", "a", "a"], "log": {"colour": 1}},
        "g": {"command": "node x", "limits": {"memory_max": "1M", "memory_high": "2M"}},
    }));
    assert_eq!(
        warnings(&document),
        [
            "processes.d.url: has no effect: only for a process of type \"chromium\"",
            "processes.d.flags: has no effect: only for a process of type \"chromium\"",
            "processes.d.colour: unknown field; it is kept and has no effect",
            "processes.e.restart_on_crash: has no effect: `restart` contradicts it and wins",
            "processes.f.depends_on[2]: is listed twice",
            "processes.f.log.colour: unknown field; it is kept and has no effect",
            "processes.g.limits.memory_high: has no effect: it is above memory_max",
            "processes.f.depends_on: e is disabled, so this process never starts",
            "processes.b.display: a also starts on :0, but a display holds one process at a time",
        ]
    );
}

#[test]
fn an_empty_file_is_an_empty_configuration() {
    for bytes in [&b""[..], b" \r\n\t", b"\xef\xbb\xbf\n"] {
        let loaded = Loaded::from_bytes(bytes).unwrap();
        assert_eq!(loaded.migration, None);
        assert_eq!(loaded.document, Loaded::empty().document);
        assert!(loaded.config.processes.is_empty());
    }
    let bytes = Loaded::empty().document.to_bytes();
    assert_eq!(
        Loaded::from_bytes(&bytes).unwrap().document,
        Loaded::empty().document
    );
}

#[test]
fn the_size_of_a_document_is_bounded() {
    let mut many = serde_json::Map::new();
    for number in 0..2001 {
        many.insert(format!("p{number}"), json!({"command": "x"}));
    }
    let found = problems(&with_processes(Value::Object(many.clone())));
    assert_eq!(
        found,
        ["processes: must be at most 2000 processes, not 2001"]
    );
    many.shift_remove("p0");
    assert_eq!(
        read(&with_processes(Value::Object(many)))
            .unwrap()
            .config
            .processes
            .len(),
        2000
    );

    let found = problems(&json!({"version": 3, "x": "y".repeat(300_000)}));
    assert!(found[0].starts_with("has 300"), "{found:?}");
    // It would fit as compact JSON, but the file is written with indents.
    let found = problems(&json!({"version": 3, "x": vec![vec![1]; 60_000]}));
    assert!(
        found[0].contains("a configuration has at most 262144"),
        "{found:?}"
    );
}

#[test]
fn a_process_is_serialized_in_the_order_of_the_documentation() {
    let shown = |fields: Value| serde_json::to_string(&*meaning(fields)).unwrap();
    assert_eq!(
        shown(json!({"command": "node x"})),
        r#"{"id":"p","name":"p","type":"custom","command":"node x","enabled":true,"autostart":true,"restart_on_crash":true}"#
    );
    let full = json!({
        "log": {"memory_kib": 64, "persist": {"max_bytes": 4096, "files": 2}},
        "stop_timeout_seconds": 2.5,
        "stop_signal": "SIGINT",
        "limits": {"memory_max": "64M"},
        "ready": {"type": "tcp", "port": 80},
        "env": {"B": "1", "A": "2"},
        "cwd": "/srv",
        "user": "kiosk",
        "restart": "always",
        "url": "about:blank",
        "command": "chromium",
        "type": "chromium",
        "name": "Page",
    });
    assert_eq!(
        shown(full),
        concat!(
            r#"{"id":"p","name":"Page","type":"chromium","command":"chromium","url":"about:blank","#,
            r#""display":":0","enabled":true,"autostart":true,"restart_on_crash":true,"#,
            r#""restart":"always","flags":{"kiosk":true,"webgpu":false,"autoplay":true,"#,
            r#""cursor":false},"user":"kiosk","cwd":"/srv","env":{"B":"1","A":"2"},"#,
            r#""ready":{"type":"tcp","port":80,"timeout_seconds":30},"#,
            r#""limits":{"memory_max":67108864},"stop_signal":"INT","stop_timeout_seconds":2.5,"#,
            r#""log":{"memory_kib":64,"persist":{"max_bytes":4096,"files":2}}}"#,
        )
    );
}
