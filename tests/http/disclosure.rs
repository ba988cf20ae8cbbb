//! What the roles below `admin` cannot read: a document full of planted secrets, requested through every route.

use crate::harness::{Answer, Kiosk, at, id, kiosk, snapshot};
use ossuary::config::{Loaded, Problem};
use ossuary::http::api::routes::ROUTES;
use ossuary::supervisor::PageState;
use ossuary::supervisor::{
    Done, EntryKind, Failure, HistoryEntry, LastExecution, LocalTime, Occurrence, OccurrenceKind,
    PageStatus, Preview, Reason, RecoveryStep, Refusal, RuleOutcome, RuleStatus, ScheduleStatus,
    Snapshot,
};
use serde_json::{Value, json};
use std::rc::Rc;

/// Part of every value that must not be shown, and of nothing else.
const PLANTED: &str = "planted";

/// A document with a secret in every place that can have one.
fn document() -> String {
    let url = "https://planted-user:planted-word@board.example/wall?key=planted-query#planted-part";
    json!({
        "version": 3,
        "processes": {
            "main-display": {
                "name": "Board", "type": "chromium", "url": url,
                "command": format!("chromium --app-token=planted-flag {url}"),
                "env": {"API_KEY": "planted-env"},
                "ready": {"type": "http", "url": "http://planted-user@localhost:3000/up?planted-ready"},
                "api_key": "planted-unknown"
            },
            "data-sync": {
                "type": "custom", "command": "sync --password planted-argument",
                "cwd": "/srv/planted-directory",
                "env": {"TOKEN": "planted-env"},
                "ready": {"type": "command", "command": "curl planted-ready"},
                "nested": {"deeper": ["planted-nested"]}
            }
        },
        "active_display_process": "main-display",
        "behaviors": {
            "on_connection_lost": {"action": "show_overlay", "webhook": "planted-webhook"},
            "planted_is_only_a_name": {"x": "planted-behavior"}
        },
        "schedule": {"enabled": true, "timezone": "auto", "note": "planted-note", "rules": [
            {"id": "r-run", "name": "Backup", "trigger": {"type": "boot"},
             "action": {"type": "run_command", "command": "backup --key planted-command"}},
            {"id": "r-show", "name": "Evening", "trigger": {"type": "time", "time": "18:00"},
             "action": {"type": "switch_canvas", "process_id": "main-display", "url": url}},
            {"id": "r-update", "name": "Other key", "trigger": {"type": "boot"}, "memo": "planted-memo",
             "action": {"type": "update_process", "process_id": "data-sync",
                        "updates": {"env": {"TOKEN": "planted-update"}}}}
        ]},
        "wifi": {"ssid": "lobby", "psk": "planted-psk"},
        "wifi_networks": [{"ssid": "lobby", "password": "planted-wifi"}],
        "saved_networks": [{"ssid": "lobby", "password": "planted-network"}],
        "mqtt_password": "planted-mqtt"
    })
    .to_string()
}

/// A kiosk with this document, with every kind of problem that mentions its configuration.
fn troubled(status: &mut Snapshot) {
    let document = document();
    let loaded = Loaded::from_bytes(document.as_bytes()).expect("a document without a problem");
    let generation = status.generation;
    *status = snapshot(&document);
    status.generation = generation;
    let mut configuration = (*status.configuration).clone();
    configuration.problems = vec![Problem {
        path: "processes.data-sync.command".into(),
        message: "`planted-problem` is no program".into(),
    }];
    let warning = Problem {
        path: "api_key".into(),
        message: "unknown field, planted-warning".into(),
    };
    configuration.warnings = configuration
        .warnings
        .iter()
        .cloned()
        .chain([warning])
        .collect();
    status.configuration = Rc::new(configuration);

    let url = "https://planted-user:planted-word@board.example/wall?key=planted-query".to_owned();
    let mut display = (*status.processes[0]).clone();
    display.page = Some(Rc::new(PageStatus {
        state: PageState::NetError,
        since: at(50),
        title: Some("board.example/wall?key=planted-query".into()),
        reason: Some(format!("cannot load {url}: timed out")),
        last_painted: None,
        last_step: Some(Rc::new(RecoveryStep {
            at: at(51),
            state: PageState::NetError,
            what: format!("loaded \"{url}\" again"),
            evidence: None,
        })),
        url: Some(url.clone()),
        server_reachable: Some(false),
    }));
    display.reason = Some(Reason::PageRecovery(format!("{url} did not answer")));
    status.processes[0] = Rc::new(display);
    let mut sync = (*status.processes[1]).clone();
    sync.reason = Some(Reason::NotStarted(Failure::system(
        "cannot execute planted-program: no such file",
    )));
    status.processes[1] = Rc::new(sync);

    let entry = |rule: &str, detail: &str| HistoryEntry {
        rule: id(rule),
        name: rule.into(),
        at: None,
        kind: EntryKind::Run,
        outcome: Some(RuleOutcome::Failed),
        detail: Some(detail.into()),
    };
    let rules = loaded.config.schedule.rules.iter();
    status.schedule = Rc::new(ScheduleStatus {
        rules: rules
            .map(|rule| RuleStatus {
                id: rule.id.clone(),
                rule: Some(rule.clone()),
                waits_for_clock: false,
                next: None,
                active: false,
                last: Some(Rc::new(LastExecution {
                    at: None,
                    outcome: RuleOutcome::Failed,
                    detail: Some(match rule.id.as_str() {
                        "r-show" => format!("cannot load {url}"),
                        _ => "planted-detail".into(),
                    }),
                })),
            })
            .collect(),
        record: [
            (entry("r-run", "cannot execute planted-command"), None),
            (entry("r-show", &format!("cannot load {url}")), None),
            (entry("r-gone", "planted-detail"), None),
        ]
        .into(),
        ..ScheduleStatus::default()
    });
}

