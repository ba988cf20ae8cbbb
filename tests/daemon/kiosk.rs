//! A kiosk to test: the real daemon in directories of its own, and a client that waits for events.

use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, SockaddrStorage, bind, socket};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Longer than anything here takes on a busy machine; only a test that fails waits this long.
const PATIENCE: Duration = Duration::from_secs(120);

/// A daemon in directories of its own. Ends with everything it started when dropped.
pub struct Kiosk {
    pub dir: PathBuf,
    pub address: SocketAddr,
    program: PathBuf,
    environment: Vec<(String, String)>,
    daemon: Child,
}

/// An answer of the API.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A directory of the test's own, open to every account.
pub fn fresh_dir() -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let dir = std::env::temp_dir().join(format!("ossuary-test-{}-{number}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    open_to_all(&dir);
    dir
}

/// The daemon may run its children under another account than the test's.
pub fn open_to_all(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
}

/// A program in this directory that is the daemon: the shell runs `first`, and the daemon gets the arguments `more`.
pub fn wrapped(dir: &Path, first: &str, more: &str) -> PathBuf {
    let program = dir.join("wrapped");
    let daemon = env!("CARGO_BIN_EXE_ossuary");
    let script = format!("#!/bin/sh\n{first}\nexec {daemon} \"$@\" {more}\n");
    write_program(&program, script);
    program
}

/// Writes a program, in place of one that is there.
///
/// This process never has it open for writing: what another test starts in that moment would have it open as well,
/// and the kernel runs no such file ("text file busy").
pub fn write_program(path: &Path, content: impl AsRef<[u8]>) {
    let mut installer = Command::new("install");
    installer.args(["-m", "755", "/dev/stdin"]).arg(path);
    let mut installer = installer.stdin(Stdio::piped()).spawn().unwrap();
    let mut into = installer.stdin.take().unwrap();
    into.write_all(content.as_ref()).unwrap();
    drop(into);
    assert!(installer.wait().unwrap().success(), "{}", path.display());
}

impl Kiosk {
    /// Starts a daemon with this document as its configuration file.
    pub fn start(document: Value) -> Kiosk {
        let dir = fresh_dir();
        fs::write(dir.join("config.json"), document.to_string()).unwrap();
        Kiosk::start_in(dir)
    }

    /// Starts a daemon with these processes.
    pub fn with(processes: Value) -> Kiosk {
        Kiosk::start(json!({"version": 3, "processes": processes}))
    }

    /// Starts a daemon on directories that are there already.
    pub fn start_in(dir: PathBuf) -> Kiosk {
        Kiosk::start_program(env!("CARGO_BIN_EXE_ossuary").into(), dir)
    }

    /// Starts this copy of the daemon on directories that are there already.
    pub fn start_program(program: PathBuf, dir: PathBuf) -> Kiosk {
        Kiosk::launch(program, dir, Vec::new())
    }

    /// Starts a daemon on directories that are there already, in this environment.
    pub fn start_supervised(dir: PathBuf, environment: Vec<(String, String)>) -> Kiosk {
        Kiosk::launch(env!("CARGO_BIN_EXE_ossuary").into(), dir, environment)
    }

    fn launch(program: PathBuf, dir: PathBuf, environment: Vec<(String, String)>) -> Kiosk {
        let (daemon, address) = launch(&program, &dir, &environment);
        Kiosk {
            dir,
            address,
            program,
            environment,
            daemon,
        }
    }

    pub fn pid(&self) -> u32 {
        self.daemon.id()
    }

    pub fn config_file(&self) -> PathBuf {
        self.dir.join("config.json")
    }

    /// The configuration file as it is on the disk.
    pub fn file(&self) -> Value {
        serde_json::from_slice(&fs::read(self.config_file()).unwrap()).unwrap()
    }

    /// Kills the daemon as the kernel would, and waits for its end.
    pub fn kill(&mut self) {
        self.daemon.kill().unwrap();
        self.daemon.wait().unwrap();
    }

    /// Starts the daemon again after `kill`.
    pub fn revive(&mut self) {
        let (daemon, address) = start(&self.program, &self.dir, &self.environment);
        // A token outlives the daemon.
        let mut tokens = TOKENS.lock().unwrap();
        let token = tokens[&self.address].clone();
        tokens.insert(address, token);
        self.daemon = daemon;
        self.address = address;
    }

    /// Sends a signal to the daemon.
    pub fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// Waits until the daemon exits, and returns its exit code.
    pub fn wait(&mut self) -> Option<i32> {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.daemon.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < end, "the daemon does not leave");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    // ---- the API ----

    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, None)
    }

    pub fn post(&self, path: &str) -> Answer {
        self.ask("POST", path, None)
    }

    pub fn send(&self, method: &str, path: &str, body: Value) -> Answer {
        self.ask(method, path, Some(body.to_string()))
    }

    pub fn ask(&self, method: &str, path: &str, body: Option<String>) -> Answer {
        try_ask(self.address, method, path, body.as_deref())
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    pub fn process(&self, id: &str) -> Value {
        self.get(&format!("/api/processes/{id}")).json()
    }

    pub fn log(&self, id: &str) -> String {
        self.get(&format!("/api/processes/{id}/logs?lines=10000"))
            .text()
    }

    /// Waits on the event stream until a process looks like this, and shows it.
    pub fn until(&self, id: &str, mut looks_right: impl FnMut(&Value) -> bool) -> Value {
        self.until_all(|processes| looks_right(&processes[id]))[id].clone()
    }

    /// Waits until a process is in this state.
    pub fn until_status(&self, id: &str, status: &str) -> Value {
        self.until(id, |process| process["status"] == status)
    }

    /// Waits on the event stream until the processes look like this.
    pub fn until_all(&self, mut looks_right: impl FnMut(&Value) -> bool) -> Value {
        let mut processes = json!({});
        self.follow("/api/events", |event, data| {
            let data: Value = serde_json::from_str(data).unwrap();
            if event == "snapshot" {
                processes = json!({});
            }
            for (id, process) in data["processes"].as_object().into_iter().flatten() {
                processes[id] = process.clone();
            }
            for id in data["removed"].as_array().into_iter().flatten() {
                processes
                    .as_object_mut()
                    .unwrap()
                    .remove(id.as_str().unwrap());
            }
            looks_right(&processes)
        })
        .unwrap_or_else(|error| panic!("{error}; last seen: {processes:#}"));
        processes
    }

    /// Waits until the log of a process holds this text.
    pub fn until_logged(&self, id: &str, text: &str) {
        let path = format!("/api/processes/{id}/logs/stream?lines=1000");
        self.follow(&path, |event, data| {
            let lines: Value = serde_json::from_str(data).unwrap();
            event == "lines"
                && lines.as_array().into_iter().flatten().any(|line| {
                    line["text"]
                        .as_str()
                        .is_some_and(|line| line.contains(text))
                })
        })
        .unwrap_or_else(|error| {
            panic!(
                "{error}: {text:?} is not in the log of {id}: {}",
                self.log(id)
            )
        });
    }

    /// Reads server-sent events until one is the one that was waited for.
    fn follow(
        &self,
        path: &str,
        mut is_it: impl FnMut(&str, &str) -> bool,
    ) -> Result<(), std::io::Error> {
        let mut stream = connect(self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let credential = credential(self.address);
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\n{credential}Accept: text/event-stream\r\n\r\n"
        )?;
        let begin = Instant::now();
        let mut event = String::new();
        for line in BufReader::new(stream).lines() {
            let line = line?;
            if let Some(name) = line.strip_prefix("event:") {
                event = name.trim().to_owned();
            } else if let Some(data) = line.strip_prefix("data:")
                && is_it(&event, data.trim())
            {
                return Ok(());
            }
            if begin.elapsed() > PATIENCE {
                break;
            }
        }
        Err(std::io::Error::other("it did not happen"))
    }

    /// Waits until the daemon's own log holds this text.
    pub fn until_noted(&self, text: &str) {
        self.until_noted_times(text, 1);
    }

    /// Waits until the daemon's own log holds this text so often.
    pub fn until_noted_times(&self, text: &str, times: usize) {
        let log = self.dir.join("daemon.log");
        wait_for(text, || {
            fs::read_to_string(&log).is_ok_and(|log| log.matches(text).count() >= times)
        });
    }

    // ---- the command line ----

    /// Runs `ossuary` as an operator would, against this kiosk.
    pub fn ossuary(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// The command line, not started yet.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ossuary"));
        command.args(arguments).arg("--run-dir");
        command.arg(self.dir.join("run")).stdin(Stdio::null());
        command
    }
}

