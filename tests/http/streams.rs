//! Event streams: changes arrive, losses are reported, and disconnects are noticed.

use crate::harness::{Client, Kiosk, at, id, kiosk, kiosk_with};
use ossuary::http::Limits;
use ossuary::supervisor::State;
use serde_json::{Value, json};
use std::rc::Rc;
use std::time::Duration;

async fn follow(kiosk: &Kiosk, path: &str, fields: &str) -> Client {
    let mut client = kiosk.connect().await;
    client.ask("GET", path, fields, "").await;
    let head = client.head().await;
    assert_eq!(head.status, 200);
    assert_eq!(head.field("content-type"), Some("text/event-stream"));
    assert_eq!(head.field("cache-control"), Some("no-store"));
    assert_eq!(head.field("connection"), Some("close"));
    client
}

/// The line numbers of an event.
fn numbers(data: &Value) -> Vec<u64> {
    let lines = data.as_array().expect("lines").iter();
    lines
        .map(|line| line["seq"].as_u64().expect("a number"))
        .collect()
}

#[test]
fn a_snapshot_comes_first_and_then_only_changes() {
    kiosk(async |kiosk| {
        let mut client = follow(&kiosk, "/api/events", "").await;
        let snapshot = client.event().await.expect("an event");
        assert_eq!(
            (snapshot.name.as_str(), snapshot.id.as_deref()),
            ("snapshot", Some("1"))
        );
        assert_eq!(snapshot.data["generation"], 1);
        assert_eq!(snapshot.data["order"], json!(["main-display", "data-sync"]));
        assert_eq!(snapshot.data["processes"]["main-display"]["pid"], 1234);
        assert_eq!(snapshot.data["displays"][0]["name"], ":0");
        assert_eq!(snapshot.data["connectors"], json!([]));
        assert_eq!(snapshot.data["configuration"]["source"], "file");
        assert_eq!(snapshot.data["active_display"], "main-display");
        kiosk.publish(|status| {
            let mut started = (*status.processes[1]).clone();
            started.state = State::Running;
            status.processes[1] = Rc::new(started);
        });
        let change = client.event().await.expect("an event");
        assert_eq!(
            (change.name.as_str(), change.id.as_deref()),
            ("change", Some("2"))
        );
        let processes = change.data["processes"].as_object().expect("processes");
        assert_eq!(processes.keys().collect::<Vec<_>>(), ["data-sync"]);
        assert_eq!(processes["data-sync"]["status"], "running");
        assert_eq!(change.data["removed"], json!([]));
        for unchanged in ["order", "displays", "configuration"] {
            assert!(change.data.get(unchanged).is_none(), "{unchanged}");
        }
    });
}

#[test]
fn removals_moves_and_new_displays_are_reported() {
    kiosk(async |kiosk| {
        let mut client = follow(&kiosk, "/api/events", "").await;
        client.event().await.expect("a snapshot");
        kiosk.publish(|status| {
            status.processes.swap(0, 1);
        });
        let change = client.event().await.expect("an event");
        assert_eq!(change.data["order"], json!(["data-sync", "main-display"]));
        assert_eq!(change.data["processes"], json!({}));
        kiosk.publish(|status| {
            status.processes.remove(0);
            status.displays = Rc::new([]);
            status.configuration = Rc::new((*status.configuration).clone());
            status.shutting_down = true;
        });
        let change = client.event().await.expect("an event");
        assert_eq!(change.data["removed"], json!(["data-sync"]));
        assert_eq!(change.data["order"], json!(["main-display"]));
        assert_eq!(change.data["displays"], json!([]));
        assert_eq!(change.data["configuration"]["source"], "file");
        assert_eq!(change.data["shutting_down"], true);
    });
}

#[test]
fn many_changes_at_once_are_merged_into_one_event() {
    kiosk(async |kiosk| {
        let mut client = follow(&kiosk, "/api/events", "").await;
        client.event().await.expect("a snapshot");
        for _ in 0..1000 {
            kiosk.publish(|status| status.active_display = None);
        }
        let change = client.event().await.expect("an event");
        assert_eq!(change.data["generation"], 1001);
        assert!(change.data["active_display"].is_null());
    });
}

#[test]
fn an_idle_stream_sends_heartbeats() {
    let limits = Limits {
        heartbeat: Duration::from_millis(20),
        ..Limits::default()
    };
    kiosk_with(limits, async |kiosk| {
        let mut client = follow(&kiosk, "/api/events", "").await;
        client.event().await.expect("a snapshot");
        client.heartbeat().await;
        client.heartbeat().await;
        kiosk.publish(|_| ());
        assert_eq!(client.event().await.expect("an event").name, "change");
    });
}

