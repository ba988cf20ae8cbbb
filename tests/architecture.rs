//! Which module may use which, read from the sources: a forbidden dependency fails this test.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::fs;
use std::path::{Path, PathBuf};

/// For each module at the top, the others that it may use. All may use `text` and `time`.
const DEPENDENCIES: &[(&str, &[&str])] = &[
    ("text", &[]),
    ("time", &[]),
    ("facts", &[]),
    ("config", &[]),
    ("logs", &["config"]),
    ("auth", &[]),
    ("supervisor", &["config"]),
    ("browser", &["config", "supervisor"]),
    ("sys", &["config", "supervisor", "logs", "facts"]),
    ("http", &["config", "supervisor", "logs", "auth", "facts"]),
    ("cli", &["config"]),
    (
        "first_boot",
        &["cli", "config", "supervisor", "sys", "auth"],
    ),
];

/// Modules without clock, disk, network, threads and other programs.
const PURE: &[&str] = &[
    "text",
    "time",
    "facts",
    "config",
    "logs",
    "supervisor",
    "auth",
];
const IMPURE: &[&str] = &[
    "std::fs",
    "std::net",
    "std::os::",
    "std::process",
    "std::thread",
    "std::env",
    "Instant::now",
    "SystemTime",
    "Timestamp::now",
    "Zoned::now",
    "smol::",
    "async_process",
    "getrandom",
    "nix::",
    "log::info!",
    "log::warn!",
    "log::error!",
    "log::debug!",
];

fn sources() -> Vec<(PathBuf, String)> {
    fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            (path.strip_prefix(&root).unwrap().to_path_buf(), text)
        })
        .collect()
}

fn room_of(path: &Path) -> String {
    let first = path.components().next().unwrap().as_os_str();
    first.to_string_lossy().trim_end_matches(".rs").to_owned()
}

/// Code lines, comments and everything behind `#[cfg(test)]` left out.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(number, line)| (number + 1, line))
}

#[test]
fn no_module_uses_one_it_must_not_use() {
    let rooms: Vec<&str> = DEPENDENCIES.iter().map(|(room, _)| *room).collect();
    let mut broken = Vec::new();
    for (path, text) in sources() {
        let room = room_of(&path);
        let Some((_, allowed)) = DEPENDENCIES.iter().find(|(name, _)| *name == room) else {
            continue;
        };
        for (number, line) in code(&text) {
            for other in &rooms {
                let named = line.contains(&format!("crate::{other}::"))
                    || line.contains(&format!("crate::{other};"))
                    || line.contains(&format!("crate::{other},"));
                let free =
                    *other == room || ["text", "time"].contains(other) || allowed.contains(other);
                if named && !free {
                    broken.push(format!("{}:{number}: {room} uses {other}", path.display()));
                }
            }
            if line.contains("crate::{") {
                broken.push(format!(
                    "{}:{number}: one `use` a room, so that this test can read it",
                    path.display()
                ));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn the_pure_modules_touch_nothing() {
    let mut broken = Vec::new();
    for (path, text) in sources() {
        let room = room_of(&path);
        if !PURE.contains(&room.as_str()) {
            continue;
        }
        for (number, line) in code(&text) {
            for word in IMPURE {
                if line.contains(word) {
                    broken.push(format!("{}:{number}: {word}", path.display()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn every_module_is_in_the_table() {
    let known: Vec<&str> = DEPENDENCIES
        .iter()
        .map(|(room, _)| *room)
        .chain(["main", "lib", "daemon", "demo"])
        .collect();
    for (path, _) in sources() {
        let room = room_of(&path);
        assert!(
            known.contains(&room.as_str()),
            "{room} is missing in DEPENDENCIES"
        );
    }
}

/// A program that can be made to hang is for the tests alone.
#[test]
fn no_program_is_built_with_faults_unless_it_is_asked_for() {
    let manifest = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap();
    let features = manifest.split("[features]").nth(1).unwrap();
    let features = features.split("\n[").next().unwrap();
    let named: Vec<&str> = (features.lines())
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name.trim())
        .collect();
    assert_eq!(named, ["faults"], "a default would switch something on");
}

#[test]
fn unsafe_code_lives_in_sys_and_every_block_says_why() {
    let broken: Vec<String> = (sources().iter())
        .flat_map(|(path, text)| unexplained(path, text))
        .collect();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

/// Unsafe code that is outside `sys`, or has no reason above it.
fn unexplained(path: &Path, text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut broken = Vec::new();
    for (number, line) in code(text) {
        let forms = ["{", "fn", "impl", "trait", "extern"];
        if !forms
            .iter()
            .any(|form| line.contains(&format!("unsafe {form}")))
        {
            continue;
        }
        if room_of(path) != "sys" {
            broken.push(format!("{}:{number}: outside sys", path.display()));
        }
        let explained = (number.saturating_sub(6)..number).any(|above| {
            lines
                .get(above)
                .is_some_and(|line| line.contains("SAFETY:"))
        });
        if !explained {
            broken.push(format!("{}:{number}: no SAFETY comment", path.display()));
        }
    }
    broken
}

#[test]
fn no_form_of_unsafe_code_is_overlooked() {
    let forms = [
        "    unsafe { call() }",
        "unsafe fn call() {}",
        "unsafe impl Send for Program {}",
        "unsafe trait Plain {}",
        "unsafe extern \"C\" {}",
    ];
    for form in forms {
        let inside = Path::new("sys/process/exec.rs");
        assert_eq!(unexplained(inside, form).len(), 1, "{form}");
        let with_reason = format!("// SAFETY: a reason.\n{form}");
        assert_eq!(unexplained(inside, &with_reason).len(), 0, "{form}");
        let outside = Path::new("http/reply.rs");
        assert_eq!(unexplained(outside, &with_reason).len(), 1, "{form}");
    }
}
