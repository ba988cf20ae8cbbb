//! Every refusal becomes the right problem, and the guard keeps other sites out.

use crate::harness::{id, kiosk};
use ossuary::config::Problem;
use ossuary::supervisor::{Done, Failure, FailureKind, Refusal};

#[test]
fn every_refusal_has_its_status_and_type() {
    kiosk(async |kiosk| {
        let sync = || id("data-sync");
        let failure = |kind| Failure {
            message: "cannot write config.json: no space left on device".into(),
            kind,
        };
        for (refusal, status, kind) in [
            (Refusal::NoSuchProcess(sync()), 404, "no-such-process"),
            (Refusal::IdTaken(sync()), 409, "id-taken"),
            (
                Refusal::NotSaved(failure(FailureKind::System)),
                503,
                "not-saved",
            ),
            (
                Refusal::NotSaved(failure(FailureKind::ChangedOnDisk)),
                409,
                "changed-on-disk",
            ),
            (Refusal::Busy, 503, "busy"),
            (Refusal::ShuttingDown, 503, "shutting-down"),
        ] {
            kiosk.will_reply(Err(refusal));
            let path = match status {
                404 => "/api/processes/data-sync",
                _ => "/api/processes",
            };
            let answer = match status {
                404 => kiosk.put(path, "{}").await,
                _ => kiosk.post(path, "{}").await,
            };
            answer.expect_problem(status, kind);
            assert_eq!(answer.field("retry-after").is_some(), status == 503);
        }
        kiosk.will_reply(Err(Refusal::Disabled(sync())));
        let answer = kiosk.post("/api/processes/data-sync/start", "").await;
        answer.expect_problem(409, "disabled");
        kiosk.will_reply(Err(Refusal::StillRuns(sync())));
        let answer = kiosk
            .call("DELETE", "/api/processes/data-sync", "", "")
            .await;
        answer.expect_problem(409, "still-runs");
        kiosk.will_reply(Err(Refusal::Outdated));
        kiosk
            .put("/api/config", "{}")
            .await
            .expect_problem(412, "outdated");
        kiosk.will_reply(Err(Refusal::NotRead(failure(FailureKind::System))));
        kiosk
            .post("/api/reload", "")
            .await
            .expect_problem(503, "not-read");
    });
}

