//! Programs that behave, and programs that do not: each has its right end.

use crate::kiosk::{Kiosk, fresh_dir, lives, pid_in, signal, wait_for};
use crate::screen::{display_process, pretend_display};
use serde_json::{Value, json};
use std::fs;
use std::process::{Command, Stdio};

fn pid(process: &Value) -> u32 {
    u32::try_from(process["pid"].as_u64().expect("it has a pid")).unwrap()
}

#[test]
fn a_killed_child_is_followed_by_a_new_run_that_says_why() {
    let kiosk = Kiosk::with(json!({"sync": {"command": "sleep 1000"}}));
    let first = pid(&kiosk.until_status("sync", "running"));
    signal(first, "KILL");
    let process = kiosk.until("sync", |process| process["restarts"] == 1);
    assert_eq!(process["status"], "running");
    assert_eq!(process["reason"], "killed by SIGKILL");
    assert_ne!(pid(&process), first);
    let file = fs::read_to_string(kiosk.dir.join("run/sync.pid")).unwrap();
    assert_eq!(file.trim(), pid(&process).to_string());
}

#[test]
fn a_command_that_does_not_exist_is_named() {
    let kiosk = Kiosk::with(json!({"it": {"command": "no-such-program --flag"}}));
    let process = kiosk.until_status("it", "backoff");
    let reason = process["reason"].as_str().unwrap();
    assert!(reason.contains("no-such-program"), "{reason}");
    assert!(reason.contains("no such file or directory"), "{reason}");
    assert_eq!(process["pid"], Value::Null);
}

#[test]
fn a_command_that_exits_at_once_ends_as_a_crash_loop() {
    let kiosk = Kiosk::with(json!({"it": {"command": "sh -c 'exit 3'"}}));
    // The delays add up to 15 s; the sixth crash makes it a loop.
    let process = kiosk.until_status("it", "failed");
    assert_eq!(process["reason"], "exit code 3");
    assert_eq!(process["restarts"], 5);
    kiosk.until_logged("it", "crash loop");
}

#[test]
fn a_program_that_ignores_term_is_killed() {
    let kiosk = Kiosk::with(json!({"deaf": {
        "command": "trap '' TERM; echo deaf; while :; do sleep 1000; done",
        "stop_timeout_seconds": 1
    }}));
    kiosk.until_logged("deaf", "deaf");
    let main = pid(&kiosk.process("deaf"));
    assert_eq!(kiosk.post("/api/processes/deaf/stop").status, 202);
    let process = kiosk.until_status("deaf", "stopped");
    assert_eq!(process["reason"], "stopped by the operator");
    assert!(!lives(main));
    assert!(!kiosk.dir.join("run/deaf.pid").exists());
    kiosk.until_logged("deaf", "did not end within 1 s");
}

