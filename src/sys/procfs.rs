//! What `/proc` reports about processes (proc(5)).

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::mem;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// The variable that every process started here carries: `<run dir>:<id>:<run>`.
pub(super) const MARKER: &str = "OSSUARY_RUN";

/// The line of `/proc/PID/stat` that we read, at most: 52 fields, none over 20 digits.
const STAT_MAX: usize = 1024;

/// Environments are looked at up to here. More would let any process make us spend memory.
const ENVIRON_MAX: u64 = 256 * 1024;

/// A thread of the kernel, which never has an environment (the flags of proc(5)).
const PF_KTHREAD: u32 = 0x0020_0000;

/// execve(2) is between two programs for microseconds, unless it has to wait for a processor.
const EXECUTED_PAUSE: Duration = Duration::from_micros(200);

/// After so many pauses it is believed to have no environment: the loop must not wait.
const EXECUTED_AFTER: usize = 50;

/// What was seen with nothing so often, and not between two programs then, has no environment: one look at either is
/// not both at once, and a shell's child may be executed twice in a row.
const SETTLED: usize = 2;

/// Identity and kinship of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) state: u8,
    pub(super) parent: i32,
    pub(super) group: i32,
    threads: u32,
    /// When it was started, in clock ticks since boot: with the PID, its identity.
    pub(super) started: u64,
    /// It is between two programs: it has let go of the memory of one, and the other's has no environment yet.
    being_executed: bool,
}

impl Stat {
    /// The process with this PID, where there is one (a zombie included).
    pub(super) fn of(pid: i32) -> Option<Self> {
        let mut buffer = [0; STAT_MAX];
        let mut file = fs::File::open(format!("/proc/{pid}/stat")).ok()?;
        let length = file.read(&mut buffer).ok()?;
        Self::parse(&buffer[..length])
    }

    /// The name, field 2, may hold spaces and brackets: what counts begins behind the last bracket.
    fn parse(line: &[u8]) -> Option<Self> {
        let name_end = memchr::memrchr(b')', line)?;
        let rest = str::from_utf8(&line[name_end + 1..]).ok()?;
        let mut fields = rest.split_ascii_whitespace();
        let state = *fields.next()?.as_bytes().first()?;
        let parent = fields.next()?.parse().ok()?;
        let group = fields.next()?.parse().ok()?;
        let flags: u32 = fields.nth(3)?.parse().ok()?;
        let threads = fields.nth(10)?.parse().ok()?;
        let started = fields.nth(1)?.parse().ok()?;
        let environment_end = fields.nth(28);
        Some(Self {
            state,
            parent,
            group,
            threads,
            started,
            being_executed: environment_end == Some("0")
                && flags & PF_KTHREAD == 0
                && !matches!(state, b'Z' | b'X'),
        })
    }

    /// Whether it is a direct child of the daemon.
    pub(super) fn is_ours(&self) -> bool {
        self.parent == nix::unistd::getpid().as_raw()
    }

    /// Whether it has ended and only waits to be reaped.
    pub(super) fn is_zombie(&self) -> bool {
        matches!(self.state, b'Z' | b'X')
    }
}

/// The value of [`MARKER`] in the environment of a process, where it has one and we may read it. One that
/// is just being executed has none for an instant, which is waited for.
pub(super) fn marker_of(pid: i32) -> Option<Vec<u8>> {
    let mut environ = environment_of(pid)?;
    let mut seen_settled = 0;
    for _ in 0..EXECUTED_AFTER {
        if !environ.is_empty() || seen_settled == SETTLED {
            break;
        }
        match Stat::of(pid)?.being_executed {
            true => thread::sleep(EXECUTED_PAUSE),
            // It may have come to the end of that since its environment was read.
            false => seen_settled += 1,
        }
        environ = environment_of(pid)?;
    }
    environ
        .split(|byte| *byte == 0)
        .find_map(|pair| pair.strip_prefix(MARKER.as_bytes())?.strip_prefix(b"="))
        .map(<[u8]>::to_vec)
}

