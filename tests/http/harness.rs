//! A kiosk with a scripted supervisor, and a client that sees every byte.

use ossuary::auth::Role;
use ossuary::config::{Id, Loaded};
use ossuary::http::{
    self, About, Api, AuthService, CommandSender, Limits, Listener, Memory, Now, SnapshotFeed,
    Usage,
};
use ossuary::logs::Logs;
use ossuary::supervisor::{
    self, Command, ConfigurationStatus, DisplayStatus, Done, LastStart, Outcome, ProcessStatus,
    Reason, RunId, Snapshot, Source, State, Traces,
};
use ossuary::time::Moment;
use serde_json::Value;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::TcpStream;
use smol::{LocalExecutor, Timer};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::time::Duration;

/// How long a test may wait.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The document of the specification.
pub const DOCUMENT: &str = r#"{
  "version": 3,
  "processes": {
    "main-display": {
      "id": "main-display", "name": "Gallery Display", "type": "chromium",
      "command": "chromium --kiosk https://lumencanvas.studio/canvas/abc",
      "display": ":0", "enabled": true
    },
    "data-sync": {
      "id": "data-sync", "name": "Data Sync Service", "type": "custom",
      "command": "python3 /home/pi/sync.py", "enabled": true
    }
  },
  "active_display_process": "main-display",
  "behaviors": {"on_connection_lost": {"action": "show_overlay"}},
  "schedule": {"enabled": true, "rules": []}
}"#;

pub fn id(text: &str) -> Id {
    text.parse().expect("an id")
}

pub fn at(seconds: u64) -> Moment {
    Moment::from_boot(Duration::from_secs(seconds))
}

/// Always one hour and 40 seconds after the boot.
fn clock() -> Now {
    Now {
        mono: at(3640),
        wall: "2026-11-23T08:00:00Z".parse().expect("a time"),
    }
}

