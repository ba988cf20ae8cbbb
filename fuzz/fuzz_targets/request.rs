//! Any bytes are requests: each is answered with a status that is the client's fault or none, and the daemon lives.
//!
//! The bytes take the whole way: socket, head, picoserve, door, routes, handlers, mind and back.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ossuary::config::Loaded;
use ossuary::http::server::accept::serve_stream;
use ossuary::http::{About, Api, Feed, Forgetful, Limits, Mailbox, Now, Requests};
use ossuary::logs::Book;
use ossuary::supervisor::page::Picture;
use ossuary::supervisor::{
    Event,
    ConfigurationStatus, Done, Foresight, LastStart, ProcessStatus, Request, Source, State, Status,
    Traces,
};
use ossuary::time::Moment;
use ossuary::auth::Role;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

/// What fits into the buffer of a socket, so that the client need not wait.
const MAX: usize = 64 * 1024;

const DOCUMENT: &[u8] = br#"{"version":3,"processes":{"a":{"command":"x"},"b":{"command":"y"}}}"#;

thread_local! {
    static KIOSK: (Rc<Api>, Requests, String) = kiosk();
}

fn kiosk() -> (Rc<Api>, Requests, String) {
    let loaded = Loaded::from_bytes(DOCUMENT).expect("a document without a problem");
    let processes = (loaded.config.processes.iter())
        .map(|process| {
            Rc::new(ProcessStatus {
                process: process.clone(),
                state: State::Running,
                since: Moment::default(),
                reason: None,
                run: None,
                pid: Some(1),
                started: Some(Moment::default()),
                restarts: 0,
                page: None,
            })
        })
        .collect();
    let status = Status {
        generation: 1,
        processes,
        active_display: None,
        displays: Rc::new([]),
        connectors: Rc::new([]),
        schedule: Rc::default(),
        configuration: Rc::new(ConfigurationStatus {
            document: loaded.document,
            source: Source::File,
            problems: Vec::new(),
            warnings: loaded.warnings,
        }),
        shutting_down: false,
    };
    let about = About {
        version: "0",
        config_file: "config.json".into(),
        started: Moment::default(),
        life: 0,
        last_start: LastStart::from_traces(&Traces::default()),
        hostname: Box::new(|| "kiosk".into()),
    };
    let clock = || Now {
        mono: Moment::default(),
        wall: "2026-11-23T08:00:00Z".parse().expect("a time"),
    };
    let logs = Book::new();
    let log = logs.ensure(&"a".parse().expect("an id"), 4096);
    log.note("one\ntwo", Moment::default());
    let (mind, requests) = Mailbox::new();
    let mut api = Api::new(
        Feed::new(Rc::new(status)),
        mind,
        logs,
        Forgetful::keeper(Moment::default),
        clock,
        about,
    );
    api.limits = Limits {
        linger: Duration::ZERO,
        event_gap: Duration::ZERO,
        ..Limits::default()
    };
    let made = api
        .keeper
        .add_token("fuzz".into(), Role::Admin, String::new());
    let (_, secret) = smol::block_on(made).expect("there is room for one");
    (Rc::new(api), requests, secret.to_token())
}

/// The same bytes; every request in them that names a host shows a token, so that what is behind the door is reached.
fn with_credential(bytes: &[u8]) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return bytes.to_vec();
    };
    KIOSK.with(|(_, _, token)| {
        let with = format!("\r\nAuthorization: Bearer {token}\r\nHost: ");
        text.replace("\r\nHost: ", &with).into_bytes()
    })
}

fuzz_target!(|bytes: &[u8]| {
    let bytes = with_credential(bytes);
    let bytes = &bytes[..bytes.len().min(MAX)];
    let (mut client, stream) = UnixStream::pair().expect("a pair of sockets");
    client.write_all(bytes).expect("it fits into the buffer");
    client.shutdown(Shutdown::Write).expect("it is open");
    // Whatever does not fit is not read: the answers to a few hundred requests.
    let mut reader = client.try_clone().expect("a descriptor");
    let reading = std::thread::spawn(move || {
        let mut answers = Vec::new();
        let _ = reader.read_to_end(&mut answers);
        answers
    });
    KIOSK.with(|(api, requests, _)| {
        let mind = async {
            loop {
                let Event::Request { ticket, request } = requests.next().await else {
                    continue;
                };
                let done = match request {
                    Request::Create(_) => Done::Created("a".parse().expect("an id")),
                    Request::Start(id) => Done::Started { stopped: vec![id] },
                    Request::Screenshot { .. } => Done::Picture(Picture {
                        png: Rc::new(*b"\x89PNG"),
                    }),
                    Request::RunRule(rule) => Done::Ran {
                        rule,
                        outcome: None,
                        detail: None,
                    },
                    Request::Foresee { .. } => Done::Foreseen(Rc::new(Foresight {
                        timezone: "UTC".into(),
                        clock_trusted: true,
                        occurrences: Vec::new(),
                        conflicts: Vec::new(),
                        more: false,
                    })),
                    _ => Done::Changed,
                };
                requests.reply(ticket, Ok(done));
            }
        };
        let serving = serve_stream(api.clone(), stream);
        let served = smol::block_on(smol::future::or(serving, mind));
        served.expect("a socket can be watched");
    });
    let answers = reading.join().expect("it only reads");
    for answer in split(&answers) {
        let status = std::str::from_utf8(&answer[..3]).expect("digits");
        let status: u16 = status.parse().expect("a status");
        assert!(
            (100..500).contains(&status) || status == 505,
            "{status} to {:?}",
            String::from_utf8_lossy(bytes)
        );
    }
});

/// What follows each status line's version, as far as it is one: bodies may say "HTTP/1.1" too.
fn split(answers: &[u8]) -> impl Iterator<Item = &[u8]> {
    const VERSION: &[u8] = b"HTTP/1.1 ";
    (answers
        .windows(VERSION.len() + 5)
        .filter(|bytes| bytes.starts_with(VERSION)))
    .map(|bytes| &bytes[VERSION.len()..])
    .filter(|rest| rest[..3].iter().all(u8::is_ascii_digit) && rest[3..] == *b" \r")
}
