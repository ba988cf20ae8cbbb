//! The page on the screen is untrusted: it can neither control the kiosk nor read anything of it.

use crate::scene::{Scene, programs};
use std::collections::BTreeSet;
use std::fs;

#[test]
fn the_page_on_the_screen_can_neither_drive_the_kiosk_nor_read_it() {
    let scene = Scene::with("teal");
    let before = scene.until_well("teal");
    let file = fs::read(scene.kiosk.config_file()).unwrap();

    // It knows where the daemon listens.
    let page = format!("prisoner?{}", scene.kiosk.address.port());
    scene.navigate(&page);
    let after = scene.kiosk.until("screen", |screen| {
        screen["page"]["title"]
            .as_str()
            .is_some_and(|title| title.starts_with("done"))
    });
    assert_eq!(
        after["page"]["title"], "done, and got:",
        "what it could read"
    );
    for unchanged in [
        "pid", "restarts", "command", "url", "name", "enabled", "since",
    ] {
        assert_eq!(after[unchanged], before[unchanged], "{unchanged}");
    }
    assert_eq!(fs::read(scene.kiosk.config_file()).unwrap(), file);
    let all = scene.kiosk.get("/api/processes").json();
    let ids: Vec<&String> = all["processes"].as_object().unwrap().keys().collect();
    assert_eq!(ids, ["screen"]);
    assert_eq!(scene.kiosk.get("/api/claim").json()["claimed"], false);
    let tokens = scene.kiosk.get("/api/tokens").json();
    assert_eq!(
        tokens["tokens"].as_array().map(Vec::len),
        Some(1),
        "the test's own"
    );
}

#[test]
fn the_browser_has_no_port_by_which_it_could_be_driven() {
    let scene = Scene::with("teal");
    let pid = scene.until_well("teal")["pid"].as_u64().unwrap();
    let listening = listening();
    for program in programs(pid) {
        for socket in sockets(program) {
            assert!(!listening.contains(&socket), "{program} listens");
        }
    }
}

/// The inodes of all TCP sockets that listen (proc_pid_net(5)).
fn listening() -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        for line in fs::read_to_string(table).unwrap_or_default().lines() {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if fields.get(3) == Some(&"0A") {
                all.insert(fields[9].to_owned());
            }
        }
    }
    assert!(!all.is_empty(), "the daemon listens, at least");
    all
}

/// The inodes of a program's sockets.
fn sockets(pid: u32) -> Vec<String> {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return Vec::new();
    };
    let links = descriptors
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok());
    links
        .filter_map(|link| {
            let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
            Some(inode.to_owned())
        })
        .collect()
}
