//! The operator's command line against a real daemon.

use crate::kiosk::{Kiosk, fresh_dir};
use nix::pty::openpty;
use serde_json::{Value, json};
use std::fs::File;
use std::io::Read;
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
        assert_eq!(said.matches(path).count(), 1, "{path} in: {said}");
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
fn json_output_lists_the_problems_of_a_file() {
    let dir = fresh_dir();
    let file = dir.join("config.json");
    let check = |file: &std::path::Path| {
        let output = Command::new(env!("CARGO_BIN_EXE_ossuary"))
            .args(["check", "--json"])
            .arg(file)
            .output()
            .unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).expect("--json prints JSON");
        (output.status.code(), report)
    };
    std::fs::write(&file, r#"{"version": 3, "processes": {"a": {}}}"#).unwrap();
    let (code, report) = check(&file);
    assert_eq!(code, Some(1));
    assert_eq!(report["problems"][0]["path"], "processes.a.command");
    std::fs::write(&file, "{}").unwrap();
    let (code, report) = check(&file);
    assert_eq!((code, &report["ok"]), (Some(0), &json!(true)));
    let (code, report) = check(&dir.join("nothing"));
    assert_eq!((code, &report["ok"]), (Some(1), &json!(false)));
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

/// Runs a command on a terminal of its own and returns what it wrote there.
fn on_a_terminal(command: &mut Command) -> String {
    let pty = openpty(None, None).unwrap();
    let err = pty.slave.try_clone().unwrap();
    command.env("TERM", "xterm").stdout(pty.slave).stderr(err);
    let mut child = command.spawn().unwrap();
    // The command holds the terminal open, and no end would come.
    command.stdout(std::process::Stdio::null());
    command.stderr(std::process::Stdio::null());
    let mut written = Vec::new();
    // A terminal that no process has open any more ends with an error (EIO).
    let _ = File::from(pty.master).read_to_end(&mut written);
    child.wait().unwrap();
    String::from_utf8(written).unwrap().replace("\r\n", "\n")
}

/// The characters a terminal takes as commands, except our own colours.
fn commands(written: &str) -> Vec<char> {
    let plain = [
        "\u{1b}[32m",
        "\u{1b}[33m",
        "\u{1b}[31m",
        "\u{1b}[2m",
        "\u{1b}[0m",
    ];
    let text = plain
        .iter()
        .fold(written.to_owned(), |text, colour| text.replace(colour, ""));
    let text = text.replace(['\n', '\t'], "");
    text.chars()
        .filter(|character| character.is_control())
        .collect()
}

#[test]
fn what_a_process_prints_is_no_command_to_the_terminal_and_unchanged_in_a_pipe() {
    // A title, a bell, an answer at the prompt (DECRQSS), and CSI in one character.
    let evil = r"\033]0;pwned\007 \033P$qm\033\\ \302\2332J \015over\177";
    let command = format!("printf '{evil} größer\\tend\\n'; exec sleep 1000");
    let kiosk = Kiosk::with(json!({"job": {"command": command}}));
    kiosk.until_logged("job", "end");

    let piped = kiosk.ossuary(&["logs", "job"]).stdout;
    let piped = String::from_utf8(piped).unwrap();
    let raw = "\u{1b}]0;pwned\u{7} \u{1b}P$qm\u{1b}\\ \u{9b}2J \rover\u{7f} größer\tend\n";
    assert!(piped.contains(raw), "{piped:?}");

    let shown = on_a_terminal(&mut kiosk.command(&["logs", "job"]));
    assert_eq!(commands(&shown), [], "{shown:?}");
    let escaped = r"\u001b]0;pwned\u0007 \u001bP$qm\u001b\ \u009b2J \u000dover\u007f größer";
    assert!(shown.contains(escaped), "{shown:?}");

    let json = on_a_terminal(&mut kiosk.command(&["logs", "job", "--json"]));
    assert_eq!(commands(&json), [], "{json:?}");
    let parsed: Value = serde_json::from_str(&json).expect("it is JSON there, too");
    let texts = parsed["lines"].as_array().unwrap();
    let texts: Vec<&str> = texts
        .iter()
        .filter_map(|line| line["text"].as_str())
        .collect();
    assert!(
        texts.iter().any(|text| raw.trim_end() == *text),
        "{texts:?}"
    );

    let status = on_a_terminal(&mut kiosk.command(&["status", "no\u{1b}[2Jbody"]));
    assert_eq!(commands(&status), [], "{status:?}");
    let usage = on_a_terminal(&mut kiosk.command(&["power", "\u{1b}[2J"]));
    assert_eq!(commands(&usage), [], "{usage:?}");
}

#[test]
fn a_configuration_file_is_no_command_to_the_terminal() {
    let dir = fresh_dir();
    let file = dir.join("config.json");
    let evil = "\u{1b}]0;pwned\u{7}";
    let document =
        json!({"version": 3, evil: 1, "processes": {"a": {"command": "x", "type": evil}}});
    std::fs::write(&file, document.to_string()).unwrap();
    for json in [&[][..], &["--json"]] {
        let mut check = Command::new(env!("CARGO_BIN_EXE_ossuary"));
        let shown = on_a_terminal(check.arg("check").args(json).arg(&file));
        assert!(shown.contains("type"), "{shown:?}");
        assert_eq!(commands(&shown), [], "{shown:?}");
    }
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_process_that_rules_name_is_removed_as_its_refusal_says() {
    let rule = json!({"id": "mornings", "trigger": {"type": "time", "time": "08:00", "days": ["*"]},
        "action": {"type": "start_process", "process_id": "job"}});
    let kiosk = Kiosk::start(json!({"version": 3,
        "processes": {"job": {"command": "exec sleep 1000", "autostart": false}},
        "schedule": {"timezone": "UTC", "rules": [rule]}}));
    let refused = kiosk.ossuary(&["remove", "job"]);
    assert_eq!(refused.status.code(), Some(1));
    let way_out = "`ossuary remove --force job`";
    assert!(words(&refused).contains(way_out), "{}", words(&refused));
    let removed = kiosk.ossuary(&["remove", "--force", "job"]);
    assert_eq!(removed.status.code(), Some(0), "{}", words(&removed));
    assert_eq!(kiosk.ossuary(&["status", "job"]).status.code(), Some(4));
    assert_eq!(kiosk.file()["schedule"]["rules"][0]["enabled"], false);
}

#[test]
fn a_configuration_that_was_changed_meanwhile_is_not_replaced_by_an_older_one() {
    let kiosk = Kiosk::with(json!({"job": {"command": "exec sleep 1000"}}));
    let file = kiosk.dir.join("mine.json");
    let path = file.to_str().unwrap();
    let get = || {
        let got = kiosk.ossuary(&["config", "get", "--json", path]);
        assert_eq!(got.status.code(), Some(0), "{}", words(&got));
        let got: Value = serde_json::from_slice(&got.stdout).unwrap();
        got["etag"].as_str().unwrap().to_owned()
    };
    let old = get();
    let set = kiosk.ossuary(&["set", "job", "name=Theirs"]);
    assert_eq!(set.status.code(), Some(0), "{}", words(&set));
    let refused = kiosk.ossuary(&["config", "put", "--if-match", &old, path]);
    assert_eq!(refused.status.code(), Some(1), "{}", words(&refused));
    let unsaid = kiosk.ossuary(&["config", "put", path]);
    assert_eq!(unsaid.status.code(), Some(2), "{}", words(&unsaid));
    assert_eq!(kiosk.process("job")["name"], "Theirs");

    let forced = kiosk.ossuary(&["config", "put", "--force", path]);
    assert_eq!(forced.status.code(), Some(0), "{}", words(&forced));
    assert_ne!(kiosk.process("job")["name"], "Theirs");
    let set = kiosk.ossuary(&["set", "job", "name=Theirs"]);
    assert_eq!(set.status.code(), Some(0), "{}", words(&set));

    let new = get();
    assert_ne!(old, new);
    let mine = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, mine.replace("Theirs", "Ours")).unwrap();
    let saved = kiosk.ossuary(&["config", "put", "--if-match", &new, path]);
    assert_eq!(saved.status.code(), Some(0), "{}", words(&saved));
    assert_eq!(kiosk.process("job")["name"], "Ours");
}

#[test]
fn every_problem_of_a_change_is_printed_once() {
    let kiosk = Kiosk::with(json!({"job": {"command": "exec sleep 1000"}}));
    let invalid = json!({"version": 3, "processes": {
        "job": {"command": 7},
        "other": {"command": "x", "stop_timeout_seconds": "soon"}
    }});
    let file = kiosk.dir.join("invalid.json");
    std::fs::write(&file, invalid.to_string()).unwrap();
    let file = file.to_str().unwrap();
    let of_process = ["autostart", "stop_timeout_seconds"];
    let of_document = [
        "processes.job.command",
        "processes.other.stop_timeout_seconds",
    ];
    let prints_once = |arguments: &[&str], exit: i32, paths: &[&str]| {
        let output = kiosk.ossuary(arguments);
        let said = words(&output);
        assert_eq!(output.status.code(), Some(exit), "{said}");
        for path in paths {
            let lines: Vec<_> = said
                .lines()
                .filter(|line| line.contains(&format!("{path}: ")))
                .collect();
            let [line] = lines[..] else {
                panic!(
                    "{arguments:?}: {path} is in {} lines of: {said}",
                    lines.len()
                );
            };
            let (_, message) = line.split_once(&format!("{path}: ")).unwrap();
            assert_eq!(said.matches(message).count(), 1, "{arguments:?}: {said}");
        }
    };
    prints_once(&["set", "job", "autostart=7"], 1, &of_process[..1]);
    let both = ["set", "job", "autostart=7", "stop_timeout_seconds=soon"];
    prints_once(&both, 1, &of_process);
    prints_once(&["config", "put", "--force", file], 1, &of_document);
    std::fs::write(kiosk.dir.join("config.json"), invalid.to_string()).unwrap();
    prints_once(&["reload"], 1, &of_document);
    prints_once(&["status"], 0, &of_document);
}

#[test]
fn an_unknown_name_of_any_kind_exits_with_not_found_and_suggests_the_nearest() {
    let kiosk =
        Kiosk::with(json!({"foyer": {"name": "Foyer Übersicht", "command": "exec sleep 9"}}));
    for arguments in [
        &["status", "nothing"][..],
        &["schedule", "run", "nothing"],
        &["token", "remove", "nothing"],
        &["power", "on", ":77"],
    ] {
        let output = kiosk.ossuary(arguments);
        assert_eq!(output.status.code(), Some(4), "{}", words(&output));
    }
    for typed in ["foyer übersicht", "Foyer", "fojer"] {
        let output = kiosk.ossuary(&["stop", typed]);
        assert_eq!(output.status.code(), Some(4));
        let said = words(&output);
        assert!(said.contains("did you mean `foyer`?"), "{said}");
    }
}
