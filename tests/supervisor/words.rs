//! How the kiosk fares in one line, and from when to when a reload lasts.

use crate::stage::{DiskMood, Stage, id};
use ossuary::supervisor::{Command, Ending, Event};
use serde_json::json;

fn kiosk() -> Stage {
    Stage::new(json!({
        "version": 3,
        "processes": {
            "screen": {"type": "chromium", "url": "https://example.org/", "display": ":0"},
            "sync": {"command": "python3 sync.py"},
            "server": {"command": "node server.js"}
        },
        "active_display_process": "screen"
    }))
}

fn words(stage: &Stage) -> String {
    stage.mind.status().summary()
}

#[test]
fn an_operator_reads_at_a_glance_how_the_kiosk_fares() {
    let mut stage = kiosk();
    assert_eq!(
        words(&stage),
        "all 3 processes run; screen is on the screen"
    );
    stage.ask(Command::Stop(id("sync")));
    stage.exit("sync", Ending::Signal(15));
    assert_eq!(
        words(&stage),
        "2 of 3 processes run; screen is on the screen"
    );
    for _ in 0..6 {
        stage.exit("server", Ending::Code(3));
        stage.pass_seconds(31);
    }
    stage.exit("server", Ending::Code(3));
    assert_eq!(
        words(&stage),
        "1 of 3 processes run, 1 failed; screen is on the screen"
    );
    stage.exit("screen", Ending::Signal(11));
    stage.exit("screen", Ending::Signal(11));
    assert_eq!(
        words(&stage),
        "0 of 3 processes run, 1 failed; screen is started again soon (killed by SIGSEGV)"
    );
    stage.handle(Event::Shutdown);
    assert_eq!(words(&stage), "everything has stopped");
}

#[test]
fn a_kiosk_that_nobody_has_set_up_says_so() {
    let stage = Stage::new(json!({"version": 3}));
    assert_eq!(words(&stage), "no process is configured");
}

#[test]
fn what_is_broken_is_told_first_in_one_line_and_in_short() {
    let mut stage = kiosk();
    let key = "a\nWATCHDOG=1\u{1b}".repeat(50);
    let broken = json!({"version": 3, "processes": {key: {}}}).to_string();
    stage.handle(Event::Reload);
    stage.handle(Event::Read {
        bytes: Ok(broken.into_bytes()),
    });
    let words = words(&stage);
    assert!(words.starts_with("configuration is broken: "), "{words}");
    assert!(words.ends_with("; all 3 processes run; screen is on the screen"));
    assert!(!words.contains(char::is_control), "{words:?}");
    assert!(words.len() < 400, "{words}");
}

#[test]
fn a_reload_lasts_until_it_is_applied_or_refused() {
    let mut stage = kiosk();
    let bytes = || Ok(json!({"version": 3}).to_string().into_bytes());
    assert!(!stage.mind.is_reloading());
    stage.handle(Event::Reload);
    stage.handle(Event::Reload);
    assert!(stage.mind.is_reloading());
    stage.handle(Event::Read { bytes: bytes() });
    assert!(stage.mind.is_reloading(), "there is another one");
    stage.handle(Event::Read {
        bytes: Ok(b"{".to_vec()),
    });
    assert!(!stage.mind.is_reloading());

    // It waits for a save, and an older document is brought to this version.
    stage.disk = DiskMood::Silent;
    stage.ask(Command::Create(
        json!({"name": "New", "command": "x"})
            .as_object()
            .unwrap()
            .clone(),
    ));
    assert!(!stage.mind.is_reloading());
    stage.handle(Event::Reload);
    assert!(stage.mind.is_reloading());
    stage.handle(Event::Saved);
    let older = json!({"version": 2, "processes": {}}).to_string();
    stage.handle(Event::Read {
        bytes: Ok(older.into_bytes()),
    });
    assert!(stage.mind.is_reloading());
    stage.handle(Event::Saved);
    assert!(!stage.mind.is_reloading());

    stage.handle(Event::Shutdown);
    stage.handle(Event::Reload);
    assert!(!stage.mind.is_reloading());
}