#[test]
fn a_grandchild_in_a_session_of_its_own_dies_with_its_tree() {
    let dir = fresh_dir();
    let file = dir.join("grandchild");
    let script = format!(
        "setsid sh -c 'setsid sleep 1000 & echo $! > {}' & wait; exec sleep 1000",
        file.display()
    );
    let kiosk = Kiosk::with(json!({"forker": {"command": script}}));
    let grandchild = pid_in(&file);
    kiosk.until_status("forker", "running");
    wait_for("the grandchild to be an orphan of the daemon", || {
        let stat = fs::read_to_string(format!("/proc/{grandchild}/stat")).unwrap();
        stat.split(' ').nth(3) == Some(&kiosk.pid().to_string())
    });
    kiosk.post("/api/processes/forker/stop");
    kiosk.until_status("forker", "stopped");
    assert!(!lives(grandchild));
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn what_a_crash_leaves_behind_is_gone_before_the_next_run() {
    let dir = fresh_dir();
    let file = dir.join("left");
    let script = format!(
        "test -e {0} || {{ setsid sleep 1000 & echo $! > {0}; kill -9 $$; }}; exec sleep 1000",
        file.display()
    );
    let kiosk = Kiosk::with(json!({"it": {"command": script}}));
    let left = pid_in(&file);
    kiosk.until("it", |process| {
        process["restarts"] == 1 && process["status"] == "running"
    });
    assert!(!lives(left));
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_program_that_closes_its_output_lives_on() {
    let kiosk = Kiosk::with(json!({"quiet": {
        "command": "echo before; exec sleep 1000 >&- 2>&-"
    }}));
    kiosk.until_logged("quiet", "before");
    let process = kiosk.until_status("quiet", "running");
    assert!(lives(pid(&process)));
    kiosk.post("/api/processes/quiet/stop");
    kiosk.until_status("quiet", "stopped");
}

#[test]
fn binary_output_is_kept_and_shown() {
    let kiosk = Kiosk::with(json!({"noise": {
        "command": "head -c 100000 /dev/urandom; echo; echo 'the end'; exec sleep 1000"
    }}));
    kiosk.until_logged("noise", "the end");
    assert_eq!(kiosk.get("/api/processes/noise/logs?lines=100").status, 200);
}

#[test]
fn a_foreign_process_of_the_same_name_survives_everything() {
    let mut foreign = Command::new("sleep")
        .arg("1000")
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let mut kiosk = Kiosk::with(json!({"sleep": {"command": "sleep 1000"}}));
    let first = pid(&kiosk.until_status("sleep", "running"));
    kiosk.post("/api/processes/sleep/restart");
    kiosk.until("sleep", |process| {
        process["status"] == "running" && process["pid"] != first
    });
    kiosk.post("/api/processes/sleep/stop");
    kiosk.until_status("sleep", "stopped");
    kiosk.kill();
    kiosk.revive();
    kiosk.signal("TERM");
    assert_eq!(kiosk.wait(), Some(0));
    assert!(lives(foreign.id()));
    foreign.kill().unwrap();
    foreign.wait().unwrap();
}

#[test]
fn a_killed_daemon_cleans_up_its_stale_runs_before_it_starts_again() {
    let mut kiosk = Kiosk::with(json!({
        "one": {"command": "sleep 1000"},
        "two": {"command": "setsid sleep 1000 & exec sleep 1000"}
    }));
    let one = pid(&kiosk.until_status("one", "running"));
    let two = pid(&kiosk.until_status("two", "running"));
    kiosk.kill();
    assert!(lives(one) && lives(two));
    kiosk.revive();
    let again = pid(&kiosk.until_status("one", "running"));
    assert_ne!(again, one);
    assert!(!lives(one) && !lives(two));
}

#[test]
fn the_end_of_the_daemon_is_the_end_of_everything_it_started() {
    let mut kiosk = Kiosk::with(json!({
        "one": {"command": "sleep 1000"},
        "two": {"command": "setsid sleep 1000 & exec sleep 1000", "depends_on": ["one"]}
    }));
    let one = pid(&kiosk.until_status("one", "running"));
    let two = pid(&kiosk.until_status("two", "running"));
    kiosk.signal("TERM");
    assert_eq!(kiosk.wait(), Some(0));
    assert!(!lives(one) && !lives(two));
    let left: Vec<_> = fs::read_dir(kiosk.dir.join("run"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| name.to_string_lossy().ends_with(".pid"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_second_daemon_on_the_same_directory_refuses_and_says_who_holds_it() {
    let kiosk = Kiosk::with(json!({}));
    let second = Command::new(env!("CARGO_BIN_EXE_ossuary"))
        .arg("daemon")
        .arg("--config")
        .arg(kiosk.config_file())
        .arg("--state-dir")
        .arg(kiosk.dir.join("state"))
        .arg("--run-dir")
        .arg(kiosk.dir.join("run"))
        .args(["--listen", "127.0.0.1:0"])
        .output()
        .unwrap();
    assert!(!second.status.success());
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains(&kiosk.pid().to_string()), "{said}");
}

#[test]
fn a_process_waits_until_what_it_depends_on_answers() {
    let kiosk = Kiosk::with(json!({
        "page": {"command": "sleep 1000", "depends_on": ["server"]},
        "server": {
            "command": "python3 -m http.server --bind 127.0.0.1 18473",
            "ready": {"type": "http", "url": "http://127.0.0.1:18473/"}
        },
        "notifier": {
            "command": "python3 -c 'import os,socket,time; s=socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.connect(os.environ[\"NOTIFY_SOCKET\"]); s.send(b\"READY=1\"); time.sleep(1000)'",
            "ready": {"type": "notify"}
        },
        "mute": {"command": "sleep 1000", "ready": {"type": "notify", "timeout_seconds": 1}}
    }));
    kiosk.until_all(|all| {
        all["page"]["status"] == "running"
            && all["server"]["status"] == "running"
            && all["notifier"]["status"] == "running"
            && all["mute"]["reason"] == "not ready after 1 s"
    });
}

#[test]
fn at_no_instant_do_two_browsers_run() {
    let dir = fresh_dir();
    crate::kiosk::open_to_all(&dir);
    // Each "browser" takes a lock that only one can hold. The kernel takes it back when the last of its tree
    // is gone, so it may be ended at any instant.
    let browser = |name: &str| {
        format!(
            "trap 'sleep 0.01; exit 0' TERM; exec 9>>{0}/lock; flock --nonblock 9; test $? = 1 && echo {name} >> {0}/two; while :; do sleep 0.05; done",
            dir.display()
        )
    };
    let display = pretend_display();
    let kiosk = Kiosk::start(json!({
        "version": 3,
        "processes": {
            "a": display_process(json!({"command": browser("a"), "display": display.name})),
            "b": display_process(json!({"command": browser("b"), "display": display.name}))
        },
        "active_display_process": "a"
    }));
    kiosk.until_status("a", "running");
    for turn in 0..50 {
        let (next, other) = if turn % 2 == 0 {
            ("b", "a")
        } else {
            ("a", "b")
        };
        let answer = kiosk.post(&format!("/api/processes/{next}/start"));
        assert_eq!(answer.status, 202, "{}", answer.text());
        assert_eq!(answer.json()["stopped"], json!([other]));
        kiosk
            .until_all(|all| all[next]["status"] == "running" && all[other]["status"] == "stopped");
    }
    assert!(
        !dir.join("two").exists(),
        "two browsers ran at the same time"
    );
    assert_eq!(kiosk.file()["active_display_process"], "a");
    fs::remove_dir_all(dir).unwrap();
}
