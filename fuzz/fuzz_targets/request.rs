//! Arbitrary bytes as requests: each gets a response without a server error, and the daemon survives.
//!
//! The bytes pass through everything: socket, head, picoserve, guard, routes, handlers, supervisor and back.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ossuary::auth::Role;
use ossuary::config::Loaded;
use ossuary::http::server::accept::serve_stream;
use ossuary::http::{
    About, Api, AuthService, CommandQueue, CommandSender, Limits, Now, SnapshotFeed,
};
use ossuary::logs::Logs;
use ossuary::supervisor::Screenshot;
use ossuary::supervisor::{
    Command, ConfigurationStatus, Done, Edit, Event, LastStart, Preview, ProcessStatus, Snapshot,
    Source, State, Traces,
};
use ossuary::time::Moment;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

/// What fits into the buffer of a socket, so that the client need not wait.
const MAX: usize = 64 * 1024;

const DOCUMENT: &[u8] = br#"{"version":3,"processes":{"a":{"command":"x"},"b":{"command":"y"}}}"#;

thread_local! {
    static KIOSK: (Rc<Api>, CommandQueue, String) = kiosk();
}

fn kiosk() -> (Rc<Api>, CommandQueue, String) {
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
    let status = Snapshot {
        generation: 1,
        processes,
        active_display: None,
        displays: Rc::new([]),
        connectors: Rc::new([]),
        schedule: Rc::default(),
        configuration: Rc::new(ConfigurationStatus {
            document: loaded.document,
            source: Source::File,
            file_differs: false,
            problems: Vec::new(),
            warnings: loaded.warnings,
        }),
        shutting_down: false,
    };
    let about = About {
        version: "0",
        config_file: "config.json".into(),
        started: Moment::default(),
        log_epoch: 0,
        last_start: LastStart::from_traces(&Traces::default()),
        hostname: Box::new(|| "kiosk".into()),
    };
    let clock = || Now {
        mono: Moment::default(),
        wall: "2026-11-23T08:00:00Z".parse().expect("a time"),
    };
    let logs = Logs::new();
    let log = logs.ensure(&"a".parse().expect("an id"), 4096);
    log.note("one\ntwo", Moment::default());
    let (commands, queue) = CommandSender::new();
    let mut api = Api::new(
        SnapshotFeed::new(Rc::new(status)),
        commands,
        logs,
        AuthService::in_memory(Moment::default),
        clock,
        about,
    );
    api.limits = Limits {
        linger: Duration::ZERO,
        event_gap: Duration::ZERO,
        ..Limits::default()
    };
    let made = api
        .auth
        .add_token("fuzz".into(), Role::Admin, String::new());
    let (_, secret) = smol::block_on(made).expect("there is room for one");
    (Rc::new(api), queue, secret.to_token())
}

/// The same bytes with a token in every request that has a `Host`, so that they pass the guard.
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
    // Reads the responses meanwhile, which may not fit into the buffer.
    let mut reader = client.try_clone().expect("a descriptor");
    let reading = std::thread::spawn(move || {
        let mut answers = Vec::new();
        let _ = reader.read_to_end(&mut answers);
        answers
    });
    KIOSK.with(|(api, queue, _)| {
        let supervisor = async {
            loop {
                let Event::Command { ticket, command } = queue.next().await else {
                    continue;
                };
                let done = match command {
                    Command::Edit(Edit::Create(_)) => Done::Created("a".parse().expect("an id")),
                    Command::Start(id) => Done::Started { stopped: vec![id] },
                    Command::Screenshot { .. } => Done::Screenshot(Screenshot {
                        png: Rc::new(*b"\x89PNG"),
                    }),
                    Command::RunRule(rule) => Done::RuleRun {
                        rule,
                        outcome: None,
                        detail: None,
                    },
                    Command::Preview { .. } => Done::Preview(Rc::new(Preview {
                        timezone: "UTC".into(),
                        clock_trusted: true,
                        occurrences: Vec::new(),
                        conflicts: Vec::new(),
                        more: false,
                    })),
                    _ => Done::Changed,
                };
                queue.reply(ticket, Ok(done));
            }
        };
        let serving = serve_stream(api.clone(), stream);
        let served = smol::block_on(smol::future::or(serving, supervisor));
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

/// The bytes after the version of each status line; a body may contain "HTTP/1.1", too.
fn split(answers: &[u8]) -> impl Iterator<Item = &[u8]> {
    const VERSION: &[u8] = b"HTTP/1.1 ";
    (answers
        .windows(VERSION.len() + 5)
        .filter(|bytes| bytes.starts_with(VERSION)))
    .map(|bytes| &bytes[VERSION.len()..])
    .filter(|rest| rest[..3].iter().all(u8::is_ascii_digit) && rest[3..] == *b" \r")
}
