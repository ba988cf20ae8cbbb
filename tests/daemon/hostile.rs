//! Clients that mean harm: the right status, a daemon that lives, and others that are served.

use crate::access::resident_kib;
use crate::kiosk::{Kiosk, connect_from, credential, read_answer};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// GET with `Accept: application/json`.
pub fn get_json(kiosk: &Kiosk, path: &str) -> Value {
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\nConnection: close\r\n\r\n"
    );
    raw(kiosk, head.as_bytes()).unwrap().1
}

/// Sends bytes as they are; the status and the body, if there was an answer.
fn raw(kiosk: &Kiosk, bytes: &[u8]) -> Option<(u16, Value)> {
    let mut stream = TcpStream::connect(kiosk.address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    // Every whole request shows the test's credential: what is refused is refused for what it is.
    let host = "\r\nHost: ";
    let with = format!("\r\n{}Host: ", credential(kiosk.address));
    let bytes = match std::str::from_utf8(bytes) {
        Ok(text) => text.replace(host, &with).into_bytes(),
        Err(_) => bytes.to_vec(),
    };
    // The daemon may have answered and closed before it has read everything.
    let _ = stream.write_all(&bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let answer = read_answer(stream).ok()?;
    Some((
        answer.status,
        serde_json::from_slice(&answer.body).unwrap_or(Value::Null),
    ))
}

fn kiosk() -> Kiosk {
    Kiosk::with(json!({"one": {"command": "sleep 1000"}}))
}

fn still_serves(kiosk: &Kiosk) {
    assert_eq!(kiosk.process("one")["status"], "running");
}

#[test]
fn random_bytes_get_an_error_or_nothing() {
    let kiosk = kiosk();
    kiosk.until_status("one", "running");
    let mut rng = fastrand::Rng::with_seed(3);
    for _ in 0..300 {
        let mut bytes: Vec<u8> = (0..rng.usize(1..3000)).map(|_| rng.u8(..)).collect();
        if rng.bool() {
            let mut head = b"PUT /api/processes/one HTTP/1.1\r\nHost: localhost\r\n".to_vec();
            head.append(&mut bytes);
            bytes = head;
        }
        if let Some((status, _)) = raw(&kiosk, &bytes) {
            assert!(
                (400..500).contains(&status) || status == 505 || status == 501,
                "{status}"
            );
        }
    }
    still_serves(&kiosk);
}

#[test]
fn a_truncated_request_changes_nothing() {
    let kiosk = kiosk();
    kiosk.until_status("one", "running");
    let request = b"PUT /api/processes/one HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"name\": \"Uno\"}\n";
    for length in 1..request.len() {
        let answer = raw(&kiosk, &request[..length]);
        assert!(answer.is_none_or(|(status, _)| (400..500).contains(&status)));
    }
    assert_eq!(kiosk.process("one")["name"], "one");
}

#[test]
fn what_is_too_large_is_refused() {
    let kiosk = kiosk();
    kiosk.until_status("one", "running");
    let body = format!("{{\"name\": \"{}\"}}", "x".repeat(300 * 1024));
    let answer = kiosk.ask("PUT", "/api/processes/one", Some(body));
    assert_eq!(answer.status, 413);
    let long = format!(
        "GET /api/processes/{} HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "x".repeat(100_000)
    );
    let status = raw(&kiosk, long.as_bytes()).map(|(status, _)| status);
    assert!(matches!(status, None | Some(400 | 414 | 431)), "{status:?}");
    still_serves(&kiosk);
}

#[test]
fn deep_json_and_wrong_types_are_refused_by_name() {
    let kiosk = kiosk();
    kiosk.until_status("one", "running");
    let deep = format!("{{\"name\": {}1{}}}", "[".repeat(5000), "]".repeat(5000));
    assert_eq!(
        kiosk.ask("PUT", "/api/processes/one", Some(deep)).status,
        400
    );
    assert_eq!(
        kiosk
            .ask("PUT", "/api/processes/one", Some("{\"name\": ".into()))
            .status,
        400
    );
    assert_eq!(
        kiosk
            .ask("PUT", "/api/processes/one", Some("[1]".into()))
            .status,
        422
    );
    for field in [
        "name",
        "type",
        "command",
        "url",
        "display",
        "enabled",
        "autostart",
        "restart_on_crash",
        "restart",
        "flags",
        "user",
        "cwd",
        "env",
        "depends_on",
        "ready",
        "limits",
        "stop_signal",
        "stop_timeout_seconds",
        "log",
    ] {
        // A nested list is the wrong type for every field.
        let answer = kiosk.send("PUT", "/api/processes/one", json!({field: [[1]]}));
        assert_eq!(answer.status, 422, "{field}: {}", answer.text());
        assert!(answer.text().contains(field), "{field}: {}", answer.text());
    }
    still_serves(&kiosk);
}

/// What slow clients say first, and then byte by byte.
const SLOW: [(&str, &str); 5] = [
    ("nothing at all", ""),
    (
        "half a head",
        "GET /api/claim HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
    ),
    (
        "half a body",
        "POST /api/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: 1000\r\n\r\n{\"password\": \"",
    ),
    (
        "a body that is announced",
        "POST /api/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: 262144\r\nExpect: 100-continue\r\n\r\n",
    ),
    (
        "requests whose answers are not read",
        "GET /page/style.css HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ),
];

#[test]
fn two_thousand_slow_connections_of_one_client_do_not_disturb_another() {
    let kiosk = kiosk();
    kiosk.until_status("one", "running");
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
    let credential = credential(kiosk.address);
    let host = format!("HTTP/1.1\r\nHost: localhost\r\n{credential}");
    let mut stream = connect_from("127.0.0.2", kiosk.address);
    write!(stream, "GET /api/events {host}\r\n").unwrap();
    let mut events = BufReader::new(stream).lines();
    let mut until_event = |name: &str| {
        let wanted = format!("event: {name}");
        let found = events
            .by_ref()
            .find(|line| *line.as_ref().unwrap() == wanted);
        assert!(found.is_some(), "the stream has ended before {name}");
    };
    until_event("snapshot");
    // One connection, which is kept: an evicted client does not get the next answer.
    let mut working = connect_from("127.0.0.2", kiosk.address);
    let mut slowest = Duration::ZERO;
    let mut works = || {
        let begin = Instant::now();
        write!(working, "GET /api/processes/one {host}\r\n").unwrap();
        let process = read_one_answer(&mut working);
        assert_eq!(process["status"], "running");
        slowest = slowest.max(begin.elapsed());
    };
    works();
    let before = resident_kib(kiosk.pid());
    let mut slow_clients = Vec::new();
    for number in 0..2000 {
        let mut slow = connect_from("127.0.0.3", kiosk.address);
        let (_, first) = SLOW[number % SLOW.len()];
        let times = if number % SLOW.len() == 4 { 20 } else { 1 };
        // It may have been let go already; so may it below.
        let _ = slow.write_all(first.repeat(times).as_bytes());
        slow_clients.push(slow);
        if number % 10 == 0 {
            works();
        }
    }
    for _ in 0..5 {
        for slow in &mut slow_clients {
            let _ = slow.write_all(b"x");
        }
        works();
    }
    // A new client is accepted, changes something, and gets its answer.
    kiosk.send("PUT", "/api/processes/one", json!({"name": "Uno"}));
    until_event("change");
    let grown = resident_kib(kiosk.pid()).saturating_sub(before);
    println!("the slowest answer took {slowest:?}; {grown} KiB more");
    assert!(grown < 8 * 1024, "{grown} KiB more");
}

/// The body of the next answer on a connection that is kept.
fn read_one_answer(stream: &mut TcpStream) -> Value {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let length = (head.lines()).find_map(|line| line.strip_prefix("Content-Length: "));
    let mut body = vec![0; length.unwrap().parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    serde_json::from_slice(&body).unwrap()
}

#[test]
fn a_client_that_sends_a_byte_a_second_is_disconnected_and_delays_no_other() {
    let kiosk = kiosk();
    kiosk.until_status("one", "running");
    let mut slow = TcpStream::connect(kiosk.address).unwrap();
    slow.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let mut cut_off = false;
    for byte in b"GET /api/processes HTTP/1.1\r\nHost: localhost\r\nX-Slow: aaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n" {
        // Waiting for an answer is what makes this client slow: one byte a second.
        if slow.write_all(&[*byte]).is_err() {
            cut_off = true;
            break;
        }
        let mut buffer = [0; 512];
        match slow.read(&mut buffer) {
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            _ => {
                cut_off = true;
                break;
            }
        }
        still_serves(&kiosk);
    }
    assert!(cut_off, "a request may take for ever");
}

#[test]
fn a_foreign_host_or_origin_is_turned_away() {
    let kiosk = kiosk();
    kiosk.until_status("one", "running");
    let rebinding = b"GET /api/processes HTTP/1.1\r\nHost: evil.example\r\n\r\n";
    let (status, _) = raw(&kiosk, rebinding).unwrap();
    assert!(matches!(status, 403 | 421), "{status}");
    let forged = b"POST /api/processes/one/stop HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(raw(&kiosk, forged).unwrap().0, 403);
    let form = b"POST /api/processes HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}";
    assert_eq!(raw(&kiosk, form).unwrap().0, 415);
    still_serves(&kiosk);
}

#[test]
fn a_request_has_one_meaning() {
    let kiosk = kiosk();
    kiosk.until_status("one", "running");
    for head in [
        "Content-Length: 2\r\nContent-Length: 3\r\n",
        "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: +2\r\n",
        "Content-Length: 2 2\r\n",
    ] {
        let request = format!(
            "POST /api/reload HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{head}\r\n{{}}GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        );
        let (status, _) = raw(&kiosk, request.as_bytes()).unwrap();
        assert!(matches!(status, 400 | 411 | 501), "{head:?}: {status}");
    }
    still_serves(&kiosk);
}