#[test]
fn a_disconnect_releases_the_slot_of_the_stream() {
    let limits = Limits {
        streams: 1,
        ..Limits::default()
    };
    kiosk_with(limits, async |kiosk| {
        let mut client = follow(&kiosk, "/api/events", "").await;
        client.event().await.expect("a snapshot");
        let refused = kiosk.get("/api/events").await;
        refused.expect_problem(503, "busy");
        assert!(refused.field("retry-after").is_some());
        drop(client);
        // The disconnect is noticed on the same thread.
        while kiosk
            .get("/metrics")
            .await
            .text()
            .contains("ossuary_http_streams 1")
        {}
        let mut client = follow(&kiosk, "/api/events", "").await;
        assert_eq!(client.event().await.expect("an event").name, "snapshot");
    });
}

#[test]
fn lines_arrive_as_they_are_printed() {
    kiosk(async |kiosk| {
        let log = kiosk.api.logs.ensure(&id("data-sync"), 65536);
        log.note("one\ntwo\nthree", at(40));
        let path = "/api/processes/data-sync/logs/stream?lines=2";
        let mut client = follow(&kiosk, path, "").await;
        let tail = client.event().await.expect("an event");
        assert_eq!(
            (tail.name.as_str(), tail.id.as_deref()),
            ("lines", Some("30000.3"))
        );
        assert_eq!(numbers(&tail.data), [2, 3]);
        assert_eq!(tail.data[0]["text"], "two");
        assert_eq!(tail.data[0]["stream"], "ossuary");
        log.note("four", at(41));
        let more = client.event().await.expect("an event");
        assert_eq!(numbers(&more.data), [4]);
    });
}

#[test]
fn a_client_that_reconnects_misses_no_lines() {
    kiosk(async |kiosk| {
        let log = kiosk.api.logs.ensure(&id("data-sync"), 65536);
        log.note("one", at(40));
        let path = "/api/processes/data-sync/logs/stream";
        let mut client = follow(&kiosk, path, "").await;
        let first = client.event().await.expect("an event").id.expect("an id");
        log.note("two\nthree", at(40));
        let resume = format!("Last-Event-ID: {first}\r\n");
        let mut client = follow(&kiosk, path, &resume).await;
        let next = client.event().await.expect("an event");
        assert_eq!(numbers(&next.data), [2, 3]);
        let path = format!("{path}?lines=500&last_event_id={first}");
        let mut client = follow(&kiosk, &path, "").await;
        let next = client.event().await.expect("an event");
        assert_eq!(numbers(&next.data), [2, 3], "named in the query");
    });
}

#[test]
fn a_client_of_an_earlier_daemon_gets_the_lines_of_this_one() {
    kiosk(async |kiosk| {
        let log = kiosk.api.logs.ensure(&id("data-sync"), 65536);
        log.note("one\ntwo", at(40));
        let path = "/api/processes/data-sync/logs/stream";
        for earlier in ["1.2", "2", "999", "x.y"] {
            let resume = format!("Last-Event-ID: {earlier}\r\n");
            let mut client = follow(&kiosk, path, &resume).await;
            let lines = client.event().await.expect("an event");
            assert_eq!(numbers(&lines.data), [1, 2], "{earlier}");
        }
    });
}

#[test]
fn lost_lines_are_counted() {
    kiosk(async |kiosk| {
        let log = kiosk.api.logs.ensure(&id("data-sync"), 2048);
        for _ in 0..1000 {
            log.note("a line of some length that fills the ring", at(40));
        }
        let path = "/api/processes/data-sync/logs/stream";
        let life = kiosk.api.about.started.since_boot().as_millis();
        let resume = format!("Last-Event-ID: {life}.10\r\n");
        let mut client = follow(&kiosk, path, &resume).await;
        let gap = client.event().await.expect("an event");
        assert_eq!(gap.name, "gap");
        assert_eq!(gap.data["lost"], log.first_seq() - 11);
        let lines = client.event().await.expect("an event");
        assert_eq!(numbers(&lines.data)[0], log.first_seq());
    });
}

#[test]
fn a_flood_arrives_in_pieces_in_order_and_whole() {
    kiosk(async |kiosk| {
        let log = kiosk.api.logs.ensure(&id("data-sync"), 1024 * 1024);
        for number in 1..=3000 {
            log.note(&format!("line {number}"), at(40));
        }
        let path = "/api/processes/data-sync/logs/stream?lines=10000";
        let mut client = follow(&kiosk, path, "").await;
        let mut seen = 0;
        while seen < 3000 {
            let event = client.event().await.expect("an event");
            for number in numbers(&event.data) {
                assert_eq!(number, seen + 1);
                seen = number;
            }
        }
    });
}