/// The responses to a GET of every route, and the first events of the event stream.
async fn everything(kiosk: &Kiosk, token: &str) -> Vec<(String, u16, String)> {
    let fields = format!("Authorization: Bearer {token}\r\n");
    let loaded = Loaded::from_bytes(document().as_bytes()).expect("a document without a problem");
    let mut seen = Vec::new();
    for route in ROUTES.iter().filter(|route| route.method == "GET") {
        if route.path == "/api/events" || route.path.ends_with("/logs/stream") {
            continue;
        }
        for process in ["main-display", "data-sync"] {
            if route.path == "/api/schedule/next" {
                let zone = jiff::tz::TimeZone::UTC;
                let occurrence = |rule: &Rc<ossuary::config::Rule>| Occurrence {
                    rule: rule.clone(),
                    at: LocalTime::new(jiff::Timestamp::UNIX_EPOCH, &zone),
                    kind: OccurrenceKind::Begin,
                };
                kiosk.will_reply(Ok(Done::Preview(Rc::new(Preview {
                    timezone: "UTC".into(),
                    clock_trusted: true,
                    occurrences: loaded
                        .config
                        .schedule
                        .rules
                        .iter()
                        .map(occurrence)
                        .collect(),
                    conflicts: Vec::new(),
                    more: false,
                }))));
            }
            if route.path.ends_with("/screenshot") {
                kiosk.will_reply(Err(Refusal::PageFailed(
                    id("main-display"),
                    Failure::system("https://x@board.example/?planted-refusal hangs"),
                )));
            }
            let path = route.path.replace("{id}", process);
            let answer = kiosk.call_anonymously("GET", &path, &fields, "").await;
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            seen.push((path, answer.status, text));
        }
    }
    let mut client = kiosk.connect_anonymously().await;
    client.ask("GET", "/api/events", &fields, "").await;
    assert_eq!(client.head().await.status, 200);
    let snapshot = client.event().await.expect("a snapshot").data;
    seen.push(("snapshot".into(), 200, snapshot.to_string()));
    kiosk.publish(|status| {
        status.processes[0] = Rc::new((*status.processes[0]).clone());
        status.schedule = Rc::new((*status.schedule).clone());
        status.configuration = Rc::new((*status.configuration).clone());
    });
    let change = client.event().await.expect("a change").data;
    assert!(change["schedule"].is_object() && change["configuration"].is_object());
    seen.push(("change".into(), 200, change.to_string()));
    seen
}

#[test]
fn view_and_operate_read_no_secret_in_any_response() {
    kiosk(async |kiosk| {
        kiosk.publish(troubled);
        for token in &kiosk.tokens[..2] {
            for (path, _, text) in everything(&kiosk, token).await {
                let text = text.replace("planted_is_only_a_name", "");
                assert!(!text.contains(PLANTED), "{path}: {text}");
            }
        }
        let mut shown = everything(&kiosk, &kiosk.tokens[2]).await;
        shown.retain(|(_, _, text)| text.contains(PLANTED));
        let paths: Vec<_> = shown.iter().map(|(path, ..)| path.as_str()).collect();
        for path in [
            "/api/config",
            "/api/processes",
            "/api/processes/data-sync",
            "/api/behaviors",
            "/api/schedule",
            "/api/schedule/next",
            "/api/schedule/record",
            "/api/status",
            "snapshot",
            "change",
        ] {
            assert!(paths.contains(&path), "{path} shows nothing to an admin");
        }
    });
}