impl Drop for Kiosk {
    fn drop(&mut self) {
        if self.daemon.try_wait().ok().flatten().is_none() {
            self.signal("TERM");
            if std::thread::panicking() {
                eprintln!(
                    "{}",
                    fs::read_to_string(self.dir.join("daemon.log")).unwrap_or_default()
                );
            }
            let end = Instant::now() + PATIENCE;
            while self.daemon.try_wait().ok().flatten().is_none() && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(5));
            }
            let _ = self.daemon.kill();
            let _ = self.daemon.wait();
        }
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// Starts the daemon, and makes a token for the test.
fn launch(program: &Path, dir: &Path, environment: &[(String, String)]) -> (Child, SocketAddr) {
    let (daemon, address) = start(program, dir, environment);
    introduce(address, &dir.join("run"));
    (daemon, address)
}

/// Starts the daemon and reads the address it took.
fn start(program: &Path, dir: &Path, environment: &[(String, String)]) -> (Child, SocketAddr) {
    let log = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(dir.join("daemon.log"))
        .unwrap();
    let mut daemon = Command::new(program)
        .arg("daemon")
        .arg("--config")
        .arg(dir.join("config.json"))
        .arg("--state-dir")
        .arg(dir.join("state"))
        .arg("--run-dir")
        .arg(dir.join("run"))
        .args(["--listen", "127.0.0.1:0"])
        .envs(environment.iter().cloned())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(daemon.stdout.take().unwrap()).lines();
    let address = loop {
        let line = match lines.next() {
            Some(Ok(line)) => line,
            end => panic!(
                "the daemon did not come up ({end:?}): {}",
                fs::read_to_string(dir.join("daemon.log")).unwrap_or_default()
            ),
        };
        if let Some(url) = line.strip_prefix("listening on http://") {
            break url.trim_end_matches('/').parse().unwrap();
        }
    };
    (daemon, address)
}