/// The value of a variable in the environment of a process, where it has one and we may read it.
pub(super) fn variable(pid: i32, name: &str) -> Option<String> {
    environment_of(pid)?
        .split(|byte| *byte == 0)
        .find_map(|pair| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
        .map(|value| String::from_utf8_lossy(value).into_owned())
}

fn environment_of(pid: i32) -> Option<Vec<u8>> {
    let mut environ = Vec::new();
    let file = fs::File::open(format!("/proc/{pid}/environ")).ok()?;
    file.take(ENVIRON_MAX).read_to_end(&mut environ).ok()?;
    Some(environ)
}

/// The children of a process, threads counted in. Reliable for our own, because none of them
/// vanishes before we reap it; of others one may be missed that is born or dies meanwhile, or whose parent is a thread
/// that was born since `stat` was read, or beside one that ends meanwhile.
pub(super) fn children_of(pid: i32, stat: &Stat) -> Vec<i32> {
    let of_thread = |thread: i32| format!("/proc/{pid}/task/{thread}/children");
    // Most have but one thread, and to list threads takes longer than all the rest.
    let threads = match stat.threads {
        0 | 1 => vec![pid],
        _ => threads_of(pid),
    };
    let mut text = Vec::new();
    for thread in threads {
        match fs::File::open(of_thread(thread)) {
            Ok(file) => append(&file, &mut text),
            Err(_) if !kernel_lists_children() => return children_by_scan(pid),
            // The thread has ended; its children were handed to another one.
            Err(_) => {}
        }
    }
    pids(&text).collect()
}

fn threads_of(pid: i32) -> Vec<i32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task"));
    let names = threads.into_iter().flatten().flatten();
    names
        .filter_map(|entry| pid_of(&entry.file_name()))
        .collect()
}

/// The list of our own children, kept open: it is read after every end of a child.
#[derive(Debug)]
pub(super) struct OwnChildren {
    /// One for the first thread, which inherits orphans (the kernel hands them to the first that
    /// lives), and one for this one, which starts the runs; usually they are the same.
    files: Vec<fs::File>,
    text: Vec<u8>,
}

impl OwnChildren {
    /// For the thread that calls it.
    pub(super) fn open() -> Self {
        let (me, thread) = (nix::unistd::getpid(), nix::unistd::gettid());
        let threads = std::iter::once(me).chain((thread != me).then_some(thread));
        let files = threads.map(|tid| fs::File::open(format!("/proc/self/task/{tid}/children")));
        Self {
            // Where the kernel has no such files, every process is looked at instead.
            files: files.collect::<Result<_, _>>().unwrap_or_default(),
            text: Vec::new(),
        }
    }

    /// All children there are, those that have ended and were not reaped included.
    pub(super) fn list(&mut self) -> Vec<i32> {
        if self.files.is_empty() {
            return children_by_scan(nix::unistd::getpid().as_raw());
        }
        self.text.clear();
        for file in &self.files {
            append(file, &mut self.text);
        }
        pids(&self.text).collect()
    }
}

/// Appends what a `children` file holds now.
fn append(file: &fs::File, text: &mut Vec<u8>) {
    let mut offset = 0;
    let mut piece = [0; 4096];
    while let Ok(length @ 1..) = file.read_at(&mut piece, offset) {
        text.extend_from_slice(&piece[..length]);
        offset += length as u64;
    }
}

/// The numbers in a `children` file, behind each of which is a blank.
fn pids(text: &[u8]) -> impl Iterator<Item = i32> {
    let mut pid = 0;
    text.iter().filter_map(move |byte| match byte {
        b'0'..=b'9' => {
            pid = pid * 10 + i32::from(byte - b'0');
            None
        }
        _ => Some(mem::take(&mut pid)).filter(|pid| *pid != 0),
    })
}

/// Whether the kernel was built with `CONFIG_PROC_CHILDREN`.
fn kernel_lists_children() -> bool {
    Path::new("/proc/thread-self/children").exists()
}

/// Every process there is, by PID.
pub(super) fn everybody() -> BTreeMap<i32, Stat> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return BTreeMap::new();
    };
    entries
        .flatten()
        .filter_map(|entry| pid_of(&entry.file_name()))
        .filter_map(|pid| Some((pid, Stat::of(pid)?)))
        .collect()
}

fn children_by_scan(parent: i32) -> Vec<i32> {
    everybody()
        .into_iter()
        .filter(|(_, stat)| stat.parent == parent)
        .map(|(pid, _)| pid)
        .collect()
}

fn pid_of(name: &OsStr) -> Option<i32> {
    str::from_utf8(name.as_bytes()).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_confuse() {
        let line = b"42 (a) b (c) R 7 8 9 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 777 0";
        let no_environment = [&line[..], &b" 1".repeat(27)[..], b" 0 0"].concat();
        assert!(Stat::parse(&no_environment).unwrap().being_executed);
        let stat = Stat::parse(line).expect("it is a stat line");
        assert_eq!(
            (stat.state, stat.parent, stat.group, stat.started),
            (b'R', 7, 8, 777)
        );
        assert_eq!(Stat::parse(b"42 (a"), None);
    }

    #[test]
    fn both_ways_to_list_children_agree() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let pid = child.id() as i32;
        let me = std::process::id() as i32;
        // A thread of another test that ends while threads are listed may hide the one whose child it is.
        let children_of = |pid| children_of(pid, &Stat::of(pid).unwrap());
        assert!((0..100).any(|_| children_of(me).contains(&pid)));
        assert!(children_by_scan(me).contains(&pid));
        assert!(OwnChildren::open().list().contains(&pid));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!children_of(me).contains(&pid));
    }
}
