//! Takes the power away while the configuration is being saved, and fills the disk.

#![allow(clippy::unwrap_used)] // What goes wrong in a test's helper is a failure of the test.

use ossuary::supervisor::FailureKind;
use ossuary::sys::storage::config_file::ConfigFile;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

/// Names the directory in which [`saver`] is to save.
const SAVER_DIR: &str = "OSSUARY_TEST_SAVER_DIR";

/// How often the power goes.
const CUTS: u32 = 200;

struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ossuary-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn store(&self) -> ConfigFile {
        ConfigFile::new(&self.0.join("config.json"), &self.0.join("state"))
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Document number `number`: long enough that it is not written in one piece by chance.
fn document(number: u64) -> Vec<u8> {
    format!("{number}\n").repeat(4000).into_bytes()
}

/// The number of a whole document.
fn number_of(bytes: &[u8]) -> u64 {
    let text = str::from_utf8(bytes).unwrap();
    let number = text.lines().next().unwrap().parse().unwrap();
    assert_eq!(
        bytes,
        document(number),
        "the file is neither the old one nor the new one"
    );
    number
}

/// Saves one document after the other until it is killed, and says which are saved. Runs as
/// a process of its own, started by the test below.
#[test]
#[ignore = "is the victim of the test below"]
fn saver() {
    let Some(dir) = std::env::var_os(SAVER_DIR).map(PathBuf::from) else {
        return;
    };
    let store = ConfigFile::new(&dir.join("config.json"), &dir.join("state"));
    let first = smol::block_on(store.load()).unwrap();
    let mut number = if first.is_empty() {
        0
    } else {
        number_of(&first)
    };
    loop {
        number += 1;
        smol::block_on(store.save(document(number), None)).unwrap();
        smol::block_on(store.keep_last_good(document(number)));
        println!("\nsaved {number}");
    }
}

#[test]
fn the_file_is_the_old_one_or_the_new_one_whenever_the_daemon_is_killed() {
    let dir = Dir::new("store-kill");
    let mut chance = SystemTime::UNIX_EPOCH.elapsed().unwrap().subsec_nanos();
    println!("seed {chance}");
    for _ in 0..CUTS {
        let mut saver = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "saver", "--ignored", "--nocapture"])
            .env(SAVER_DIR, &dir.0)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(saver.stdout.take().unwrap());
        let mut said = String::new();
        while !said.contains("saved") {
            assert_ne!(output.read_line(&mut said).unwrap(), 0, "{said}");
        }
        chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        std::thread::sleep(Duration::from_micros(u64::from(chance >> 16) % 4_000));
        saver.kill().unwrap();
        saver.wait().unwrap();
        output.read_to_string(&mut said).unwrap();
        let acknowledged: u64 = said
            .lines()
            .filter_map(|line| line.strip_prefix("saved ")?.parse().ok())
            .next_back()
            .unwrap();
        let there = number_of(&fs::read(dir.0.join("config.json")).unwrap());
        assert!(
            there == acknowledged || there == acknowledged + 1,
            "{acknowledged} {there}"
        );
        number_of(&fs::read(dir.0.join("state/config.last-good.json")).unwrap());
    }
    dir.store();
    let hidden = |dir: &Path| {
        let names = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        names
            .filter(|name| name.to_string_lossy().starts_with('.'))
            .count()
    };
    assert_eq!(
        hidden(&dir.0) + hidden(&dir.0.join("state")),
        0,
        "temporary files were not removed"
    );
}

/// A file system of 64 KiB, unmounted at the end.
struct TinyDisk(PathBuf);

impl TinyDisk {
    fn mount(at: &Path) -> Option<Self> {
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"])
            .arg(at)
            .stderr(Stdio::null())
            .status();
        mount
            .is_ok_and(|status| status.success())
            .then(|| Self(at.to_owned()))
    }

    fn remount_read_only(&self) -> bool {
        let mount = Command::new("mount")
            .args(["-o", "remount,ro"])
            .arg(&self.0)
            .status();
        mount.is_ok_and(|status| status.success())
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_or_read_only_disk_is_reported_and_the_old_file_stays() {
    let dir = Dir::new("store-full");
    let Some(disk) = TinyDisk::mount(&dir.0) else {
        println!("mounting is not permitted here");
        return;
    };
    let store = ConfigFile::new(
        &dir.0.join("config.json"),
        &std::env::temp_dir().join("ossuary-no-state"),
    );
    smol::block_on(store.load()).unwrap();
    smol::block_on(store.save(b"old".to_vec(), None)).unwrap();
    let expected = |why: &str| {
        format!(
            "cannot write {}: {why}",
            dir.0.join("config.json").display()
        )
    };

    let refused = smol::block_on(store.save(vec![b'x'; 256 * 1024], None)).unwrap_err();
    assert_eq!(refused.message, expected("no space left on device"));
    assert_eq!(refused.kind, FailureKind::System);
    assert_eq!(fs::read(store.file()).unwrap(), b"old");
    smol::block_on(store.save(b"new".to_vec(), None)).unwrap();
    assert_eq!(
        fs::read_dir(&dir.0).unwrap().count(),
        1,
        "the failed attempt left nothing"
    );

    if disk.remount_read_only() {
        let refused = smol::block_on(store.save(b"newer".to_vec(), None)).unwrap_err();
        assert_eq!(refused.message, expected("read-only file system"));
        assert_eq!(fs::read(store.file()).unwrap(), b"new");
    }
    drop(disk);
    let _ = fs::remove_dir_all(std::env::temp_dir().join("ossuary-no-state"));
}