/// The tokens by which the daemons of this test are talked to.
static TOKENS: Mutex<BTreeMap<SocketAddr, String>> = Mutex::new(BTreeMap::new());

/// Makes a token for the daemon at this address, as root does: through the socket in its run directory.
pub fn introduce(address: SocketAddr, run_dir: &Path) {
    let made = local(
        run_dir,
        "POST",
        "/api/tokens",
        &json!({"name": "the test", "role": "admin"}),
    );
    assert_eq!(made.status, 201, "{}", made.text());
    let token = made.json()["token"].as_str().unwrap().to_owned();
    TOKENS.lock().unwrap().insert(address, token);
}

/// The field by which the test is let in by the daemon at this address, a whole line.
pub fn credential(address: SocketAddr) -> String {
    let tokens = TOKENS.lock().unwrap();
    let token = tokens.get(&address);
    token.map_or(String::new(), |token| {
        format!("Authorization: Bearer {token}\r\n")
    })
}

/// One request through the unix socket, with a body.
pub fn local(run_dir: &Path, method: &str, path: &str, body: &Value) -> Answer {
    let mut stream = UnixStream::connect(run_dir.join("ossuary.sock")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let body = match body {
        Value::Null => String::new(),
        body => body.to_string(),
    };
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    read_answer(stream).unwrap()
}

/// A connection from this address of the machine: loopback has 16 million.
pub fn connect_from(from: &str, to: SocketAddr) -> TcpStream {
    let from: SocketAddr = format!("{from}:0").parse().unwrap();
    let family = AddressFamily::Inet;
    let socket = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
    bind(socket.as_raw_fd(), &SockaddrStorage::from(from)).unwrap();
    socket::connect(socket.as_raw_fd(), &SockaddrStorage::from(to)).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// One request on a connection of its own.
pub fn try_ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    body: Option<&str>,
) -> std::io::Result<Answer> {
    let mut stream = connect(address)?;
    let mut request =
        format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    request += &credential(address);
    if let Some(body) = body {
        request += &format!(
            "Content-Type: application/json\r\nContent-Length: {}\r\n",
            body.len()
        );
    }
    request += "\r\n";
    request += body.unwrap_or_default();
    stream.write_all(request.as_bytes())?;
    read_answer(stream)
}

/// Reads an answer up to the end of the connection.
pub fn read_answer(mut stream: impl Read) -> std::io::Result<Answer> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let end = bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .ok_or_else(|| std::io::Error::other(format!("no answer: {bytes:?}")))?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Ok(Answer {
        status: status.ok_or_else(|| std::io::Error::other(head.clone()))?,
        body: bytes[end + 4..].to_vec(),
        head,
    })
}

/// Sends a signal by name.
pub fn signal(pid: u32, name: &str) {
    assert!(try_signal(pid, name), "cannot send {name} to {pid}");
}

/// Sends a signal by name to a process that may have ended meanwhile. Returns whether it was sent.
pub fn try_signal(pid: u32, name: &str) -> bool {
    let sent = Command::new("kill")
        .args([&format!("-{name}"), "--", &pid.to_string()])
        .stderr(Stdio::null())
        .status()
        .unwrap();
    sent.success()
}

/// Whether a process exists and is not a zombie.
pub fn lives(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        !stat
            .rsplit(')')
            .next()
            .unwrap_or("")
            .trim_start()
            .starts_with('Z')
    })
}

/// Waits for something outside the daemon, which sends no event of its own.
pub fn wait_for(what: &str, mut happened: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !happened() {
        assert!(Instant::now() < end, "it did not happen: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The PID in a file that a child writes.
pub fn pid_in(path: &Path) -> u32 {
    let mut pid = 0;
    wait_for(&format!("a PID in {}", path.display()), || {
        pid = fs::read_to_string(path)
            .ok()
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or(0);
        pid != 0
    });
    pid
}
