//! The configuration under an operator's hands, a full disk, and a daemon that is killed.

use crate::kiosk::{Kiosk, fresh_dir, try_ask, wait_for};
use serde_json::{Value, json};
use std::fs;
use std::process::Command;
use std::time::Duration;

fn five() -> Value {
    let mut processes = json!({});
    for name in ["one", "two", "three", "four", "five"] {
        processes[name] = json!({"command": "sleep 1000"});
    }
    processes
}

fn pids(all: &Value) -> Vec<u64> {
    ["one", "two", "three", "four", "five"]
        .iter()
        .filter_map(|name| all[*name]["pid"].as_u64())
        .collect()
}

fn all_run(all: &Value) -> bool {
    pids(all).len() == 5
        && ["one", "two", "three", "four", "five"]
            .iter()
            .all(|name| all[*name]["status"] == "running")
}

#[test]
fn a_reload_with_one_of_five_changed_leaves_four_alone() {
    let kiosk = Kiosk::with(five());
    let before = pids(&kiosk.until_all(all_run));
    let mut processes = five();
    processes["three"]["command"] = json!("sleep 2000");
    processes["five"]["name"] = json!("A new name");
    let document = json!({"version": 3, "processes": processes});
    fs::write(kiosk.config_file(), document.to_string()).unwrap();
    kiosk.signal("HUP");
    let after = kiosk.until_all(|all| all_run(all) && all["three"]["command"] == "sleep 2000");
    assert_eq!(after["five"]["name"], "A new name");
    let after = pids(&after);
    assert_ne!(before[2], after[2]);
    assert_eq!([&before[..2], &before[3..]], [&after[..2], &after[3..]]);
}

#[test]
fn an_edit_by_hand_is_reported_until_it_is_reloaded_and_an_own_save_is_not() {
    let kiosk = Kiosk::with(five());
    kiosk.until_all(all_run);
    let differs = || kiosk.get("/api/status").json()["configuration"]["file_differs"].clone();
    let name = json!({"name": "By the API"});
    assert_eq!(kiosk.send("PUT", "/api/processes/one", name).status, 200);
    assert_eq!(differs(), false);
    let document = fs::read_to_string(kiosk.config_file()).unwrap();
    fs::write(
        kiosk.config_file(),
        document.replace("By the API", "By hand"),
    )
    .unwrap();
    wait_for("the report of the edit", || differs() == true);
    assert_eq!(kiosk.process("one")["name"], "By the API");
    assert_eq!(kiosk.post("/api/reload").status, 202);
    assert_eq!(differs(), false);
    assert_eq!(kiosk.process("one")["name"], "By hand");
}

#[test]
fn an_invalid_file_stops_nothing_and_is_reported_until_it_is_fixed() {
    let kiosk = Kiosk::with(five());
    let before = pids(&kiosk.until_all(all_run));
    let good = fs::read(kiosk.config_file()).unwrap();
    fs::write(
        kiosk.config_file(),
        r#"{"version": 3, "processes": {"one": {"command": 7}}}"#,
    )
    .unwrap();
    let answer = kiosk.post("/api/reload");
    assert_eq!(answer.status, 422, "{}", answer.text());
    assert_eq!(
        answer.json()["problems"][0]["field"],
        "processes.one.command"
    );
    let shown = kiosk.get("/api/status").json();
    assert_eq!(
        shown["configuration"]["problems"][0]["path"],
        "processes.one.command"
    );
    assert_eq!(pids(&kiosk.until_all(all_run)), before);
    fs::write(kiosk.config_file(), good).unwrap();
    assert_eq!(kiosk.post("/api/reload").status, 202);
    let shown = kiosk.get("/api/status").json();
    assert_eq!(shown["configuration"]["problems"], json!([]));
    assert_eq!(pids(&kiosk.until_all(all_run)), before);
}

