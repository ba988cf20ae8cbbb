//! The screens of a Wayland compositor: switched, turned, and plugged in and out under a page.

use crate::kiosk::{Kiosk, fresh_dir, wait_for};
use crate::screen::display_process;
use crate::stage::{SWITCHES, Site, TEAL};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A compositor without a screen. It refuses to be root, so it is nobody where the tests are.
struct Sway {
    runtime: PathBuf,
    /// The display that it serves.
    name: String,
    server: Child,
}

impl Sway {
    fn start() -> Sway {
        let runtime = fresh_dir();
        let config = runtime.join("config");
        fs::write(
            &config,
            "xwayland disable\ndefault_border none\noutput * resolution 800x600\n",
        )
        .unwrap();
        let sway = format!("umask 0; exec sway --config {}", config.display());
        let mut command = match nix::unistd::geteuid().is_root() {
            true => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]);
                command.args(["sh", "-c", &sway]);
                command
            }
            false => {
                let mut command = Command::new("sh");
                command.args(["-c", &sway]);
                command
            }
        };
        let server = command
            .env("XDG_RUNTIME_DIR", &runtime)
            .env("HOME", &runtime)
            .env("WLR_BACKENDS", "headless")
            .env("WLR_RENDERER", "pixman")
            .env("WLR_LIBINPUT_NO_DEVICES", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut name = None;
        wait_for("the compositor's socket", || {
            name = entry(&runtime, |name| {
                name.starts_with("wayland-") && !name.ends_with(".lock")
            });
            name.is_some()
        });
        let name = name
            .unwrap()
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        Sway {
            runtime,
            name,
            server,
        }
    }

    /// Has the compositor do something.
    fn tell(&self, words: &[&str]) {
        let socket = entry(&self.runtime, |name| name.starts_with("sway-ipc"));
        let status = Command::new("swaymsg")
            .arg("--socket")
            .arg(socket.unwrap())
            .args(words)
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "swaymsg {words:?}");
    }

    /// Whether this colour is all over an output, which is of this size.
    fn is_all(&self, output: &str, size: (usize, usize), colour: [u8; 3]) -> bool {
        let picture = Command::new("grim")
            .args(["-t", "ppm", "-o", output, "-"])
            .env("XDG_RUNTIME_DIR", &self.runtime)
            .env("WAYLAND_DISPLAY", &self.name)
            .stderr(Stdio::null())
            .output()
            .unwrap()
            .stdout;
        // Netpbm's own description: three lines of head, then three bytes a pixel.
        let (width, height) = size;
        let head = format!("P6\n{width} {height}\n255\n");
        let Some(pixels) = picture.strip_prefix(head.as_bytes()) else {
            return false;
        };
        let places = [
            (width / 2, height / 2),
            (1, 1),
            (width - 2, 1),
            (1, height - 2),
            (width - 2, height - 2),
        ];
        places.iter().all(|(x, y)| {
            pixels
                .get((y * width + x) * 3..)
                .is_some_and(|at| at.starts_with(&colour))
        })
    }

    /// A kiosk whose daemon finds this compositor, with a browser that shows this page.
    fn kiosk(&self, page: &str) -> Kiosk {
        let runtime = self.runtime.to_str().unwrap();
        let screen = display_process(json!({
            "command": format!("chromium {SWITCHES}"),
            "url": page,
            "display": self.name,
            "flags": {"kiosk": true},
            "env": {"XDG_RUNTIME_DIR": runtime},
        }));
        let dir = fresh_dir();
        let document = json!({"version": 3, "processes": {"screen": screen}});
        fs::write(dir.join("config.json"), document.to_string()).unwrap();
        Kiosk::start_supervised(dir, vec![("XDG_RUNTIME_DIR".into(), runtime.into())])
    }

    /// What is told of its display, once it looks like this.
    fn until(&self, kiosk: &Kiosk, looks_right: impl Fn(&Value) -> bool) -> Value {
        crate::displays::until(kiosk, &self.name, looks_right)
    }
}

