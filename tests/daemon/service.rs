//! What the daemon reports to the service manager.

use crate::kiosk::{Kiosk, fresh_dir};
use crate::manager::Manager;
use serde_json::{Value, json};
use std::fs;

fn supervised(document: &Value, more: &[(&str, &str)]) -> (Kiosk, Manager) {
    let dir = fresh_dir();
    fs::write(dir.join("config.json"), document.to_string()).unwrap();
    let manager = Manager::in_dir(&dir);
    let mut environment = Manager::environment(&dir);
    environment.extend(
        more.iter()
            .map(|(name, value)| ((*name).into(), (*value).into())),
    );
    (Kiosk::start_supervised(dir, environment), manager)
}

fn is_status(said: &str, words: &[&str]) -> bool {
    said.starts_with("STATUS=") && words.iter().all(|word| said.contains(word))
}

/// A reload, from its beginning to its end.
fn hear_a_reload(manager: &Manager) {
    manager.until_said("RELOADING=1");
    let since = manager.until(|said| said.starts_with("MONOTONIC_USEC="));
    assert!(since["MONOTONIC_USEC=".len()..].parse::<u64>().unwrap() > 0);
    manager.until_said("READY=1");
}

#[test]
fn the_service_manager_gets_the_state_of_the_kiosk() {
    let document = |processes: Value| json!({"version": 3, "processes": processes});
    let two = document(json!({
        "one": {"command": "sleep 1000"},
        "two": {"command": "sleep 1000", "autostart": false},
    }));
    let (mut kiosk, manager) = supervised(&two, &[]);
    manager.until_said("READY=1");
    manager.until_said("STATUS=1 of 2 processes run");
    kiosk.post("/api/processes/two/start");
    manager.until_said("STATUS=all 2 processes run");

    // A reload that is applied, by either way.
    let one = document(json!({"one": {"command": "sleep 1000"}}));
    fs::write(kiosk.config_file(), one.to_string()).unwrap();
    kiosk.signal("HUP");
    hear_a_reload(&manager);
    manager.until_said("STATUS=the process runs");
    kiosk.post("/api/reload");
    hear_a_reload(&manager);

    // A refused one ends as well. The problem is reported in one line.
    let broken = "{\"version\": 3, \"processes\": {\"a\\nSTOPPING=1\": {}}}";
    fs::write(kiosk.config_file(), broken).unwrap();
    kiosk.signal("HUP");
    hear_a_reload(&manager);
    manager.until(|said| is_status(said, &["configuration is broken: ", "; the process runs"]));

    // An older document is migrated and saved before the reload ends.
    let older = json!({"version": 2, "processes": {"one": {"command": "sleep 1000"}}});
    fs::write(kiosk.config_file(), older.to_string()).unwrap();
    kiosk.signal("HUP");
    hear_a_reload(&manager);
    assert_eq!(kiosk.file()["version"], 3);

    kiosk.signal("TERM");
    manager.until_said("STOPPING=1");
    manager.until(|said| is_status(said, &["ending"]));
    assert_eq!(kiosk.wait(), Some(0));
}

#[test]
fn an_upgrade_looks_like_a_reload() {
    let (kiosk, manager) = supervised(&json!({"version": 3}), &[]);
    manager.until_said("READY=1");
    assert_eq!(kiosk.ossuary(&["upgrade"]).status.code(), Some(0));
    hear_a_reload(&manager);
}

#[test]
fn a_daemon_that_is_well_feeds_the_watchdog() {
    let (kiosk, manager) = supervised(&json!({"version": 3}), &[("WATCHDOG_USEC", "2000000")]);
    for _ in 0..3 {
        manager.until_said("WATCHDOG=1");
    }
    // The program that takes over does so as well.
    assert_eq!(kiosk.ossuary(&["upgrade"]).status.code(), Some(0));
    manager.until_said("RELOADING=1");
    manager.until_said("WATCHDOG=1");
    manager.until_said("WATCHDOG=1");
}
