//! Log files in the state directory, for processes whose `log.persist` asks for them.
//!
//! A file follows the ring in memory as any other reader does. So a slow or broken disk
//! costs nothing but lines in the file, and the file says how many.

use crate::config::{Id, Persist};
use crate::logs::{Line, Log};
use crate::supervisor::Failure;
use crate::sys::background;
use crate::sys::errno::failure;
use crate::sys::time::clock;
use event_listener::Event;
use smol::{LocalExecutor, Task};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::rc::Rc;

/// How much text is written in one go: enough that a flood is written efficiently, little
/// enough to be held for each process that has a file.
const BATCH: usize = 64 * 1024;

/// All log files.
pub struct LogFiles {
    executor: Rc<LocalExecutor<'static>>,
    dir: PathBuf,
    files: RefCell<BTreeMap<Id, Follower>>,
}

struct Follower {
    policy: Persist,
    /// The newest line that was written, or given up.
    seq: Rc<Cell<u64>>,
    stop: Rc<Stop>,
    task: Task<()>,
}

#[derive(Default)]
struct Stop {
    asked: Cell<bool>,
    event: Event,
}

impl LogFiles {
    /// Log files in `<state dir>/logs`.
    pub fn new(executor: &Rc<LocalExecutor<'static>>, state_dir: &std::path::Path) -> Self {
        Self {
            executor: executor.clone(),
            dir: state_dir.join("logs"),
            files: RefCell::default(),
        }
    }

    /// Has the log of a process written to `<id>.log`, `<id>.log.1` and so on, as `policy` says; `None` ends
    /// that. What the log still holds is written first. The files stay until they are rotated away.
    pub fn keep(&self, id: &Id, log: &Rc<Log>, policy: Option<Persist>) {
        let mut files = self.files.borrow_mut();
        let Some(policy) = policy else {
            files.remove(id);
            return;
        };
        let mut seq = Rc::new(Cell::new(0));
        if let Some(follower) = files.get(id) {
            if follower.policy == policy {
                return;
            }
            seq = follower.seq.clone();
        }
        let stop = Rc::new(Stop::default());
        let rotated = Rotated::new(self.dir.join(format!("{}.log", id.as_str())), policy);
        let task = follow(log.clone(), rotated, seq.clone(), stop.clone());
        let follower = Follower {
            policy,
            seq,
            stop,
            task: self.executor.spawn(task),
        };
        files.insert(id.clone(), follower);
    }

    /// Resolves when everything that was printed until now is written. No more is.
    pub async fn finish(&self) {
        let files = std::mem::take(&mut *self.files.borrow_mut());
        for follower in files.into_values() {
            follower.stop.asked.set(true);
            follower.stop.event.notify(usize::MAX);
            follower.task.await;
        }
    }
}

async fn follow(log: Rc<Log>, mut file: Rotated, seq: Rc<Cell<u64>>, stop: Rc<Stop>) {
    let mut failing = false;
    loop {
        let (changed, stopped) = (log.changed(), stop.event.listen());
        let batch = batch_after(&log, &seq);
        if batch.is_empty() {
            if stop.asked.get() {
                return;
            }
            smol::future::or(changed, stopped).await;
            continue;
        }
        let result;
        (file, result) = background::run(move || {
            let result = file.write(&batch);
            (file, result)
        })
        .await;
        match result {
            Ok(()) => failing = false,
            // Said once, and not for every line that is lost.
            Err(error) if !failing => {
                failing = true;
                log::warn!("{error}");
                log.note(
                    &format!("{error}; lines are kept in memory only"),
                    clock::now(),
                );
            }
            Err(_) => {}
        }
    }
}

/// The next lines as they stand in the file, with a word about those that came too fast.
fn batch_after(log: &Log, seq: &Cell<u64>) -> Vec<u8> {
    let mut batch = Vec::new();
    log.read_after(seq.get(), usize::MAX, BATCH, |line| {
        let missed = line.seq - seq.get() - 1;
        if missed > 0 {
            push(
                &mut batch,
                &line,
                "ossuary",
                &[missed.to_string().as_bytes(), b" lines are missing here"],
            );
        }
        let end: &[u8] = if line.cut { b" [cut]" } else { b"" };
        push(&mut batch, &line, line.stream.as_str(), &[line.text, end]);
        seq.set(line.seq);
    });
    batch
}

fn push(batch: &mut Vec<u8>, line: &Line<'_>, stream: &str, text: &[&[u8]]) {
    let time = clock::wall_at(line.time);
    // Writing to memory does not fail.
    let _ = write!(batch, "{time:.3} {stream}: ");
    text.iter().for_each(|part| batch.extend_from_slice(part));
    batch.push(b'\n');
}

