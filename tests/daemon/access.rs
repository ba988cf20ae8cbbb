//! Who may come in, with the real daemon: claiming, tokens, guessing, and where secrets must not be.

use crate::kiosk::{Answer, Kiosk, connect_from, fresh_dir, local, read_answer, wait_for, wrapped};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const PASSWORD: &str = "planted-password-7Qx";

fn kiosk() -> Kiosk {
    Kiosk::with(json!({"one": {"command": "sleep 1000", "env": {"A": "1"}}}))
}

/// One request from this address of the machine, with these fields and no others.
fn ask_from(
    from: &str,
    kiosk: &Kiosk,
    request: (&str, &str),
    fields: &str,
    body: &Value,
) -> Answer {
    let mut stream = connect_from(from, kiosk.address);
    let body = match body {
        Value::Null => String::new(),
        body => body.to_string(),
    };
    let (method, path) = request;
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{fields}\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    read_answer(stream).unwrap()
}

fn ask(kiosk: &Kiosk, request: (&str, &str), fields: &str, body: &Value) -> Answer {
    ask_from("127.0.0.1", kiosk, request, fields, body)
}

/// Runs `ossuary` with something at its standard input.
fn ossuary(kiosk: &Kiosk, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ossuary"))
        .args(arguments)
        .arg("--run-dir")
        .arg(kiosk.dir.join("run"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap()
}

fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn code_of(status: &str) -> String {
    let (_, rest) = status.split_once("claim code: ").expect("a code");
    rest[..9].to_owned()
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

/// The cookie that an answer sets, as it is sent back.
fn cookie(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let line = answer
        .head
        .lines()
        .find_map(|line| line.strip_prefix("Set-Cookie: "));
    format!("Cookie: {}\r\n", line.unwrap().split(';').next().unwrap())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_claim_code_of_a_new_kiosk_is_shown_to_root_and_in_the_journal_only() {
    let kiosk = kiosk();
    let status = printed(&kiosk.ossuary(&["status"]));
    let code = code_of(&status);
    kiosk.until_noted(&code);
    for path in ["/api/claim", "/api/status", "/", "/page/app.js", "/healthz"] {
        let answer = ask(&kiosk, ("GET", path), "", &Value::Null);
        assert!(!answer.text().contains(&code), "{path}");
    }
    let file = kiosk.dir.join("state/credentials.json");
    assert_eq!(mode(&file), 0o600);
    // What the device shows on its own screen: the account of its browser reads it.
    let welcome = kiosk.dir.join("run/welcome.html");
    let page = fs::read_to_string(&welcome).unwrap();
    assert!(page.contains(&code));
    assert!(page.contains("src='welcome.js?"), "{page}");
    assert_eq!(mode(&welcome), 0o644);
    let script = kiosk.dir.join("run/welcome.js");
    let before = fs::read_to_string(&script).unwrap();
    assert_eq!(mode(&script), 0o644);

    let claim = json!({"code": code, "password": PASSWORD});
    let mine = cookie(&ask(&kiosk, ("POST", "/api/claim"), "", &claim));
    assert_eq!(
        ask(&kiosk, ("GET", "/api/status"), &mine, &Value::Null).status,
        200
    );
    assert_eq!(mode(&file), 0o600);
    assert!(!fs::read_to_string(&file).unwrap().contains(&code));
    wait_for("the welcome page without it", || {
        !fs::read_to_string(&welcome).unwrap().contains(&code)
    });
    wait_for(
        "the script by which a page that is shown learns of it",
        || fs::read_to_string(&script).unwrap() != before,
    );
    assert!(!printed(&kiosk.ossuary(&["status"])).contains("claim code"));
    assert_eq!(mode(&kiosk.dir.join("run/sessions.json")), 0o600);
}

#[test]
fn root_sets_the_password_makes_and_revokes_tokens_and_resets_the_claim() {
    let kiosk = kiosk();
    let short = ossuary(&kiosk, &["passwd"], "sesame\n");
    assert!(!short.status.success());
    assert!(
        ossuary(&kiosk, &["passwd"], &format!("{PASSWORD}\n"))
            .status
            .success()
    );
    let login = json!({"password": PASSWORD});
    let mine = cookie(&ask(&kiosk, ("POST", "/api/login"), "", &login));

    let made = ossuary(
        &kiosk,
        &["token", "add", "--name", "lobby", "--role", "operate"],
        "",
    );
    let token = bearer(printed(&made).trim());
    let status = |fields: &str| ask(&kiosk, ("GET", "/api/status"), fields, &Value::Null).status;
    assert_eq!(status(&token), 200);
    let change = ask(
        &kiosk,
        ("PUT", "/api/processes/one"),
        &token,
        &json!({"name": "Uno"}),
    );
    assert_eq!(change.status, 403);
    let list = printed(&kiosk.ossuary(&["token", "list"]));
    let line = list.lines().find(|line| line.contains("lobby")).unwrap();
    let id = line.split_whitespace().next().unwrap();
    assert!(kiosk.ossuary(&["token", "remove", id]).status.success());
    assert_eq!(status(&token), 401);
    assert!(!kiosk.ossuary(&["token", "remove", id]).status.success());

    // Clients on the network cannot.
    let reset = ask(&kiosk, ("DELETE", "/api/password"), &mine, &Value::Null);
    assert_eq!(reset.status, 403);
    let code = printed(&ossuary(&kiosk, &["passwd", "--reset"], ""));
    assert_eq!(status(&mine), 401);
    assert_eq!(ask(&kiosk, ("POST", "/api/login"), "", &login).status, 401);
    let claim = json!({"code": code.trim(), "password": PASSWORD});
    cookie(&ask(&kiosk, ("POST", "/api/claim"), "", &claim));
}

#[test]
fn credentials_that_cannot_be_read_let_no_client_in_until_root_resets_them() {
    let mut kiosk = kiosk();
    assert!(
        ossuary(&kiosk, &["passwd"], &format!("{PASSWORD}\n"))
            .status
            .success()
    );
    kiosk.kill();
    let file = kiosk.dir.join("state/credentials.json");
    let whole = fs::read_to_string(&file).unwrap();
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    kiosk.revive();
    let login = json!({"password": PASSWORD});
    let refused = ask(&kiosk, ("POST", "/api/login"), "", &login);
    assert_eq!(
        (refused.status, &refused.json()["type"]),
        (401, &json!("/problems/sealed"))
    );
    let front = ask(&kiosk, ("GET", "/api/claim"), "", &Value::Null).json();
    assert_eq!(front["claimed"], true);
    assert!(kiosk.ossuary(&["status"]).status.success());
    kiosk.until_noted("passwd --reset");
    let code = printed(&ossuary(&kiosk, &["passwd", "--reset"], ""));
    let claim = json!({"code": code.trim(), "password": PASSWORD});
    cookie(&ask(&kiosk, ("POST", "/api/claim"), "", &claim));
}

#[test]
fn password_tokens_and_sessions_outlive_the_daemon() {
    let mut kiosk = kiosk();
    assert!(
        ossuary(&kiosk, &["passwd"], &format!("{PASSWORD}\n"))
            .status
            .success()
    );
    let login = json!({"password": PASSWORD});
    let mine = cookie(&ask(&kiosk, ("POST", "/api/login"), "", &login));
    let token = printed(&ossuary(
        &kiosk,
        &["token", "add", "--name", "x", "--role", "view"],
        "",
    ));
    kiosk.kill();
    kiosk.revive();
    for fields in [mine, bearer(token.trim())] {
        assert_eq!(
            ask(&kiosk, ("GET", "/api/status"), &fields, &Value::Null).status,
            200
        );
    }
    cookie(&ask(&kiosk, ("POST", "/api/login"), "", &login));
}

/// Ten thousand guesses from one address cost the daemon next to nothing, and the owner comes in from another.
#[test]
fn ten_thousand_wrong_passwords_cost_little_and_lock_no_owner_out() {
    let kiosk = kiosk();
    assert!(
        ossuary(&kiosk, &["passwd"], &format!("{PASSWORD}\n"))
            .status
            .success()
    );
    let login = json!({"password": PASSWORD});
    // What the first sign-in takes is taken for good: a thread's stack, and what the allocator keeps.
    cookie(&ask_from(
        "127.0.0.2",
        &kiosk,
        ("POST", "/api/login"),
        "",
        &login,
    ));
    let before = (resident_kib(kiosk.pid()), cpu_ticks(kiosk.pid()));
    let mut tried = 0;
    for number in 0..10_000 {
        let guess = json!({"password": format!("guess number {number}")});
        let answer = ask_from("127.0.0.3", &kiosk, ("POST", "/api/login"), "", &guess);
        match answer.status {
            401 => tried += 1,
            429 => assert!(answer.head.contains("Retry-After: "), "{}", answer.head),
            status => panic!("{status}: {}", answer.text()),
        }
        if number % 1000 == 500 {
            cookie(&ask_from(
                "127.0.0.2",
                &kiosk,
                ("POST", "/api/login"),
                "",
                &login,
            ));
        }
    }
    // A new client signs in as well.
    cookie(&ask_from(
        "127.0.0.4",
        &kiosk,
        ("POST", "/api/login"),
        "",
        &login,
    ));
    let grown = resident_kib(kiosk.pid()).saturating_sub(before.0);
    let ticks = cpu_ticks(kiosk.pid()) - before.1;
    println!("{tried} of 10000 tried, {grown} KiB more, {ticks} ticks of 10 ms");
    assert!(tried <= 20, "{tried} guesses were tried");
    // One hash takes 19 MiB for a moment: none of it may stay.
    assert!(grown < 4 * 1024, "{grown} KiB more");
}

pub fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn cpu_ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[test]
fn planted_secrets_are_found_nowhere() {
    let kiosk = kiosk();
    assert!(
        ossuary(&kiosk, &["passwd"], &format!("{PASSWORD}\n"))
            .status
            .success()
    );
    let login = json!({"password": PASSWORD});
    let session = cookie(&ask(&kiosk, ("POST", "/api/login"), "", &login));
    let wrong = json!({"password": "planted-wrong-9Zk"});
    assert_eq!(ask(&kiosk, ("POST", "/api/login"), "", &wrong).status, 401);
    let made = ossuary(
        &kiosk,
        &["token", "add", "--name", "x", "--role", "admin"],
        "",
    );
    let token = printed(&made).trim().to_owned();
    let secret = session.trim().split_once('=').unwrap().1;
    let secrets = [
        PASSWORD,
        "planted-wrong-9Zk",
        &token,
        token.strip_prefix("ossuary_").unwrap(),
        secret,
    ];

    let mut places: Vec<(String, String)> = Vec::new();
    for path in [
        "/api/config",
        "/api/status",
        "/api/system",
        "/api/processes",
        "/api/sessions",
        "/api/tokens",
        "/api/processes/one/logs",
        "/metrics",
    ] {
        let answer = ask(&kiosk, ("GET", path), &session, &Value::Null);
        assert_eq!(answer.status, 200, "{path}");
        places.push((path.into(), answer.text()));
        places.push((
            path.into(),
            local(&kiosk.dir.join("run"), "GET", path, &Value::Null).text(),
        ));
    }
    let mut folders = vec![kiosk.dir.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            match entry.file_type().unwrap() {
                kind if kind.is_dir() => folders.push(entry.path()),
                kind if kind.is_file() => {
                    let text = fs::read(entry.path()).unwrap_or_default();
                    let text = String::from_utf8_lossy(&text).into_owned();
                    places.push((entry.path().display().to_string(), text));
                }
                _ => {}
            }
        }
    }
    for process in fs::read_dir("/proc").unwrap().flatten() {
        for file in ["cmdline", "environ"] {
            let text = fs::read(process.path().join(file)).unwrap_or_default();
            let text = String::from_utf8_lossy(&text).into_owned();
            places.push((process.path().join(file).display().to_string(), text));
        }
    }
    assert!(
        places.iter().any(
            |(name, text)| name.ends_with("daemon.log") && text.contains("wrong password from")
        )
    );
    for (place, text) in places {
        for secret in secrets {
            assert!(!text.contains(secret), "{place}: {secret}");
        }
    }
}

/// The daemon knows passwords, and dies as it pleases: nothing of its memory may come to lie on the card.
#[test]
fn a_daemon_that_dies_leaves_no_picture_of_its_memory() {
    let dir = fresh_dir();
    let first = format!("ulimit -c unlimited; cd {}", dir.display());
    let careless = wrapped(&dir, &first, "");
    fs::write(
        dir.join("config.json"),
        r#"{"version": 3, "processes": {"one": {"command": "sh -c 'ulimit -c; exec sleep 1000'"}}}"#,
    )
    .unwrap();
    let mut kiosk = Kiosk::start_program(careless, dir);
    let set = ossuary(&kiosk, &["passwd"], &format!("{PASSWORD}\n"));
    assert!(set.status.success());
    let login = json!({"password": PASSWORD});
    cookie(&ask(&kiosk, ("POST", "/api/login"), "", &login));
    // The operator's processes leave theirs as they would without us.
    kiosk.until_logged("one", "unlimited");
    kiosk.signal("ABRT");
    assert_eq!(kiosk.wait(), None, "it did not die of a signal");
    let cores = || {
        let names = fs::read_dir(&kiosk.dir).unwrap().flatten();
        let names = names.map(|entry| entry.file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("core")).count()
    };
    assert_eq!(cores(), 0);
    // Any other program that dies there does leave one, where the system writes them beside it.
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    if pattern.starts_with("core") {
        let dying = "ulimit -c unlimited && kill -SEGV $$";
        let mut other = Command::new("sh");
        other.args(["-c", dying]).current_dir(&kiosk.dir);
        assert!(!other.status().unwrap().success());
        assert_eq!(cores(), 1, "the test would not see a core");
    }
}
