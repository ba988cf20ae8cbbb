//! The configuration file, its last good copy, and what is kept aside.
//!
//! The disk is touched on a thread of its own: an SD card may take seconds over an fsync,
//! and the loop must not wait for it.

use super::atomic_file;
use crate::supervisor::{Event, Failure, FailureKind, KeepOld};
use crate::sys::background::{self, TaskList};
use crate::sys::errno::{failure, words};
use crate::sys::inotify::Watches;
use crate::sys::time::clock;
use crate::time::Moment;
use nix::sys::inotify::{AddWatchFlags, InotifyEvent};
use smol::channel::Sender;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hasher};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

/// A configuration is refused above this: a hundred times what a large kiosk needs, and
/// little enough to be held and parsed beside a browser on a small board.
const FILE_MAX: u64 = 1024 * 1024;

/// What is behind the name of a configuration that could not be used.
const BAD: &str = ".bad";

/// The configuration file and its surroundings. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct ConfigFile {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    file: PathBuf,
    last_good: PathBuf,
    schedule: PathBuf,
    /// The content of the file when it was last read or written here. Held over a whole
    /// load or save, so that these never overlap.
    seen: Mutex<Option<u64>>,
    /// Saves whose change of the file [`ConfigFile::watch`] has not seen yet.
    own_saves: OwnSaves,
    /// Notified after each load.
    loaded: event_listener::Event,
    /// What the disk is busy with.
    under_way: Arc<TaskList>,
}

impl ConfigFile {
    /// The configuration in `file`, its last good copy in `state_dir`. Removes what a
    /// killed daemon left half written. Nothing is read yet.
    pub fn new(file: &Path, state_dir: &Path) -> Self {
        let last_good = state_dir.join("config.last-good.json");
        atomic_file::clean(file);
        let schedule = state_dir.join("schedule.json");
        atomic_file::clean(&last_good);
        atomic_file::clean(&schedule);
        Self {
            shared: Arc::new(Shared {
                file: file.to_owned(),
                last_good,
                schedule,
                seen: Mutex::new(None),
                own_saves: OwnSaves::default(),
                loaded: event_listener::Event::new(),
                under_way: Arc::default(),
            }),
        }
    }

    /// Where the configuration is.
    pub fn file(&self) -> &Path {
        &self.shared.file
    }

    /// Reads the file; empty where there is none.
    ///
    /// # Errors
    /// It cannot be read, or is over 1 MiB.
    pub async fn load(&self) -> Result<Vec<u8>, Failure> {
        self.off_loop(Shared::load).await
    }

    /// Writes the file durably. With `keep_old`, the file that is there now is kept beside it first, as
    /// `<file>.vN.bak` or `<file>.bad`.
    ///
    /// # Errors
    /// It could not be written, or what is to be kept could not: the file is what it was; or
    /// ([`FailureKind::ChangedOnDisk`]) it is no longer what was last read or written here.
    pub async fn save(&self, bytes: Vec<u8>, keep_old: Option<KeepOld>) -> Result<(), Failure> {
        self.off_loop(move |shared| shared.save(&bytes, keep_old))
            .await
    }

    /// Keeps `bytes`, which were found to be a good configuration, for the day the file is
    /// broken. Not worth failing for: a disk that refuses is noted in the daemon's log.
    pub async fn keep_last_good(&self, bytes: Vec<u8>) {
        self.off_loop(move |shared| shared.keep_last_good(&bytes))
            .await;
    }