#[test]
fn all_problems_of_a_document_are_reported_at_once() {
    kiosk(async |kiosk| {
        let problem = |path: &str| Problem {
            path: path.into(),
            message: "must be a string, not a number".into(),
        };
        kiosk.will_reply(Err(Refusal::Invalid(vec![
            problem("name"),
            problem("command"),
        ])));
        let answer = kiosk
            .put("/api/processes/data-sync", r#"{"name":1,"command":2}"#)
            .await;
        let problem = answer.expect_problem(422, "invalid");
        assert_eq!(problem["field"], "name");
        assert_eq!(problem["problems"][1]["field"], "command");
        assert_eq!(
            problem["problems"][1]["detail"],
            "must be a string, not a number"
        );
    });
}

#[test]
fn an_unknown_process_and_an_unknown_route_are_different_problems() {
    kiosk(async |kiosk| {
        for path in [
            "/api/processes/none",
            "/api/processes/%20",
            "/api/processes/none/logs",
        ] {
            kiosk.get(path).await.expect_problem(404, "no-such-process");
        }
        for path in ["/nothing", "/api", "/api/processes/", "/index.html"] {
            kiosk.get(path).await.expect_problem(404, "not-found");
        }
        kiosk
            .post("/api/processes/-bad-/start", "")
            .await
            .expect_problem(404, "no-such-process");
        assert!(kiosk.received_command().is_none());
    });
}

#[test]
fn percent_encoding_is_decoded_everywhere() {
    kiosk(async |kiosk| {
        assert_eq!(kiosk.get("/%61pi/status").await.status, 200);
        assert_eq!(kiosk.get("/api/processes/data%2Dsync").await.status, 200);
        let power = kiosk
            .post("/api/displays/%3A0/power", r#"{"on": true}"#)
            .await;
        assert_eq!(power.status, 202);
        let lines = kiosk
            .get("/api/processes/data-sync/logs?%6Cines=%31x")
            .await;
        assert_eq!(lines.expect_problem(422, "invalid")["field"], "lines");
        let missing = kiosk.get("/api/processes/Foyer%20left").await;
        let problem = missing.expect_problem(404, "no-such-process");
        assert_eq!(problem["detail"], "there is no process Foyer left");
        let slash = kiosk.get("/api%2Fstatus").await;
        slash.expect_problem(404, "not-found");
        for path in ["/api/processes/%", "/api/%zz", "/api/status?x=%f", "/%ff"] {
            kiosk.get(path).await.expect_problem(400, "malformed");
        }
    });
}

#[test]
fn an_unexpected_reply_of_the_supervisor_is_an_internal_error() {
    kiosk(async |kiosk| {
        kiosk.will_reply(Ok(Done::Changed));
        let made = kiosk.post("/api/processes", r#"{"command": "x"}"#).await;
        let problem = made.expect_problem(500, "internal");
        assert_eq!(
            problem["detail"],
            "internal error: unexpected reply from the supervisor"
        );
        assert_eq!(made.field("retry-after"), None);
        kiosk.will_reply(Ok(Done::Changed));
        let next = kiosk.get("/api/schedule/next").await;
        next.expect_problem(500, "internal");
        kiosk.will_reply(Ok(Done::Changed));
        let picture = kiosk.get("/api/processes/main-display/screenshot").await;
        picture.expect_problem(500, "internal");
    });
}

#[test]
fn an_unknown_method_gets_the_allowed_ones() {
    kiosk(async |kiosk| {
        let answer = kiosk
            .call("PATCH", "/api/processes/data-sync", "", "")
            .await;
        answer.expect_problem(405, "method-not-allowed");
        assert_eq!(
            answer.field("allow"),
            Some("GET, HEAD, PUT, DELETE, OPTIONS")
        );
        let answer = kiosk.call("GET", "/api/reload", "", "").await;
        assert_eq!(answer.field("allow"), Some("POST, OPTIONS"));
    });
}

#[test]
fn a_body_that_is_not_an_object_never_reaches_the_supervisor() {
    kiosk(async |kiosk| {
        for body in ["{", "nul", "{\"a\":1}x", "{\"a\":\"\u{1}\"}", "{'a':1}"] {
            kiosk
                .put("/api/processes/data-sync", body)
                .await
                .expect_problem(400, "not-json");
            kiosk
                .put("/api/config", body)
                .await
                .expect_problem(400, "not-json");
        }
        let nothing = kiosk.put("/api/processes/data-sync", "").await;
        nothing.expect_problem(400, "not-json");
        let deep = "[".repeat(100_000);
        kiosk
            .put("/api/config", &deep)
            .await
            .expect_problem(400, "not-json");
        let deep = "{\"a\":".repeat(30_000);
        kiosk
            .post("/api/processes", &deep)
            .await
            .expect_problem(400, "not-json");
        let twice = kiosk
            .put("/api/processes/data-sync", r#"{"name":"a","name":"b"}"#)
            .await;
        assert_eq!(twice.expect_problem(422, "invalid")["field"], "name");
        for body in ["[]", "1", "null", "\"text\"", "true"] {
            kiosk
                .put("/api/processes/data-sync", body)
                .await
                .expect_problem(422, "invalid");
            kiosk
                .post("/api/processes", body)
                .await
                .expect_problem(422, "invalid");
        }
        assert!(kiosk.received_command().is_none());
    });
}

#[test]
fn a_change_must_be_json() {
    kiosk(async |kiosk| {
        for fields in [
            "",
            "Content-Type: text/plain\r\n",
            "Content-Type: application/x-www-form-urlencoded\r\n",
            "Content-Type: application/jsonx\r\n",
        ] {
            let answer = kiosk
                .call("PUT", "/api/processes/data-sync", fields, "{}")
                .await;
            answer.expect_problem(415, "media-type");
            let answer = kiosk
                .call("POST", "/api/processes/data-sync/stop", fields, "a=b")
                .await;
            answer.expect_problem(415, "media-type");
        }
        let fields = "content-type: Application/JSON; charset=utf-8\r\n";
        let answer = kiosk
            .call("PUT", "/api/processes/data-sync", fields, "{}")
            .await;
        assert_eq!(answer.status, 200);
    });
}

#[test]
fn the_host_of_another_machine_is_refused() {
    kiosk(async |kiosk| {
        let ask = async |host: &str| {
            let mut client = kiosk.connect().await;
            let request = format!("GET /api/processes HTTP/1.1\r\nHost: {host}\r\n\r\n");
            client.send(request).await;
            client.answer().await
        };
        for host in [
            "evil.example",
            "evil.example:8081",
            "kiosk.evil.example",
            "",
        ] {
            ask(host).await.expect_problem(421, "foreign-host");
        }
        for host in [
            "kiosk",
            "kiosk.local:8081",
            "192.0.2.7",
            "[2001:db8::1]:8081",
            "localhost",
        ] {
            assert_eq!(ask(host).await.status, 200, "{host}");
        }
    });
}

#[test]
fn a_page_of_another_site_cannot_control_the_kiosk() {
    kiosk(async |kiosk| {
        let stop = async |fields: &str| {
            kiosk
                .call("POST", "/api/processes/data-sync/stop", fields, "")
                .await
        };
        for fields in [
            "Origin: http://evil.example\r\n",
            "Origin: null\r\n",
            "Origin: http://localhost:9999\r\n",
            "Origin: http://localhost.evil.example\r\n",
            "Origin: file://localhost\r\n",
            "Sec-Fetch-Site: cross-site\r\n",
        ] {
            stop(fields).await.expect_problem(403, "foreign-origin");
        }
        assert!(kiosk.received_command().is_none());
        for fields in [
            "Origin: http://localhost\r\n",
            "Origin: https://LOCALHOST\r\nSec-Fetch-Site: same-origin\r\n",
        ] {
            assert_eq!(stop(fields).await.status, 202);
        }
        let read = kiosk
            .call("GET", "/api/status", "Origin: http://evil.example\r\n", "")
            .await;
        read.expect_problem(403, "foreign-origin");
    });
}

#[test]
fn an_invalid_number_of_lines_names_its_parameter() {
    kiosk(async |kiosk| {
        for lines in ["x", "-1", "10001", "", "1e3"] {
            for path in ["logs", "logs/stream"] {
                let path = format!("/api/processes/data-sync/{path}?a=b&lines={lines}");
                let problem = kiosk.get(&path).await.expect_problem(422, "invalid");
                assert_eq!(problem["field"], "lines");
            }
        }
    });
}
