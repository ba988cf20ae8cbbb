//! The screens of real displays: what is on them, how they are switched, and what is reported about a switch that lies.

use crate::kiosk::{Kiosk, fresh_dir, write_program};
use crate::xvfb::Xvfb;
use serde_json::{Value, json};
use std::fs;

/// A firmware that obeys, and one that only claims to.
const HONEST: &str = "#!/bin/sh
if [ $# = 2 ]; then echo \"$2\" >\"$0.on\"; fi
echo display_power=$(cat \"$0.on\" 2>/dev/null || echo 1)
";
const LIAR: &str = "#!/bin/sh
echo display_power=1
";

/// A kiosk beside a display, whose screen can be switched by this program alone; nothing where this machine has
/// screens of its own, which would count more.
fn with_firmware(program: &str) -> Option<(Kiosk, Xvfb)> {
    let connectors = fs::read_dir("/sys/class/drm")
        .into_iter()
        .flatten()
        .flatten();
    let is_connector = |name: &str| name.contains('-');
    if connectors
        .filter_map(|entry| entry.file_name().into_string().ok())
        .any(|name| is_connector(&name))
    {
        eprintln!("skipped: this machine has screens of its own");
        return None;
    }
    let x = Xvfb::start();
    let dir = fresh_dir();
    let bin = dir.join("bin");
    fs::create_dir(&bin).unwrap();
    let file = bin.join("vcgencmd");
    write_program(&file, program);
    fs::write(
        dir.join("config.json"),
        r#"{"version": 3, "processes": {}}"#,
    )
    .unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let kiosk = Kiosk::start_supervised(dir, vec![("PATH".into(), path)]);
    Some((kiosk, x))
}

/// The API's view of a display, once it satisfies this.
pub fn until(kiosk: &Kiosk, name: &str, looks_right: impl Fn(&Value) -> bool) -> Value {
    let mut found = Value::Null;
    crate::kiosk::wait_for("the display", || {
        let all = kiosk.get("/api/displays").json();
        let mut displays = all["displays"].as_array().unwrap().iter();
        let display = displays.find(|display| display["name"] == name);
        found = display.cloned().unwrap_or_default();
        looks_right(&found)
    });
    found
}

fn switch(kiosk: &Kiosk, name: &str, on: bool) {
    until(kiosk, name, |display| display["resolution"].is_string());
    let path = format!("/api/displays/{name}/power");
    let answer = kiosk.send("POST", &path, json!({"on": on}));
    assert_eq!(answer.status, 202, "{}", answer.text());
}

#[test]
fn a_display_reports_what_is_on_it() {
    let x = Xvfb::start();
    let kiosk = Kiosk::with(json!({}));
    let display = until(&kiosk, &x.name, |display| display["resolution"].is_string());
    assert_eq!(display["kind"], "x");
    assert_eq!(display["connected"], true);
    assert_eq!(display["resolution"], "800x600");
    assert_eq!(display["rotation"]["actual"], 0);
    assert_eq!(display["process"], Value::Null);
}

#[test]
fn a_screen_is_switched_off_and_on_and_read_back() {
    let Some((kiosk, x)) = with_firmware(HONEST) else {
        return;
    };
    for (on, word) in [(false, "off"), (true, "on")] {
        switch(&kiosk, &x.name, on);
        let display = until(&kiosk, &x.name, |display| {
            display["power"]["actual"] == word
        });
        assert_eq!(display["power"]["requested"], word);
        assert_eq!(display["power"]["backend"], "vcgencmd");
        assert_eq!(display["power"]["problem"], Value::Null);
    }
}

#[test]
fn a_switch_that_lies_is_reported_as_requested_and_not_effective() {
    let Some((kiosk, x)) = with_firmware(LIAR) else {
        return;
    };
    switch(&kiosk, &x.name, false);
    let display = until(&kiosk, &x.name, |display| {
        display["power"]["problem"].is_string()
    });
    assert_eq!(display["power"]["requested"], "off");
    assert_eq!(display["power"]["actual"], "on");
    let problem = display["power"]["problem"].as_str().unwrap();
    assert!(problem.contains("vcgencmd"), "{problem}");
}