#[test]
fn a_file_that_is_broken_at_the_start_is_set_aside_and_the_last_good_copy_runs() {
    let mut kiosk = Kiosk::with(five());
    kiosk.until_all(all_run);
    kiosk.signal("TERM");
    assert_eq!(kiosk.wait(), Some(0));
    fs::write(kiosk.config_file(), "{ this is not JSON").unwrap();
    kiosk.revive();
    kiosk.until_all(all_run);
    let shown = kiosk.get("/api/status").json();
    assert_eq!(shown["configuration"]["source"], "last_good");
    assert_eq!(
        shown["configuration"]["problems"].as_array().unwrap().len(),
        1
    );
    let aside = fs::read_to_string(kiosk.dir.join("config.json.bad")).unwrap();
    assert_eq!(aside, "{ this is not JSON");
    // An edit through the API makes the file whole again.
    kiosk.send("PUT", "/api/processes/one", json!({"name": "One"}));
    assert_eq!(kiosk.file()["processes"]["one"]["name"], "One");
    assert_eq!(
        kiosk.get("/api/status").json()["configuration"]["problems"],
        json!([])
    );
}

#[test]
fn an_older_file_is_migrated_and_kept_beside() {
    let dir = fresh_dir();
    let old = json!({
        "version": 2,
        "startup_command": "sleep 1000",
        "behaviors": {"on_connection_lost": {"action": "show_overlay"}},
        "saved_networks": [{"ssid": "Shop"}],
        "something_else": 7
    })
    .to_string();
    fs::write(dir.join("config.json"), &old).unwrap();
    let kiosk = Kiosk::start_in(dir);
    // As the plan says, it starts on display :0, of either kind.
    kiosk.until("main-display", |process| process["display"] == ":0");
    wait_for("the migrated file", || kiosk.file()["version"] == 3);
    let file = kiosk.file();
    assert_eq!(file["saved_networks"][0]["ssid"], "Shop");
    assert_eq!(file["something_else"], 7);
    assert_eq!(
        file["behaviors"]["on_connection_lost"]["action"],
        "show_overlay"
    );
    assert_eq!(
        fs::read_to_string(kiosk.dir.join("config.json.v2.bak")).unwrap(),
        old
    );
}

#[test]
fn a_missing_file_is_a_kiosk_that_can_be_set_up() {
    let kiosk = Kiosk::start_in(fresh_dir());
    assert_eq!(
        kiosk.get("/api/status").json()["configuration"]["source"],
        "empty"
    );
    let answer = kiosk.send(
        "POST",
        "/api/processes",
        json!({"name": "First One", "command": "sleep 1000"}),
    );
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert!(
        answer.head.contains("/api/processes/first-one"),
        "{}",
        answer.head
    );
    kiosk.until_status("first-one", "running");
    assert_eq!(
        kiosk.file()["processes"]["first-one"]["command"],
        "sleep 1000"
    );
}

#[test]
fn what_the_program_does_not_know_survives_an_edit() {
    let kiosk = Kiosk::start(json!({
        "version": 3,
        "x_site": {"owner": "Mary", "ratio": 1.25},
        "processes": {"one": {"command": "sleep 1000", "x_note": ["keep", "me"]}},
        "saved_networks": []
    }));
    let answer = kiosk.send("PUT", "/api/processes/one", json!({"name": "Uno"}));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let file = kiosk.file();
    assert_eq!(file["x_site"], json!({"owner": "Mary", "ratio": 1.25}));
    assert_eq!(file["processes"]["one"]["x_note"], json!(["keep", "me"]));
    let answer = kiosk.send("PUT", "/api/processes/one", json!({"x_other": 1}));
    assert_eq!(answer.status, 422);
    assert_eq!(answer.json()["field"], "x_other");
}

#[test]
fn an_edit_by_hand_is_not_overwritten_by_one_through_the_api() {
    let kiosk = Kiosk::with(json!({"one": {"command": "sleep 1000"}}));
    let by_hand =
        json!({"version": 3, "processes": {"one": {"command": "sleep 2000"}}}).to_string();
    fs::write(kiosk.config_file(), &by_hand).unwrap();
    let answer = kiosk.send("PUT", "/api/processes/one", json!({"name": "Uno"}));
    assert_eq!(answer.status, 409, "{}", answer.text());
    assert_eq!(fs::read_to_string(kiosk.config_file()).unwrap(), by_hand);
    assert_eq!(kiosk.process("one")["name"], "one");
}

