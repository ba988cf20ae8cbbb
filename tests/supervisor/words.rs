//! The state of the kiosk in one line, and how long a reload lasts.

use crate::stage::{DiskBehavior, Stage, id};
use ossuary::supervisor::{Command, Edit, Ending, Event};
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
    stage.supervisor.status().summary()
}

#[test]
fn the_summary_says_what_is_on_the_screen() {
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
fn the_summary_says_that_no_process_is_configured() {
    let stage = Stage::new(json!({"version": 3}));
    assert_eq!(words(&stage), "no process is configured");
}

#[test]
fn the_summary_begins_with_a_short_problem() {
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
    assert!(!stage.supervisor.is_reloading());
    stage.handle(Event::Reload);
    stage.handle(Event::Reload);
    assert!(stage.supervisor.is_reloading());
    stage.handle(Event::Read { bytes: bytes() });
    assert!(stage.supervisor.is_reloading(), "there is another one");
    stage.handle(Event::Read {
        bytes: Ok(b"{".to_vec()),
    });
    assert!(!stage.supervisor.is_reloading());

    // It waits for a save; an older document is migrated.
    stage.disk = DiskBehavior::Silent;
    stage.ask(Edit::Create(
        json!({"name": "New", "command": "x"})
            .as_object()
            .unwrap()
            .clone(),
    ));
    assert!(!stage.supervisor.is_reloading());
    stage.handle(Event::Reload);
    assert!(stage.supervisor.is_reloading());
    stage.handle(Event::Saved);
    let older = json!({"version": 2, "processes": {}}).to_string();
    stage.handle(Event::Read {
        bytes: Ok(older.into_bytes()),
    });
    assert!(stage.supervisor.is_reloading());
    stage.handle(Event::Saved);
    assert!(!stage.supervisor.is_reloading());

    stage.handle(Event::Shutdown);
    stage.handle(Event::Reload);
    assert!(!stage.supervisor.is_reloading());
}
