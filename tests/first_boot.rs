//! Tests of `ossuary first-boot`, with a directory for the boot partition and one for the system.

#![allow(clippy::unwrap_used)] // A panic in a helper fails the test.

use ossuary::auth::{Credentials, Owner};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const WHOLE: &str = r#"{
  "hostname": "lobby",
  "timezone": "Europe/Berlin",
  "password": "correct horse",
  "wifi": [
    {"name": "Gallery", "passphrase": "battery staple"},
    {"name": "Café Zwei", "hidden": true}
  ],
  "config": {
    "version": 3,
    "processes": {"clock": {"command": "sleep infinity", "env": {"KEY": "s3cr3t"}}}
  }
}"#;

/// A temporary directory with a boot partition and a system.
struct Device(PathBuf);

impl Device {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ossuary-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        let device = Self(path);
        fs::create_dir_all(device.0.join("card")).unwrap();
        let zones = device.0.join("root/usr/share/zoneinfo/Europe");
        fs::create_dir_all(&zones).unwrap();
        fs::copy("/usr/share/zoneinfo/Europe/Berlin", zones.join("Berlin")).unwrap();
        device
    }

    fn with(name: &str, file: &str) -> Self {
        let device = Self::new(name);
        device.write_file(file);
        device
    }

    fn write_file(&self, file: &str) {
        fs::write(self.file(), file).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.0.join("card/ossuary.json")
    }

    fn report(&self) -> String {
        fs::read_to_string(self.0.join("card/ossuary.txt")).unwrap()
    }

    fn root(&self, path: &str) -> PathBuf {
        self.0.join("root").join(path)
    }

    fn start(&self) -> Output {
        Command::new(env!("CARGO_BIN_EXE_ossuary"))
            .arg("first-boot")
            .arg(self.0.join("card"))
            .arg("--root")
            .arg(self.0.join("root"))
            .output()
            .unwrap()
    }

    fn owner(&self) -> Owner {
        let bytes = fs::read(self.root("var/lib/ossuary/credentials.json")).unwrap();
        Credentials::read(&bytes).owner().clone()
    }

    /// Every file of the system except the time zones, with its content.
    fn system(&self) -> Vec<(PathBuf, Vec<u8>)> {
        fn walk(directory: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                match fs::symlink_metadata(&path).unwrap().file_type() {
                    kind if kind.is_dir() && path.ends_with("zoneinfo") => {}
                    kind if kind.is_dir() => walk(&path, found),
                    kind if kind.is_symlink() => {
                        let to = fs::read_link(&path).unwrap();
                        found.push((path, to.into_os_string().into_encoded_bytes()));
                    }
                    _ => found.push((path.clone(), fs::read(&path).unwrap())),
                }
            }
        }
        let mut found = Vec::new();
        walk(&self.0.join("root"), &mut found);
        found.sort();
        found
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap()
}

fn mode(path: impl AsRef<Path>) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn without_the_file_nothing_changes() {
    let device = Device::new("first-boot-none");
    let output = device.start();
    assert!(output.status.success(), "{output:?}");
    assert!(output.stdout.is_empty() && output.stderr.is_empty());
    assert!(device.system().is_empty());
    assert_eq!(fs::read_dir(device.0.join("card")).unwrap().count(), 0);
}

#[test]
fn everything_is_applied_and_the_secrets_are_removed_from_the_card() {
    let device = Device::with("first-boot-whole", WHOLE);
    let output = device.start();
    assert!(output.status.success(), "{output:?}");

    assert_eq!(read(device.root("data/etc/hostname")), "lobby\n");
    assert_eq!(mode(device.root("data/etc/hostname")), 0o644);
    let zone = fs::read_link(device.root("data/etc/localtime")).unwrap();
    assert_eq!(zone, Path::new("/usr/share/zoneinfo/Europe/Berlin"));
    let Owner::Password(hash) = device.owner() else {
        panic!("no password is set");
    };
    assert!(hash.verify("correct horse") && !hash.verify("wrong horse"));
    let gallery = device.root("var/lib/iwd/Gallery.psk");
    assert_eq!(read(&gallery), "[Security]\nPassphrase=battery\\sstaple\n");
    let cafe = device.root("var/lib/iwd/=436166c3a9205a776569.open");
    assert_eq!(read(&cafe), "[Settings]\nHidden=true\n");
    let config = device.root("etc/ossuary/config.json");
    let written: Value = serde_json::from_str(&read(&config)).unwrap();
    let asked: Value = serde_json::from_str(WHOLE).unwrap();
    assert_eq!(written, asked["config"]);
    for secret in [
        gallery,
        cafe,
        config,
        device.root("var/lib/ossuary/credentials.json"),
    ] {
        assert_eq!(mode(&secret), 0o600, "{}", secret.display());
    }

    assert!(!device.file().exists());
    let report = device.report();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), report);
    for text in [
        "was applied",
        "lobby.local:8081",
        "Europe/Berlin",
        "Gallery",
        "Café Zwei",
        "clock",
    ] {
        assert!(report.contains(text), "{text}: {report}");
    }
    for secret in ["correct", "battery", "s3cr3t"] {
        assert!(!report.contains(secret), "{report}");
    }

    let before = device.system();
    assert!(device.start().status.success());
    assert_eq!(device.system(), before);
    assert_eq!(device.report(), report);
}

