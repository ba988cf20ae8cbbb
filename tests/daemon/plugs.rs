//! A screen that is unplugged and plugged in again under a page, on an X server without a window manager.

use crate::health::{print_elapsed, runs};
use crate::kiosk::{Kiosk, fresh_dir, wait_for};
use crate::screen::display_process;
use crate::stage::{SWITCHES, Site, TEAL};
use crate::xvfb::{Colour, Picture};
use nix::unistd::geteuid;
use serde_json::json;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// The X server that drives real screens, with none.
struct Xorg {
    name: String,
    server: Child,
    dir: PathBuf,
}

const SETTINGS: &str = r#"
Section "ServerFlags"
  Option "AutoAddDevices" "false"
EndSection
Section "Device"
  Identifier "none"
  Driver "dummy"
  VideoRam 16384
EndSection
Section "Monitor"
  Identifier "any"
  HorizSync 5-1000
  VertRefresh 5-200
EndSection
Section "Screen"
  Identifier "screen"
  Device "none"
  Monitor "any"
  DefaultDepth 24
  SubSection "Display"
    Depth 24
    Modes "1024x768" "800x600"
  EndSubSection
EndSection
"#;

impl Xorg {
    fn start() -> Xorg {
        let dir = fresh_dir();
        let settings = dir.join("xorg.conf");
        fs::write(&settings, SETTINGS).unwrap();
        let name = format!(":{}", 60 + std::process::id() % 40);
        let server = Command::new("Xorg")
            .args([&name, "-ac", "-noreset", "-nolisten", "tcp"])
            .args(["-novtswitch", "-sharevts", "-config"])
            .arg(&settings)
            .arg("-logfile")
            .arg(dir.join("log"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xorg is installed");
        let xorg = Xorg { name, server, dir };
        wait_for("the X server", || xorg.randr(&[]));
        xorg
    }

    /// Has the server do something with its screen.
    fn randr(&self, words: &[&str]) -> bool {
        let mut command = Command::new("xrandr");
        command.args(["--display", &self.name]).args(words);
        command.output().unwrap().status.success()
    }

    fn is_all(&self, (width, height): (usize, usize), colour: Colour) -> bool {
        let shot = Command::new("xwd")
            .args(["-root", "-silent", "-display", &self.name])
            .output()
            .unwrap()
            .stdout;
        let Some(picture) = Picture::of(&shot) else {
            return false;
        };
        let corners = [
            (1, 1),
            (width - 2, 1),
            (1, height - 2),
            (width - 2, height - 2),
        ];
        picture.size == (width, height)
            && corners.iter().all(|place| {
                let at = picture.at(*place);
                shot.get(at..at + 3) == Some(&[colour[2], colour[1], colour[0]])
            })
    }
}

impl Drop for Xorg {
    fn drop(&mut self) {
        crate::kiosk::signal(self.server.id(), "TERM");
        let _ = self.server.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

#[test]
fn a_page_fills_a_screen_that_was_plugged_in_again() {
    if !geteuid().is_root() {
        eprintln!("skipped: this X server is started by root alone");
        return;
    }
    let (x, site) = (Xorg::start(), Site::open());
    let kiosk = Kiosk::with(json!({"screen": display_process(json!({
        "command": format!("chromium {SWITCHES}"),
        "url": site.page("teal"),
        "display": x.name,
    }))}));
    wait_for("the page", || x.is_all((1024, 768), TEAL));
    let before = kiosk.process("screen");
    for round in 0..2 * runs() {
        let (mode, size) = match round % 2 {
            0 => ("800x600", (800, 600)),
            _ => ("1024x768", (1024, 768)),
        };
        // Without this xrandr would make the screen as large as what is plugged in, which is nothing.
        assert!(x.randr(&["--fb", mode, "--output", "DUMMY0", "--off"]));
        assert!(x.randr(&["--output", "DUMMY0", "--mode", mode]));
        let begun = Instant::now();
        wait_for("the page on all of the screen", || x.is_all(size, TEAL));
        print_elapsed("full screen again after", begun);
        let has_mode = |display: &serde_json::Value| display["resolution"] == mode;
        crate::displays::until(&kiosk, &x.name, has_mode);
    }
    let after = kiosk.until("screen", |screen| screen["page"]["state"] == "healthy");
    assert_eq!(after["pid"], before["pid"]);
    assert_eq!(after["restarts"], 0);
}