thread_local! {
    /// How far the clock of the sessions is ahead of the other one.
    static ADVANCED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// Advances the clock of the authentication service.
pub fn advance_clock(time: Duration) {
    ADVANCED.set(ADVANCED.get() + time);
}

/// The snapshot of a kiosk with this document, whose display process runs.
pub fn snapshot(document: &str) -> Snapshot {
    let loaded = Loaded::from_bytes(document.as_bytes()).expect("a document without a problem");
    let processes = (loaded.config.processes.iter())
        .map(|process| {
            let runs = process.is_display();
            Rc::new(ProcessStatus {
                process: process.clone(),
                state: if runs { State::Running } else { State::Stopped },
                since: at(40),
                reason: (!runs).then_some(Reason::StoppedByOperator),
                run: runs.then_some(RunId(1)),
                pid: runs.then_some(1234),
                started: runs.then_some(at(40)),
                restarts: 0,
                page: None,
            })
        })
        .collect::<Vec<_>>();
    let displays = (processes.iter())
        .filter_map(|shown| shown.process.display.clone())
        .map(|display| DisplayStatus {
            display,
            connected: true,
            screen: Default::default(),
            holder: Some(id("main-display")),
            wanted_by: vec![id("main-display")],
        })
        .collect();
    Snapshot {
        generation: 1,
        processes,
        active_display: loaded.config.active_display.clone(),
        displays,
        connectors: Rc::new([]),
        schedule: Default::default(),
        configuration: Rc::new(ConfigurationStatus {
            document: loaded.document.clone(),
            source: Source::File,
            problems: Vec::new(),
            warnings: loaded.warnings.clone(),
            file_differs: false,
        }),
        shutting_down: false,
    }
}

pub struct Kiosk {
    pub api: Rc<Api>,
    pub address: SocketAddr,
    pub executor: Rc<LocalExecutor<'static>>,
    /// A token of each role, lowest first; requests are sent with the last by default.
    pub tokens: [String; 3],
    commands: RefCell<VecDeque<Command>>,
    replies: RefCell<VecDeque<Outcome>>,
}

/// Runs a test against a kiosk with these limits.
pub fn kiosk_with(limits: Limits, test: impl AsyncFnOnce(Rc<Kiosk>)) {
    let executor = Rc::new(LocalExecutor::new());
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address");
    let (sender, queue) = CommandSender::new();
    let about = About {
        version: "1.2.3",
        config_file: "/etc/ossuary/config.json".into(),
        started: at(30),
        log_epoch: 30_000,
        last_start: LastStart::from_traces(&Traces::default()),
        hostname: Box::new(|| "kiosk".into()),
    };
    let feed = SnapshotFeed::new(Rc::new(snapshot(DOCUMENT)));
    ADVANCED.set(Duration::ZERO);
    let auth = AuthService::in_memory(|| clock().mono + ADVANCED.get());
    let mut api = Api::new(feed, sender, Logs::new(), auth, clock, about);
    api.limits = limits;
    api.system = Box::new(|| ossuary::sys::machine::facts(std::path::Path::new("/")));
    api.why_unenforced = Box::new(|process| {
        process
            .is_display()
            .then(|| "no cgroup was delegated".to_owned())
    });
    api.usage = Box::new(|id| match id.as_str() {
        "main-display" => Usage {
            memory: Some(Memory {
                current: 4096,
                peak: Some(8192),
            }),
            pids: Some(3),
        },
        _ => Usage::default(),
    });
    let api = Rc::new(api);
    let kiosk = Rc::new(Kiosk {
        api: api.clone(),
        address,
        executor: executor.clone(),
        tokens: Role::ALL.map(|role| token(&api, role)),
        commands: RefCell::default(),
        replies: RefCell::default(),
    });
    let listener = Listener::tcp(listener).expect("a listener");
    let serving = executor.spawn(http::serve(api, listener, executor.clone()));
    let supervisor = executor.spawn({
        let kiosk = kiosk.clone();
        async move {
            loop {
                let supervisor::Event::Command {
                    ticket,
                    command: request,
                } = queue.next().await
                else {
                    continue;
                };
                kiosk.commands.borrow_mut().push_back(request);
                let outcome = kiosk.replies.borrow_mut().pop_front();
                queue.reply(ticket, outcome.unwrap_or(Ok(Done::Accepted)));
            }
        }
    });
    smol::block_on(executor.run(async {
        let timeout = async {
            Timer::after(TIMEOUT).await;
            panic!("the test timed out");
        };
        smol::future::or(test(kiosk), timeout).await;
        serving.cancel().await;
        supervisor.cancel().await;
    }));
}

fn token(api: &Api, role: Role) -> String {
    let made = api.auth.add_token(role.as_str().into(), role, "now".into());
    let (_, secret) = smol::block_on(made).expect("there is room for three");
    secret.to_token()
}

pub fn kiosk(test: impl AsyncFnOnce(Rc<Kiosk>)) {
    kiosk_with(Limits::default(), test);
}

impl Kiosk {
    /// Sets the next reply of the supervisor.
    pub fn will_reply(&self, outcome: Outcome) {
        self.replies.borrow_mut().push_back(outcome);
    }

    /// The oldest command that the supervisor has received.
    pub fn received_command(&self) -> Option<Command> {
        self.commands.borrow_mut().pop_front()
    }

    /// Publishes a changed snapshot.
    pub fn publish(&self, change: impl FnOnce(&mut Snapshot)) {
        let mut status = (*self.api.feed.current()).clone();
        status.generation += 1;
        change(&mut status);
        self.api.feed.publish(&Rc::new(status));
    }

    pub async fn connect(&self) -> Client {
        Client {
            credential: format!("Authorization: Bearer {}\r\n", self.tokens[2]),
            ..self.connect_anonymously().await
        }
    }

    /// A client without a credential.
    pub async fn connect_anonymously(&self) -> Client {
        Client::new(
            TcpStream::connect(self.address)
                .await
                .expect("a connection"),
        )
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, "", "").await
    }

    pub async fn put(&self, path: &str, body: &str) -> Answer {
        self.call("PUT", path, "Content-Type: application/json\r\n", body)
            .await
    }

    pub async fn post(&self, path: &str, body: &str) -> Answer {
        self.call("POST", path, "Content-Type: application/json\r\n", body)
            .await
    }

    pub async fn get_anonymously(&self, path: &str) -> Answer {
        self.call_anonymously("GET", path, "", "").await
    }

    pub async fn post_anonymously(&self, path: &str, body: &str) -> Answer {
        let json = "Content-Type: application/json\r\n";
        self.call_anonymously("POST", path, json, body).await
    }

    /// Like [`Kiosk::call`], with no credential but those in `fields`.
    pub async fn call_anonymously(
        &self,
        method: &str,
        path: &str,
        fields: &str,
        body: &str,
    ) -> Answer {
        let mut client = self.connect_anonymously().await;
        client.ask(method, path, fields, body).await;
        client.answer_to(method).await
    }

    /// One request on a connection of its own; `fields` are whole lines.
    pub async fn call(&self, method: &str, path: &str, fields: &str, body: &str) -> Answer {
        let mut client = self.connect().await;
        client.ask(method, path, fields, body).await;
        client.answer_to(method).await
    }
}

