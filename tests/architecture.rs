//! Checks in the sources which modules use which.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// For each module at the top, the others that it may use. All may use `names`, `text` and `time`, and all but the pure
/// ones `timeout`.
const DEPENDENCIES: &[(&str, &[&str])] = &[
    ("names", &[]),
    ("text", &[]),
    ("time", &[]),
    ("timeout", &[]),
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
    "names",
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
                let free = *other == room
                    || ["text", "time"].contains(other)
                    || *other == "timeout" && !PURE.contains(&room.as_str())
                    || allowed.contains(other);
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

/// `Cargo.toml` denies unsafe code. The lints require a reason for each block, but cannot say where it may be allowed.
#[test]
fn unsafe_code_is_allowed_in_sys_alone() {
    let sources = sources();
    let elsewhere: Vec<&Path> = (sources.iter())
        .filter(|(path, text)| room_of(path) != "sys" && text.contains("unsafe_code"))
        .map(|(path, _)| path.as_path())
        .collect();
    assert!(elsewhere.is_empty(), "{elsewhere:?}");
}

/// For each module, the modules that it uses.
type Graph = BTreeMap<Vec<String>, BTreeSet<Vec<String>>>;

/// The modules of the library: path of names, and code without comments and tests.
fn modules() -> BTreeMap<Vec<String>, String> {
    let mut modules = BTreeMap::new();
    for (path, text) in sources() {
        let mut names: Vec<String> = path
            .with_extension("")
            .components()
            .map(|name| name.as_os_str().to_string_lossy().into_owned())
            .collect();
        match names.last().map(String::as_str) {
            Some("mod") => drop(names.pop()),
            Some("main" | "lib" | "tests" | "test") => continue,
            _ => {}
        }
        let code: Vec<&str> = code(&text).map(|(_, line)| line).collect();
        modules.insert(names, code.join("\n"));
    }
    modules
}

/// One use of a name in a module: where it starts from, the names that follow, and whether it is re-exported.
struct Use {
    path: Vec<String>,
    name: String,
    is_reexport: bool,
}

/// All paths in a module that start at the crate, at the module itself, above it, or at one of its children.
fn uses(module: &[String], code: &str, children: &[String]) -> Vec<Use> {
    let tokens = tokens(code);
    let mut uses = Vec::new();
    let mut reexport_until = 0;
    for (at, token) in tokens.iter().enumerate() {
        if *token == "use" && at > 0 {
            let is_public = tokens[at - 1] == "pub" || tokens[at - 1] == ")";
            let end = tokens[at..].iter().position(|token| *token == ";");
            if is_public && let Some(end) = end {
                reexport_until = at + end;
            }
        }
        let starts =
            ["crate", "self", "super"].contains(token) || children.iter().any(|c| c == token);
        let continues = at > 0 && [":", ".", "$"].contains(&tokens[at - 1]);
        // `pub(in path)` says who may see something, and uses nothing.
        let continues = continues || at > 1 && tokens[at - 2..at] == ["(", "in"];
        if !starts
            || continues
            || tokens.get(at + 1) != Some(&":")
            || tokens.get(at + 2) != Some(&":")
        {
            continue;
        }
        let base = match *token {
            "crate" => Vec::new(),
            "self" => module.to_vec(),
            "super" => module[..module.len().saturating_sub(1)].to_vec(),
            child => [module, &[child.to_owned()]].concat(),
        };
        let mut leaves = Vec::new();
        tree(&tokens, at + 3, &base, &mut leaves);
        for (path, name) in leaves {
            uses.push(Use {
                path,
                name,
                is_reexport: at < reexport_until,
            });
        }
    }
    uses
}

/// Names and single characters.
fn tokens(code: &str) -> Vec<&str> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let mut tokens = Vec::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let length = match is_name(first) {
            true => rest.find(|c| !is_name(c)).unwrap_or(rest.len()),
            false => first.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        if !first.is_whitespace() {
            tokens.push(token);
        }
        rest = after;
    }
    tokens
}

/// Collects the leaves of the use tree that begins at this token, behind a `::`. Returns the token after it.
fn tree(
    tokens: &[&str],
    mut at: usize,
    base: &[String],
    leaves: &mut Vec<(Vec<String>, String)>,
) -> usize {
    match tokens.get(at) {
        Some(&"{") => {
            at += 1;
            while tokens.get(at).is_some_and(|token| *token != "}") {
                let next = tree(tokens, at, base, leaves);
                at = next.max(at + 1);
            }
            at + 1
        }
        Some(&"super") if tokens.get(at + 1) == Some(&":") => tree(
            tokens,
            at + 3,
            &base[..base.len().saturating_sub(1)],
            leaves,
        ),
        Some(name) if name.starts_with(|c: char| c.is_alphabetic() || c == '_') => {
            let path = [base, &[(*name).to_owned()]].concat();
            if tokens.get(at + 1) == Some(&":") && tokens.get(at + 2) == Some(&":") {
                return tree(tokens, at + 3, &path, leaves);
            }
            let alias = (tokens.get(at + 1) == Some(&"as")).then(|| tokens[at + 2]);
            leaves.push((path, alias.unwrap_or(name).to_owned()));
            at + if alias.is_some() { 3 } else { 1 }
        }
        _ => at,
    }
}

