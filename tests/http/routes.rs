//! Every route does what the description says.

use crate::harness::{at, id, kiosk};
use ossuary::config::Section;
use ossuary::supervisor::{Command, Done, Edit, Failure, Refusal, State};
use std::rc::Rc;

#[test]
fn the_list_has_the_specified_form() {
    kiosk(async |kiosk| {
        let answer = kiosk.get("/api/processes").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.field("content-type"), Some("application/json"));
        let list = answer.json();
        assert_eq!(list["active_display"], "main-display");
        let display = &list["processes"]["main-display"];
        assert_eq!(display["id"], "main-display");
        assert_eq!(display["name"], "Gallery Display");
        assert_eq!(display["type"], "chromium");
        assert_eq!(display["enabled"], true);
        assert_eq!(display["status"], "running");
        assert_eq!(display["pid"], 1234);
        assert_eq!(display["uptime"], 3600);
        assert_eq!(display["restarts"], 0);
        assert_eq!(display["since"], "2026-11-23T07:00:00.000Z");
        assert!(display["reason"].is_null());
        let sync = &list["processes"]["data-sync"];
        assert_eq!(sync["status"], "stopped");
        assert_eq!(sync["reason"], "stopped by the operator");
        assert!(sync["pid"].is_null() && sync["uptime"].is_null());
        let ids: Vec<_> = list["processes"]
            .as_object()
            .expect("an object")
            .keys()
            .collect();
        assert_eq!(ids, ["main-display", "data-sync"]);
    });
}

#[test]
fn the_cached_list_is_renewed_after_a_change() {
    kiosk(async |kiosk| {
        let first = kiosk.get("/api/processes").await.body;
        assert_eq!(kiosk.get("/api/processes").await.body, first);
        kiosk.publish(|status| status.active_display = None);
        assert!(kiosk.get("/api/processes").await.json()["active_display"].is_null());
    });
}

#[test]
fn one_process_is_shown() {
    kiosk(async |kiosk| {
        let shown = kiosk.get("/api/processes/data-sync").await.json();
        assert_eq!(shown["command"], "python3 /home/pi/sync.py");
        assert_eq!(shown["status"], "stopped");
    });
}

#[test]
fn a_process_with_limits_shows_whether_they_are_enforced() {
    kiosk(async |kiosk| {
        kiosk.publish(|status| {
            for shown in &mut status.processes {
                let mut process = (*shown.process).clone();
                process.limits.pids_max = Some(20);
                let mut limited = (**shown).clone();
                limited.process = Rc::new(process);
                *shown = Rc::new(limited);
            }
        });
        let list = kiosk.get("/api/processes").await.json();
        let display = &list["processes"]["main-display"];
        assert_eq!(display["limits_enforced"], false);
        assert_eq!(display["limits_note"], "no cgroup was delegated");
        let sync = &list["processes"]["data-sync"];
        assert_eq!(sync["limits_enforced"], true);
        assert!(sync.get("limits_note").is_none());
    });
}

#[test]
fn resource_usage_is_shown_for_a_single_process_only() {
    kiosk(async |kiosk| {
        let shown = kiosk.get("/api/processes/main-display").await.json();
        assert_eq!(shown["memory"]["current"], 4096);
        assert_eq!(shown["memory"]["peak"], 8192);
        assert_eq!(shown["pids"], 3);
        assert!(shown.get("limits_enforced").is_none(), "it has no limits");
        let shown = kiosk.get("/api/processes/data-sync").await.json();
        assert!(shown.get("memory").is_none() && shown.get("pids").is_none());
        let list = kiosk.get("/api/processes").await.json();
        assert!(list["processes"]["main-display"].get("memory").is_none());
    });
}

