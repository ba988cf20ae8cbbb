//! Tests of the client commands against a scripted daemon.

use super::*;
use crate::cli::{self, Invocation};
use serde_json::Value;
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;

/// What the daemon does with a connection after it has read the request.
enum Answer {
    /// Sends this and closes.
    Says(String),
    /// Sends this and nothing more until the client closes.
    Hangs(String),
}
use Answer::{Hangs, Says};

/// A daemon with a script: a connection for each answer, in command.
struct Script {
    socket: PathBuf,
    asked: JoinHandle<Vec<String>>,
}

impl Script {
    fn new(answers: impl IntoIterator<Item = Answer>) -> Script {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("ossuary-client-{}-{number}.sock", std::process::id());
        let socket = std::env::temp_dir().join(name);
        let _ = std::fs::remove_file(&socket);
        let listener = UnixListener::bind(&socket).unwrap();
        let answers: Vec<Answer> = answers.into_iter().collect();
        let asked = std::thread::spawn(move || {
            answers
                .into_iter()
                .map(|answer| serve(listener.accept().unwrap().0, answer))
                .collect()
        });
        Script { socket, asked }
    }

    fn daemon(&self) -> Daemon {
        Daemon {
            socket: self.socket.clone(),
            timeouts: Timeouts {
                response: Duration::from_secs(5),
                retry: Duration::ZERO,
            },
        }
    }

    /// Runs a command line. Returns the exit code, standard output, standard error, and the requests.
    fn run(self, line: &str) -> (Exit, String, String, Vec<String>) {
        let (exit, out, err) = run_command(&self.daemon(), &client_command(line));
        (exit, out, err, self.end())
    }

    /// Waits until all answers are sent; returns the requests.
    fn end(self) -> Vec<String> {
        let asked = self.asked.join().unwrap();
        std::fs::remove_file(&self.socket).unwrap();
        asked
    }
}

fn client_command(line: &str) -> ClientCommand {
    match cli::parse(line.split(' ').map(Into::into)) {
        Ok(Invocation::Client(command)) => command,
        other => panic!("{other:?}"),
    }
}

fn run_command(daemon: &Daemon, command: &ClientCommand) -> (Exit, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut terminal = Terminal {
        out: &mut out,
        err: &mut err,
        out_is_terminal: false,
        err_is_terminal: false,
        colour: false,
        ask_secret: &|_| Ok(String::new()),
    };
    let exit = run_with(daemon, command, &mut terminal);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (exit, text(out), text(err))
}

/// Reads a request and answers it. Returns its first line, its relevant headers, and its body.
fn serve(mut stream: UnixStream, answer: Answer) -> String {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        request.push(byte[0]);
    }
    let head = String::from_utf8(request).unwrap();
    let header = |name: &str| {
        head.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    };
    let length = header("Content-Length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    let mut summary = head.lines().next().unwrap().replace(" HTTP/1.1", "");
    if let Some(id) = header("Last-Event-ID") {
        summary += &format!(" after {id}");
    }
    if let Some(tag) = header("If-Match") {
        summary += &format!(" if {tag}");
    }
    if !body.is_empty() && body != b"{}" {
        summary += &format!(" {}", String::from_utf8(body).unwrap());
    }
    match answer {
        // The client may have closed early.
        Says(text) => drop(stream.write_all(text.as_bytes())),
        Hangs(text) => {
            stream.write_all(text.as_bytes()).unwrap();
            let _ = io::copy(&mut stream, &mut io::sink());
        }
    }
    summary
}

fn ok(body: &str) -> Answer {
    status(200, body)
}

fn status(status: u16, body: &str) -> Answer {
    let length = body.len();
    Says(format!(
        "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}"
    ))
}

const STREAM: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";

fn stream(events: &str) -> Answer {
    Says(format!("{STREAM}{events}"))
}

const NO_SUCH: &str = r#"{"title":"Not Found","status":404,"detail":"there is no process x"}"#;