impl Drop for Sway {
    fn drop(&mut self) {
        crate::kiosk::signal(self.server.id(), "TERM");
        let _ = self.server.wait();
        let _ = fs::remove_dir_all(&self.runtime);
    }
}

fn entry(directory: &Path, is_it: impl Fn(&str) -> bool) -> Option<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().flatten();
    let mut paths = entries.map(|entry| entry.path());
    paths.find(|path| {
        path.file_name()
            .and_then(|name| name.to_str())
            .is_some_and(&is_it)
    })
}

#[test]
fn a_page_fills_whatever_screen_is_plugged_in() {
    let (sway, site) = (Sway::start(), Site::open());
    sway.tell(&["create_output"]);
    sway.tell(&["output", "HEADLESS-2", "disable"]);
    let kiosk = sway.kiosk(&site.page("teal"));
    wait_for("the page", || sway.is_all("HEADLESS-1", (800, 600), TEAL));
    let before = kiosk.process("screen");
    let rounds = 2 * crate::health::runs();
    for round in 0..rounds {
        let (old, new, size) = match round % 2 {
            0 => ("HEADLESS-1", "HEADLESS-2", (1024, 768)),
            _ => ("HEADLESS-2", "HEADLESS-1", (800, 600)),
        };
        sway.tell(&["output", old, "disable"]);
        let resolution = format!("{}x{}", size.0, size.1);
        sway.tell(&["output", new, "enable", "resolution", &resolution]);
        wait_for("the page on the other screen", || {
            sway.is_all(new, size, TEAL)
        });
        sway.until(&kiosk, |display| {
            display["output"] == new && display["resolution"] == resolution
        });
    }
    let after = kiosk.until("screen", |screen| screen["page"]["state"] == "healthy");
    assert_eq!(after["pid"], before["pid"]);
    assert_eq!(after["restarts"], 0);
}

#[test]
fn a_screen_is_switched_by_its_compositor_and_stays_as_it_was_asked_for() {
    let (sway, site) = (Sway::start(), Site::open());
    let kiosk = sway.kiosk(&site.page("teal"));
    sway.until(&kiosk, |display| display["power"]["actual"] == "on");
    let switch = |on: bool| {
        let path = format!("/api/displays/{}/power", sway.name);
        let answer = kiosk.send("POST", &path, json!({"on": on}));
        assert_eq!(answer.status, 202, "{}", answer.text());
    };
    switch(false);
    let off = sway.until(&kiosk, |display| display["power"]["actual"] == "off");
    assert_eq!(off["power"]["requested"], "off");
    assert_eq!(off["power"]["backend"], "wlr-output-power");
    // Somebody else switches it on: that is seen at once, and undone.
    sway.tell(&["output", "*", "dpms", "on"]);
    sway.until(&kiosk, |display| display["power"]["actual"] == "on");
    let off = sway.until(&kiosk, |display| display["power"]["actual"] == "off");
    assert_eq!(off["power"]["requested"], "off");
    switch(true);
    sway.until(&kiosk, |display| {
        display["power"]["actual"] == "on" && display["power"]["problem"].is_null()
    });
    wait_for("the page", || sway.is_all("HEADLESS-1", (800, 600), TEAL));
}

#[test]
fn a_picture_is_turned_as_the_document_says_and_fills_the_screen() {
    let (sway, site) = (Sway::start(), Site::open());
    let kiosk = sway.kiosk(&site.page("teal"));
    wait_for("the page", || sway.is_all("HEADLESS-1", (800, 600), TEAL));
    let mut document = kiosk.file();
    document["displays"] = json!({ &sway.name: {"rotation": 90} });
    let answer = kiosk.send("PUT", "/api/config", document);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let turned = sway.until(&kiosk, |display| display["rotation"]["actual"] == 90);
    assert_eq!(turned["resolution"], "600x800");
    assert_eq!(turned["rotation"]["problem"], Value::Null);
    wait_for("the page, upright", || {
        sway.is_all("HEADLESS-1", (600, 800), TEAL)
    });
}