#[test]
fn a_process_is_added() {
    kiosk(async |kiosk| {
        kiosk.will_reply(Ok(Done::Created(id("data-sync"))));
        let answer = kiosk
            .post("/api/processes", r#"{"name":"Data","command":"x"}"#)
            .await;
        assert_eq!(answer.status, 201);
        assert_eq!(answer.field("location"), Some("/api/processes/data-sync"));
        assert_eq!(answer.json()["id"], "data-sync");
        let Some(Command::Edit(Edit::Create(fields))) = kiosk.received_command() else {
            panic!("unexpected command");
        };
        assert_eq!(fields["name"], "Data");
    });
}

#[test]
fn a_process_is_changed_and_removed() {
    kiosk(async |kiosk| {
        kiosk.will_reply(Ok(Done::Changed));
        let answer = kiosk
            .put("/api/processes/data-sync", r#"{"name":"New"}"#)
            .await;
        assert_eq!(
            (answer.status, &answer.json()["id"]),
            (200, &"data-sync".into())
        );
        let asked = kiosk.received_command();
        assert!(
            matches!(asked, Some(Command::Edit(Edit::Change { id: sync, fields, if_match: None }))
            if sync == id("data-sync") && fields["name"] == "New")
        );
        kiosk.will_reply(Ok(Done::Changed));
        let answer = kiosk
            .call("DELETE", "/api/processes/data-sync", "", "")
            .await;
        assert_eq!((answer.status, answer.body.len()), (204, 0));
        assert_eq!(answer.field("content-length"), None);
        assert!(
            matches!(kiosk.received_command(), Some(Command::Edit(Edit::Delete { id: sync, force: false })) if sync == id("data-sync"))
        );
    });
}

#[test]
fn a_change_of_a_process_honours_if_match() {
    kiosk(async |kiosk| {
        let shown = kiosk.get("/api/processes/data-sync").await;
        let tag = shown.field("etag").expect("a tag").to_owned();
        kiosk.will_reply(Ok(Done::Changed));
        let head = format!("Content-Type: application/json\r\nIf-Match: {tag}\r\n");
        let answer = kiosk
            .call(
                "PUT",
                "/api/processes/data-sync",
                &head,
                r#"{"name":"New"}"#,
            )
            .await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.field("etag"), Some(tag.as_str()), "unchanged here");
        let Some(Command::Edit(Edit::Change {
            id: sync,
            if_match: Some(if_match),
            ..
        })) = kiosk.received_command()
        else {
            panic!("the supervisor was asked for something else");
        };
        assert_eq!(sync, id("data-sync"));
        assert_eq!(format!("\"{}\"", if_match[0]), tag);
        kiosk.will_reply(Err(Refusal::Outdated));
        let answer = kiosk
            .call("PUT", "/api/processes/data-sync", &head, "{}")
            .await;
        assert_eq!(answer.status, 412);
    });
}

#[test]
fn start_stop_and_restart_name_the_processes_that_were_stopped() {
    kiosk(async |kiosk| {
        let stopped = vec![id("main-display")];
        kiosk.will_reply(Ok(Done::Started { stopped }));
        let answer = kiosk.post("/api/processes/data-sync/start", "").await;
        assert_eq!(answer.status, 202);
        assert_eq!(answer.json()["stopped"][0], "main-display");
        assert_eq!(answer.json()["id"], "data-sync");
        assert!(matches!(kiosk.received_command(), Some(Command::Start(_))));
        let answer = kiosk
            .call("POST", "/api/processes/data-sync/restart", "", "")
            .await;
        assert_eq!(
            (answer.status, &answer.json()["stopped"]),
            (202, &serde_json::json!([]))
        );
        assert!(matches!(
            kiosk.received_command(),
            Some(Command::Restart(_))
        ));
        let answer = kiosk.post("/api/processes/data-sync/stop", "{}").await;
        assert_eq!(
            (answer.status, &answer.json()["stopped"]),
            (202, &serde_json::Value::Null)
        );
        assert!(matches!(kiosk.received_command(), Some(Command::Stop(_))));
    });
}

#[test]
fn displays_are_shown_with_their_processes() {
    kiosk(async |kiosk| {
        let expected = serde_json::json!({"displays": [{
            "name": ":0", "kind": "x", "connected": true, "resolution": null, "output": null,
            "outputs": [], "connector": null, "monitor": null,
            "rotation": {"requested": null, "actual": null, "problem": null},
            "power": {
                "requested": null, "actual": null, "backend": null, "since": null, "problem": null,
            },
            "process": "main-display", "wanted_by": ["main-display"],
        }], "connectors": []});
        assert_eq!(kiosk.get("/api/displays").await.json(), expected);
    });
}

#[test]
fn a_screen_is_switched_by_the_encoded_or_literal_name_of_its_display() {
    for path in ["/api/displays/:0/power", "/api/displays/%3A0/power"] {
        kiosk(async |kiosk| {
            let answer = kiosk.post(path, r#"{"on": false}"#).await;
            assert_eq!(answer.status, 202);
            assert_eq!(answer.json()["name"], ":0");
            let asked = kiosk.received_command();
            assert!(
                matches!(&asked, Some(Command::SwitchPower { display, on: false }) if display.to_string() == ":0"),
                "{asked:?}"
            );
        });
    }
}

#[test]
fn an_invalid_power_switch_names_its_field() {
    kiosk(async |kiosk| {
        for (body, field) in [
            (r#"{"on": 1}"#, "on"),
            ("{}", "on"),
            (r#"{"on": true, "x": 1}"#, "x"),
        ] {
            let answer = kiosk.post("/api/displays/:0/power", body).await;
            assert_eq!(
                (answer.status, &answer.json()["field"]),
                (422, &field.into())
            );
        }
        let answer = kiosk
            .post("/api/displays/HDMI-1/power", r#"{"on": true}"#)
            .await;
        assert_eq!(answer.status, 404);
        assert!(kiosk.received_command().is_none());
    });
}

#[test]
fn the_document_and_its_sections_have_an_entity_tag() {
    kiosk(async |kiosk| {
        let document = kiosk.api.feed.current().configuration.document.clone();
        let tag = format!("\"{}\"", document.etag());
        let whole = kiosk.get("/api/config").await;
        assert_eq!(whole.body, document.to_bytes());
        assert_eq!(whole.field("etag"), Some(tag.as_str()));
        let behaviors = kiosk.get("/api/behaviors").await;
        assert_eq!(behaviors.json(), document.section(Section::Behaviors));
        let schedule = kiosk.get("/api/schedule").await;
        assert_eq!(schedule.json(), document.section(Section::Schedule));
        assert_eq!(schedule.field("etag"), Some(tag.as_str()));
        for path in ["/api/config", "/api/behaviors", "/api/schedule"] {
            let known = format!("If-None-Match: \"x\", W/{tag}\r\n");
            let answer = kiosk.call("GET", path, &known, "").await;
            assert_eq!((answer.status, answer.body.len()), (304, 0));
            assert_eq!(answer.field("etag"), Some(tag.as_str()));
        }
    });
}

#[test]
fn the_document_and_its_sections_are_replaced_if_the_tag_matches() {
    kiosk(async |kiosk| {
        let tag = kiosk.api.feed.current().configuration.document.etag();
        let fields = format!("Content-Type: application/json\r\nIf-Match: \"{tag}\"\r\n");
        kiosk.will_reply(Ok(Done::Changed));
        let answer = kiosk
            .call("PUT", "/api/config", &fields, r#"{"version":3}"#)
            .await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.field("etag"), Some(format!("\"{tag}\"").as_str()));
        assert!(
            matches!(kiosk.received_command(), Some(Command::Edit(Edit::ReplaceConfig { document, if_match }))
            if document["version"] == 3 && if_match == Some(vec![tag]))
        );
        for (path, part) in [
            ("/api/behaviors", Section::Behaviors),
            ("/api/schedule", Section::Schedule),
        ] {
            kiosk.will_reply(Ok(Done::Changed));
            let answer = kiosk.put(path, r#"{"x":1}"#).await;
            let document = kiosk.api.feed.current().configuration.document.clone();
            assert_eq!(
                (answer.status, answer.json()),
                (200, document.section(part))
            );
            assert!(matches!(kiosk.received_command(),
                Some(Command::Edit(Edit::ReplaceSection { section, value, if_match: None }))
                if section == part && value["x"] == 1));
        }
    });
}

#[test]
fn a_reload_reads_the_file_again() {
    kiosk(async |kiosk| {
        let answer = kiosk.post("/api/reload", "").await;
        assert_eq!(answer.status, 202);
        assert_eq!(answer.json()["configuration"]["source"], "file");
        assert!(matches!(kiosk.received_command(), Some(Command::Reload)));
    });
}

#[test]
fn an_upgrade_is_refused_if_the_installed_program_does_not_work() {
    kiosk(async |kiosk| {
        let answer = kiosk.post("/api/upgrade", "").await;
        assert_eq!(answer.status, 202);
        assert_eq!(answer.json()["version"], "1.2.3");
        assert!(matches!(kiosk.received_command(), Some(Command::Upgrade)));
        let failure = Failure::system("/usr/bin/ossuary does not work: exit status: 3");
        kiosk.will_reply(Err(Refusal::NotUpgraded(failure)));
        let answer = kiosk.post("/api/upgrade", "").await;
        assert_eq!(answer.status, 409);
        let detail = "not upgraded: /usr/bin/ossuary does not work: exit status: 3";
        assert_eq!(answer.json()["detail"], detail);
    });
}

#[test]
fn the_status_summarizes_everything() {
    kiosk(async |kiosk| {
        let expected = serde_json::json!({
            "version": "1.2.3", "generation": 1, "uptime": 3610,
            "started": "2026-11-23T06:59:50.000Z", "hostname": "kiosk",
            "last_start": {
                "reason": "first start",
                "detail": "no daemon has run with this state directory before",
                "since": "2026-11-23T06:59:50.000Z",
            },
            "active_display": "main-display",
            "configuration": {
                "file": "/etc/ossuary/config.json", "source": "file",
                "problems": [], "warnings": [], "file_differs": false,
            },
            "processes": {"total": 2, "running": 1, "waiting": 0, "failed": 0},
            "schedule": {
                "enabled": false, "timezone": "", "clock_trusted": false, "problem": null, "rules": {},
            },
            "shutting_down": false,
        });
        assert_eq!(kiosk.get("/api/status").await.json(), expected);
        let system = kiosk.get("/api/system").await.json();
        assert_eq!(system["version"], "1.2.3");
        assert!(system["memory"]["daemon"].as_u64() > Some(0));
    });
}

#[test]
fn logs_are_text_unless_json_is_requested() {
    kiosk(async |kiosk| {
        let log = kiosk.api.logs.ensure(&id("data-sync"), 65536);
        log.note("one\ntwo\nthree \"quoted\"", at(40));
        let text = kiosk.get("/api/processes/data-sync/logs?lines=2").await;
        assert_eq!(
            text.field("content-type"),
            Some("text/plain; charset=utf-8")
        );
        assert_eq!(
            text.text(),
            "2026-11-23T07:00:00.000Z ossuary two\n\
             2026-11-23T07:00:00.000Z ossuary three \"quoted\"\n"
        );
        let accept = "Accept: text/html;q=0.1, application/json\r\n";
        let json = kiosk
            .call("GET", "/api/processes/data-sync/logs?lines=2", accept, "")
            .await;
        let json = json.json();
        assert_eq!((&json["first"], &json["next"]), (&2.into(), &4.into()));
        assert_eq!(json["lines"][1]["text"], "three \"quoted\"");
        assert_eq!(json["lines"][0]["seq"], 2);
        assert_eq!(json["lines"][0]["cut"], false);
    });
}

#[test]
fn a_process_that_has_printed_nothing_has_an_empty_log() {
    kiosk(async |kiosk| {
        let path = "/api/processes/data-sync/logs";
        assert_eq!(kiosk.get(path).await.text(), "");
        let json = kiosk
            .call("GET", path, "Accept: application/json\r\n", "")
            .await
            .json();
        assert_eq!(
            json,
            serde_json::json!({"lines": [], "first": 1, "next": 1})
        );
    });
}

#[test]
fn a_response_holds_at_most_the_newest_half_mebibyte_of_a_log() {
    kiosk(async |kiosk| {
        let log = kiosk.api.logs.ensure(&id("data-sync"), 4 * 1024 * 1024);
        let line = "x".repeat(1000);
        for _ in 0..2000 {
            log.note(&line, at(40));
        }
        log.note("the last one", at(40));
        let text = kiosk.get("/api/processes/data-sync/logs?lines=10000").await;
        assert!(text.text().ends_with("the last one\n"));
        assert!(text.body.len() < 600 * 1024, "{}", text.body.len());
        assert!(text.body.len() > 500 * 1024, "{}", text.body.len());
    });
}

#[test]
fn healthz_reports_that_the_loop_responds() {
    kiosk(async |kiosk| {
        let answer = kiosk.get("/healthz").await;
        assert_eq!((answer.status, answer.text()), (200, "ok\n"));
    });
}

#[test]
fn the_metrics_can_be_scraped() {
    kiosk(async |kiosk| {
        kiosk.publish(|status| {
            let mut failed = (*status.processes[1]).clone();
            failed.state = State::Failed;
            failed.restarts = 7;
            status.processes[1] = Rc::new(failed);
        });
        let answer = kiosk.get("/metrics").await;
        let lines: Vec<_> = answer.text().lines().collect();
        for line in [
            "ossuary_build_info{version=\"1.2.3\"} 1",
            "ossuary_last_start_info{reason=\"first start\"} 1",
            "ossuary_generation 2",
            "ossuary_uptime_seconds 3610",
            "# TYPE ossuary_resident_memory_bytes gauge",
            "ossuary_http_connections 1",
            "# TYPE ossuary_process_up gauge",
            "ossuary_process_up{process=\"main-display\"} 1",
            "ossuary_process_up{process=\"data-sync\"} 0",
            "ossuary_process_restarts{process=\"data-sync\"} 7",
            "ossuary_process_uptime_seconds{process=\"main-display\"} 3600",
            "ossuary_process_state{process=\"data-sync\",state=\"failed\"} 1",
            "ossuary_process_memory_bytes{process=\"main-display\"} 4096",
            "ossuary_process_memory_peak_bytes{process=\"main-display\"} 8192",
            "ossuary_process_pids{process=\"main-display\"} 3",
        ] {
            assert!(lines.contains(&line), "{line} is not in\n{}", answer.text());
        }
        let resident = (lines.iter())
            .find_map(|line| line.strip_prefix("ossuary_resident_memory_bytes "))
            .and_then(|bytes| bytes.parse::<u64>().ok());
        assert!(
            resident.is_some_and(|bytes| bytes > 100_000),
            "{resident:?}"
        );
    });
}

#[test]
fn the_web_ui_has_a_strict_policy_and_is_revalidated() {
    kiosk(async |kiosk| {
        for (path, media_type) in [
            ("/", "text/html; charset=utf-8"),
            ("/page/app.js", "text/javascript; charset=utf-8"),
            ("/page/style.css", "text/css; charset=utf-8"),
            ("/page/favicon.svg", "image/svg+xml"),
            ("/api/openapi.json", "application/json"),
        ] {
            let answer = kiosk.get(path).await;
            assert_eq!(answer.status, 200);
            assert_eq!(answer.field("content-type"), Some(media_type));
            assert_eq!(answer.field("cache-control"), Some("no-cache"));
            let policy = answer.field("content-security-policy").expect("a policy");
            assert!(policy.starts_with("default-src 'none'; script-src 'self';"));
            let known = format!(
                "If-None-Match: {}\r\n",
                answer.field("etag").expect("a tag")
            );
            let again = kiosk.call("GET", path, &known, "").await;
            assert_eq!((again.status, again.body.len()), (304, 0));
        }
        let api = kiosk.get("/api/status").await;
        assert_eq!(api.field("cache-control"), Some("no-store"));
        assert_eq!(api.field("x-content-type-options"), Some("nosniff"));
        assert_eq!(api.field("referrer-policy"), Some("no-referrer"));
        assert_eq!(
            api.field("cross-origin-resource-policy"),
            Some("same-origin")
        );
        assert_eq!(api.field("access-control-allow-origin"), None);
    });
}

#[test]
fn a_client_that_accepts_deflate_gets_a_third_of_the_bytes() {
    kiosk(async |kiosk| {
        for path in ["/", "/page/app.js", "/api/openapi.json"] {
            let plain = kiosk.get(path).await;
            assert_eq!(plain.field("content-encoding"), None);
            let takes = "Accept-Encoding: gzip, deflate, br\r\n";
            let small = kiosk.call("GET", path, takes, "").await;
            assert_eq!(small.field("content-encoding"), Some("deflate"));
            assert_eq!(small.field("vary"), Some("Accept-Encoding"));
            assert!(small.body.len() * 2 < plain.body.len(), "{path}");
            let inflated = miniz_oxide::inflate::decompress_to_vec_zlib(&small.body);
            assert_eq!(inflated.expect("zlib"), plain.body, "{path}");
            assert_ne!(small.field("etag"), plain.field("etag"), "two things");
            let known = format!("{takes}If-None-Match: {}\r\n", small.field("etag").unwrap());
            assert_eq!(kiosk.call("GET", path, &known, "").await.status, 304);
        }
    });
}

#[test]
fn head_is_get_without_the_body() {
    kiosk(async |kiosk| {
        for path in ["/api/status", "/", "/api/processes"] {
            let length = kiosk.get(path).await.body.len().to_string();
            let mut client = kiosk.connect().await;
            client.ask("HEAD", path, "", "").await;
            let head = client.answer_to("HEAD").await;
            assert_eq!(head.field("content-length"), Some(length.as_str()));
            client.ask("GET", "/healthz", "", "").await;
            assert_eq!(client.answer().await.text(), "ok\n");
        }
        let events = kiosk.call("HEAD", "/api/events", "", "").await;
        assert_eq!(events.field("content-type"), Some("text/event-stream"));
    });
}

#[test]
fn options_lists_the_methods_of_a_path() {
    kiosk(async |kiosk| {
        let answer = kiosk.call("OPTIONS", "/api/processes", "", "").await;
        assert_eq!((answer.status, answer.body.len()), (204, 0));
        assert_eq!(answer.field("allow"), Some("GET, HEAD, POST, OPTIONS"));
    });
}
