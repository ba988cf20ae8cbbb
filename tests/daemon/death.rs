//! The daemon tells why it was started.

use crate::kiosk::{Kiosk, wait_for};
use serde_json::{Value, json};
use std::fs;

fn last_start(kiosk: &Kiosk) -> Value {
    kiosk.get("/api/status").json()["last_start"].clone()
}

#[test]
fn the_reason_of_the_last_start_is_told() {
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
    let told = kiosk.ossuary(&["status"]);
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(
        told.contains("last start: crash: the daemon died"),
        "{told}"
    );

    let told = kiosk.ossuary(&["upgrade"]);
    assert_eq!(told.status.code(), Some(0), "{told:?}");
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
    kiosk.until_noted("nobody will know how this daemon ends");
    assert_eq!(kiosk.get("/healthz").status, 200);
    kiosk.signal("TERM");
    assert_eq!(kiosk.wait(), Some(0));
}
