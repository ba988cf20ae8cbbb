//! A whole kiosk with a real browser that shows a page of a site.

use crate::kiosk::{Kiosk, fresh_dir, open_to_all};
use crate::screen::display_process;
use crate::stage::{SWITCHES, Site};
use crate::xvfb::{Colour, Xvfb};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;

/// A screen whose picture can be read.
pub trait Screen {
    /// The display that leads to it.
    fn display(&self) -> &str;

    /// The environment of a program that shows something on it.
    fn surroundings(&self) -> Vec<(String, String)>;

    /// Its width and height.
    fn size(&self) -> (usize, usize);

    /// The colour at a place.
    fn colour(&self, place: (usize, usize)) -> Colour;

    /// Whether this colour is to be seen everywhere, the corners included.
    fn is_all(&self, colour: Colour) -> bool;
}

/// A kiosk whose browser shows a page of a site on a screen.
pub struct Scene<S: Screen> {
    pub screen: S,
    pub site: Site,
    pub kiosk: Kiosk,
}

impl Scene<Xvfb> {
    /// Begins with the page of this name, on a screen of its own.
    pub fn with(page: &str) -> Self {
        Scene::on(Xvfb::start(), page)
    }
}

impl<S: Screen> Scene<S> {
    /// Begins with the page of this name on this screen.
    pub fn on(screen: S, page: &str) -> Self {
        let site = Site::open();
        let kiosk = kiosk(screen.display(), screen.surroundings(), &site.page(page));
        Scene {
            screen,
            site,
            kiosk,
        }
    }

    /// Waits until the page is in this state, and gives the whole process.
    pub fn until(&self, state: &str) -> Value {
        self.kiosk
            .until("screen", |screen| screen["page"]["state"] == state)
    }

    /// Waits until the page of this name is on the screen and well.
    pub fn until_well(&self, page: &str) -> Value {
        let url = self.site.page(page);
        self.kiosk.until("screen", |screen| {
            screen["page"]["state"] == "healthy" && screen["page"]["url"] == url
        })
    }

    /// Another address in the configuration: another command line, so another browser.
    pub fn configure(&self, url: &str) {
        let answer = self
            .kiosk
            .send("PUT", "/api/processes/screen", json!({"url": url}));
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    pub fn navigate(&self, page: &str) {
        let url = json!({"url": self.site.page(page)});
        let answer = self
            .kiosk
            .send("POST", "/api/processes/screen/navigate", url);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

/// A kiosk with a browser that shows this page on this display, in these surroundings.
pub fn kiosk(display: &str, surroundings: Vec<(String, String)>, page: &str) -> Kiosk {
    let env: BTreeMap<&str, &str> = surroundings
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let process = display_process(json!({
        "command": format!("chromium {SWITCHES}"),
        "url": page,
        "display": display,
        "flags": {"kiosk": true},
        "env": env,
    }));
    let dir = fresh_dir();
    open_to_all(&dir);
    let document = json!({"version": 3, "processes": {"screen": process}});
    fs::write(dir.join("config.json"), document.to_string()).unwrap();
    Kiosk::start_supervised(dir, surroundings)
}

/// Every program of the browser with this PID: they are one process group.
pub fn programs(browser: u64) -> Vec<u32> {
    let of_browser = |pid: &u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let group = stat
            .rsplit(')')
            .next()
            .and_then(|rest| rest.split(' ').nth(3));
        group == Some(&browser.to_string())
    };
    let all = fs::read_dir("/proc").unwrap().flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(of_browser)
        .collect()
}

/// What draws the pages.
pub fn renderers(browser: u64) -> Vec<u32> {
    let draws = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains("--type=renderer")
    };
    programs(browser).into_iter().filter(draws).collect()
}
