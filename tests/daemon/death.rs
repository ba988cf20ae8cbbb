//! The daemon reports why it was started.

use crate::kiosk::{Kiosk, wait_for};
use serde_json::{Value, json};
use std::fs;

fn last_start(kiosk: &Kiosk) -> Value {
    kiosk.get("/api/status").json()["last_start"].clone()
}

#[test]
fn the_reason_of_the_last_start_is_reported() {
    let mut kiosk = Kiosk::with(json!({}));
    let mark = kiosk.dir.join("state/running");
    let result = kiosk.dir.join("run/last-result");
    assert_eq!(last_start(&kiosk)["reason"], "first start");

    kiosk.signal("TERM");
    assert_eq!(kiosk.wait(), Some(0));
    assert!(!mark.exists());
    kiosk.revive();
    assert_eq!(last_start(&kiosk)["reason"], "clean");

    wait_for("the mark", || mark.exists());
    kiosk.kill();
    kiosk.revive();
    assert_eq!(last_start(&kiosk)["reason"], "crash");
    let output = kiosk.ossuary(&["status"]);
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.contains("last start: crash: the daemon crashed"),
        "{output}"
    );

    let output = kiosk.ossuary(&["upgrade"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(last_start(&kiosk)["reason"], "upgrade");

    // As the unit writes it down when the service manager has killed the daemon.
    kiosk.kill();
    fs::write(&result, "watchdog\n").unwrap();
    kiosk.revive();
    assert_eq!(last_start(&kiosk)["reason"], "watchdog");

    // As if the machine had been booted meanwhile.
    kiosk.kill();
    fs::write(&mark, "another boot\n").unwrap();
    kiosk.revive();
    assert_eq!(last_start(&kiosk)["reason"], "power");

    let log = fs::read_to_string(kiosk.dir.join("daemon.log")).unwrap();
    assert!(
        log.contains("last start: watchdog: the daemon hung"),
        "{log}"
    );
}

/// Without a service manager that keeps descriptors, processes do not survive the daemon. What the operator asked for does.
#[test]
fn what_the_operator_started_and_stopped_outlives_a_daemon_that_is_killed() {
    let sleeps = |autostart| json!({"command": "sleep 1000", "autostart": autostart});
    let mut kiosk = Kiosk::with(json!({
        "always": sleeps(true), "stopped": sleeps(true), "started": sleeps(false), "idle": sleeps(false)
    }));
    wait_for("the mark", || kiosk.dir.join("state/running").exists());
    kiosk.until_status("stopped", "running");
    assert_eq!(kiosk.post("/api/processes/stopped/stop").status, 202);
    assert_eq!(kiosk.post("/api/processes/started/start").status, 202);
    kiosk.until_status("stopped", "stopped");
    let former = kiosk.until_status("started", "running")["pid"].clone();

    for _ in 0..2 {
        kiosk.kill();
        kiosk.revive();
        kiosk.until_status("always", "running");
        let started = kiosk.until_status("started", "running");
        assert_ne!(started["pid"], former);
        let stopped = kiosk.process("stopped");
        assert_eq!(stopped["status"], "stopped", "{stopped:#}");
        assert_eq!(stopped["reason"], "stopped by the operator");
        assert_eq!(kiosk.process("idle")["status"], "stopped");
    }

    // What was remembered is of this boot of the machine.
    kiosk.kill();
    fs::write(kiosk.dir.join("state/running"), "another boot\n").unwrap();
    kiosk.revive();
    kiosk.until_status("stopped", "running");
    assert_eq!(kiosk.process("started")["status"], "stopped");
}

#[test]
fn a_mark_that_cannot_be_written_is_a_warning() {
    let kiosk = Kiosk::with(json!({}));
    let dir = kiosk.dir.clone();
    drop(kiosk);
    // A directory is no file to anybody, root included.
    fs::create_dir_all(dir.join("state/running")).unwrap();
    fs::write(
        dir.join("config.json"),
        r#"{"version": 3, "processes": {}}"#,
    )
    .unwrap();
    let mut kiosk = Kiosk::start_in(dir);
    kiosk.until_noted("the next daemon cannot report how this one ends");
    assert_eq!(kiosk.get("/healthz").status, 200);
    kiosk.signal("TERM");
    assert_eq!(kiosk.wait(), Some(0));
}
