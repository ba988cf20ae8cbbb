//! Facts of the machine for `GET /api/system`.
//!
//! What cannot be found out is `None`; nothing here fails.

use super::time::{clock, timezone};
use crate::facts::{ClockFacts, DiskFacts, InterfaceFacts, MachineFacts, MemoryFacts};
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use nix::sys::statvfs::statvfs;
use nix::sys::utsname::uname;
use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

/// Everything an operator wants to know about the machine, as of now. Sizes are in bytes, times in
/// seconds, temperatures in degrees Celsius. `state_dir` names the disk that matters.
pub fn facts(state_dir: &Path) -> MachineFacts {
    let kernel = uname().ok();
    let name =
        |text: Option<&std::ffi::OsStr>| text.map(|text| text.to_string_lossy().into_owned());
    MachineFacts {
        hostname: name(kernel.as_ref().map(|k| k.nodename())),
        os: os_name(),
        kernel: name(kernel.as_ref().map(|k| k.release())),
        architecture: name(kernel.as_ref().map(|k| k.machine())),
        model: model(),
        uptime: clock::now().since_boot().as_secs(),
        load: load(),
        memory: memory(),
        disk: disk(state_dir),
        temperature: temperature(),
        network: network(),
        clock: ClockFacts {
            now: clock::wall().to_string(),
            trusted: clock::trusted(),
            timezone: timezone::system_name(),
        },
    }
}

/// The machine's name as it is now; it may be given another while the daemon runs.
pub fn hostname() -> String {
    uname()
        .map(|kernel| kernel.nodename().to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// The account the daemon runs as.
pub fn user_id() -> u32 {
    nix::unistd::Uid::effective().as_raw()
}

/// `PRETTY_NAME` of os-release(5).
fn os_name() -> Option<String> {
    let text = text("/etc/os-release").or_else(|| text("/usr/lib/os-release"))?;
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(value.trim_matches(['"', '\'']).to_owned())
}

/// The board as its device tree calls it; on a PC as its firmware does.
fn model() -> Option<String> {
    text("/proc/device-tree/model")
        .or_else(|| text("/sys/class/dmi/id/product_name"))
        .map(|name| name.trim_matches(['\0', '\n', ' ']).to_owned())
        .filter(|name| !name.is_empty())
}

/// The load of the last 1, 5 and 15 minutes.
fn load() -> Option<[f64; 3]> {
    let text = text("/proc/loadavg")?;
    let mut numbers = text
        .split_ascii_whitespace()
        .map(|number| number.parse().ok());
    Some([numbers.next()??, numbers.next()??, numbers.next()??])
}

fn memory() -> MemoryFacts {
    let info = text("/proc/meminfo").unwrap_or_default();
    MemoryFacts {
        total: kib_field(&info, "MemTotal:"),
        available: kib_field(&info, "MemAvailable:"),
        // The daemon's own share: what it shares with others counts in part.
        daemon: kib_field(&text("/proc/self/smaps_rollup").unwrap_or_default(), "Pss:")
            .or_else(|| kib_field(&text("/proc/self/status").unwrap_or_default(), "VmRSS:")),
    }
}

/// The value of a line like `MemTotal:  1024 kB`, in bytes.
fn kib_field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

fn disk(path: &Path) -> DiskFacts {
    let space = statvfs(path).ok();
    let bytes = |blocks: fn(&nix::sys::statvfs::Statvfs) -> u64| {
        space
            .as_ref()
            .map(|space| blocks(space) * space.fragment_size())
    };
    DiskFacts {
        path: path.display().to_string(),
        total: bytes(|space| space.blocks()),
        available: bytes(|space| space.blocks_available()),
        // What is set up is gone with the power: a device whose data partition cannot be used has this in its place.
        in_memory: (statfs(path).ok()).map(|kind| kind.filesystem_type() == TMPFS_MAGIC),
    }
}

/// Of the warmest sensor.
fn temperature() -> Option<f64> {
    let zones = fs::read_dir("/sys/class/thermal").ok()?.flatten();
    let millidegrees = zones
        .filter(|zone| {
            zone.file_name()
                .to_string_lossy()
                .starts_with("thermal_zone")
        })
        .filter_map(|zone| {
            fs::read_to_string(zone.path().join("temp"))
                .ok()?
                .trim()
                .parse::<i64>()
                .ok()
        });
    // A tenth of a degree is more than these sensors know.
    millidegrees
        .max()
        .map(|warmest| (warmest / 100) as f64 / 10.0)
}

/// By which others reach this machine: IPv4 first, because it fits into a small QR code and is typed more easily.
/// Neither the loopback nor link-local addresses, which no browser takes.
pub fn addresses() -> Vec<IpAddr> {
    let of_link = |entry: nix::ifaddrs::InterfaceAddress| {
        let is_up = entry.flags.contains(InterfaceFlags::IFF_UP);
        let address = entry.address.filter(|_| is_up)?;
        let v4 = address.as_sockaddr_in().map(|v4| IpAddr::from(v4.ip()));
        v4.or_else(|| Some(IpAddr::from(address.as_sockaddr_in6()?.ip())))
    };
    let is_reached = |address: &IpAddr| match address {
        IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_link_local(),
        IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unicast_link_local(),
    };
    let mut addresses: Vec<IpAddr> = getifaddrs()
        .into_iter()
        .flatten()
        .filter_map(of_link)
        .collect();
    addresses.retain(is_reached);
    addresses.sort_by_key(|address| address.is_ipv6());
    addresses.dedup();
    addresses
}

/// Every interface but the loopback, by name. Link-local IPv6 addresses are left out: no browser takes them.
fn network() -> Vec<InterfaceFacts> {
    let mut interfaces: BTreeMap<String, (bool, Vec<String>)> = BTreeMap::new();
    for entry in getifaddrs().into_iter().flatten() {
        if entry.flags.contains(InterfaceFlags::IFF_LOOPBACK) {
            continue;
        }
        let up = InterfaceFlags::IFF_UP | InterfaceFlags::IFF_RUNNING;
        let (is_up, addresses) = interfaces.entry(entry.interface_name).or_default();
        *is_up |= entry.flags.contains(up);
        let Some(address) = entry.address else {
            continue;
        };
        if let Some(v4) = address.as_sockaddr_in() {
            addresses.push(v4.ip().to_string());
        } else if let Some(v6) = address
            .as_sockaddr_in6()
            .filter(|v6| !v6.ip().is_unicast_link_local())
        {
            addresses.push(v6.ip().to_string());
        }
    }
    let facts = |(interface, (up, addresses))| InterfaceFacts {
        interface,
        up,
        addresses,
    };
    interfaces.into_iter().map(facts).collect()
}

fn text(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_facts_are_of_this_machine() {
        let facts = facts(Path::new("/"));
        assert!(facts.hostname.is_some() && facts.kernel.is_some());
        assert!(facts.memory.daemon.is_some() && facts.memory.total > facts.memory.daemon);
        assert!(facts.disk.total >= facts.disk.available);
        assert!(facts.load.is_some());
        assert!(facts.clock.now.ends_with('Z'));
        assert!(!facts.network.iter().any(|link| link.interface == "lo"));
    }

    #[test]
    fn a_disk_in_memory_is_reported() {
        assert_eq!(disk(Path::new("/dev")).in_memory, Some(true));
        assert_eq!(disk(Path::new("/proc")).in_memory, Some(false));
        assert_eq!(disk(Path::new("/nowhere")).in_memory, None);
    }
}