/// Which modules each module uses. A name that is re-exported counts as a use of the module that defines it, so a
/// room may offer what its files define without depending on them.
fn graph() -> Graph {
    let modules = modules();
    let uses: BTreeMap<&Vec<String>, Vec<Use>> = (modules.iter())
        .map(|(module, code)| {
            let children: Vec<String> = (modules.keys())
                .filter(|child| child.len() == module.len() + 1 && child.starts_with(module))
                .map(|child| child[module.len()].clone())
                .collect();
            (module, self::uses(module, code, &children))
        })
        .collect();
    let mut reexports = BTreeMap::new();
    for (module, uses) in &uses {
        for used in uses.iter().filter(|used| used.is_reexport) {
            let name = [module.as_slice(), std::slice::from_ref(&used.name)].concat();
            reexports.insert(name, used.path.clone());
        }
    }
    let defining = |path: &[String]| {
        let mut path = path.to_vec();
        for _ in 0..8 {
            let known = (1..=path.len()).rev().find(|length| {
                !modules.contains_key(&path[..*length]) && reexports.contains_key(&path[..*length])
            });
            let Some(length) = known else { break };
            path = [reexports[&path[..length]].as_slice(), &path[length..]].concat();
        }
        (1..=path.len())
            .rev()
            .map(|length| path[..length].to_vec())
            .find(|module| modules.contains_key(module))
    };
    uses.iter()
        .map(|(module, uses)| {
            let used = (uses.iter())
                .filter(|used| !used.is_reexport)
                .filter_map(|used| defining(&used.path))
                .filter(|used| used != *module)
                .collect();
            ((*module).clone(), used)
        })
        .collect()
}

/// The modules that use each other in a circle, each with those of its circle that it uses.
fn circles(graph: &Graph) -> Vec<String> {
    let reached: BTreeMap<&Vec<String>, BTreeSet<&Vec<String>>> = (graph.keys())
        .map(|module| {
            let mut reached = BTreeSet::new();
            let mut open = vec![module];
            while let Some(module) = open.pop() {
                let used = graph.get(module).into_iter().flatten();
                open.extend(used.filter(|used| reached.insert(*used)));
            }
            (module, reached)
        })
        .collect();
    let reaches = |from: &Vec<String>, to: &Vec<String>| {
        reached
            .get(from)
            .is_some_and(|reached| reached.contains(to))
    };
    (graph.iter())
        .filter(|(module, _)| reaches(module, module))
        .map(|(module, used)| {
            let used: Vec<String> = (used.iter())
                .filter(|used| reaches(used, module))
                .map(|used| used.join("/"))
                .collect();
            format!("{} uses {}", module.join("/"), used.join(", "))
        })
        .collect()
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let circles = circles(&graph());
    assert!(circles.is_empty(), "\n{}", circles.join("\n"));
}

/// The rooms inside each room, seen as wholes: they have an order, too.
#[test]
fn no_rooms_use_each_other_in_a_circle() {
    let files = graph();
    let mut broken = Vec::new();
    for depth in 1..4 {
        let room = |module: &[String]| module[..depth.min(module.len())].to_vec();
        let mut rooms = Graph::new();
        for (module, used) in &files {
            // The file of a room itself may use its rooms; they do not use it (see the test above).
            if module.len() < depth {
                continue;
            }
            let from = room(module);
            let into = used
                .iter()
                .filter(|used| used.len() >= depth)
                .map(|used| room(used));
            rooms
                .entry(from.clone())
                .or_default()
                .extend(into.filter(|into| *into != from));
        }
        broken.extend(circles(&rooms));
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn a_circle_is_found_and_a_facade_is_none() {
    let module =
        |names: &[&str]| -> Vec<String> { names.iter().map(|name| (*name).to_owned()).collect() };
    let code =
        "pub use a::Thing;\nuse crate::x::{self, y::{Z as W, V}};\nfn f() { super::g(); a::h() }";
    let found = uses(&module(&["room"]), code, &["a".to_owned()]);
    let paths: Vec<(String, bool)> = (found.iter())
        .map(|used| (used.path.join("/"), used.is_reexport))
        .collect();
    let expected = [
        ("room/a/Thing", true),
        ("x/self", false),
        ("x/y/Z", false),
        ("x/y/V", false),
        ("g", false),
        ("room/a/h", false),
    ];
    assert_eq!(
        paths,
        expected.map(|(path, is_public)| (path.to_owned(), is_public))
    );
    let graph = |edges: &[(&str, &str)]| {
        let mut graph = Graph::new();
        for (from, into) in edges {
            graph
                .entry(module(&[from]))
                .or_default()
                .insert(module(&[into]));
            graph.entry(module(&[into])).or_default();
        }
        graph
    };
    assert!(circles(&graph(&[("a", "b"), ("b", "c"), ("a", "c")])).is_empty());
    let found = circles(&graph(&[("a", "b"), ("b", "c"), ("c", "b"), ("c", "d")]));
    assert_eq!(found, ["b uses c", "c uses b"]);
}