    /// Reads the last good copy, where there is one.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn load_last_good(&self) -> Result<Option<Vec<u8>>, Failure> {
        self.off_loop(|shared| read(&shared.last_good)).await
    }

    /// Keeps a broken configuration beside the file, as `<file>.bad`, and returns where. The file itself stays:
    /// the operator fixes it in place, and the next save replaces it.
    ///
    /// # Errors
    /// It cannot be written.
    pub async fn set_aside(&self, bad: Vec<u8>) -> Result<PathBuf, Failure> {
        self.off_loop(move |shared| {
            let path = shared.beside(BAD);
            write_unless_same(&path, &bad).map(|()| path)
        })
        .await
    }

    /// Keeps what outlives the daemon of the schedule, durably.
    ///
    /// # Errors
    /// It could not be written; what was kept before is.
    pub async fn keep_schedule(&self, bytes: Vec<u8>) -> Result<(), Failure> {
        self.off_loop(move |shared| atomic_file::write(&shared.schedule, &bytes))
            .await
    }

    /// Reads what was kept of the schedule, where anything was.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn load_schedule(&self) -> Result<Option<Vec<u8>>, Failure> {
        self.off_loop(|shared| read(&shared.schedule)).await
    }

    /// Reports when another program changes the file, and when its content is again what was last read or written here.
    /// The daemon's own saves are no news.
    pub async fn watch(self, reports: Sender<Event>) {
        let file = fs::canonicalize(self.file()).unwrap_or_else(|_| self.file().to_owned());
        let (Some(directory), Some(name)) = (file.parent(), file.file_name()) else {
            return;
        };
        // Editors write a file in place or rename a new one over it, so the directory is watched.
        let flags = AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_ONLYDIR;
        let watches = Watches::new().and_then(|watches| {
            watches.add(directory, flags)?;
            Ok(watches)
        });
        let watches = match watches {
            Ok(watches) => watches,
            Err(error) => {
                log::warn!(
                    "edits of {} are not noticed before a reload: {}",
                    file.display(),
                    words(&error)
                );
                return;
            }
        };
        // An edit before the first watch is found as well.
        let mut differs = self.off_loop(Shared::differs).await;
        let mut is_news = differs;
        loop {
            let loaded = self.shared.loaded.listen();
            if is_news && reports.send(Event::ConfigFile { differs }).await.is_err() {
                return;
            }
            // A load that overlapped a check makes its result out of date.
            let loaded = async {
                loaded.await;
                Ok(differs)
            };
            let changed = async {
                let changes = watches.changes().await?;
                // Without a name, changes were lost.
                let of_file = |change: &&InotifyEvent| {
                    change.name.as_deref().is_none_or(|changed| changed == name)
                };
                let changes = changes.iter().filter(of_file).count();
                Ok::<_, io::Error>(changes > 0 && self.shared.own_saves.take(changes) < changes)
            };
            is_news = match smol::future::or(changed, loaded).await {
                Ok(is_news) => is_news,
                Err(error) => {
                    let file = file.display();
                    log::error!("edits of {file} are no longer noticed: {}", words(&error));
                    return;
                }
            };
            if is_news {
                differs = self.off_loop(Shared::differs).await;
            }
        }
    }

    /// Since when the disk has been busy with the oldest thing that was asked of it here.
    pub fn busy_since(&self) -> Option<Moment> {
        self.shared.under_way.oldest()
    }

    /// Never answers, and keeps everything else from being answered.
    #[cfg(feature = "faults")]
    pub async fn hang(&self) {
        self.off_loop(|shared| {
            let _seen = shared.seen();
            loop {
                std::thread::park();
            }
        })
        .await
    }

    async fn off_loop<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> T + Send + 'static,
    ) -> T {
        let shared = self.shared.clone();
        let under_way = shared.under_way.enter(clock::now());
        background::run(move || {
            let result = work(&shared);
            drop(under_way);
            result
        })
        .await
    }
}

impl Shared {
    fn load(&self) -> Result<Vec<u8>, Failure> {
        let mut seen = self.seen();
        let bytes = read(&self.file)?.unwrap_or_default();
        *seen = Some(fingerprint(&bytes));
        self.loaded.notify(usize::MAX);
        Ok(bytes)
    }

    fn save(&self, bytes: &[u8], keep_old: Option<KeepOld>) -> Result<(), Failure> {
        let mut seen = self.seen();
        let old = read(&self.file)?.unwrap_or_default();
        if seen.is_some_and(|seen| seen != fingerprint(&old)) {
            return Err(self.changed_on_disk());
        }
        let aside = match keep_old {
            Some(KeepOld::Version(version)) => Some(format!(".v{version}.bak")),
            Some(KeepOld::Broken) => Some(BAD.to_owned()),
            None => None,
        };
        if let Some(suffix) = aside
            && !old.is_empty()
        {
            write_unless_same(&self.beside(&suffix), &old)?;
        }
        // Counted before: the watch may see the change before `write` returns.
        self.own_saves.0.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = atomic_file::write(&self.file, bytes) {
            self.own_saves.take(1);
            return Err(error);
        }
        *seen = Some(fingerprint(bytes));
        Ok(())
    }

