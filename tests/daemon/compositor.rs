//! The screens of a Wayland compositor: switched, turned, and plugged in and out under a page.

use crate::health::print_elapsed;
use crate::kiosk::{Kiosk, fresh_dir, open_to_all, wait_for};
use crate::scene::Screen;
use crate::stage::{Site, TEAL};
use crate::xvfb::Colour;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// A compositor without a screen. It refuses to run as root, so it runs as the account `nobody` if the tests are root.
struct Compositor {
    runtime: PathBuf,
    /// The display that it serves.
    name: String,
    server: Child,
}

impl Compositor {
    fn start(runtime: PathBuf, program: &str) -> Compositor {
        let line = format!("umask 0; exec {program}");
        let mut command = match nix::unistd::geteuid().is_root() {
            true => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]);
                command.args(["sh", "-c", &line]);
                command
            }
            false => {
                let mut command = Command::new("sh");
                command.args(["-c", &line]);
                command
            }
        };
        let server = command
            .env("XDG_RUNTIME_DIR", &runtime)
            .env("HOME", &runtime)
            .env("WLR_BACKENDS", "headless")
            .env("WLR_RENDERER", "pixman")
            .env("WLR_LIBINPUT_NO_DEVICES", "1")
            // Displays for programs of X would be the lowest ones, which other tests need.
            .env("WLR_XWAYLAND", "/nowhere")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let is_display = |name: &str| name.starts_with("wayland-") && !name.ends_with(".lock");
        let mut name = None;
        wait_for("the compositor", || {
            name = entry(&runtime, is_display)
                .and_then(|path| Some(path.file_name()?.to_str()?.to_owned()));
            name.is_some()
        });
        Compositor {
            runtime,
            name: name.unwrap(),
            server,
        }
    }

    /// Nothing where this machine has one that cannot switch an output without a screen.
    fn sway() -> Option<Compositor> {
        let runtime = fresh_dir();
        let config = runtime.join("config");
        fs::write(
            &config,
            "xwayland disable\ndefault_border none\noutput * resolution 800x600\n",
        )
        .unwrap();
        let program = format!("sway --config {}", config.display());
        let sway = Compositor::start(runtime, &program);
        wait_for("its answers", || sway.command(&["nop"]));
        let can_switch = sway.command(&["output", "*", "dpms", "off"]) && !sway.is_lit();
        sway.command(&["output", "*", "dpms", "on"]);
        can_switch.then_some(sway)
    }

    /// Sends a command to the compositor. Returns whether it succeeded.
    fn command(&self, words: &[&str]) -> bool {
        self.message(words).is_some()
    }

    /// Whether an output is on.
    fn is_lit(&self) -> bool {
        let outputs = self.message(&["-t", "get_outputs"]).unwrap_or_default();
        let outputs: Value = serde_json::from_slice(&outputs).unwrap_or_default();
        outputs[0]["dpms"] == true
    }

    fn message(&self, words: &[&str]) -> Option<Vec<u8>> {
        let socket = entry(&self.runtime, |name| name.starts_with("sway-ipc"))?;
        let output = Command::new("swaymsg")
            .arg("--socket")
            .arg(socket)
            .args(words)
            .output()
            .unwrap();
        output.status.success().then_some(output.stdout)
    }

    /// What is on the screen; nothing before there is a screen of this size.
    fn picture(&self, size: (usize, usize)) -> Option<Vec<u8>> {
        let picture = Command::new("grim")
            .args(["-t", "ppm", "-"])
            .env("XDG_RUNTIME_DIR", &self.runtime)
            .env("WAYLAND_DISPLAY", &self.name)
            .stderr(Stdio::null())
            .output()
            .unwrap()
            .stdout;
        // Netpbm's own description: three lines of head, then three bytes a pixel.
        let head = format!("P6\n{} {}\n255\n", size.0, size.1);
        let pixels = picture.strip_prefix(head.as_bytes())?;
        (pixels.len() == size.0 * size.1 * 3).then(|| pixels.to_vec())
    }

    /// Whether this colour is all over the screen, which is of this size.
    fn is_all(&self, size: (usize, usize), colour: Colour) -> bool {
        let (width, height) = size;
        let places = [
            (width / 2, height / 2),
            (1, 1),
            (width - 2, 1),
            (1, height - 2),
            (width - 2, height - 2),
        ];
        self.picture(size).is_some_and(|pixels| {
            let is_so = |place: &(usize, usize)| at(&pixels, width, *place) == colour;
            places.iter().all(is_so)
        })
    }

    /// Where its clients look for it.
    fn surroundings(&self) -> Vec<(String, String)> {
        vec![(
            "XDG_RUNTIME_DIR".into(),
            self.runtime.to_str().unwrap().into(),
        )]
    }

    /// A kiosk whose daemon finds this compositor, with a browser that shows this page.
    fn kiosk(&self, page: &str) -> Kiosk {
        crate::scene::kiosk(&self.name, self.surroundings(), page)
    }

    /// The API's view of its display, once it satisfies this.
    fn until(&self, kiosk: &Kiosk, looks_right: impl Fn(&Value) -> bool) -> Value {
        crate::displays::until(kiosk, &self.name, looks_right)
    }
}

