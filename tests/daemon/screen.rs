//! The main job: the plan's own document on a real X display, with a real Chromium.

use crate::kiosk::{Kiosk, fresh_dir, wait_for};
use crate::scene::Screen;
use crate::xvfb::{Colour, Xvfb};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};

/// A display without content: a socket that accepts, which is what makes a display exist.
pub struct PretendDisplay {
    pub name: String,
    socket: PathBuf,
    _listener: UnixListener,
}

pub fn pretend_display() -> PretendDisplay {
    static NEXT: AtomicU8 = AtomicU8::new(200);
    let directory = Path::new("/tmp/.X11-unix");
    let _ = fs::create_dir_all(directory);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let socket = directory.join(format!("X{number}"));
    let _ = fs::remove_file(&socket);
    PretendDisplay {
        name: format!(":{number}"),
        _listener: UnixListener::bind(&socket).unwrap(),
        socket,
    }
}

impl Drop for PretendDisplay {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.socket);
    }
}

/// A display process for this machine. A browser runs as root only if the configuration says so
/// by name; where the tests run as root and there is no ordinary account, this says so.
pub fn display_process(mut process: Value) -> Value {
    process["type"] = json!("chromium");
    let root = fs::metadata("/proc/self").is_ok_and(|own| {
        use std::os::unix::fs::MetadataExt;
        own.uid() == 0
    });
    let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let ordinary = accounts.lines().any(|line| {
        let uid = line
            .split(':')
            .nth(2)
            .and_then(|uid| uid.parse::<u32>().ok());
        uid.is_some_and(|uid| (1000..60000).contains(&uid)) || line.starts_with("kiosk:")
    });
    if root && !ordinary {
        process["user"] = json!("root");
    }
    process
}

const TEAL: Colour = [15, 118, 110];
const SWITCHES: &str = "--no-sandbox --disable-gpu --disable-quic --disable-background-networking --disable-component-update --disable-sync";

fn page(dir: &Path) -> String {
    let file = dir.join("page.html");
    fs::write(
        &file,
        "<!doctype html><title>Gallery</title><style>body{background:rgb(15,118,110);margin:0}</style>",
    )
    .unwrap();
    format!("file://{}", file.display())
}

/// The plan's document, its commands replaced by such as exist here.
fn the_plans_document(dir: &Path, display: &str) -> Value {
    let text =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/plan.json")).unwrap();
    let mut document: Value = serde_json::from_str(&text).unwrap();
    let sync = dir.join("sync.py");
    fs::write(
        &sync,
        "import time\nprint('syncing', flush=True)\ntime.sleep(1000)\n",
    )
    .unwrap();
    let server = dir.join("server.js");
    fs::write(
        &server,
        "console.log('serving'); setTimeout(() => {}, 1e6)\n",
    )
    .unwrap();
    let processes = &mut document["processes"];
    processes["main-display"]["command"] =
        json!(format!("chromium --kiosk {SWITCHES} {}", page(dir)));
    processes["main-display"]["display"] = json!(display);
    processes["data-sync"]["command"] = json!(format!("python3 {}", sync.display()));
    processes["api-server"]["command"] = json!(format!("node {}", server.display()));
    processes["main-display"] = display_process(processes["main-display"].take());
    document
}

#[test]
fn the_plans_kiosk_shows_its_page_and_keeps_its_programs() {
    let x0 = Xvfb::at(0);
    let x1 = Xvfb::at(1);
    let dir = fresh_dir();
    crate::kiosk::open_to_all(&dir);
    let kiosk = Kiosk::start(the_plans_document(&dir, ":0"));

    // The display may appear later than the daemon, which does not poll for it.
    let all = kiosk.until_all(|all| {
        ["main-display", "data-sync", "api-server"]
            .iter()
            .all(|id| all[*id]["status"] == "running")
    });
    wait_for("the page on :0", || x0.is_all(TEAL));
    x0.photograph("kiosk-on-0.png");
    kiosk.until_logged("data-sync", "syncing");
    kiosk.until_logged("api-server", "serving");

    // The plan's answer.
    let answer = kiosk.get("/api/processes").json();
    assert_eq!(answer["active_display"], "main-display");
    let main = &answer["processes"]["main-display"];
    assert_eq!(main["id"], "main-display");
    assert_eq!(main["name"], "Gallery Display");
    assert_eq!(main["type"], "chromium");
    assert_eq!(main["enabled"], true);
    assert_eq!(main["status"], "running");
    assert_eq!(main["pid"], all["main-display"]["pid"]);
    assert_eq!(main["restarts"], 0);
    assert!(main["uptime"].is_u64());

    // Moving the process moves the picture.
    let answer = kiosk.send(
        "PUT",
        "/api/processes/main-display",
        json!({"display": ":1"}),
    );
    assert_eq!(answer.status, 200, "{}", answer.text());
    wait_for("the page on :1", || x1.is_all(TEAL));
    wait_for("nothing more on :0", || !x0.is_all(TEAL));
    x1.photograph("kiosk-on-1.png");
    let displays = kiosk.get("/api/displays").json();
    let holder = |name: &str| {
        displays["displays"]
            .as_array()
            .unwrap()
            .iter()
            .find(|display| display["name"] == name)
            .map(|display| display["process"].clone())
    };
    assert_eq!(holder(":1"), Some(json!("main-display")));
    assert_eq!(holder(":0"), Some(Value::Null));
    drop(kiosk);
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_browser_waits_for_its_display_and_starts_when_it_appears() {
    let number = 198;
    let kiosk = Kiosk::with(json!({"screen": display_process(json!({
        "command": "sleep 1000",
        "display": format!(":{number}")
    }))}));
    let waiting = kiosk.until_status("screen", "waiting");
    assert_eq!(waiting["reason"], "waits for display :198");
    let x = Xvfb::at(number);
    kiosk.until_status("screen", "running");
    drop(x);
}
