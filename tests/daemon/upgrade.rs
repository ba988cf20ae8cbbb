//! Another program takes over in place, and no process notices.

use crate::kiosk::{Kiosk, fresh_dir, lives, pid_in, signal, wait_for, write_program};
use crate::scene::{Scene, Screen};
use crate::stage::{GROUND, NAVY, Site};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

const PROCESSES: [&str; 4] = ["count", "idle", "tree", "slow"];

const SECOND: SignedDuration = SignedDuration::from_secs(1);

fn upgrade(kiosk: &Kiosk) {
    let output = kiosk.ossuary(&["upgrade"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("has taken over from"), "{said}");
}

#[test]
fn no_process_notices_an_upgrade() {
    let dir = fresh_dir();
    let grandchild = dir.join("grandchild");
    let document = json!({"version": 3, "processes": {
        // Prints each line in two pieces, so that an upgrade sometimes happens in the middle of one.
        "count": {"command": "i=0; while :; do i=$((i+1)); printf 'number '; sleep 0.001; echo $i; done"},
        "idle": {"command": "sleep 1000"},
        "tree": {"command": format!("setsid sh -c 'echo $$ > {}; exec sleep 1000' & exec sleep 1000", grandchild.display())},
        // Reports that it is ready only on request, to a daemon that did not start it.
        "slow": {
            "command": "python3 -c 'import os,signal,socket,time; s=socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); signal.signal(signal.SIGUSR1, lambda *_: s.sendto(b\"READY=1\", os.environ[\"NOTIFY_SOCKET\"])); print(\"up\", flush=True); time.sleep(1000)'",
            "ready": {"type": "notify", "timeout_seconds": 600}
        },
        "off": {"command": "sleep 1000"}
    }});
    fs::write(dir.join("config.json"), document.to_string()).unwrap();
    let mut kiosk = Kiosk::start_in(dir);
    for id in ["count", "idle", "tree", "off"] {
        kiosk.until_status(id, "running");
    }
    kiosk.until_logged("slow", "up");
    kiosk.post("/api/processes/off/stop");
    kiosk.until_status("off", "stopped");
    signal(
        kiosk.process("count")["pid"].as_u64().unwrap() as u32,
        "KILL",
    );
    let before: Vec<_> = PROCESSES
        .map(|id| {
            kiosk.until(id, |p| {
                p["pid"].is_u64() && (id != "count" || p["restarts"] == 1)
            })
        })
        .into();
    let grandchild = pid_in(&grandchild);
    let daemon = kiosk.pid();

    for round in 0..10 {
        upgrade(&kiosk);
        for (id, before) in PROCESSES.iter().zip(&before) {
            let after = kiosk.process(id);
            for field in ["pid", "status", "restarts", "reason"] {
                assert_eq!(
                    after[field], before[field],
                    "{field} of {id}, round {round}"
                );
            }
            // Each daemon finds out for itself when the machine was booted, to a millisecond or so.
            let since =
                |shown: &Value| -> Timestamp { shown["since"].as_str().unwrap().parse().unwrap() };
            let moved = since(&after).duration_since(since(before)).abs();
            assert!(moved < SECOND, "since of {id} moved by {moved:?}");
        }
        assert_eq!(kiosk.process("off")["reason"], "stopped by the operator");
    }
    assert_eq!(kiosk.pid(), daemon);

    // What is printed is all there, the lines that an upgrade came in the middle of included.
    let last = kiosk.log("count").lines().count();
    kiosk.until("count", |p| p["status"] == "running");
    let log = kiosk.log("count");
    assert!(log.lines().count() >= last);
    let second = log
        .rfind("run ")
        .and_then(|_| log.find("started, pid"))
        .unwrap();
    let second = second + log[second + 1..].find("started, pid").unwrap();
    let numbers: Vec<u64> = log[second..]
        .lines()
        .filter_map(|line| line.split("stdout number ").nth(1)?.parse().ok())
        .collect();
    assert!(numbers.len() > 50, "{log}");
    assert_eq!(
        numbers,
        (1..=numbers.len() as u64).collect::<Vec<_>>(),
        "{log}"
    );

    // The policy continues as well: readiness, crashes with their reasons, whole trees.
    signal(before[3]["pid"].as_u64().unwrap() as u32, "USR1");
    kiosk.until_status("slow", "running");
    signal(before[1]["pid"].as_u64().unwrap() as u32, "SEGV");
    let idle = kiosk.until("idle", |p| p["restarts"] == 1 && p["pid"].is_u64());
    assert_eq!(idle["reason"], "killed by SIGSEGV");
    assert!(lives(grandchild));
    kiosk.post("/api/processes/tree/stop");
    kiosk.until_status("tree", "stopped");
    assert!(!lives(grandchild));
    upgrade(&kiosk);
    kiosk.signal("TERM");
    assert_eq!(kiosk.wait(), Some(0));
    for process in before {
        assert!(!lives(process["pid"].as_u64().unwrap() as u32));
    }
    assert!(
        fs::read_dir(kiosk.dir.join("run"))
            .unwrap()
            .next()
            .is_none()
    );
}

#[test]
fn the_next_daemon_replaces_a_built_in_page_as_well() {
    let scene = Scene::with("teal");
    scene.until_well("teal");
    let later = Site::reserve();
    let url = later.page("navy");
    scene.configure(&url);
    wait_for("our own page", || scene.screen.colour((1, 1)) == GROUND);
    let before = scene.until("net_error");
    upgrade(&scene.kiosk);
    scene.until("net_error");
    let _later = later.open();
    wait_for("the real page", || scene.screen.is_all(NAVY));
    let after = scene.kiosk.until("screen", |screen| {
        screen["page"]["state"] == "healthy" && screen["page"]["url"] == url
    });
    assert_eq!(after["pid"], before["pid"]);
}

#[test]
fn a_memory_that_another_version_wrote_costs_no_run() {
    let kiosk = Kiosk::with(json!({"idle": {"command": "sleep 1000"}}));
    let before = kiosk.until_status("idle", "running");
    let path = kiosk.dir.join("run/idle.memory");
    let mut memory: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let fields = memory.as_object_mut().unwrap();
    fields.remove("restarts").unwrap();
    fields.insert("priority".into(), json!({"of": "a later version"}));
    fields["reason"] = json!({"NotInvented": 1});
    // Signals and commands that this version refuses in a document.
    fields["process"]["stop_signal"] = json!("WINCH");
    fields["doing"]["Run"]["process"]["command"] = json!("");
    fields["doing"]["Run"]["stage"] = json!("Warm");
    fs::write(&path, memory.to_string()).unwrap();
    upgrade(&kiosk);
    let after = kiosk.until_status("idle", "running");
    assert_eq!(after["pid"], before["pid"]);
}

#[test]
fn a_program_that_does_not_work_does_not_take_over() {
    let dir = fresh_dir();
    let program: PathBuf = dir.join("ossuary");
    write_program(&program, fs::read(env!("CARGO_BIN_EXE_ossuary")).unwrap());
    let document = json!({"version": 3, "processes": {"idle": {"command": "sleep 1000"}}});
    fs::write(dir.join("config.json"), document.to_string()).unwrap();
    let kiosk = Kiosk::start_program(program.clone(), dir);
    let before = kiosk.until_status("idle", "running");

    let broken = |content: &str| {
        write_program(&program, content);
        let answer = kiosk.post("/api/upgrade");
        assert_eq!(answer.status, 409, "{}", answer.text());
        answer.json()["detail"].as_str().unwrap().to_owned()
    };
    let detail = broken("#!/bin/sh\nexit 3\n");
    assert!(detail.contains("does not work: exit status: 3"), "{detail}");
    let detail = broken("no program at all");
    assert!(detail.contains("cannot run"), "{detail}");
    assert_eq!(kiosk.process("idle")["pid"], before["pid"]);
    assert_eq!(kiosk.get("/api/status").json()["shutting_down"], false);
}

/// By this variable a program knows that it has taken over from itself. Its children have not.
#[test]
fn the_mark_of_an_upgrade_is_not_passed_on_and_not_believed_from_above() {
    const MARK: &str = "OSSUARY_UPGRADED_FROM";
    let dir = fresh_dir();
    let document = json!({"version": 3, "processes": {
        "say": {"command": "sh -c 'env; echo pid $$; exec sleep 1000'"}
    }});
    fs::write(dir.join("config.json"), document.to_string()).unwrap();
    let kiosk = Kiosk::start_supervised(dir, vec![(MARK.to_owned(), "0.0.1".to_owned())]);
    let reason = || kiosk.get("/api/status").json()["last_start"]["reason"].clone();
    let has_no_mark = |restarts: u32| {
        let say = kiosk.until("say", |p| p["restarts"] == restarts && p["pid"].is_u64());
        let pid = say["pid"].as_u64().unwrap() as u32;
        kiosk.until_logged("say", &format!("pid {pid}"));
        assert!(!kiosk.log("say").contains(MARK));
        pid
    };
    let first = has_no_mark(0);
    assert_eq!(reason(), "first start");
    upgrade(&kiosk);
    assert_eq!(reason(), "upgrade");
    signal(first, "KILL");
    has_no_mark(1);
}
