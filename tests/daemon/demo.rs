//! The demo, which runs where everybody may write.

use crate::kiosk::{fresh_dir, introduce, open_to_all, signal, try_ask, wait_for};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

fn demo(temp: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ossuary"));
    command
        .args(["demo", "--listen", "127.0.0.1:0"])
        .env("TMPDIR", temp)
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .stdin(Stdio::null());
    command
}

/// Where a demo of this user is, beside others of its kind.
fn place(temp: &Path) -> PathBuf {
    let me = fs::metadata(temp).unwrap().uid();
    temp.join(format!("ossuary-demo-{me}"))
}

fn start(temp: &Path) -> (Child, SocketAddr) {
    start_as(demo(temp), temp)
}

fn start_as(mut demo: Command, temp: &Path) -> (Child, SocketAddr) {
    let mut child = demo
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = lines
        .map_while(Result::ok)
        .find_map(|line| {
            let url = line.strip_prefix("listening on http://")?;
            Some(url.trim_end_matches('/').parse().unwrap())
        })
        .expect("the demo comes up");
    introduce(address, &place(temp).join("run"));
    (child, address)
}

fn name_of_clock(address: SocketAddr) -> Value {
    let answer = try_ask(address, "GET", "/api/processes/clock", None).unwrap();
    answer.json()["name"].clone()
}

/// What another account put at the demo's path before it started.
fn plant(dir: &Path, trap: &Path) {
    fs::create_dir_all(dir.join("run")).unwrap();
    fs::write(dir.join("run/ossuary.sock"), "").unwrap();
    let command = format!("touch {}", trap.display());
    let document = json!({"version": 3, "processes": {"trap": {"command": command}}});
    fs::write(dir.join("config.json"), document.to_string()).unwrap();
}

/// What the demo says when it does not come up, and with which code it leaves.
fn refused(temp: &Path) -> (Option<i32>, String) {
    let output = demo(temp).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), said)
}

/// The demo on a machine that has no account but root and those of the system: the same machine, with another
/// /etc/passwd in a mount namespace. Where root may not mount, and for an ordinary user, the demo as it is.
fn demo_without_accounts(temp: &Path) -> (Command, Option<u32>) {
    let passwd = temp.join("passwd");
    let accounts = "root:x:0:0:root:/root:/bin/sh\n\
        nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";
    fs::write(&passwd, accounts).unwrap();
    let mounted = |then: &[&str]| {
        let mut command = Command::new("unshare");
        let bind = "mount --bind \"$0\" /etc/passwd && exec \"$@\"";
        command.args(["--mount", "sh", "-c", bind]).arg(&passwd);
        command.args(then);
        command
    };
    let as_it_is = demo(temp);
    let may_mount = mounted(&["true"]).stderr(Stdio::null()).status();
    if !may_mount.is_ok_and(|status| status.success()) {
        return (as_it_is, None);
    }
    let mut command = mounted(&[env!("CARGO_BIN_EXE_ossuary")]);
    command.args(as_it_is.get_args()).stdin(Stdio::null());
    for (name, value) in as_it_is.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    (command, Some(65_534))
}

/// The demo is what a newcomer starts first, on a new machine.
#[test]
fn every_process_of_the_demo_runs_on_a_machine_that_has_only_root() {
    let temp = fresh_dir();
    let (command, user) = demo_without_accounts(&temp);
    let (mut child, address) = start_as(command, &temp);
    for id in ["clock", "data-sync", "weather-feed"] {
        let mut process = Value::Null;
        let path = format!("/api/processes/{id}");
        wait_for(&path, || {
            process = try_ask(address, "GET", &path, None).unwrap().json();
            assert_ne!(process["status"], "backoff", "{process:#}");
            process["status"] == "running"
        });
        let running = fs::metadata(format!("/proc/{}", process["pid"])).unwrap();
        assert_eq!(running.uid(), user.unwrap_or(running.uid()), "{id}");
    }
    signal(child.id(), "TERM");
    assert!(child.wait().unwrap().success());
    fs::remove_dir_all(temp).unwrap();
}

#[test]
fn what_another_account_has_planted_is_not_executed() {
    let temp = fresh_dir();
    let (dir, trap) = (place(&temp), temp.join("sprung"));
    plant(&dir, &trap);
    open_to_all(&dir);
    let (code, said) = refused(&temp);
    assert_eq!(code, Some(12), "{said}");
    assert!(said.contains(&dir.display().to_string()), "{said}");

    // A link to a directory of the demo is not a directory of the demo.
    fs::remove_dir_all(&dir).unwrap();
    let elsewhere = temp.join("elsewhere");
    fs::DirBuilder::new()
        .mode(0o755)
        .create(&elsewhere)
        .unwrap();
    plant(&elsewhere, &trap);
    symlink(&elsewhere, &dir).unwrap();
    assert_eq!(refused(&temp).0, Some(12));

    fs::remove_file(&dir).unwrap();
    fs::rename(&elsewhere, &dir).unwrap();
    if std::os::unix::fs::chown(&dir, Some(12_345), None).is_ok() {
        assert_eq!(refused(&temp).0, Some(12));
    }
    assert!(!trap.exists());
    fs::remove_dir_all(temp).unwrap();
}

#[test]
fn the_demo_prints_a_link_that_is_signed_in_once() {
    let temp = fresh_dir();
    let mut child = demo(&temp)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let mut printed = |start: &str| {
        let line = lines
            .find(|line| line.contains(start))
            .expect("the demo prints");
        line.split_once(start)
            .map(|(_, rest)| rest.to_owned())
            .unwrap()
    };
    let password = printed("the password is ");
    let password = password.split(';').next().unwrap();
    let link = printed("sign in at http://");
    let (address, secret) = link.split_once("/#enter=").unwrap();
    let address = address.parse().unwrap();
    let login =
        |body: Value| try_ask(address, "POST", "/api/login", Some(&body.to_string())).unwrap();
    assert_eq!(login(json!({"invitation": secret})).status, 200);
    assert_eq!(login(json!({"invitation": secret})).status, 401);
    assert_eq!(login(json!({"password": password})).status, 200);
    signal(child.id(), "TERM");
    assert!(child.wait().unwrap().success());
    fs::remove_dir_all(temp).unwrap();
}

#[test]
fn a_demo_starts_after_one_that_was_killed_and_leaves_nothing_behind() {
    let temp = fresh_dir();
    let (mut first, address) = start(&temp);
    let body = json!({"name": "Mine"}).to_string();
    let changed = try_ask(address, "PUT", "/api/processes/clock", Some(&body)).unwrap();
    assert_eq!(changed.status, 200, "{}", changed.text());

    // A second one reports the running one and leaves it alone.
    let (code, said) = refused(&temp);
    assert_eq!(code, Some(10), "{said}");
    assert!(said.contains(&format!("PID {}", first.id())), "{said}");
    assert_eq!(name_of_clock(address), "Mine");

    first.kill().unwrap();
    first.wait().unwrap();
    assert!(place(&temp).join("run/ossuary.sock").exists());
    let (mut second, address) = start(&temp);
    assert_eq!(name_of_clock(address), "Clock");
    signal(second.id(), "TERM");
    assert!(second.wait().unwrap().success());
    assert!(!place(&temp).exists());
    fs::remove_dir_all(temp).unwrap();
}
