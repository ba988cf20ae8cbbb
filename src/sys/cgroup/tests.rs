//! Against a pretended hierarchy: directories and plain files, which keep all that is written to them.

use super::location::{directory_of, v2_name};
use super::*;
use crate::sys::test::Dir;

const HYBRID: &str = "9:name=systemd:/\n5:cpu,cpuacct:/\n4:memory:/x\n0::/\n";

/// A unit's cgroup as systemd hands it over.
fn unit(dir: &Dir, controllers: &str) -> Location {
    let directory = dir.path().join("ossuary.service");
    fs::create_dir(&directory).unwrap();
    pretend(&directory, &["cgroup.procs", "cgroup.subtree_control"]);
    fs::write(directory.join("cgroup.controllers"), controllers).unwrap();
    let daemon = directory.join(DAEMON);
    fs::create_dir(&daemon).unwrap();
    pretend(&daemon, &["cgroup.procs"]);
    Location {
        name: "/system.slice/ossuary.service".to_owned(),
        directory,
    }
}

fn pretend(directory: &Path, files: &[&str]) {
    for file in files {
        fs::write(directory.join(file), "").unwrap();
    }
}

fn settled(dir: &Dir, controllers: &str) -> Delegation {
    Delegation::settle(unit(dir, controllers), "quiet", "0::/\n").unwrap()
}

fn limits() -> Limits {
    Limits {
        memory_max: Some(64 << 20),
        memory_high: None,
        cpu_percent: Some(150),
        pids_max: Some(20),
    }
}

fn id(text: &str) -> Id {
    text.parse().unwrap()
}

#[test]
fn the_daemon_moves_into_a_subgroup_and_enables_what_is_offered() {
    let dir = Dir::new("cgroup-settle");
    let delegation = settled(&dir, "cpuset cpu io memory pids\n");
    let unit = &delegation.unit.directory;
    assert_eq!(read(&unit.join("daemon/cgroup.procs")), "0");
    assert_eq!(
        read(&unit.join("cgroup.subtree_control")),
        "+memory+cpu+pids"
    );
    assert_eq!(delegation.shortfall(&limits()), None);
}

#[test]
fn a_limit_without_its_controller_is_not_enforced_and_the_others_are() {
    let dir = Dir::new("cgroup-missing");
    let line = "console=tty1 cgroup_disable=memory root=/dev/mmcblk0p2";
    let delegation = Delegation::settle(unit(&dir, "cpu pids\n"), line, "0::/\n").unwrap();
    let way_out = "the kernel was started with cgroup_disable=memory: \
        add cgroup_enable=memory to its command line";
    let all = delegation.shortfall(&limits()).unwrap();
    assert_eq!(all, format!("memory_max not enforced: {way_out}"));
    let only = Limits {
        memory_max: Some(1 << 20),
        memory_high: Some(1 << 20),
        ..Limits::default()
    };
    assert_eq!(delegation.shortfall(&only).unwrap(), way_out);
    let other = Limits {
        pids_max: Some(1),
        ..Limits::default()
    };
    assert_eq!(delegation.shortfall(&other), None);
    assert_eq!(delegation.shortfall(&Limits::default()), None);
}

#[test]
fn why_a_controller_is_missing_is_reported() {
    let why = |line, memberships| Controller::Memory.why_missing(line, memberships);
    assert!(why("cgroup_disable=pressure,memory", "").contains("cgroup_enable=memory"));
    assert!(why("quiet", HYBRID).contains("in cgroup v1"));
    assert!(why("cgroup_disable=memoryless", "0::/\n").contains("offers"));
}

#[test]
fn limits_are_written_as_the_kernel_reads_them() {
    let dir = Dir::new("cgroup-limits");
    let delegation = settled(&dir, "cpu memory pids\n");
    let group = delegation.make(&id("sync"), RunId(7)).unwrap();
    let written = |file: &str| read(&group.directory().join(file));
    // A kernel without swap accounting has no `memory.swap.max`.
    let files = [
        "memory.max",
        "memory.high",
        "memory.oom.group",
        "cpu.max",
        "pids.max",
    ];
    pretend(group.directory(), &files);
    group.limit(&limits()).unwrap();
    assert_eq!(written("memory.max"), "67108864");
    assert_eq!(written("memory.high"), "", "no limit, no word");
    assert_eq!(written("memory.oom.group"), "1");
    assert_eq!(written("cpu.max"), "150000 100000");
    assert_eq!(written("pids.max"), "20");
    assert!(!group.directory().join("memory.swap.max").exists());
}

