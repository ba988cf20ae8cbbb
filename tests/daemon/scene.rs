//! A whole kiosk with a real browser that shows a page of a site.

use crate::kiosk::{Kiosk, fresh_dir, open_to_all};
use crate::screen::display_process;
use crate::stage::{SWITCHES, Site};
use crate::xvfb::Xvfb;
use serde_json::{Value, json};
use std::fs;

/// A kiosk whose browser shows a page of a site.
pub struct Scene {
    pub x: Xvfb,
    pub site: Site,
    pub kiosk: Kiosk,
}

impl Scene {
    /// Begins with the page of this name.
    pub fn with(page: &str) -> Scene {
        let (x, site) = (Xvfb::start(), Site::open());
        let dir = fresh_dir();
        open_to_all(&dir);
        let screen = display_process(json!({
            "command": format!("chromium {SWITCHES}"),
            "url": site.page(page),
            "display": x.name,
            "flags": {"kiosk": true},
        }));
        let document = json!({"version": 3, "processes": {"screen": screen}});
        let file = dir.join("config.json");
        fs::write(file, document.to_string()).unwrap();
        let kiosk = Kiosk::start_in(dir);
        Scene { x, site, kiosk }
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