/// A screen that is [`Cage::SIZE`] large, with what our images have on it: one window at a time, as large as all.
pub struct Cage(Compositor);

impl Cage {
    /// What the headless backend gives without a configuration.
    const SIZE: (usize, usize) = (1280, 720);

    /// Nothing where this machine has one before 0.2: without a screen, that shows the first frame of a window
    /// and no other.
    pub fn start() -> Option<Cage> {
        let version = Command::new("cage").arg("-v").output().unwrap().stdout;
        if String::from_utf8_lossy(&version).contains("version 0.1.") {
            return None;
        }
        let runtime = fresh_dir();
        open_to_all(&runtime);
        Some(Cage(Compositor::start(runtime, "cage -d -- sleep 100000")))
    }
}

impl Screen for Cage {
    fn display(&self) -> &str {
        &self.0.name
    }

    fn surroundings(&self) -> Vec<(String, String)> {
        self.0.surroundings()
    }

    fn size(&self) -> (usize, usize) {
        Self::SIZE
    }

    fn colour(&self, place: (usize, usize)) -> Colour {
        let pixels = self.0.picture(Self::SIZE);
        at(&pixels.expect("a picture"), Self::SIZE.0, place)
    }

    fn is_all(&self, colour: Colour) -> bool {
        self.0.is_all(Self::SIZE, colour)
    }
}

/// The colour at a place of a picture.
fn at(pixels: &[u8], width: usize, (x, y): (usize, usize)) -> Colour {
    let begin = (y * width + x) * 3;
    [pixels[begin], pixels[begin + 1], pixels[begin + 2]]
}

impl Drop for Compositor {
    fn drop(&mut self) {
        let _ = self.server.kill();
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

/// These tests need a compositor whose outputs can be switched, which sway's are without a screen from 1.8 on.
macro_rules! sway {
    () => {
        match Compositor::sway() {
            Some(sway) => sway,
            None => {
                eprintln!("skipped: this sway cannot switch an output that is not there; 1.8 can");
                return;
            }
        }
    };
}

#[test]
fn a_page_fills_the_screen_that_its_compositor_has_found_again() {
    let (sway, site) = (sway!(), Site::open());
    let kiosk = sway.kiosk(&site.page("teal"));
    wait_for("the page", || sway.is_all((800, 600), TEAL));
    let before = kiosk.process("screen");
    for round in 0..2 * crate::health::runs() {
        let (resolution, size) = match round % 2 {
            0 => ("1024x768", (1024, 768)),
            _ => ("800x600", (800, 600)),
        };
        assert!(sway.command(&["output", "*", "disable"]));
        sway.until(&kiosk, |display| display["outputs"] == json!([]));
        assert!(sway.command(&["output", "*", "enable", "resolution", resolution]));
        let begun = Instant::now();
        wait_for("the page on all of the screen", || sway.is_all(size, TEAL));
        print_elapsed("full screen again after", begun);
        sway.until(&kiosk, |display| display["resolution"] == resolution);
    }
    let after = kiosk.until("screen", |screen| screen["page"]["state"] == "healthy");
    assert_eq!(after["pid"], before["pid"]);
    assert_eq!(after["restarts"], 0);
}

#[test]
fn a_screen_is_switched_by_its_compositor_and_stays_as_it_was_asked_for() {
    let (sway, site) = (sway!(), Site::open());
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
    // Another program switches it on: that is noticed and undone.
    assert!(sway.command(&["output", "*", "dpms", "on"]));
    sway.until(&kiosk, |display| display["power"]["actual"] == "on");
    let off = sway.until(&kiosk, |display| display["power"]["actual"] == "off");
    assert_eq!(off["power"]["requested"], "off");
    switch(true);
    sway.until(&kiosk, |display| {
        display["power"]["actual"] == "on" && display["power"]["problem"].is_null()
    });
    wait_for("the page", || sway.is_all((800, 600), TEAL));
}

#[test]
fn a_picture_is_turned_as_the_document_says_and_fills_the_screen() {
    let (sway, site) = (sway!(), Site::open());
    let kiosk = sway.kiosk(&site.page("teal"));
    wait_for("the page", || sway.is_all((800, 600), TEAL));
    let mut document = kiosk.file();
    document["displays"] = json!({ &sway.name: {"rotation": 90} });
    let answer = kiosk.send("PUT", "/api/config", document);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let turned = sway.until(&kiosk, |display| display["rotation"]["actual"] == 90);
    assert_eq!(turned["resolution"], "600x800");
    assert_eq!(turned["rotation"]["problem"], Value::Null);
    wait_for("the page, upright", || sway.is_all((600, 800), TEAL));
}