#[test]
fn the_kernel_reports_what_a_tree_uses_and_how_it_ended() {
    let dir = Dir::new("cgroup-usage");
    let delegation = settled(&dir, "memory pids\n");
    let group = delegation.make(&id("sync"), RunId(7)).unwrap();
    assert_eq!(group.usage(), Usage::default());
    assert!(!group.is_populated() && !group.ran_out_of_memory());
    let file = |name: &str| group.directory().join(name);
    fs::write(file("memory.current"), "4096\n").unwrap();
    fs::write(file("pids.current"), "3\n").unwrap();
    fs::write(file("cgroup.events"), "populated 1\nfrozen 0\n").unwrap();
    fs::write(file("memory.events"), "low 0\nmax 8\noom 1\noom_kill 2\n").unwrap();
    let usage = Usage {
        memory: Some(4096),
        memory_peak: None,
        pids: Some(3),
    };
    assert_eq!(group.usage(), usage);
    assert!(group.is_populated() && group.ran_out_of_memory());
}

#[test]
fn the_cgroups_of_runs_are_distinguished_from_others() {
    let dir = Dir::new("cgroup-list");
    let delegation = settled(&dir, "");
    let made = delegation.make(&id("main-display"), RunId(9)).unwrap();
    for other in [".control", "sync", "sync.x", "a b.1", ".5"] {
        fs::create_dir(delegation.unit.directory.join(other)).unwrap();
    }
    assert_eq!(delegation.groups(), [(id("main-display"), RunId(9))]);
    // One that an earlier daemon has left, with what was made inside of it.
    fs::create_dir(made.directory().join("inner")).unwrap();
    delegation.make(&id("main-display"), RunId(9)).unwrap();
    assert!(!made.directory().join("inner").exists());
    delegation.sweep();
    assert_eq!(delegation.groups(), []);
}

#[test]
fn to_prepare_a_restart_disables_all_controllers() {
    let dir = Dir::new("cgroup-way");
    let delegation = settled(&dir, "memory pids\n");
    let switches = delegation.unit.directory.join("cgroup.subtree_control");
    fs::write(&switches, "memory pids").unwrap();
    stale::withdraw(&delegation.unit.directory).unwrap();
    assert_eq!(read(&switches), "memory pids-memory-pids");
}

#[test]
fn a_restart_that_kept_failing_kills_all_runs_and_nothing_else() {
    let dir = Dir::new("cgroup-clear");
    let delegation = settled(&dir, "");
    let unit = &delegation.unit;
    let killed = |name: &str| unit.directory.join(name).join("cgroup.kill");
    for name in ["sync.7", "kiosk.9", ".control", "other"] {
        let _ = fs::create_dir(unit.directory.join(name));
    }
    for name in ["sync.7", "kiosk.9", ".control", "other", DAEMON] {
        fs::write(killed(name), "").unwrap();
    }
    stale::clear(unit).unwrap();
    for name in ["sync.7", "kiosk.9", DAEMON] {
        assert_eq!(read(&killed(name)), "1", "{name}");
    }
    for name in [".control", "other"] {
        assert_eq!(read(&killed(name)), "", "{name}");
    }
}

#[test]
fn a_cgroup_is_found_where_it_is_mounted() {
    assert_eq!(v2_name(HYBRID), Some("/"));
    assert_eq!(v2_name("4:memory:/x\n"), None);
    let unified = "25 30 0:22 / /sys rw - sysfs sysfs rw\n\
        29 25 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
    let found = |name| directory_of(name, unified);
    let expected = Path::new("/sys/fs/cgroup/system.slice/ossuary.service");
    assert_eq!(
        found("/system.slice/ossuary.service").as_deref(),
        Some(expected)
    );
    // A container sees its own part of the hierarchy.
    let part = "29 25 0:26 /machine/a /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
    let inside = directory_of("/machine/a/x.service", part);
    assert_eq!(
        inside.as_deref(),
        Some(Path::new("/sys/fs/cgroup/x.service"))
    );
    assert_eq!(directory_of("/other/x.service", part), None);
    assert_eq!(
        directory_of("/", "29 25 0:26 / /sys rw - sysfs s rw\n"),
        None
    );
}

#[test]
fn without_delegation_the_missing_setting_is_named() {
    let message = |name: &str| {
        let place = Location {
            name: name.to_owned(),
            directory: PathBuf::new(),
        };
        place.not_delegated()
    };
    assert!(
        message("/system.slice/ossuary.service").ends_with("ossuary.service has no Delegate=yes")
    );
    assert!(message("/user.slice/session-3.scope").ends_with("as a service of systemd"));
}