#[test]
fn two_operators_do_not_overwrite_each_other() {
    let kiosk = Kiosk::with(json!({"one": {"command": "sleep 1000"}}));
    let answer = kiosk.get("/api/config");
    let tag = answer
        .head
        .lines()
        .find_map(|line| {
            line.to_ascii_lowercase()
                .starts_with("etag:")
                .then(|| line[5..].trim().to_owned())
        })
        .expect("the document has an ETag");
    kiosk.send("PUT", "/api/processes/one", json!({"name": "Uno"}));
    let stale = put_config_if_match(&kiosk, &tag, &answer.json());
    assert_eq!(stale, 412);
    assert_eq!(kiosk.process("one")["name"], "Uno");
}

fn put_config_if_match(kiosk: &Kiosk, tag: &str, document: &Value) -> u16 {
    use std::io::Write;
    let mut stream = std::net::TcpStream::connect(kiosk.address).unwrap();
    let body = document.to_string();
    write!(
        stream,
        "PUT /api/config HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{}If-Match: {tag}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        crate::kiosk::credential(kiosk.address),
        body.len()
    )
    .unwrap();
    crate::kiosk::read_answer(stream).unwrap().status
}

/// A thousand changes, and the daemon killed at random instants: the file is valid every time,
/// and holds the old document or the new one.
#[test]
fn a_killed_daemon_leaves_the_old_document_or_the_new_one() {
    let mut rng = fastrand::Rng::with_seed(7);
    let mut kiosk = Kiosk::with(json!({"one": {"command": "sleep 1000", "autostart": false}}));
    let mut acknowledged = 0_u64;
    let mut attempted = 0_u64;
    while attempted < 1000 {
        let address = kiosk.address;
        let first = attempted + 1;
        let writer = std::thread::spawn(move || {
            let (mut done, mut tried) = (first - 1, first - 1);
            for number in first..first + 60 {
                tried = number;
                let body = json!({"name": format!("name {number}")}).to_string();
                match try_ask(address, "PUT", "/api/processes/one", Some(&body)) {
                    Ok(answer) if answer.status == 200 => done = number,
                    _ => break,
                }
            }
            (done, tried)
        });
        std::thread::sleep(Duration::from_micros(rng.u64(500..80_000)));
        kiosk.kill();
        let (done, tried) = writer.join().unwrap();
        if done >= first {
            acknowledged = done;
        }
        attempted = tried;

        let name = kiosk.file()["processes"]["one"]["name"].clone();
        let number: u64 = name
            .as_str()
            .and_then(|name| name.strip_prefix("name "))
            .map_or(0, |number| number.parse().unwrap());
        assert!(
            number == acknowledged || number == attempted,
            "acknowledged {acknowledged}, attempted {attempted}, on the disk {number}"
        );
        acknowledged = number;
        kiosk.revive();
        assert_eq!(kiosk.process("one")["name"], name_of(number));
    }
    let remains: Vec<_> = fs::read_dir(&kiosk.dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.contains("tmp"))
        .collect();
    assert!(remains.is_empty(), "{remains:?}");
}

fn name_of(number: u64) -> Value {
    match number {
        0 => json!("one"),
        number => json!(format!("name {number}")),
    }
}