#[test]
fn invalid_utf_8_is_shown_as_replacement_characters() {
    kiosk(async |kiosk| {
        let log = kiosk.api.logs.ensure(&id("data-sync"), 65536);
        let mut writer = log.writer(ossuary::logs::Stream::Stderr);
        writer.append(b"\xff\x00\x1b[31m\n", at(40));
        let path = "/api/processes/data-sync/logs/stream";
        let mut client = follow(&kiosk, path, "").await;
        let event = client.event().await.expect("an event");
        assert_eq!(event.data[0]["text"], "\u{fffd}\u{0}\u{1b}[31m");
        assert_eq!(event.data[0]["stream"], "stderr");
    });
}

#[test]
fn the_stream_of_a_process_that_is_removed_ends() {
    kiosk(async |kiosk| {
        kiosk
            .api
            .logs
            .ensure(&id("data-sync"), 65536)
            .note("one", at(40));
        let path = "/api/processes/data-sync/logs/stream";
        let mut client = follow(&kiosk, path, "").await;
        client.event().await.expect("an event");
        kiosk.api.logs.remove(&id("data-sync"));
        kiosk.publish(|status| {
            status.processes.remove(1);
        });
        assert!(client.event().await.is_none());
    });
}

#[test]
fn a_log_that_is_created_later_is_followed_from_its_first_line() {
    kiosk(async |kiosk| {
        let path = "/api/processes/data-sync/logs/stream";
        let mut client = follow(&kiosk, path, "").await;
        let log = kiosk.api.logs.ensure(&id("data-sync"), 65536);
        log.note("one", at(40));
        kiosk.publish(|_| ());
        assert_eq!(numbers(&client.event().await.expect("an event").data), [1]);
    });
}

/// The paths of all streams, with an id in place of `{id}`.
const STREAMS: [&str; 2] = ["/api/events", "/api/processes/data-sync/logs/stream"];

#[test]
fn the_head_of_a_stream_can_be_requested_and_the_next_request_is_validated() {
    kiosk(async |kiosk| {
        for path in STREAMS {
            for bad in [
                "GET /healthz HTTP/1.1\nHost: localhost\n\n",
                "GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
                "GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\
                 Content-Length: 5\r\n\r\n",
            ] {
                let mut client = kiosk.connect().await;
                client.ask("HEAD", path, "", "").await;
                let head = client.answer_to("HEAD").await;
                assert_eq!(head.status, 200);
                assert_eq!(head.field("content-type"), Some("text/event-stream"));
                assert_eq!(head.field("content-length"), None);
                client.ask("GET", "/healthz", "", "").await;
                assert_eq!(client.answer().await.text(), "ok\n");
                client.ask("HEAD", path, "", "").await;
                assert_eq!(client.answer_to("HEAD").await.status, 200);
                client.send(bad).await;
                client.answer().await.expect_problem(400, "malformed");
                assert!(client.rest().await.is_empty(), "{bad:?}");
            }
        }
    });
}

#[test]
fn a_head_request_for_a_stream_does_not_count_as_a_stream() {
    let limits = Limits {
        streams: 1,
        streams_per_address: 1,
        ..Limits::default()
    };
    kiosk_with(limits, async |kiosk| {
        let mut idle = Vec::new();
        for _ in 0..32 {
            for path in STREAMS {
                let mut client = kiosk.connect().await;
                client.ask("HEAD", path, "", "").await;
                assert_eq!(client.answer_to("HEAD").await.status, 200);
                idle.push(client);
            }
        }
        let metrics = kiosk.get("/metrics").await;
        assert!(metrics.text().contains("\nossuary_http_streams 0\n"));
        let mut client = follow(&kiosk, "/api/events", "").await;
        assert_eq!(client.event().await.expect("an event").name, "snapshot");
    });
}

#[test]
fn a_silent_connection_after_a_head_request_for_a_stream_times_out() {
    let limits = Limits {
        idle: Duration::from_millis(20),
        ..Limits::default()
    };
    kiosk_with(limits, async |kiosk| {
        let mut client = kiosk.connect().await;
        client.ask("HEAD", "/api/events", "", "").await;
        assert_eq!(client.answer_to("HEAD").await.status, 200);
        assert!(client.rest().await.is_empty());
    });
}