    /// Whether the file differs from what was last read or written here. One that cannot be read does.
    fn differs(&self) -> bool {
        let seen = self.seen();
        let now = read(&self.file).map(|bytes| fingerprint(&bytes.unwrap_or_default()));
        seen.is_some_and(|seen| now != Ok(seen))
    }

    fn keep_last_good(&self, bytes: &[u8]) {
        if let Err(error) = write_unless_same(&self.last_good, bytes) {
            log::warn!("no copy of the configuration is kept: {error}");
        }
    }

    fn changed_on_disk(&self) -> Failure {
        Failure {
            message: format!(
                "{} was edited by hand and not read since: reload it (\"Reload configuration\" in the tab System, or \
                 `ossuary reload`), then make this change again",
                self.file.display()
            ),
            kind: FailureKind::ChangedOnDisk,
        }
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.file.file_name().unwrap_or_default().to_owned();
        name.push(suffix);
        self.file.with_file_name(name)
    }

    fn seen(&self) -> MutexGuard<'_, Option<u64>> {
        self.seen
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Counts the daemon's own saves. Each changes the file once, by a rename.
#[derive(Debug, Default)]
struct OwnSaves(AtomicUsize);

impl OwnSaves {
    /// Takes up to this many from the count; returns how many.
    fn take(&self, most: usize) -> usize {
        let before = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |saves| {
                Some(saves.saturating_sub(most))
            });
        before.unwrap_or_default().min(most)
    }
}

