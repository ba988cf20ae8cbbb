//! What an operator does with the page on the screen, through the API and the command line.

use crate::kiosk::Kiosk;
use crate::kiosk::wait_for;
use crate::scene::Screen;
use crate::screen::{display_process, pretend_display};
use crate::stage::{NAVY, PURPLE, SWITCHES, Site, TEAL};
use crate::xvfb::Xvfb;
use serde_json::{Value, json};

fn kiosk(x: &Xvfb, page: &str) -> Kiosk {
    let command = format!("chromium {SWITCHES} --kiosk {page}");
    let screen = display_process(json!({"command": command, "display": x.name}));
    Kiosk::with(json!({"screen": screen, "job": {"command": "sleep 1000"}}))
}

fn until_all_is(x: &Xvfb, colour: [u8; 3]) {
    wait_for(&format!("{colour:?} all over the screen"), || {
        x.is_all(colour)
    });
}

#[test]
fn another_page_is_shown_without_a_restart_also_after_an_upgrade() {
    let (x, site) = (Xvfb::start(), Site::open());
    let kiosk = kiosk(&x, &site.page("teal"));
    let before = kiosk.until_status("screen", "running");
    until_all_is(&x, TEAL);
    let navigate = |body: Value| kiosk.send("POST", "/api/processes/screen/navigate", body);

    let answer = navigate(json!({"url": site.page("purple")}));
    assert_eq!(answer.status, 200, "{}", answer.text());
    until_all_is(&x, PURPLE);
    let answer = navigate(json!({"url": site.page("missing"), "transition": "fade"}));
    assert_eq!(answer.status, 409, "{}", answer.text());
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(
        detail.contains("answers 404; the previous page stays"),
        "{detail}"
    );

    let asked = site.asked("purple");
    let answer = kiosk.post("/api/processes/screen/reload");
    assert_eq!(answer.status, 202, "{}", answer.text());
    wait_for("the page to be asked for again", || {
        site.asked("purple") > asked
    });

    // What holds the pipe goes from one program to the next.
    let output = kiosk.ossuary(&["upgrade"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let url = site.page("navy");
    let output = kiosk.ossuary(&["open", "screen", &url, "--fade"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    until_all_is(&x, NAVY);
    let file = kiosk.dir.join("picture.png");
    let output = kiosk.ossuary(&["screenshot", "screen", "-o", &file.display().to_string()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let answer = kiosk.get("/api/processes/screen/screenshot?width=64");
    assert_eq!(answer.status, 200);
    assert!(
        answer
            .head
            .to_ascii_lowercase()
            .contains("cache-control: no-store"),
        "{}",
        answer.head
    );
    for png in [std::fs::read(file).unwrap(), answer.body] {
        assert!(png.starts_with(b"\x89PNG"));
    }

    let after = kiosk.process("screen");
    for field in ["pid", "restarts", "command", "url"] {
        assert_eq!(after[field], before[field], "{field}");
    }
}

#[test]
fn what_cannot_be_done_with_a_page_is_refused_with_a_reason() {
    let display = pretend_display();
    let player = display_process(json!({"command": "sleep 1000", "display": display.name}));
    let off = display_process(json!({"command": "sleep 1000", "display": ":250"}));
    let kiosk =
        Kiosk::with(json!({"player": player, "off": off, "job": {"command": "sleep 1000"}}));
    let before = kiosk.until_status("player", "running");
    for (method, path, body, status, kind) in [
        ("POST", "missing/reload", None, 404, "no-such-process"),
        ("POST", "job/reload", None, 409, "no-page"),
        ("GET", "off/screenshot", None, 409, "not-running"),
        ("GET", "player/screenshot", None, 409, "page-failed"),
        ("GET", "player/screenshot?width=0", None, 422, "invalid"),
        (
            "POST",
            "player/navigate",
            Some(r#"{"url": "javascript:1"}"#),
            422,
            "invalid",
        ),
        (
            "POST",
            "player/navigate",
            Some(r#"{"transition": "cut"}"#),
            422,
            "invalid",
        ),
        (
            "POST",
            "player/navigate",
            Some(r#"{"url": "http://x/", "fade": 1}"#),
            422,
            "invalid",
        ),
        (
            "POST",
            "player/navigate",
            Some(r#"{"url": "http://x/"}"#),
            409,
            "page-failed",
        ),
    ] {
        let path = format!("/api/processes/{path}");
        let answer = kiosk.ask(method, &path, body.map(str::to_owned));
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        let problem = answer.json();
        assert_eq!(problem["type"], format!("/problems/{kind}"), "{problem}");
    }
    // It has no driver, so a reload restarts it.
    let answer = kiosk.post("/api/processes/player/reload");
    assert_eq!(answer.status, 202, "{}", answer.text());
    kiosk.until("player", |p| {
        p["status"] == "running" && p["pid"] != before["pid"]
    });
}