/// A file that is replaced by a new one before it grows too large.
struct Rotated {
    path: PathBuf,
    policy: Persist,
    file: Option<(File, u64)>,
}

impl Rotated {
    fn new(path: PathBuf, policy: Persist) -> Self {
        Self {
            path,
            policy,
            file: None,
        }
    }

    /// Appends whole lines.
    fn write(&mut self, lines: &[u8]) -> Result<(), Failure> {
        let result = lines
            .split_inclusive(|byte| *byte == b'\n')
            .try_for_each(|line| self.write_line(line))
            .and_then(|()| self.file.as_mut().map_or(Ok(()), |(file, _)| file.flush()));
        result.map_err(|error| {
            // Opened again next time: the directory may have come back as another one.
            self.file = None;
            failure(format_args!("write {}", self.path.display()), &error)
        })
    }

    fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        let length = line.len() as u64;
        let (mut file, mut size) = match self.file.take() {
            Some(open) => open,
            None => self.open()?,
        };
        if size > 0 && size + length > self.policy.max_bytes {
            drop(file);
            self.rotate()?;
            (file, size) = self.open()?;
        }
        file.write_all(line)?;
        self.file = Some((file, size + length));
        Ok(())
    }

    fn open(&self) -> io::Result<(File, u64)> {
        if let Some(dir) = self.path.parent() {
            fs::create_dir_all(dir)?;
        }
        // Output may hold secrets: for the daemon's user alone.
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&self.path)?;
        let size = file.metadata()?.len();
        Ok((file, size))
    }

    /// The oldest falls away, the others move up by one.
    fn rotate(&self) -> io::Result<()> {
        if self.policy.files <= 1 {
            return fs::remove_file(&self.path);
        }
        for number in (1..self.policy.files - 1).rev() {
            match fs::rename(self.numbered(number), self.numbered(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::rename(&self.path, self.numbered(1))
    }

    fn numbered(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::Stream;
    use crate::sys::test::Dir;
    use smol::block_on;

    fn policy(max_bytes: u64, files: u32) -> Option<Persist> {
        Some(Persist { max_bytes, files })
    }

    #[test]
    fn files_are_rotated_and_bounded() {
        let dir = Dir::new("persist-rotate");
        let executor = Rc::new(LocalExecutor::new());
        let files = LogFiles::new(&executor, dir.path());
        let log = Rc::new(Log::new(256 * 1024));
        let id: Id = "sync".parse().unwrap();
        files.keep(&id, &log, policy(2_000, 3));
        for number in 1..=100 {
            log.note(&format!("line {number}"), clock::now());
        }
        block_on(executor.run(files.finish()));
        let mut names: Vec<_> = fs::read_dir(dir.path().join("logs"))
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| {
                (
                    entry.file_name().into_string().unwrap(),
                    entry.metadata().unwrap().len(),
                )
            })
            .collect();
        names.sort();
        assert!(names.iter().all(|(_, size)| *size <= 2_000), "{names:?}");
        let names: Vec<_> = names.into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["sync.log", "sync.log.1", "sync.log.2"]);
        let newest = fs::read_to_string(dir.path().join("logs/sync.log")).unwrap();
        assert!(newest.ends_with("Z ossuary: line 100\n"), "{newest}");
    }

    #[test]
    fn what_came_too_fast_is_announced() {
        let dir = Dir::new("persist-missing");
        let executor = Rc::new(LocalExecutor::new());
        let files = LogFiles::new(&executor, dir.path());
        let log = Rc::new(Log::new(1024));
        let mut writer = log.writer(Stream::Stdout);
        (0..1000).for_each(|_| writer.append(b"a line of some length\n", clock::now()));
        let missing = log.first_seq() - 1;
        files.keep(&"sync".parse().unwrap(), &log, policy(1 << 20, 1));
        block_on(executor.run(files.finish()));
        let text = fs::read_to_string(dir.path().join("logs/sync.log")).unwrap();
        let first = text.lines().next().unwrap();
        assert!(
            first.ends_with(&format!("ossuary: {missing} lines are missing here")),
            "{first}"
        );
    }

    #[test]
    fn a_disk_that_refuses_is_noted_once_and_blocks_nothing() {
        let dir = Dir::new("persist-refused");
        fs::write(dir.path().join("logs"), b"not a directory").unwrap();
        let executor = Rc::new(LocalExecutor::new());
        let files = LogFiles::new(&executor, dir.path());
        let log = Rc::new(Log::new(64 * 1024));
        files.keep(&"sync".parse().unwrap(), &log, policy(1 << 20, 1));
        log.note("one", clock::now());
        block_on(executor.run(files.finish()));
        let mut notes = 0;
        log.tail(100, |line| {
            notes += usize::from(line.text.starts_with(b"cannot write"))
        });
        assert_eq!(notes, 1);
    }
}