#[test]
fn documents_that_differ_only_in_secrets_have_the_same_headers_below_admin() {
    kiosk(async |kiosk| {
        let other = document().replace(PLANTED, "another-guess");
        let other = other.replace("another-guess_is_only_a_name", "planted_is_only_a_name");
        let show = |document: &str| {
            kiosk.publish(|status| {
                let generation = status.generation;
                *status = snapshot(document);
                status.generation = generation;
            });
        };
        let get = async |token: &str, path: &str, fields: &str| {
            let fields = format!("Authorization: Bearer {token}\r\n{fields}");
            kiosk.call_anonymously("GET", path, &fields, "").await
        };
        let [view, operate, admin] = &kiosk.tokens;
        for path in ["/api/behaviors", "/api/schedule"] {
            show(&other);
            let secret = get(admin, path, "").await;
            let secret = secret
                .field("etag")
                .expect("a tag of the document")
                .to_owned();
            for token in [view, operate] {
                show(&document());
                let one = get(token, path, "").await;
                show(&other);
                let two = get(token, path, "").await;
                assert_eq!((one.status, &one.body), (200, &two.body), "{path}");
                let headers = |answer: &Answer| {
                    let mut fields = answer.fields.clone();
                    fields.retain(|(name, _)| !name.eq_ignore_ascii_case("date"));
                    fields
                };
                assert_eq!(headers(&one), headers(&two), "{path}");

                // A guessed tag is not confirmed; the tag that was sent is.
                let guessed = get(token, path, &format!("If-None-Match: {secret}\r\n")).await;
                assert_eq!(guessed.status, 200, "{path}");
                let known = two.field("etag").expect("a tag of what was sent");
                let again = get(token, path, &format!("If-None-Match: {known}\r\n")).await;
                assert_eq!(
                    (again.status, again.field("etag")),
                    (304, Some(known)),
                    "{path}"
                );
            }
        }
    });
}

#[test]
fn view_reads_what_is_not_secret() {
    kiosk(async |kiosk| {
        kiosk.publish(troubled);
        let fields = format!("Authorization: Bearer {}\r\n", kiosk.tokens[0]);
        let get = async |path: &str| -> Value {
            let answer = kiosk.call_anonymously("GET", path, &fields, "").await;
            assert_eq!(answer.status, 200, "{path}");
            answer.json()
        };
        let display = &get("/api/processes").await["processes"]["main-display"];
        assert_eq!(display["url"], "https://board.example/wall");
        assert_eq!(display["name"], "Board");
        assert_eq!(display["page"]["url"], "https://board.example/wall");
        assert_eq!(display["page"]["title"], "board.example/wall");
        let rules = &get("/api/schedule").await["rules"];
        assert_eq!(rules[1]["trigger"]["time"], "18:00");
        assert_eq!(rules[1]["action"]["url"], "https://board.example/wall");
        let status = get("/api/status").await;
        let problem = &status["configuration"]["problems"][0];
        assert_eq!(problem["path"], "processes.data-sync.command");
        let last = &status["schedule"]["rules"]["r-show"]["last"];
        assert_eq!(last["detail"], "cannot load https://board.example/wall");
        let stopped = &get("/api/processes/data-sync").await;
        assert_eq!(stopped["reason"], "could not be started");
        let config = kiosk
            .call_anonymously("GET", "/api/config", &fields, "")
            .await;
        config.expect_problem(403, "not-allowed");
    });
}

#[test]
fn operate_opens_http_and_https_pages_only() {
    kiosk(async |kiosk| {
        let fields = |token: &str| {
            format!("Authorization: Bearer {token}\r\nContent-Type: application/json\r\n")
        };
        let navigate = async |token: &str, url: &str| {
            let body = json!({"url": url}).to_string();
            let path = "/api/processes/main-display/navigate";
            kiosk
                .call_anonymously("POST", path, &fields(token), &body)
                .await
        };
        let [_, operate, admin] = &kiosk.tokens;
        for url in [
            "file:///etc/passwd",
            "FILE:///etc/passwd",
            "chrome://settings",
            "view-source:http://localhost/",
            "data:text/html,x",
            "about:blank",
            " file:///etc/passwd",
            "httpx://localhost/",
            "http:file:///etc/passwd",
            "",
        ] {
            let refused = navigate(operate, url).await;
            let problem = refused.expect_problem(403, "not-allowed");
            assert!(problem["detail"].as_str().expect("text").contains("admin"));
            assert!(kiosk.received_command().is_none(), "{url}");
            assert_eq!(navigate(admin, url).await.status, 200, "{url}");
            assert!(kiosk.received_command().is_some(), "{url}");
        }
        for url in ["http://localhost:3000/?a=b", "HTTPS://board.example"] {
            assert_eq!(navigate(operate, url).await.status, 200, "{url}");
            assert!(kiosk.received_command().is_some(), "{url}");
        }
    });
}
