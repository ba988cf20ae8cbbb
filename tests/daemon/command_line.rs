//! The operator's command line against a real daemon.

use crate::kiosk::{Kiosk, fresh_dir};
use serde_json::{Value, json};
use std::process::{Command, Output};

fn words(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
fn the_plans_document_passes_the_check() {
    let plan = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/plan.json");
    let output = Command::new(env!("CARGO_BIN_EXE_ossuary"))
        .args(["check", plan])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", words(&output));
    assert!(words(&output).contains("ok"), "{}", words(&output));
}

#[test]
fn every_problem_of_a_document_is_printed_with_its_path() {
    let dir = fresh_dir();
    let file = dir.join("config.json");
    let document = json!({"version": 3, "processes": {
        "a": {"command": 7},
        "b": {"command": "x", "depends_on": ["nobody"], "stop_timeout_seconds": "soon"}
    }});
    std::fs::write(&file, document.to_string()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_ossuary"))
        .arg("check")
        .arg(&file)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = words(&output);
    for path in [
        "processes.a.command:",
        "processes.b.depends_on[0]:",
        "processes.b.stop_timeout_seconds:",
    ] {
        assert!(said.contains(path), "{path} is not in: {said}");
    }
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn an_operator_manages_processes_without_a_browser() {
    let kiosk = Kiosk::with(json!({"sync": {"command": "echo hello; exec sleep 1000"}}));
    kiosk.until_logged("sync", "hello");
    let listed = kiosk.ossuary(&["status"]);
    assert_eq!(listed.status.code(), Some(0), "{}", words(&listed));
    assert!(words(&listed).contains("running"));

    let stopped = kiosk.ossuary(&["stop", "sync"]);
    assert_eq!(stopped.status.code(), Some(0), "{}", words(&stopped));
    assert_eq!(kiosk.process("sync")["status"], "stopped");

    let started = kiosk.ossuary(&["start", "sync"]);
    assert_eq!(started.status.code(), Some(0), "{}", words(&started));
    assert_eq!(kiosk.process("sync")["status"], "running");

    let logged = kiosk.ossuary(&["logs", "sync", "-n", "50"]);
    assert!(words(&logged).contains("hello"), "{}", words(&logged));

    let json = kiosk.ossuary(&["status", "--json"]);
    let parsed: Value = serde_json::from_slice(&json.stdout).expect("--json prints JSON");
    assert_eq!(parsed["processes"]["sync"]["status"], "running");

    let unknown = kiosk.ossuary(&["start", "nobody"]);
    assert_eq!(unknown.status.code(), Some(4), "{}", words(&unknown));
}

#[test]
fn without_a_daemon_the_command_line_says_so() {
    let dir = fresh_dir();
    let output = Command::new(env!("CARGO_BIN_EXE_ossuary"))
        .args(["status", "--run-dir"])
        .arg(&dir)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(
        words(&output).contains("ossuary.sock"),
        "{}",
        words(&output)
    );
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_machine_is_told_what_is_wrong_with_a_file() {
    let dir = fresh_dir();
    let file = dir.join("config.json");
    let check = |file: &std::path::Path| {
        let output = Command::new(env!("CARGO_BIN_EXE_ossuary"))
            .args(["check", "--json"])
            .arg(file)
            .output()
            .unwrap();
        let told: Value = serde_json::from_slice(&output.stdout).expect("--json prints JSON");
        (output.status.code(), told)
    };
    std::fs::write(&file, r#"{"version": 3, "processes": {"a": {}}}"#).unwrap();
    let (code, told) = check(&file);
    assert_eq!(code, Some(1));
    assert_eq!(told["problems"][0]["path"], "processes.a.command");
    std::fs::write(&file, "{}").unwrap();
    let (code, told) = check(&file);
    assert_eq!((code, &told["ok"]), (Some(0), &json!(true)));
    let (code, told) = check(&dir.join("nothing"));
    assert_eq!((code, &told["ok"]), (Some(1), &json!(false)));
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_failed_process_can_be_stopped_from_the_command_line() {
    let kiosk = Kiosk::with(json!({"job": {"command": "exit 3", "restart": "never"}}));
    kiosk.until_status("job", "failed");
    let stopped = kiosk.ossuary(&["stop", "job"]);
    assert_eq!(stopped.status.code(), Some(0), "{}", words(&stopped));
    assert_eq!(kiosk.process("job")["reason"], "stopped by the operator");
}
