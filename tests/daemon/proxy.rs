//! TLS by a proxy in front, set up as SECURITY.md says: the real nginx, with a certificate that was made for the test.

use crate::kiosk::{Answer, Kiosk, fresh_dir, read_answer, wait_for, wrapped};
use serde_json::json;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, ChildStdout, Command, Stdio};

const NAME: &str = "kiosk.example.org";
const PASSWORD: &str = "correct horse";

/// The configuration of nginx from SECURITY.md.
fn documented() -> String {
    let security = include_str!("../../SECURITY.md");
    let (_, rest) = security.split_once("# nginx, ").expect("a block for nginx");
    let (_, rest) = rest.split_once('\n').unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

/// nginx in a directory of its own; it ends when this is dropped.
struct Proxy {
    port: u16,
    certificate: String,
    nginx: Child,
}

impl Proxy {
    fn before(kiosk: &Kiosk) -> Proxy {
        let dir = kiosk.dir.join("proxy");
        fs::create_dir(&dir).unwrap();
        let certificate = dir.join("cert.pem").display().to_string();
        let made = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
            ])
            .args([
                "-nodes",
                "-subj",
                &format!("/CN={NAME}"),
                "-keyout",
                "key.pem",
            ])
            .args([
                "-addext",
                &format!("subjectAltName=DNS:{NAME}"),
                "-out",
                "cert.pem",
            ])
            .current_dir(&dir)
            .stderr(Stdio::null())
            .status();
        assert!(made.unwrap().success());
        // Free a moment ago; nginx takes no socket that is bound already.
        let port = (TcpListener::bind("127.0.0.1:0").unwrap().local_addr())
            .unwrap()
            .port();
        let location = documented().replace("127.0.0.1:8081", &kiosk.address.to_string());
        assert!(location.contains(&kiosk.address.to_string()));
        let configuration = format!(
            "daemon off; pid nginx.pid; error_log error.log; events {{}}\n\
             http {{ access_log off; client_body_temp_path body; proxy_temp_path proxy;\n\
             fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;\n\
             server {{ listen 127.0.0.1:{port} ssl; server_name {NAME};\n\
             ssl_certificate cert.pem; ssl_certificate_key key.pem;\n{location}\n}} }}\n"
        );
        fs::write(dir.join("nginx.conf"), configuration).unwrap();
        let mut nginx = Command::new("nginx");
        nginx
            .arg("-p")
            .arg(&dir)
            .args(["-c", "nginx.conf", "-e", "error.log"]);
        let nginx = nginx.stdin(Stdio::null()).spawn().unwrap();
        wait_for("nginx", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Proxy {
            port,
            certificate,
            nginx,
        }
    }

    /// The site as a browser knows it.
    fn site(&self) -> String {
        format!("https://{NAME}:{}", self.port)
    }

    fn curl(&self, path: &str, arguments: &[&str]) -> Command {
        let mut curl = Command::new("curl");
        curl.args([
            "--silent",
            "--show-error",
            "--include",
            "--http1.1",
            "--max-time",
            "60",
        ])
        .args(["--cacert", &self.certificate])
        .args(["--resolve", &format!("{NAME}:{}:127.0.0.1", self.port)])
        .args(arguments)
        .arg(format!("{}{path}", self.site()));
        curl
    }

    fn ask(&self, path: &str, arguments: &[&str]) -> Answer {
        let output = self.curl(path, arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        read_answer(&output.stdout[..]).unwrap()
    }

    /// A stream of events, from its head on.
    fn listen(&self, path: &str, cookie: &str) -> (Child, std::io::Lines<BufReader<ChildStdout>>) {
        let mut curl = self.curl(path, &["--no-buffer", "--header", cookie]);
        let mut curl = curl.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(curl.stdout.take().unwrap()).lines();
        (curl, lines)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        crate::kiosk::signal(self.nginx.id(), "TERM");
        let _ = self.nginx.wait();
    }
}

fn kiosk() -> Kiosk {
    let dir = fresh_dir();
    let document = json!({"version": 3, "processes": {"one": {"command": "sleep 1000"}}});
    fs::write(dir.join("config.json"), document.to_string()).unwrap();
    let called = wrapped(&dir, "", &format!("--host {NAME}"));
    Kiosk::start_program(called, dir)
}

fn until(lines: &mut std::io::Lines<BufReader<ChildStdout>>, wanted: &str) {
    let found = lines.find(|line| line.as_ref().unwrap().trim_end() == wanted);
    assert!(found.is_some(), "the stream has ended before {wanted}");
}

#[test]
fn behind_a_proxy_everything_is_as_it_is_without_and_the_cookie_is_secure() {
    let kiosk = kiosk();
    let proxy = Proxy::before(&kiosk);
    let json = "Content-Type: application/json";
    let origin = format!("Origin: {}", proxy.site());
    let post = |path: &str, origin: &str, body: &str| {
        proxy.ask(
            path,
            &["--header", json, "--header", origin, "--data", body],
        )
    };
    let code = kiosk.ossuary(&["status"]).stdout;
    let code = String::from_utf8(code).unwrap();
    let (_, code) = code.split_once("claim code: ").unwrap();
    let claim = json!({"code": &code[..9], "password": PASSWORD}).to_string();
    let foreign = post("/api/claim", "Origin: https://evil.example", &claim);
    assert_eq!(foreign.json()["type"], "/problems/foreign-origin");
    let claimed = post("/api/claim", &origin, &claim);
    assert_eq!(claimed.status, 200, "{}", claimed.text());

    let login = json!({"password": PASSWORD}).to_string();
    let signed_in = post("/api/login", &origin, &login);
    let set = (signed_in.head.lines())
        .find_map(|line| line.strip_prefix("Set-Cookie: "))
        .expect("a cookie");
    assert!(
        set.ends_with("; HttpOnly; SameSite=Strict; Secure"),
        "{set}"
    );
    let cookie = format!("Cookie: {}", set.split(';').next().unwrap());

    assert_eq!(proxy.ask("/api/status", &[]).status, 401);
    assert_eq!(proxy.ask("/api/status", &["--header", &cookie]).status, 200);
    let page = proxy.ask("/", &[]);
    assert!(
        page.head
            .contains("Content-Security-Policy: default-src 'none'")
    );

    let (mut curl, mut events) = proxy.listen("/api/events", &cookie);
    until(&mut events, "event: snapshot");
    let change = ["--header", &cookie, "--header", &origin, "--header", json];
    let name = ["--request", "PUT", "--data", r#"{"name": "Uno"}"#];
    let changed = proxy.ask("/api/processes/one", &[&change[..], &name[..]].concat());
    assert_eq!(changed.status, 200, "{}", changed.text());
    // Nothing on the way gathers events until there are more of them.
    until(&mut events, "event: change");
    let signed_out = [
        "--header",
        &cookie,
        "--header",
        &origin,
        "--request",
        "POST",
    ];
    assert_eq!(proxy.ask("/api/logout", &signed_out).status, 204);
    assert!(curl.wait().is_ok(), "the stream ends with its session");

    // By another name, as a site that rebinds its own would ask.
    let rebound = proxy.ask("/api/claim", &["--header", "Host: evil.example"]);
    assert_eq!(rebound.json()["type"], "/problems/foreign-host");
}