/// Content is compared by a hash: what is guarded against is an edit, not an attack.
fn fingerprint(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, Failure> {
    let failed = |error: io::Error| failure(format_args!("read {}", path.display()), &error);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut bytes = Vec::new();
    file.take(FILE_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(Failure::system(format!(
            "cannot read {}: it is larger than 1 MiB",
            path.display()
        )));
    }
    Ok(Some(bytes))
}

/// Writes only a changed content, to spare the card.
fn write_unless_same(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    match fs::read(path) {
        Ok(there) if there == bytes => Ok(()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            log::debug!("{} will be replaced: {}", path.display(), words(&error));
            atomic_file::write(path, bytes)
        }
        _ => atomic_file::write(path, bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::test::Dir;
    use smol::block_on;

    fn store(dir: &Dir) -> ConfigFile {
        ConfigFile::new(&dir.path().join("config.json"), &dir.path().join("state"))
    }

    #[test]
    fn a_missing_file_is_empty_and_what_is_saved_is_loaded() {
        let dir = Dir::new("store-load");
        let store = store(&dir);
        assert_eq!(block_on(store.load()), Ok(Vec::new()));
        assert_eq!(block_on(store.load_last_good()), Ok(None));
        block_on(store.save(b"{}".to_vec(), None)).unwrap();
        assert_eq!(block_on(store.load()), Ok(b"{}".to_vec()));
        block_on(store.keep_last_good(b"{}".to_vec()));
        assert_eq!(block_on(store.load_last_good()), Ok(Some(b"{}".to_vec())));
    }

    fn differs_in(event: Event) -> bool {
        match event {
            Event::ConfigFile { differs } => differs,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_edit_by_another_program_is_reported_and_an_own_save_is_not() {
        let dir = Dir::new("store-watch");
        let store = store(&dir);
        let (reports, events) = smol::channel::unbounded();
        let test = async {
            store.load().await.unwrap();
            for number in 0..3 {
                let bytes = format!("own {number}").into_bytes();
                store.save(bytes, None).await.unwrap();
            }
            let mut reported = Vec::new();
            let temporary = dir.path().join("temporary");
            for content in ["by hand", "own 2"] {
                fs::write(&temporary, content).unwrap();
                fs::rename(&temporary, store.file()).unwrap();
                reported.push(differs_in(events.recv().await.unwrap()));
            }
            assert!(events.is_empty(), "each change is reported once");
            fs::write(&temporary, "by hand again").unwrap();
            fs::rename(&temporary, store.file()).unwrap();
            assert!(differs_in(events.recv().await.unwrap()));
            store.load().await.unwrap();
            assert!(!differs_in(events.recv().await.unwrap()), "after a load");
            reported
        };
        let watch = async {
            store.clone().watch(reports).await;
            unreachable!("it watches")
        };
        assert_eq!(block_on(smol::future::or(watch, test)), [true, false]);
    }

    #[test]
    fn an_edit_made_meanwhile_is_not_overwritten() {
        let dir = Dir::new("store-edit");
        let store = store(&dir);
        block_on(store.load()).unwrap();
        block_on(store.save(b"one".to_vec(), None)).unwrap();
        fs::write(store.file(), b"by hand").unwrap();
        let refused = block_on(store.save(b"two".to_vec(), None)).unwrap_err();
        assert_eq!(refused.kind, FailureKind::ChangedOnDisk);
        assert_eq!(fs::read(store.file()).unwrap(), b"by hand");
        block_on(store.load()).unwrap();
        block_on(store.save(b"two".to_vec(), None)).unwrap();
        assert_eq!(fs::read(store.file()).unwrap(), b"two");
    }

    #[test]
    fn the_old_file_is_kept_before_a_migration_is_saved() {
        let dir = Dir::new("store-bak");
        fs::write(dir.path().join("config.json"), b"version two").unwrap();
        let store = store(&dir);
        block_on(store.load()).unwrap();
        block_on(store.save(b"version three".to_vec(), Some(KeepOld::Version(2)))).unwrap();
        assert_eq!(
            fs::read(dir.path().join("config.json.v2.bak")).unwrap(),
            b"version two"
        );
        assert_eq!(fs::read(store.file()).unwrap(), b"version three");
    }

    #[test]
    fn an_invalid_file_is_copied_and_stays_to_be_fixed() {
        let dir = Dir::new("store-bad");
        fs::write(dir.path().join("config.json"), b"{").unwrap();
        let store = store(&dir);
        let bad = block_on(store.load()).unwrap();
        let aside = block_on(store.set_aside(bad)).unwrap();
        assert_eq!(aside, dir.path().join("config.json.bad"));
        assert_eq!(fs::read(aside).unwrap(), b"{");
        assert_eq!(fs::read(store.file()).unwrap(), b"{");
    }

    #[test]
    fn a_broken_edit_is_kept_before_it_is_replaced_or_is_not_replaced() {
        let dir = Dir::new("store-broken");
        fs::write(dir.path().join("config.json"), b"{ by hand").unwrap();
        let store = store(&dir);
        block_on(store.load()).unwrap();
        let aside = dir.path().join("config.json.bad");
        fs::create_dir(&aside).unwrap();
        let save = || block_on(store.save(b"{}".to_vec(), Some(KeepOld::Broken)));
        assert!(save().is_err());
        assert_eq!(fs::read(store.file()).unwrap(), b"{ by hand");
        fs::remove_dir(&aside).unwrap();
        save().unwrap();
        assert_eq!(fs::read(aside).unwrap(), b"{ by hand");
        assert_eq!(fs::read(store.file()).unwrap(), b"{}");
    }

    #[test]
    fn a_disk_error_is_reported_and_changes_nothing() {
        let dir = Dir::new("store-refused");
        fs::write(dir.path().join("file"), b"").unwrap();
        let file = dir.path().join("file/config.json");
        let store = ConfigFile::new(&file, &dir.path().join("state"));
        let refused = block_on(store.save(b"{}".to_vec(), None)).unwrap_err();
        assert!(refused.message.ends_with(": not a directory"), "{refused}");
        assert_eq!(refused.kind, FailureKind::System);
    }

    #[test]
    fn it_is_known_for_how_long_the_disk_has_been_busy() {
        let dir = Dir::new("store-busy");
        let fifo = dir.path().join("config.json");
        // Opening it waits for a writer: a disk that hangs.
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let store = store(&dir);
        assert_eq!(store.busy_since(), None);
        let mut loading = Box::pin(store.load());
        assert!(block_on(smol::future::poll_once(loading.as_mut())).is_none());
        let since = store.busy_since();
        assert!(since.is_some());
        drop(loading);
        assert_eq!(store.busy_since(), since, "given up, and yet under way");
        fs::write(&fifo, b"{}").unwrap();
        while store.busy_since().is_some() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_file_far_too_large_is_refused_unread() {
        let dir = Dir::new("store-large");
        let store = store(&dir);
        File::create(store.file())
            .unwrap()
            .set_len(1 << 40)
            .unwrap();
        assert!(
            block_on(store.load())
                .unwrap_err()
                .message
                .contains("larger than 1 MiB")
        );
    }
}
