//! One display process is replaced by another, in every way there is: the screen is never left dark.

use crate::health::runs;
use crate::kiosk::{Kiosk, fresh_dir, open_to_all, wait_for, write_program};
use crate::scene::Screen;
use crate::screen::{display_process, pretend_display};
use crate::stage::{PURPLE, SWITCHES, Site, TEAL};
use crate::xvfb::{Colour, Xvfb};
use serde_json::{Map, Value, json};
use std::fs;
use std::time::{Duration, Instant};

/// A program in place of a browser that takes half a second to end, and leaves with 0 as Chromium does.
const SLOW_TO_END: &str =
    "#!/bin/sh\ntrap 'sleep 0.5; exit 0' TERM\nwhile :; do sleep 0.05; done\n";

/// Changes of the document in one run of the random walk.
const CHANGES: usize = 25;

/// One to four display processes, enabled, started automatically and active at random.
fn some_document(rng: &mut fastrand::Rng, program: &str, display: &str) -> Value {
    let mut names = ["a", "b", "c", "d", "e", "f"];
    rng.shuffle(&mut names);
    let names = &names[..rng.usize(1..=4)];
    let processes: Map<String, Value> = names
        .iter()
        .map(|name| {
            let process = display_process(json!({
                "command": program,
                "display": display,
                "enabled": rng.u8(0..4) > 0,
                "autostart": rng.u8(0..4) > 0,
            }));
            ((*name).to_owned(), process)
        })
        .collect();
    let mut document = json!({"version": 3, "processes": processes});
    if rng.bool() {
        document["active_display_process"] = json!(rng.choice(names));
    }
    document
}

#[test]
fn no_change_of_the_document_leaves_the_screen_dark_while_a_display_process_could_run() {
    let display = pretend_display();
    let dir = fresh_dir();
    let program = dir.join("browser");
    write_program(&program, SLOW_TO_END);
    let program = program.to_str().unwrap().to_owned();
    let seed = 19;
    let mut rng = fastrand::Rng::with_seed(seed);
    let document = some_document(&mut rng, &program, &display.name);
    fs::write(dir.join("config.json"), document.to_string()).unwrap();
    let kiosk = Kiosk::start_in(dir);
    let mut darkest = Duration::ZERO;
    for change in 0..CHANGES * runs() {
        let document = some_document(&mut rng, &program, &display.name);
        let begun = Instant::now();
        if rng.bool() {
            let answer = kiosk.send("PUT", "/api/config", document.clone());
            assert_eq!(answer.status, 200, "{}", answer.text());
        } else {
            fs::write(kiosk.config_file(), document.to_string()).unwrap();
            kiosk.signal("HUP");
            wait_for("the document", || {
                kiosk.get("/api/config").json() == document
            });
        }
        let processes = document["processes"].as_object().unwrap();
        let starts = |process: &Value| process["enabled"] == true && process["autostart"] == true;
        if processes.values().any(starts) {
            println!("change {change} of seed {seed}: {document}");
            kiosk.until_all(|all| {
                processes
                    .keys()
                    .any(|name| all[name.as_str()]["status"] == "running")
            });
            darkest = darkest.max(begun.elapsed());
        }
    }
    println!("longest until a display process ran: {darkest:.2?}");
}

/// Waits until the new page is everywhere on the screen; how long the old one was gone by then.
fn dark_time(screen: &Xvfb, old: Colour, new: Colour) -> Duration {
    let mut last_seen = Instant::now();
    wait_for("the page", || {
        if screen.is_all(old) {
            last_seen = Instant::now();
        }
        screen.is_all(new)
    });
    last_seen.elapsed()
}

#[test]
fn a_browser_is_replaced_by_another_by_reload_api_and_schedule() {
    let screen = Xvfb::start();
    let site = Site::open();
    let browser = |page: &str, enabled: bool| {
        display_process(json!({
            "command": format!("chromium {SWITCHES}"),
            "url": site.page(page),
            "display": screen.display(),
            "flags": {"kiosk": true},
            "enabled": enabled,
        }))
    };
    let rule = |name: &str, action: &str, process: &str| {
        json!({"id": name, "trigger": {"type": "boot"}, "enabled": false,
            "action": {"type": action, "process_id": process}})
    };
    // Two of the same: what is left of one profile does not hinder the next.
    let document = |first: &str, second: Option<&str>| {
        let mut processes = json!({first: browser("teal", true)});
        if let Some(second) = second {
            processes[second] = browser("purple", false);
        }
        let mut document = json!({"version": 3, "processes": processes});
        if let Some(second) = second {
            document["schedule"] = json!({"enabled": true, "rules": [
                rule("first-off", "disable_process", first), rule("first-on", "enable_process", first),
                rule("second-off", "disable_process", second), rule("second-on", "enable_process", second),
            ]});
        }
        document
    };
    let renamed = |name: &str, page: &str| json!({"version": 3, "processes": {name: browser(page, true)}, "active_display_process": name});
    let dir = fresh_dir();
    open_to_all(&dir);
    fs::write(dir.join("config.json"), document("day", None).to_string()).unwrap();
    let kiosk = Kiosk::start_supervised(dir, screen.surroundings());
    wait_for("the page", || screen.is_all(TEAL));
    let mut longest = [Duration::ZERO; 3];
    let mut swapped = |way: usize, old, new| {
        let dark = dark_time(&screen, old, new);
        longest[way] = longest[way].max(dark);
        println!("way {way}: dark for {dark:.2?}");
    };
    for run in 0..runs() {
        // By a reload.
        let next = renamed(&format!("night-{run}"), "purple");
        fs::write(kiosk.config_file(), next.to_string()).unwrap();
        kiosk.signal("HUP");
        swapped(0, TEAL, PURPLE);
        // By the API.
        let answer = kiosk.send("PUT", "/api/config", document("day", Some("night")));
        assert_eq!(answer.status, 200, "{}", answer.text());
        swapped(1, PURPLE, TEAL);
        // By the schedule.
        for (rules, old, new) in [
            (["first-off", "second-on"], TEAL, PURPLE),
            (["second-off", "first-on"], PURPLE, TEAL),
        ] {
            for rule in rules {
                let answer = kiosk.post(&format!("/api/schedule/rules/{rule}/run"));
                assert_eq!(answer.status, 202, "{}", answer.text());
            }
            swapped(2, old, new);
        }
    }
    println!("longest dark time by reload, API, schedule: {longest:.2?}");
}