/// On a full disk the client gets an error, nothing changes, and the daemon continues.
#[test]
fn a_full_disk_is_reported_and_changes_nothing() {
    let dir = fresh_dir();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=256k,mode=0777", "tmpfs"])
        .arg(&dir)
        .status()
        .is_ok_and(|status| status.success());
    if !mounted {
        eprintln!("skipped: a small file system cannot be mounted here (needs root)");
        return;
    }
    let document = json!({"version": 3, "processes": {"one": {"command": "sleep 1000"}}});
    fs::write(dir.join("config.json"), document.to_string()).unwrap();
    let kiosk = Kiosk::start_in(dir.clone());
    kiosk.until_status("one", "running");
    let before = fs::read(kiosk.config_file()).unwrap();
    let mut ballast = fs::File::create(dir.join("ballast")).unwrap();
    let full = std::io::copy(&mut std::io::repeat(0), &mut ballast);
    assert!(full.is_err(), "the disk is not full");
    drop(ballast);

    let answer = kiosk.send(
        "PUT",
        "/api/processes/one",
        json!({"name": "Uno", "command": "sleep 2000"}),
    );
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(
        answer.text().contains("no space left on device"),
        "{}",
        answer.text()
    );
    assert_eq!(fs::read(kiosk.config_file()).unwrap(), before);
    assert_eq!(kiosk.process("one")["command"], "sleep 1000");

    fs::remove_file(dir.join("ballast")).unwrap();
    let answer = kiosk.send("PUT", "/api/processes/one", json!({"name": "Uno"}));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(kiosk.file()["processes"]["one"]["name"], "Uno");
    drop(kiosk);
    Command::new("umount").arg(&dir).status().unwrap();
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_broken_edit_by_hand_is_kept_when_a_change_through_the_api_replaces_it() {
    let kiosk = Kiosk::with(json!({"one": {"command": "sleep 1000"}}));
    let by_hand = r#"{"version": 3, "an hour of work": "#;
    fs::write(kiosk.config_file(), by_hand).unwrap();
    assert_eq!(kiosk.post("/api/reload").status, 422);
    let shown = kiosk.get("/api/status").json();
    assert_eq!(shown["configuration"]["source"], "running");
    let answer = kiosk.send("PUT", "/api/processes/one", json!({"name": "Uno"}));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(kiosk.file()["processes"]["one"]["name"], "Uno");
    let aside = fs::read_to_string(kiosk.dir.join("config.json.bad")).unwrap();
    assert_eq!(aside, by_hand);
}

#[test]
fn a_file_that_vanished_stops_nothing_and_the_last_good_copy_stays() {
    let kiosk = Kiosk::with(five());
    let before = pids(&kiosk.until_all(all_run));
    let copy = kiosk.dir.join("state/config.last-good.json");
    wait_for("the last good copy", || copy.exists());
    let good = fs::read(&copy).unwrap();
    fs::remove_file(kiosk.config_file()).unwrap();
    let answer = kiosk.post("/api/reload");
    assert_eq!(answer.status, 422, "{}", answer.text());
    assert!(answer.text().contains("empty or gone"), "{}", answer.text());
    assert_eq!(pids(&kiosk.until_all(all_run)), before);
    assert_eq!(fs::read(&copy).unwrap(), good);
}

#[test]
fn directories_that_were_there_keep_their_mode_and_what_is_in_them() {
    use std::os::unix::fs::PermissionsExt;
    let dir = fresh_dir();
    for name in ["state", "run"] {
        fs::create_dir(dir.join(name)).unwrap();
        fs::set_permissions(dir.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let foreign_files = ["crond.pid", "other.sock", "x.new", "x.memory"];
    for name in foreign_files {
        fs::write(dir.join("run").join(name), "1").unwrap();
    }
    fs::write(
        dir.join("config.json"),
        r#"{"version": 3, "processes": {}}"#,
    )
    .unwrap();
    let mut kiosk = Kiosk::start_in(dir.clone());
    for name in foreign_files {
        assert!(dir.join("run").join(name).exists(), "{name}");
    }
    for name in ["state", "run"] {
        let mode = fs::metadata(dir.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o755, "{name}");
    }
    kiosk.kill();
    kiosk.revive();
    assert!(dir.join("run/crond.pid").exists());
}

#[test]
fn a_client_that_asks_during_the_last_writes_is_refused_because_of_the_shutdown() {
    let dir = fresh_dir();
    fs::create_dir(dir.join("state")).unwrap();
    // Opening this pipe waits for a writer: a disk that hangs.
    let pipe = Command::new("mkfifo")
        .arg(dir.join("state/config.last-good.json"))
        .status();
    assert!(pipe.unwrap().success());
    fs::write(
        dir.join("config.json"),
        r#"{"version": 3, "processes": {}}"#,
    )
    .unwrap();
    let mut kiosk = Kiosk::start_in(dir);
    kiosk.signal("TERM");
    let mut refused = 0;
    while refused < 20 {
        let answer = kiosk.post("/api/processes/one/start");
        match answer.status {
            503 => refused += 1,
            status => assert!(status == 404 && refused == 0, "{}", answer.text()),
        }
    }
    assert_eq!(kiosk.wait(), Some(0));
}
