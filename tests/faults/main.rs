//! Every hang of the daemon is seen by the watchdog of the service manager.
//!
//! Needs a daemon that can be made to hang: `cargo test --features faults --test faults`.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

#[allow(dead_code, reason = "the daemon ring uses the rest")]
#[path = "../daemon/kiosk.rs"]
mod kiosk;
#[allow(dead_code, reason = "the daemon ring uses the rest")]
#[path = "../daemon/manager.rs"]
mod manager;

use kiosk::{Kiosk, fresh_dir};
use manager::Manager;
use serde_json::json;
use std::fs;
use std::time::{Duration, Instant};

/// The daemon's environment for its watchdog.
const LIMIT: Duration = Duration::from_secs(2);

/// Waits until the watchdog was not fed for twice its limit.
fn wait_for_silence(manager: &Manager) {
    let begin = Instant::now();
    let mut since = begin;
    while since.elapsed() < LIMIT * 2 {
        assert!(begin.elapsed() < LIMIT * 60, "the watchdog is still fed");
        let said = manager.heard.recv_timeout(LIMIT / 4);
        if said.is_ok_and(|said| said == "WATCHDOG=1") {
            since = Instant::now();
        }
    }
}

/// Makes a daemon hang, sees that the watchdog goes hungry, does what the service manager does then, and
/// checks that the next daemon is healthy and reports why it was started. `hung` looks at the daemon that hangs.
fn hangs(fault: &str, hung: impl FnOnce(&Kiosk)) {
    let dir = fresh_dir();
    let document = json!({"version": 3, "processes": {"idle": {"command": "sleep 1000"}}});
    fs::write(dir.join("config.json"), document.to_string()).unwrap();
    let manager = Manager::in_dir(&dir);
    let mut environment = Manager::environment(&dir);
    let limit = LIMIT.as_micros().to_string();
    environment.push(("WATCHDOG_USEC".into(), limit));
    let mut kiosk = Kiosk::start_supervised(dir, environment);
    kiosk.until_status("idle", "running");
    for _ in 0..2 {
        manager.until_said("WATCHDOG=1");
    }

    fs::write(kiosk.dir.join("run/fault"), fault).unwrap();
    kiosk.signal("HUP");
    kiosk.until_noted(&format!("fault: {fault}"));
    hung(&kiosk);
    // No notification would come, however long the test waited; twice the limit distinguishes a late one from none.
    wait_for_silence(&manager);

    kiosk.kill();
    fs::write(kiosk.dir.join("run/last-result"), "watchdog\n").unwrap();
    kiosk.revive();
    for _ in 0..2 {
        manager.until_said("WATCHDOG=1");
    }
    kiosk.until_status("idle", "running");
    let status = kiosk.get("/api/status").json();
    assert_eq!(status["last_start"]["reason"], "watchdog");
}

#[test]
fn a_loop_that_hangs_is_seen() {
    hangs("loop", |kiosk| {
        assert_eq!(kiosk.get("/healthz").status, 503);
    });
}

#[test]
fn a_thread_that_hangs_is_seen() {
    hangs("thread", |_| {});
}

#[test]
fn doors_that_hang_are_seen() {
    hangs("http", |kiosk| {
        kiosk.until_noted("not notifying the watchdog: the API does not accept connections");
    });
}

#[test]
fn a_disk_that_hangs_is_seen() {
    hangs("store", |kiosk| {
        assert_eq!(kiosk.get("/healthz").status, 200);
        kiosk.until_noted("not notifying the watchdog: the disk does not answer");
    });
}