#[test]
fn a_file_with_problems_changes_nothing_and_all_problems_are_reported() {
    let broken = WHOLE
        .replace("lobby", "the lobby")
        .replace("Europe/Berlin", "Europe/Atlantis")
        .replace("correct horse", "short")
        .replace("battery staple", "staple")
        .replace("sleep infinity", "");
    let device = Device::with("first-boot-broken", &broken);
    let output = device.start();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(device.system().is_empty(), "{:?}", device.system());
    assert_eq!(
        read(device.file()),
        broken,
        "the file must be kept, to be fixed"
    );
    let report = device.report();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), report);
    for path in [
        "hostname",
        "timezone",
        "password",
        "wifi[0].passphrase",
        "config.processes.clock.command",
    ] {
        assert!(
            report.contains(&format!("\n  {path}: ")),
            "{path}: {report}"
        );
    }

    device.write_file(WHOLE);
    assert!(device.start().status.success());
    assert!(device.report().contains("was applied"));
}

#[test]
fn settings_that_are_not_in_the_file_do_not_change() {
    let device = Device::with("first-boot-little", WHOLE);
    device.start();
    let before = device.system();
    device.write_file(r#"{"hostname": "hall"}"#);
    assert!(device.start().status.success());
    let changed: Vec<_> = (device.system().into_iter())
        .filter(|file| !before.contains(file))
        .map(|(path, _)| path)
        .collect();
    assert_eq!(changed, [device.root("data/etc/hostname")]);
}

#[test]
fn a_forgotten_password_is_reset_by_the_file() {
    let device = Device::with("first-boot-reset", WHOLE);
    device.start();
    device.write_file(r#"{"reset_password": true}"#);
    assert!(device.start().status.success());
    assert!(!device.root("var/lib/ossuary/credentials.json").exists());
    assert!(device.report().contains("the code that claims"));
    assert!(device.root("etc/ossuary/config.json").exists());
}

#[test]
fn a_password_may_be_given_as_a_hash() {
    let hash =
        "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    let device = Device::with(
        "first-boot-hash",
        &format!(r#"{{"password_hash": "{hash}"}}"#),
    );
    assert!(device.start().status.success());
    assert!(matches!(device.owner(), Owner::Password(hash) if hash.verify("password")));
    assert!(!device.report().contains("argon2"));
}

#[test]
fn a_failed_write_changes_nothing_and_is_reported() {
    let device = Device::with("first-boot-full", WHOLE);
    fs::create_dir_all(device.root("etc")).unwrap();
    fs::write(device.root("etc/ossuary"), "in the way").unwrap();
    let before = device.system();
    assert_eq!(device.start().status.code(), Some(1));
    assert_eq!(device.system(), before);
    assert!(
        device.report().contains("cannot write"),
        "{}",
        device.report()
    );
    assert_eq!(read(device.file()), WHOLE);
}

/// Cuts the power at each system call that changes a file.
#[test]
fn after_any_power_cut_the_next_boot_completes_the_work() {
    let whole = Device::with("first-boot-uncut", WHOLE);
    whole.start();
    let names = |device: &Device| -> Vec<PathBuf> {
        let root = device.0.join("root");
        let names = device.system().into_iter();
        names
            .map(|(path, _)| path.strip_prefix(&root).unwrap().to_owned())
            .collect()
    };
    let mut cuts = 0;
    for call in ["rename", "unlink", "pwrite64", "fsync", "write"] {
        for place in 1.. {
            let device = Device::with("first-boot-cut", WHOLE);
            let cut = Command::new("strace")
                .args(["-f", "-qq", "-o", "/dev/null"])
                .arg(format!("--trace={call}"))
                .arg(format!("--inject={call}:signal=KILL:when={place}"))
                .arg(env!("CARGO_BIN_EXE_ossuary"))
                .arg("first-boot")
                .arg(device.0.join("card"))
                .arg("--root")
                .arg(device.0.join("root"))
                .output()
                .unwrap();
            if cut.status.success() {
                break;
            }
            cuts += 1;
            let again = device.start();
            assert!(again.status.success(), "{call} {place}: {again:?}");
            assert_eq!(names(&device), names(&whole), "{call} {place}");
            assert!(!device.file().exists(), "{call} {place}");
            assert!(device.report().contains("was applied"), "{call} {place}");
        }
    }
    assert!(cuts > 20, "{cuts} cuts only");
}