#[test]
fn status_is_a_table() {
    let processes = r#"{"processes":{
        "main-display":{"id":"main-display","name":"Gallery Display","status":"running","pid":1234,
            "uptime":8100,"restarts":0,"reason":null},
        "sync":{"id":"sync","name":"Data Sync","status":"backoff","pid":null,"uptime":null,
            "restarts":3,"reason":"exit code 3"}},"active_display":"main-display"}"#;
    let facts = r#"{"last_start":{"reason":"crash","detail":"the daemon was killed by a signal"},
        "configuration":{"problems":[
        {"path":"processes.sync.command","message":"must not be empty"}]}}"#;
    let (exit, out, err, asked) = Script::new([ok(processes), ok(facts)]).run("status");
    assert_eq!(exit, Exit::Done);
    assert_eq!(
        out,
        "\
ID            NAME             STATUS   PID   UPTIME  RESTARTS  REASON
main-display  Gallery Display  running  1234  2h 15m  0
sync          Data Sync        backoff                3         exit code 3
last start: crash: the daemon was killed by a signal
"
    );
    assert_eq!(
        err,
        "ossuary: configuration: processes.sync.command: must not be empty\n"
    );
    assert_eq!(asked, ["GET /api/processes", "GET /api/status"]);
}

#[test]
fn status_without_processes_says_what_to_do() {
    let script = Script::new([ok(r#"{"processes":{}}"#), ok("{}")]);
    let (exit, out, ..) = script.run("status");
    assert_eq!(exit, Exit::Done);
    assert_eq!(out, "no process is configured; see `ossuary help add`\n");
}

#[test]
fn json_is_the_unchanged_response_of_the_daemon() {
    let body = "{\"processes\": {}, \"new\": 1}";
    let (exit, out, ..) = Script::new([ok(body)]).run("status --json");
    assert_eq!((exit, out), (Exit::Done, format!("{body}\n")));
}

#[test]
fn the_status_of_one_process_sets_the_exit_code() {
    let view = |status: &str| {
        format!(
            r#"{{"id":"x","name":"X","status":"{status}","pid":7,"uptime":61,"command":"sleep 1","url":null}}"#
        )
    };
    let (exit, out, ..) = Script::new([ok(&view("running"))]).run("status x");
    assert_eq!(exit, Exit::Done);
    assert_eq!(
        out,
        "X (x)\n  status     running\n  pid        7\n  uptime     1m 1s\n  command    sleep 1\n"
    );
    let (exit, ..) = Script::new([ok(&view("waiting"))]).run("status x");
    assert_eq!(exit, Exit::NotRunning);
    let (exit, out, err, _) = Script::new([status(404, NO_SUCH)]).run("status x");
    assert_eq!((exit, out), (Exit::NotFound, String::new()));
    assert_eq!(err, "ossuary: there is no process x\n");
}

#[test]
fn the_page_of_a_display_process_is_in_its_status() {
    let view = |page: &str| {
        format!(r#"{{"id":"x","name":"X","status":"running","reason":null,"page":{page}}}"#)
    };
    let lost = r#"{"state":"net_error","url":"http://a/","title":"A","reason":"its server cannot be reached"}"#;
    let (exit, out, ..) = Script::new([ok(&view(lost))]).run("status x");
    assert_eq!(exit, Exit::Done);
    assert_eq!(
        out,
        "X (x)\n  status     running\n  page       net_error: its server cannot be reached\n  \
         page url   http://a/\n"
    );
    let well = r#"{"state":"healthy","url":"http://a/","title":"A","reason":null}"#;
    let (_, out, ..) = Script::new([ok(&view(well))]).run("status x");
    assert!(out.contains("  page       healthy\n"), "{out}");

    let all = |page: &str| ok(&format!(r#"{{"processes":{{"x":{}}}}}"#, view(page)));
    let (_, out, ..) = Script::new([all(lost), ok("{}")]).run("status");
    assert!(
        out.contains("page net_error: its server cannot be reached"),
        "{out}"
    );
    let (_, out, ..) = Script::new([all(well), ok("{}")]).run("status");
    assert!(!out.contains("page"), "{out}");
}

#[test]
fn a_start_returns_when_the_process_runs() {
    let events = "event: snapshot\ndata: {\"processes\":{\"x\":{\"status\":\"starting\"},\"y\":{}}}\n\n\
        event: change\ndata: {\"processes\":{\"y\":{\"status\":\"stopped\"}},\"removed\":[]}\n\n\
        event: change\ndata: {\"processes\":{\"x\":{\"status\":\"running\",\"pid\":9}}}\n\n";
    let script = Script::new([
        status(
            202,
            r#"{"status":"waiting","reason":"waits until y has ended","stopped":["y"]}"#,
        ),
        Hangs(format!("{STREAM}{events}")),
    ]);
    let (exit, out, err, asked) = script.run("start x");
    assert_eq!((exit, out.as_str()), (Exit::Done, "x: running, pid 9\n"));
    assert_eq!(
        err,
        "ossuary: stopping y for x\nossuary: x: waits until y has ended\n"
    );
    assert_eq!(asked, ["POST /api/processes/x/start", "GET /api/events"]);
}

#[test]
fn starting_a_running_process_sends_no_further_request() {
    let script = Script::new([status(202, r#"{"status":"running","pid":9,"stopped":[]}"#)]);
    let (exit, out, ..) = script.run("start x");
    assert_eq!((exit, out.as_str()), (Exit::Done, "x: running, pid 9\n"));
}

#[test]
fn a_stop_outlives_a_broken_connection() {
    let stopping = "event: snapshot\ndata: {\"processes\":{\"x\":{\"status\":\"stopping\"}}}\n\n";
    let script = Script::new([
        status(202, r#"{"status":"stopping"}"#),
        stream(stopping),
        stream("event: snapshot\ndata: {\"processes\":{\"x\":{\"status\":\"stopped\"}}}\n\n"),
    ]);
    let (exit, out, err, _) = script.run("stop x");
    assert_eq!(
        (exit, out.as_str(), err.as_str()),
        (Exit::Done, "x: stopped\n", "")
    );
}

#[test]
fn a_wait_ends_after_its_timeout() {
    let script = Script::new([
        status(202, r#"{"status":"stopping"}"#),
        Hangs(STREAM.to_owned()),
    ]);
    let mut command = client_command("stop x");
    let Task::Control { wait, .. } = &mut command.task else {
        panic!("not `stop`");
    };
    *wait = Some(Duration::from_millis(50));
    let (exit, out, err) = run_command(&script.daemon(), &command);
    assert_eq!((exit, out.as_str()), (Exit::TimedOut, ""));
    assert_eq!(err, "ossuary: x: is still stopping\n");
    script.end();
}

#[test]
fn no_wait_returns_when_the_daemon_has_accepted() {
    let script = Script::new([status(202, r#"{"status":"stopping"}"#)]);
    let (exit, out, ..) = script.run("stop --no-wait x");
    assert_eq!((exit, out.as_str()), (Exit::Done, "x: stopping\n"));
}

#[test]
fn a_refusal_for_one_process_does_not_affect_the_others() {
    let script = Script::new([
        status(409, r#"{"detail":"x is disabled; enable it first"}"#),
        status(404, NO_SUCH),
        status(202, r#"{"status":"running","pid":3}"#),
    ]);
    let (exit, out, err, _) = script.run("start x ../x z");
    assert_eq!((exit, out.as_str()), (Exit::Refused, "z: running, pid 3\n"));
    assert_eq!(
        err,
        "ossuary: x is disabled; enable it first\nossuary: ../x: there is no process x\n"
    );
}

#[test]
fn with_json_a_refusal_is_a_problem_document() {
    let problem = r#"{"type":"about:blank","status":409,"detail":"x is disabled"}"#;
    for line in ["start x --json", "set x a=1 --json", "enable x --json"] {
        let (exit, out, err, _) = Script::new([status(409, problem)]).run(line);
        assert_eq!(exit, Exit::Refused, "{line}");
        assert_eq!(out, format!("{problem}\n"), "{line}");
        assert_eq!(err, "ossuary: x is disabled\n", "{line}");
    }
    let (_, out, ..) = Script::new([status(502, "<html>")]).run("status --json");
    assert_eq!(out, "");
}

#[test]
fn a_process_that_is_removed_meanwhile_is_not_found() {
    let script = Script::new([
        status(202, r#"{"status":"stopping"}"#),
        stream("event: change\ndata: {\"processes\":{},\"removed\":[\"x\"]}\n\n"),
    ]);
    let (exit, _, err, _) = script.run("stop x");
    assert_eq!(
        (exit, err.as_str()),
        (Exit::NotFound, "ossuary: x: was removed\n")
    );
}

#[test]
fn a_restart_waits_for_the_new_run() {
    let script = Script::new([
        ok(r#"{"status":"running","pid":7}"#),
        status(202, r#"{"status":"running","pid":7}"#),
        stream(
            "event: snapshot\ndata: {\"processes\":{\"x\":{\"status\":\"running\",\"pid\":8}}}\n\n",
        ),
    ]);
    let (exit, out, _, asked) = script.run("restart x");
    assert_eq!((exit, out.as_str()), (Exit::Done, "x: running, pid 8\n"));
    assert_eq!(
        asked[..2],
        ["GET /api/processes/x", "POST /api/processes/x/restart"]
    );
}

#[test]
fn logs_are_printed_unchanged() {
    let (exit, out, _, asked) = Script::new([ok("one\ntwo")]).run("logs x -n 2");
    assert_eq!((exit, out.as_str()), (Exit::Done, "one\ntwo\n"));
    assert_eq!(asked, ["GET /api/processes/x/logs?lines=2"]);
}

#[test]
fn following_a_log_continues_after_a_broken_connection() {
    let answers = || {
        [
            stream(
                "id: 4\nevent: lines\ndata: [{\"seq\":3,\"time\":\"T3\",\"stream\":\"stdout\",\"text\":\"one\"},{\"seq\":4,\"time\":\"T4\",\"stream\":\"stderr\",\"text\":\"two\",\"cut\":true}]\n\nid: 5\nevent: lines\ndata: [{\"te",
            ),
            status(503, "{}"),
            stream(
                "event: gap\ndata: {\"lost\":12}\n\nid: 17\nevent: lines\ndata: [{\"seq\":17,\"time\":\"T9\",\"stream\":\"ossuary\",\"text\":\"three\"}]\n\n",
            ),
            status(404, NO_SUCH),
        ]
    };
    let (exit, out, err, asked) = Script::new(answers()).run("logs -f x");
    assert_eq!(
        (exit, out.as_str()),
        (
            Exit::NotFound,
            "T3 stdout one\nT4 stderr two […]\nT9 ossuary three\n"
        )
    );
    assert_eq!(
        err,
        "ossuary: the connection was lost; waiting for the daemon\n\
         ossuary: 12 lines were overwritten before they could be read\n\
         ossuary: the connection was lost; waiting for the daemon\n\
         ossuary: there is no process x\n"
    );
    let target = "GET /api/processes/x/logs/stream?lines=100";
    // An incomplete event is requested again.
    assert_eq!(
        asked,
        [
            target.to_owned(),
            format!("{target} after 4"),
            format!("{target} after 4"),
            format!("{target} after 17")
        ]
    );
    let (_, out, ..) = Script::new(answers()).run("logs -f x --json");
    assert_eq!(
        out.lines().next(),
        Some(r#"{"seq":3,"time":"T3","stream":"stdout","text":"one"}"#)
    );
}

#[test]
fn changes_are_sent_as_the_api_expects_them() {
    let script = Script::new([status(201, r#"{"id":"gallery","name":"Gallery"}"#)]);
    let (exit, out, _, asked) =
        script.run("add --name Gallery --url http://x/ --set autostart=false");
    assert_eq!((exit, out.as_str()), (Exit::Done, "gallery\n"));
    assert_eq!(
        asked,
        [
            r#"POST /api/processes {"name":"Gallery","url":"http://x/","autostart":false,"type":"chromium"}"#
        ]
    );

    let script = Script::new([ok(r#"{"id":"x"}"#)]);
    let (_, out, _, asked) = script.run("set x name=7 restart=null");
    assert_eq!(out, "x: saved\n");
    assert_eq!(
        asked,
        [r#"PUT /api/processes/x {"name":"7","restart":null}"#]
    );

    let script = Script::new([ok(r#"{"flags":{"kiosk":true,"webgpu":false}}"#), ok("{}")]);
    let (_, _, _, asked) = script.run("set x flags.webgpu=true env.PORT=80");
    assert_eq!(
        asked[1],
        r#"PUT /api/processes/x {"flags":{"kiosk":true,"webgpu":true},"env":{"PORT":"80"}}"#
    );

    let script = Script::new([ok("{}"), status(404, NO_SUCH)]);
    let (exit, _, _, asked) = script.run("disable a x");
    assert_eq!(exit, Exit::NotFound);
    assert_eq!(asked[0], r#"PUT /api/processes/a {"enabled":false}"#);

    let script = Script::new([
        status(204, ""),
        status(409, r#"{"detail":"b runs; stop it first"}"#),
    ]);
    let (exit, out, err, asked) = script.run("remove a b");
    assert_eq!((exit, out.as_str()), (Exit::Refused, "a: removed\n"));
    assert_eq!(err, "ossuary: b runs; stop it first\n");
    assert_eq!(asked[0], "DELETE /api/processes/a");

    let broken = r#"{"configuration":{"problems":[{"path":"","message":"is not JSON"}]}}"#;
    let (exit, out, err, _) = Script::new([status(202, broken)]).run("reload");
    assert_eq!((exit, out.as_str()), (Exit::Refused, ""));
    assert_eq!(err, "ossuary: configuration: is not JSON\n");
    let (exit, out, _, asked) = Script::new([status(202, "{}")]).run("reload");
    assert_eq!(
        (exit, out.as_str()),
        (Exit::Done, "the configuration was reloaded\n")
    );
    assert_eq!(asked, ["POST /api/reload"]);
    let kept = r#"{"configuration":{"file":"/c.json","source":"running","problems":[{"path":"","message":"is not JSON"}]}}"#;
    let (_, _, err, _) = Script::new([status(202, kept)]).run("reload");
    assert_eq!(
        err,
        "ossuary: /c.json is invalid; the previous configuration stays active\n\
         ossuary: configuration: is not JSON\n"
    );
}

#[test]
fn every_problem_of_a_change_is_printed() {
    let body = r#"{"detail":"2 problems","problems":[{"field":"name","detail":"is too long"},
        {"field":"colour","detail":"is not a field"}]}"#;
    let (exit, _, err, _) = Script::new([status(422, body)]).run("set x colour=red");
    assert_eq!(exit, Exit::Refused);
    assert_eq!(err, "ossuary: name: is too long\ncolour: is not a field\n");
}

#[test]
fn the_configuration_is_saved_and_replaced() {
    let file = std::env::temp_dir().join(format!("ossuary-client-{}.json", std::process::id()));
    let path = file.display();
    let tagged = "HTTP/1.1 200 OK\r\nETag: \"0123456789abcdef\"\r\nContent-Length: 15\r\n\r\n{\"version\": 3}\n";
    let tagged = || Says(tagged.to_owned());
    let (exit, out, ..) = Script::new([tagged()]).run(&format!("config get {path}"));
    let saved = format!("{path}: saved, ETag 0123456789abcdef\n");
    assert_eq!((exit, out), (Exit::Done, saved));
    let (_, out, ..) = Script::new([tagged()]).run(&format!("config get --json {path}"));
    let out: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(out["etag"], "0123456789abcdef");
    let (exit, out, _, asked) = Script::new([ok("{}")]).run(&format!("config put --force {path}"));
    assert_eq!((exit, out.as_str()), (Exit::Done, "saved\n"));
    assert_eq!(asked, ["PUT /api/config {\"version\": 3}\n"]);
    let line = format!("config put --if-match 0123456789abcdef {path}");
    let (.., asked) = Script::new([ok("{}")]).run(&line);
    let sent = "PUT /api/config if \"0123456789abcdef\" {\"version\": 3}\n";
    assert_eq!(asked, [sent]);
    let outdated = r#"{"detail":"the configuration was changed meanwhile; read it again"}"#;
    let (exit, _, err, _) = Script::new([status(412, outdated)]).run(&line);
    assert_eq!(exit, Exit::Refused);
    for said in ["changed meanwhile", "`ossuary config get OTHER`", "--force"] {
        assert!(err.contains(said), "{err}");
    }
    std::fs::remove_file(&file).unwrap();

    for line in ["config get", "config"] {
        let (exit, out, ..) = Script::new([ok("{\"version\": 3}\n")]).run(line);
        assert_eq!((exit, out.as_str()), (Exit::Done, "{\"version\": 3}\n"));
    }
    let (exit, _, err, _) = Script::new([]).run("config put --force /nonexistent/x");
    assert_eq!(exit, Exit::Refused);
    assert!(err.starts_with("ossuary: /nonexistent/x: "), "{err}");
}

#[test]
fn displays_and_the_system_are_printed_as_lines() {
    let displays = r#"{"displays":[{"name":":0","kind":"x11","connected":true,
        "resolution":"1920x1080","output":"HDMI-1","process":"gallery","rotation":{"actual":90},
        "power":{"requested":"off","actual":"on","problem":"the screen is on"}},
        {"name":"wayland-0","kind":"wayland","connected":false}]}"#;
    let (_, out, err, _) = Script::new([ok(displays)]).run("displays");
    assert_eq!(err, "ossuary: :0: the screen is on\n");
    assert_eq!(
        out,
        "\
NAME       KIND     CONNECTED  RESOLUTION  OUTPUT  ROTATION  POWER               PROCESS
:0         x11      yes        1920x1080   HDMI-1  90        on, requested: off  gallery
wayland-0  wayland  no
"
    );
    let system = r#"{"hostname":"kiosk","uptime":8100,"memory":{"total":1610612736,"swap":null},"load":[0.5,1.0],
        "temperature":48.25,"network":[{"interface":"eth0","up":true,"addresses":["10.0.0.2","::1"]},
        {"interface":"ifb0","up":false,"addresses":[]},{"interface":"wlan0","up":true,"addresses":[]}]}"#;
    let (_, out, ..) = Script::new([ok(system)]).run("system");
    assert_eq!(
        out,
        "\
hostname       kiosk
uptime         2h 15m
memory total   1.5 GiB
load           0.5, 1.0
temperature    48.2 °C
network eth0   10.0.0.2, ::1
network ifb0   down
network wlan0  up, no address
"
    );
}

#[test]
fn events_are_printed_as_they_happen() {
    let script = Script::new([
        stream(
            ": hello\n\nevent: change\ndata: {\"generation\":2,\"processes\":{\"x\":{\"status\":\"backoff\",\"reason\":\"exit code 3\"}},\"removed\":[\"y\"]}\n\n",
        ),
        status(401, r#"{"detail":"no longer"}"#),
    ]);
    let (exit, out, ..) = script.run("events");
    assert_eq!(
        (exit, out.as_str()),
        (Exit::Refused, "x backoff: exit code 3\ny removed\n")
    );
}

#[test]
fn an_invalid_response_differs_from_a_missing_daemon() {
    for (answer, message) in [
        (
            Says(String::new()),
            "the connection was closed in the middle of the response",
        ),
        (
            Says("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{".into()),
            "closed in the middle",
        ),
        (Says("SSH-2.0\r\n".into()), "is not an HTTP status line"),
        (ok("[1,"), "its response is not JSON"),
        (ok("{}"), "its response has no `processes`"),
    ] {
        let (exit, out, err, _) = Script::new([answer]).run("status");
        assert_eq!((exit, out.as_str()), (Exit::NoDaemon, ""), "{err}");
        assert!(
            err.starts_with("ossuary: invalid response from the daemon: "),
            "{err}"
        );
        assert!(err.contains(message), "{err}");
    }
}

#[test]
fn a_missing_daemon_is_reported_with_its_socket_and_what_to_do() {
    let command = client_command("status --socket /nonexistent/ossuary.sock");
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut terminal = Terminal {
        out: &mut out,
        err: &mut err,
        out_is_terminal: false,
        err_is_terminal: false,
        colour: false,
        ask_secret: &|_| Ok(String::new()),
    };
    assert_eq!(run(&command, &mut terminal), Exit::NoDaemon);
    assert_eq!(
        String::from_utf8(err).unwrap(),
        "ossuary: no daemon answers on /nonexistent/ossuary.sock; start it with \
         `systemctl start ossuary` or `ossuary daemon`, or name its directory with --run-dir\n"
    );
}

#[test]
fn a_hung_daemon_is_a_timeout() {
    for begun in [
        "",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
    ] {
        let script = Script::new([Hangs(begun.to_owned())]);
        let daemon = Daemon {
            socket: script.socket.clone(),
            timeouts: Timeouts {
                response: Duration::from_millis(500),
                retry: Duration::ZERO,
            },
        };
        let (exit, _, err) = run_command(&daemon, &client_command("status"));
        assert_eq!(exit, Exit::NoDaemon);
        assert_eq!(err, "ossuary: the daemon has not responded for 0 s\n");
        script.end();
    }
}

#[test]
fn a_closed_output_is_not_an_error() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let script = Script::new([ok("{}")]);
    let daemon = Daemon {
        socket: script.socket.clone(),
        timeouts: Timeouts::default(),
    };
    let mut err = Vec::new();
    let mut terminal = Terminal {
        out: &mut Closed,
        err: &mut err,
        out_is_terminal: false,
        err_is_terminal: false,
        colour: false,
        ask_secret: &|_| Ok(String::new()),
    };
    let exit = run_with(&daemon, &client_command("status --json"), &mut terminal);
    assert_eq!((exit, err), (Exit::Done, Vec::new()));
    script.end();
}

#[test]
fn ids_are_completed_with_their_names() {
    let processes = r#"{"processes":{"a-1":{"name":"One","status":"running"},
        "a-2":{"name":"Two","status":"stopped"},"b":{"name":"Three","status":"running"}}}"#;
    let script = Script::new([ok(processes)]);
    let words = [
        "stop",
        "--socket",
        script.socket.to_str().unwrap(),
        "a-2",
        "a",
    ];
    let words = words.map(str::to_owned);
    let mut out = Vec::new();
    let mut terminal = Terminal {
        out: &mut out,
        err: &mut Vec::new(),
        out_is_terminal: false,
        err_is_terminal: false,
        colour: false,
        ask_secret: &|_| Ok(String::new()),
    };
    complete(&cli::complete(&words), &mut terminal);
    assert_eq!(String::from_utf8(out).unwrap(), "a-1\tOne, running\n");
    script.end();
}

#[test]
fn force_removes_a_process_that_rules_name() {
    let (exit, out, _, asked) = Script::new([status(204, "")]).run("remove --force x");
    assert_eq!((exit, out.as_str()), (Exit::Done, "x: removed\n"));
    assert_eq!(asked, ["DELETE /api/processes/x?force=true"]);
}

#[test]
fn the_process_that_was_probably_meant_is_suggested() {
    let no_such =
        r#"{"type":"/problems/no-such-process","detail":"there is no process foyer übersicht"}"#;
    let all =
        r#"{"processes":{"foyer-bersicht":{"name":"Foyer Übersicht"},"sync":{"name":"Data"}}}"#;
    let call = ["status", "foyer übersicht"].map(Into::into);
    let Ok(Invocation::Client(by_name)) = cli::parse(call) else {
        panic!("a command");
    };
    let script = Script::new([status(404, no_such), ok(all)]);
    let (exit, _, err) = run_command(&script.daemon(), &by_name);
    assert_eq!(exit, Exit::NotFound);
    let want =
        "ossuary: there is no process foyer übersicht\nossuary: did you mean `foyer-bersicht`?\n";
    assert_eq!(err, want);
    assert_eq!(
        script.end(),
        [
            "GET /api/processes/foyer%20%C3%BCbersicht",
            "GET /api/processes"
        ]
    );
    for line in ["start snyc --no-wait", "remove snyc", "logs snyc"] {
        let script = Script::new([status(404, no_such), ok(all)]);
        let (exit, _, err, _) = script.run(line);
        assert_eq!(exit, Exit::NotFound);
        assert!(err.ends_with("ossuary: did you mean `sync`?\n"), "{err}");
    }
}
