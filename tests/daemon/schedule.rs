//! The schedule of a real daemon, whose wall clock is another than the machine's (libfaketime).

use crate::kiosk::{Kiosk, fresh_dir, wait_for, write_program};
use crate::screen::display_process;
use crate::xvfb::Xvfb;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The library of `faketime`, in the directory where this machine has it.
fn library() -> PathBuf {
    let places = fs::read_dir("/usr/lib").unwrap().flatten();
    let found = places
        .map(|place| place.path().join("faketime/libfaketimeMT.so.1"))
        .find(|path| path.exists());
    found.expect("faketime is installed")
}

/// Sets the wall clock of the programs in this directory. The monotonic clock stays the machine's.
fn set_wall(dir: &Path, wall: &str) -> SignedDuration {
    let wall: Timestamp = wall.parse().unwrap();
    let offset = wall.duration_since(Timestamp::now());
    let written = dir.join("offset.new");
    fs::write(&written, format!("{:+.3}\n", offset.as_secs_f64())).unwrap();
    fs::rename(written, dir.join("offset")).unwrap();
    offset
}

fn environment(dir: &Path) -> Vec<(String, String)> {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    vec![
        pair("LD_PRELOAD", library().to_str().unwrap()),
        pair(
            "FAKETIME_TIMESTAMP_FILE",
            dir.join("offset").to_str().unwrap(),
        ),
        pair("FAKETIME_NO_CACHE", "1"),
        pair("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ]
}

/// The clock was found to be right before, since the machine was started.
fn trust_the_clock(dir: &Path) {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    fs::create_dir_all(dir.join("run")).unwrap();
    fs::write(dir.join("run/clock"), boot.trim()).unwrap();
}

fn start(dir: PathBuf, document: &Value) -> Kiosk {
    fs::write(dir.join("config.json"), document.to_string()).unwrap();
    trust_the_clock(&dir);
    let environment = environment(&dir);
    Kiosk::start_supervised(dir, environment)
}

fn daily(id: &str, time: &str, action: Value) -> Value {
    json!({"id": id, "trigger": {"type": "time", "time": time, "days": ["*"]}, "action": action})
}

/// Leaves a file behind. The kernel says when: the clock of the library does not reach it there.
fn touch(dir: &Path, name: &str) -> Value {
    json!({"type": "run_command", "command": format!("echo > {}", dir.join(name).display())})
}

/// The newest entry of the record for a rule, once there is one.
fn entry(kiosk: &Kiosk, rule: &str) -> Value {
    let mut found = Value::Null;
    wait_for(&format!("an entry of {rule}"), || {
        let record = kiosk.get("/api/schedule/record").json();
        let entries = record["record"].as_array().unwrap().iter();
        let mut entries = entries.filter(|it| it["rule"] == rule && it["outcome"] != "begun");
        found = entries.next().cloned().unwrap_or_default();
        !found.is_null()
    });
    found
}

#[test]
fn a_rule_runs_within_a_second_of_its_time_and_a_failure_is_reported() {
    let dir = fresh_dir();
    let offset = set_wall(&dir, "2026-11-26T07:59:55Z");
    let document = json!({"version": 3,
        "processes": {"sync": {"command": "sleep 1000"}},
        "schedule": {"timezone": "UTC", "rules": [
            daily("broken", "08:00", json!({"type": "run_command", "command": "echo it is bad; exit 3"})),
            daily("gone", "08:00", json!({"type": "run_command", "command": "/nowhere/program"})),
            daily("punctual", "08:00", touch(&dir, "punctual")),
            daily("never", "09:00", touch(&dir, "never")),
        ]},
    });
    let kiosk = start(dir, &document);
    let before = kiosk.until_status("sync", "running")["pid"].clone();
    assert_eq!(entry(&kiosk, "punctual")["outcome"], "done");
    let touched = fs::metadata(kiosk.dir.join("punctual"))
        .unwrap()
        .modified()
        .unwrap();
    let touched = Timestamp::try_from(touched).unwrap() + offset;
    let late = touched.duration_since("2026-11-26T08:00:00Z".parse().unwrap());
    println!("done {late:?} after its time");
    assert!(
        late >= SignedDuration::ZERO - SignedDuration::from_millis(20),
        "{late:?}"
    );
    assert!(late < SignedDuration::from_secs(1), "{late:?}");
    let broken = entry(&kiosk, "broken");
    assert_eq!(broken["outcome"], "failed");
    assert_eq!(broken["at"], "2026-11-26T08:00:00+00:00");
    assert_eq!(broken["detail"], "the command failed: exit status: 3");
    kiosk.until_noted("schedule: it is bad");
    assert_eq!(entry(&kiosk, "gone")["outcome"], "failed");
    assert_eq!(
        kiosk.process("sync")["pid"],
        before,
        "nothing else was touched"
    );
    assert!(!kiosk.dir.join("never").exists());
    let next = kiosk.get("/api/schedule/next").json();
    assert_eq!(next["occurrences"][0]["rule"], "never");
    assert_eq!(next["timezone"], "UTC");
}

/// A browser that only writes down what it was to show.
fn paper_browser(dir: &Path) -> PathBuf {
    let program = dir.join("chromium");
    let script = format!(
        "#!/bin/sh\nfor page; do :; done\necho \"$page\" >> {}\nexec sleep 1000\n",
        dir.join("pages").display()
    );
    write_program(&program, script);
    fs::write(dir.join("pages"), "").unwrap();
    fs::set_permissions(dir.join("pages"), fs::Permissions::from_mode(0o666)).unwrap();
    program
}

#[test]
fn off_from_five_to_eight_until_half_past_it_begins_with_the_page_of_the_day() {
    let (dir, x) = (fresh_dir(), Xvfb::start());
    set_wall(&dir, "2026-11-26T07:50:00Z");
    let screen = display_process(json!({
        "command": paper_browser(&dir).display().to_string(),
        "url": "https://example.org/night",
        "display": x.name,
    }));
    let rule = json!({"id": "day", "trigger": {"type": "time", "time": "08:00", "days": ["*"]}, "until": "18:00",
        "action": {"type": "switch_canvas", "process_id": "screen", "url": "https://example.org/day"}});
    let document = json!({"version": 3, "processes": {"screen": screen},
        "schedule": {"timezone": "UTC", "rules": [rule]}});
    let mut kiosk = start(dir, &document);
    let pages = |kiosk: &Kiosk| fs::read_to_string(kiosk.dir.join("pages")).unwrap();
    wait_for("the first page", || {
        pages(&kiosk) == "https://example.org/night\n"
    });
    kiosk.kill();
    fs::write(kiosk.dir.join("pages"), "").unwrap();
    set_wall(&kiosk.dir, "2026-11-26T08:30:00Z");
    kiosk.revive();
    wait_for("the page of the day", || {
        pages(&kiosk) == "https://example.org/day\n"
    });
    let status = kiosk.get("/api/status").json();
    assert_eq!(status["schedule"]["rules"]["day"]["active"], true);
    assert_eq!(
        status["schedule"]["rules"]["day"]["next"],
        "2026-11-27T08:00:00+00:00"
    );
}

#[test]
fn a_clock_from_1970_does_nothing_until_it_is_set() {
    let dir = fresh_dir();
    set_wall(&dir, "1970-01-01T00:00:30Z");
    let document = json!({"version": 3,
        "processes": {"sync": {"command": "sleep 1000"}},
        "schedule": {"timezone": "UTC", "rules": [
            daily("wrong", "00:00:33", touch(&dir, "wrong")),
            daily("right", "08:00", touch(&dir, "right")),
        ]},
    });
    let kiosk = start(dir, &document);
    kiosk.until_status("sync", "running");
    assert_eq!(
        kiosk.get("/api/status").json()["schedule"]["clock_trusted"],
        false
    );
    let begun = SystemTime::now();
    wait_for("the wrong time passes", || {
        begun.elapsed().unwrap().as_secs() >= 5
    });
    assert!(!kiosk.dir.join("wrong").exists());
    // An untrusted clock is checked every ten seconds; the kernel does not report changes of this one, which is not its own.
    set_wall(&kiosk.dir, "2026-11-26T07:59:45Z");
    assert_eq!(entry(&kiosk, "right")["outcome"], "done");
    assert!(kiosk.dir.join("right").exists());
    assert!(!kiosk.dir.join("wrong").exists());
    assert_eq!(
        kiosk.get("/api/status").json()["schedule"]["clock_trusted"],
        true
    );
}

#[test]
fn rules_are_made_asked_and_done_by_the_api_and_the_command_line() {
    let kiosk = Kiosk::with(json!({"sync": {"command": "sleep 1000", "autostart": false}}));
    let rules = json!({"timezone": "UTC", "rules": [
        {"name": "Every morning", "trigger": {"type": "time", "time": "08:00"},
         "action": {"type": "start_process", "process_id": "sync"}},
    ]});
    let answer = kiosk.send("PUT", "/api/schedule", rules);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["rules"][0]["id"], "every-morning");
    let wrong = json!({"rules": [{"trigger": {"type": "time", "time": "8"}, "action": {"type": "start_process", "process_id": "gone"}}]});
    let refused = kiosk.send("PUT", "/api/schedule", wrong);
    assert_eq!(refused.status, 422);
    let fields: Vec<Value> = (refused.json()["problems"].as_array().unwrap().iter())
        .map(|problem| problem["field"].clone())
        .collect();
    assert_eq!(
        fields,
        [
            "schedule.rules[0].trigger.time",
            "schedule.rules[0].action.process_id"
        ]
    );

    let done = kiosk.ossuary(&["schedule", "run", "every-morning"]);
    assert_eq!(
        String::from_utf8_lossy(&done.stdout),
        "every-morning: done\n"
    );
    kiosk.until_status("sync", "running");
    let table = String::from_utf8(kiosk.ossuary(&["schedule"]).stdout).unwrap();
    assert!(table.starts_with("RULE"), "{table}");
    assert!(table.contains("every-morning"), "{table}");
    let gone = kiosk.ossuary(&["schedule", "run", "gone"]);
    assert_eq!(gone.status.code(), Some(4));
    assert_eq!(kiosk.post("/api/schedule/rules/gone/run").status, 404);

    let tomorrow =
        kiosk.get("/api/schedule/next?from=2026-12-01T00:00:00%2B01:00&to=2026-12-02T00:00:00Z");
    let occurrences = tomorrow.json()["occurrences"].clone();
    assert_eq!(occurrences[0]["at"], "2026-12-01T08:00:00+00:00");
    for (query, field) in [
        ("from=tomorrow", "from"),
        ("from=2026-12-02T00:00:00Z&to=2026-12-01T00:00:00Z", "to"),
        ("from=2026-01-01T00:00:00Z&to=2036-01-01T00:00:00Z", "to"),
    ] {
        let refused = kiosk.get(&format!("/api/schedule/next?{query}"));
        assert_eq!(
            (refused.status, refused.json()["field"].as_str()),
            (422, Some(field)),
            "{query}"
        );
    }

    assert_eq!(kiosk.post("/api/processes/sync/stop").status, 202);
    kiosk.until_status("sync", "stopped");
    let asked = kiosk.ask("DELETE", "/api/processes/sync", None);
    assert_eq!(asked.status, 409);
    assert!(asked.text().contains("Every morning"), "{}", asked.text());
    assert_eq!(
        kiosk
            .ask("DELETE", "/api/processes/sync?force=true", None)
            .status,
        204
    );
    assert_eq!(
        kiosk.get("/api/schedule").json()["rules"][0]["enabled"],
        false
    );
    let record = kiosk.get("/api/schedule/record").json();
    assert_eq!(record["record"][0]["kind"], "run");
}

#[test]
fn as_many_rules_as_a_document_holds_start_quickly() {
    let rule = |number: u32| {
        let time = format!("{:02}:{:02}", number / 60 % 24, number % 60);
        json!({"id": format!("r{number}"), "trigger": {"type": "time", "time": time},
            "action": {"type": "reboot"}, "enabled": true})
    };
    // A rule that is not due today: the machine of the tests must not be rebooted.
    let rules: Vec<Value> = (0..800)
        .map(rule)
        .map(|mut rule| {
            let day = (Timestamp::now()
                .to_zoned(TimeZone::UTC)
                .weekday()
                .to_monday_zero_offset()
                + 3)
                % 7;
            let name = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"][day as usize];
            rule["trigger"]["days"] = json!([name]);
            rule
        })
        .collect();
    let document = json!({"version": 3, "schedule": {"timezone": "Europe/Berlin", "rules": rules}});
    let dir = fresh_dir();
    fs::write(dir.join("config.json"), document.to_string()).unwrap();
    trust_the_clock(&dir);
    let kiosk = Kiosk::start_in(dir);
    let status = kiosk.get("/api/status").json();
    let known = status["schedule"]["rules"].as_object().unwrap();
    assert_eq!(known.len(), 800);
    assert!(known.values().all(|rule| rule["next"].is_string()));
}

#[test]
fn a_zone_that_this_system_lacks_is_refused_and_in_a_file_harms_nothing_else() {
    let kiosk = Kiosk::with(json!({"sync": {"command": "sleep 1000"}}));
    let wrong = json!({"timezone": "Mars/Olympus", "rules": [{"action": {"type": "reboot"}}]});
    let whole = json!({"version": 3, "processes": {}, "schedule": wrong});
    for (path, body) in [("/api/schedule", wrong), ("/api/config", whole)] {
        let refused = kiosk.send("PUT", path, body);
        assert_eq!(refused.status, 422, "{path}: {}", refused.text());
        let fields: Vec<Value> = (refused.json()["problems"].as_array().unwrap().iter())
            .map(|problem| problem["field"].clone())
            .collect();
        let expected = ["schedule.rules[0].trigger", "schedule.timezone"];
        assert_eq!(fields, expected, "all at once");
    }
    let dir = fresh_dir();
    let document = json!({
        "version": 3, "processes": {"sync": {"command": "sleep 1000"}},
        "schedule": {"timezone": "Mars/Olympus", "rules": [daily("a", "08:00", touch(&dir, "a"))]},
    });
    fs::write(dir.join("config.json"), document.to_string()).unwrap();
    let kiosk = Kiosk::start_in(dir);
    kiosk.until_status("sync", "running");
    let status = kiosk.get("/api/status").json();
    let problem = status["schedule"]["problem"].as_str().unwrap();
    assert!(problem.contains("no time zone Mars/Olympus"), "{problem}");
    // What was valid stays so: something else can be changed.
    let same = json!({"timezone": "Mars/Olympus", "rules": []});
    assert_eq!(kiosk.send("PUT", "/api/schedule", same).status, 200);
    let file = kiosk.config_file();
    let mut check = std::process::Command::new(env!("CARGO_BIN_EXE_ossuary"));
    let checked = check.arg("check").arg(file).output().unwrap();
    let text = String::from_utf8_lossy(&checked.stdout).into_owned();
    let warning = "warning: schedule.timezone: there is no time zone Mars/Olympus";
    assert!(text.starts_with("ok\n") && text.contains(warning), "{text}");
}

#[test]
fn the_system_and_the_schedule_name_the_same_zone() {
    for (tz, expected) in [("Asia/Kathmandu", "Asia/Kathmandu"), ("CET-1CEST", "auto")] {
        let dir = fresh_dir();
        fs::write(dir.join("config.json"), r#"{"version": 3}"#).unwrap();
        let environment = vec![("TZ".to_owned(), tz.to_owned())];
        let kiosk = Kiosk::start_supervised(dir, environment);
        let system = kiosk.get("/api/system").json();
        let status = kiosk.get("/api/status").json();
        assert_eq!(system["clock"]["timezone"], expected);
        assert_eq!(status["schedule"]["timezone"], expected);
    }
}