/// A connection. Bytes that were not parsed yet are in `unread`.
pub struct Client<S = TcpStream> {
    pub stream: S,
    /// The field that is sent with every request, as a whole line.
    pub credential: String,
    unread: Vec<u8>,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn field(&self, name: &str) -> Option<&str> {
        let is_it = |(key, _): &&(String, String)| key.eq_ignore_ascii_case(name);
        self.fields
            .iter()
            .find(is_it)
            .map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    /// Asserts that this is a problem of this type.
    #[track_caller]
    pub fn expect_problem(&self, status: u16, kind: &str) -> Value {
        assert_eq!(
            self.status,
            status,
            "{}",
            String::from_utf8_lossy(&self.body)
        );
        assert_eq!(self.field("content-type"), Some("application/problem+json"));
        let problem = self.json();
        assert_eq!(problem["type"], format!("/problems/{kind}"));
        assert_eq!(problem["status"], status);
        for text in ["title", "detail"] {
            assert!(!problem[text].as_str().expect("text").is_empty());
        }
        if let Some(field) = problem["field"].as_str() {
            let detail = problem["detail"].as_str().expect("text");
            assert!(!detail.starts_with(&format!("{field}:")), "{detail}");
        }
        problem
    }
}

impl<S: AsyncReadExt + AsyncWriteExt + Unpin> Client<S> {
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            credential: String::new(),
            unread: Vec::new(),
        }
    }

    /// Sends these bytes; the credential is added to every request in them that has a `Host`.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = self.with_credential(bytes.as_ref());
        self.stream.write_all(&bytes).await.expect("sent");
    }

    /// These bytes with the credential in every request.
    pub fn with_credential(&self, bytes: &[u8]) -> Vec<u8> {
        let host = "\r\nHost: ";
        let with = format!("\r\n{}Host: ", self.credential);
        match std::str::from_utf8(bytes) {
            Ok(text) => text.replace(host, &with).into_bytes(),
            Err(_) => bytes.to_vec(),
        }
    }

    pub async fn ask(&mut self, method: &str, path: &str, fields: &str, body: &str) {
        let length = match body.len() {
            0 => String::new(),
            length => format!("Content-Length: {length}\r\n"),
        };
        let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{fields}{length}\r\n");
        self.send(head + body).await;
    }

    pub async fn answer(&mut self) -> Answer {
        self.answer_to("GET").await
    }

    pub async fn answer_to(&mut self, method: &str) -> Answer {
        let mut answer = self.head().await;
        let length = answer
            .field("content-length")
            .map_or(0, |n| n.parse().expect("a number"));
        if method != "HEAD" {
            while self.unread.len() < length {
                assert!(self.more().await, "the answer is cut short");
            }
            answer.body = self.unread.drain(..length).collect();
        }
        answer
    }

    /// Status line and fields.
    pub async fn head(&mut self) -> Answer {
        let head = self.until(b"\r\n\r\n").await.expect("an answer");
        let head = String::from_utf8(head).expect("a head is text");
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        Answer {
            status: status
                .and_then(|status| status.parse().ok())
                .expect("a status"),
            fields: lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            body: Vec::new(),
        }
    }

    /// The next event that is not a comment.
    pub async fn event(&mut self) -> Option<Event> {
        loop {
            let block = String::from_utf8(self.until(b"\n\n").await?).expect("text");
            let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
            if let Some(name) = field("event: ") {
                return Some(Event {
                    name: name.into(),
                    id: field("id: ").map(Into::into),
                    data: serde_json::from_str(field("data: ").expect("data")).expect("JSON"),
                });
            }
        }
    }

    /// Waits for a comment that keeps the stream alive.
    pub async fn heartbeat(&mut self) {
        while self.until(b"\n\n").await.expect("a stream") != b":\n\n" {}
    }

    /// All bytes until the server ends the connection.
    pub async fn rest(&mut self) -> Vec<u8> {
        while self.more().await {}
        std::mem::take(&mut self.unread)
    }

    async fn until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        loop {
            let found = self
                .unread
                .windows(end.len())
                .position(|bytes| bytes == end);
            if let Some(place) = found {
                return Some(self.unread.drain(..place + end.len()).collect());
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// Reads more; false at the end. A reset connection has ended, too.
    async fn more(&mut self) -> bool {
        let mut piece = [0; 4096];
        let count = self.stream.read(&mut piece).await.unwrap_or(0);
        self.unread.extend_from_slice(&piece[..count]);
        count > 0
    }
}

#[derive(Debug)]
pub struct Event {
    pub name: String,
    pub id: Option<String>,
    pub data: Value,
}
