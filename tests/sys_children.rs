//! Runs real processes, badly behaved ones above all, and sees each to its right end.
//!
//! The room under test reaps every child of the process it lives in, so these tests take turns.

#![allow(clippy::unwrap_used)] // What goes wrong in a test's helper is a failure of the test.

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User, geteuid};
use ossuary::config::{CommandLine, Id, Limits, Ready, ReadySign, StopSignal};
use ossuary::logs::Log;
use ossuary::supervisor::{Ending, Event, Failure, RunId};
use ossuary::sys::cgroup::{Cgroup, Cgroups, Delegation};
use ossuary::sys::process::children::Children;
use ossuary::sys::process::launch::Launch;
use ossuary::sys::storage::run_dir::RunDir;
use smol::channel::Receiver;
use smol::{LocalExecutor, Timer, future};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::Permissions;
use std::io::stdin;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

static TURN: Mutex<()> = Mutex::new(());

/// Becomes the reaper of those below it, gives birth to a process below a child that ends, and moves
/// it into the cgroup named by its argument: only the kernel reports its end.
const FOSTER: &str = r#"
import ctypes, os, signal, sys, time
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
if os.fork() == 0:
    pid = os.fork()
    if pid == 0:
        time.sleep(600)
    with open(sys.argv[1] + "/cgroup.procs", "w") as procs:
        procs.write(str(pid))
    print("foreign", pid, flush=True)
    os._exit(0)
time.sleep(600)
"#;

/// A test that has not ended by then hangs.
const HANGS: Duration = Duration::from_secs(120);

/// Everything a run needs, in a directory of its own.
struct Fixture {
    children: Children,
    events: Receiver<Event>,
    log: Rc<Log>,
    id: Id,
    dir: PathBuf,
}

impl Fixture {
    /// Lets `test` live in a fixture of its own, and looks that nothing is left behind.
    fn open<F: Future<Output = ()>>(name: &str, test: impl FnOnce(Rc<Fixture>) -> F) {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let dir = std::env::temp_dir().join(format!("ossuary-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let executor = Rc::new(LocalExecutor::new());
        let (sender, events) = smol::channel::unbounded();
        let run_dir = Rc::new(RunDir::take(&dir).unwrap());
        // With cgroups where these tests are run in one that was delegated to them, and without elsewhere.
        let cgroups = Cgroups::new(Delegation::take());
        // Descriptors that the parent of a daemon may have left open, low and high.
        let strays = [3, 300].map(|least| fcntl(stdin(), FcntlArg::F_DUPFD(least)).unwrap());
        let fixture = Rc::new(Fixture {
            children: Children::new(&executor, sender, &run_dir, cgroups).unwrap(),
            events,
            log: Rc::new(Log::new(256 * 1024)),
            id: "sync".parse().unwrap(),
            dir: run_dir.path().to_owned(),
        });
        let hangs = async {
            Timer::after(HANGS).await;
            panic!("the test hangs; its log: {:?}", fixture.lines());
        };
        smol::block_on(executor.run(future::or(test(fixture.clone()), hangs)));
        assert_eq!(
            fixture.marked(),
            Vec::<i32>::new(),
            "processes were left behind"
        );
        std::fs::remove_dir_all(&dir).unwrap();
        for stray in strays {
            nix::unistd::close(stray).unwrap();
        }
    }

    fn launch(&self, script: &str) -> Launch {
        launch(CommandLine::Shell(script.to_owned()))
    }

    fn spawn(&self, run: u64, launch: &Launch) -> Result<i32, Failure> {
        let pid = self.children.spawn(RunId(run), &self.id, launch, &self.log);
        pid.map(|pid| pid as i32)
    }

    fn start(&self, run: u64, script: &str) -> i32 {
        self.spawn(run, &self.launch(script)).unwrap()
    }

    async fn exited(&self, run: u64) -> (Ending, bool) {
        match self.events.recv().await.unwrap() {
            Event::Exited {
                run: RunId(number),
                ending,
                tree_left,
            } if number == run => (ending, tree_left),
            event => panic!("{event:?}"),
        }
    }

    /// Kills a run and waits until nothing of it is left.
    async fn kill(&self, run: u64) -> Ending {
        self.children.kill(RunId(run));
        let (ending, tree_left) = self.exited(run).await;
        if tree_left {
            self.tree_gone(run).await;
        }
        ending
    }

    async fn tree_gone(&self, run: u64) {
        match self.events.recv().await.unwrap() {
            Event::TreeGone { run: RunId(number) } if number == run => {}
            event => panic!("{event:?}"),
        }
    }

    /// Starts a run, and lets another one put a foreign process into its cgroup. Returns the cgroup, the main process
    /// and the foreign process; `None` without cgroups.
    async fn foreign(&self) -> Option<(Cgroup, i32, i32)> {
        let cgroup = Delegation::take().ok()?.group(&self.id, RunId(1));
        let main = self.start(1, "exec sleep 600");
        let directory = cgroup.directory().to_str().unwrap();
        let argv = ["python3", "-c", FOSTER, directory].map(str::to_owned);
        let foster = CommandLine::Direct {
            env: Vec::new(),
            argv: argv.to_vec(),
        };
        self.spawn(2, &launch(foster)).unwrap();
        let foreign = self.said("foreign ").await.parse().unwrap();
        Some((cgroup, main, foreign))
    }

    /// Waits for a line that begins so, and returns the rest of it.
    async fn said(&self, start: &str) -> String {
        loop {
            let changed = self.log.changed();
            let found = self
                .lines()
                .into_iter()
                .find_map(|line| Some(line.strip_prefix(start)?.to_owned()));
            match found {
                Some(rest) => return rest,
                None => changed.await,
            }
        }
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        self.log.tail(1000, |line| {
            lines.push(String::from_utf8_lossy(line.text).into_owned())
        });
        lines
    }

    /// Every live process that carries the marker of this fixture.
    fn marked(&self) -> Vec<i32> {
        let marker = format!("OSSUARY_RUN={}:", self.dir.display());
        let carries = |pid: &i32| {
            std::fs::read(format!("/proc/{pid}/environ"))
                .is_ok_and(|environ| memchr::memmem::find(&environ, marker.as_bytes()).is_some())
        };
        everybody().into_iter().filter(carries).collect()
    }
}

fn launch(command: CommandLine) -> Launch {
    let (env, argv) = match command {
        CommandLine::Direct { env, argv } => (env, argv),
        CommandLine::Shell(script) => (
            Vec::new(),
            vec!["/bin/sh".to_owned(), "-c".to_owned(), script],
        ),
    };
    Launch {
        argv,
        env,
        cwd: Some("/".to_owned()),
        user: geteuid().is_root().then(|| "root".to_owned()),
        display: None,
        notify: false,
        driven: false,
        limits: Limits::default(),
    }
}

fn everybody() -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// The state letter in `/proc/PID/stat`.
fn state(pid: i32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(") ").next()?.chars().next()
}

/// How many children have ended and were not reaped.
fn zombies() -> usize {
    let me = std::process::id().to_string();
    let is_zombie = |pid: &i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let mut fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
        fields.next() == Some("Z") && fields.next() == Some(&me)
    };
    everybody().iter().filter(|pid| is_zombie(pid)).count()
}

fn descriptors_of(pid: &str) -> BTreeSet<i32> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

fn executable(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
}

fn is_gone(pid: i32) -> bool {
    kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH)
}

fn ready(sign: ReadySign) -> Ready {
    Ready {
        sign,
        timeout: Duration::from_secs(30),
    }
}

#[test]
fn a_command_that_does_not_exist_is_named_and_leaves_nothing() {
    Fixture::open("missing", async |fixture| {
        // Not the PATH of the tests: a directory in it that may not be searched makes another error of it.
        let direct = |program: &str| CommandLine::Direct {
            env: vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())],
            argv: vec![program.to_owned()],
        };
        let refused = fixture.spawn(1, &launch(direct("python9"))).unwrap_err();
        assert_eq!(
            refused.message,
            "cannot run python9: no such file or directory"
        );
        let refused = fixture
            .spawn(2, &launch(direct("/etc/passwd")))
            .unwrap_err();
        assert_eq!(refused.message, "cannot run /etc/passwd: permission denied");
        let mut nowhere = launch(direct("true"));
        nowhere.cwd = Some("/nowhere".to_owned());
        let refused = fixture.spawn(3, &nowhere).unwrap_err();
        assert!(
            refused
                .message
                .starts_with("the working directory /nowhere does not exist")
        );
        assert!(!fixture.dir.join("sync.pid").exists());
        let script = fixture.dir.join("script");
        executable(&script, "#!/no/such/interpreter\n");
        let before = (descriptors_of("self"), zombies());
        let refused = fixture
            .spawn(4, &launch(direct(script.to_str().unwrap())))
            .unwrap_err();
        let words = "the interpreter it names in its first line (or its loader) does not exist";
        assert!(refused.message.ends_with(words), "{refused:?}");
        assert_eq!((descriptors_of("self"), zombies()), before);
    });
}

#[test]
fn a_program_is_looked_for_where_its_process_would_look() {
    Fixture::open("path", async |fixture| {
        let make = |name: &str| {
            std::fs::create_dir(fixture.dir.join(name)).unwrap();
            fixture.dir.join(name).join("tool")
        };
        let (found, barred) = (make("found"), make("barred"));
        executable(&found, "#!/bin/sh\necho tool $PWD\n");
        std::fs::write(&barred, "#!/bin/sh\n").unwrap();
        let dir = fixture.dir.display();
        let tool = |program: &str, path: &str| {
            let mut launch = launch(CommandLine::Direct {
                env: vec![("PATH".to_owned(), path.to_owned())],
                argv: vec![program.to_owned()],
            });
            launch.cwd = Some(dir.to_string());
            launch
        };
        let everywhere = format!("/nowhere:/etc/passwd:{dir}/barred:{dir}/found");
        let runs = [("tool", everywhere.as_str()), ("found/tool", "/nowhere")];
        for (run, (program, path)) in (1..).zip(runs) {
            fixture.spawn(run, &tool(program, path)).unwrap();
            assert_eq!(fixture.exited(run).await, (Ending::Code(0), false));
            assert_eq!(fixture.lines().pop(), Some(format!("tool {dir}")));
        }
        for (path, words) in [
            (format!("{dir}/barred:/nowhere"), "permission denied"),
            ("/nowhere".to_owned(), "no such file or directory"),
        ] {
            let refused = fixture.spawn(3, &tool("tool", &path)).unwrap_err();
            assert_eq!(refused.message, format!("cannot run tool: {words}"));
        }
    });
}

/// So no child has the terminal that the daemon was started from, to type into it or to be interrupted from it.
#[test]
fn a_child_leads_a_session_of_its_own_and_holds_nothing_that_it_was_not_given() {
    Fixture::open("given", async |fixture| {
        let mut launch = fixture.launch("kill -STOP $$");
        for (run, driven, given) in [(1, false, 0..3), (2, true, 0..5)] {
            launch.driven = driven;
            let pid = fixture.spawn(run, &launch).unwrap();
            let session = nix::unistd::getsid(Some(Pid::from_raw(pid)));
            assert_eq!(session, Ok(Pid::from_raw(pid)));
            let group = nix::unistd::getpgid(Some(Pid::from_raw(pid)));
            assert_eq!(group, Ok(Pid::from_raw(pid)));
            while state(pid) != Some('T') {
                future::yield_now().await;
            }
            assert_eq!(descriptors_of(&pid.to_string()), given.collect());
            fixture.kill(run).await;
        }
    });
}

#[test]
fn a_program_beside_a_run_leads_a_session_of_its_own_as_well() {
    Fixture::open("helper", async |fixture| {
        let is_leader = "read -r pid name state parent group session rest < /proc/self/stat; \
            test $session = $$ && test $group = $$";
        let status = fixture
            .children
            .output(["/bin/sh", "-c", is_leader].map(str::to_owned).to_vec());
        assert!(status.await.unwrap().0.success());
    });
}

/// A child that becomes another user while it still lives in our memory sets our flag to `fs.suid_dumpable`. Where that
/// is 2, as systemd-coredump has it, the flag would stay set; elsewhere it has to be set by hand to see it cleared.
#[test]
fn the_daemon_leaves_no_core_file_after_a_start_either() {
    Fixture::open("core", async |fixture| {
        let users = if geteuid().is_root() {
            vec![Some("nobody"), Some("root")]
        } else {
            vec![None]
        };
        let starts = users.iter().flat_map(|user| [(user, false), (user, true)]);
        for (run, (user, before)) in (1..).zip(starts) {
            let mut launch = fixture.launch("exit 0");
            launch.user = user.map(str::to_owned);
            prctl::set_dumpable(before).unwrap();
            fixture.spawn(run, &launch).unwrap();
            let after = prctl::get_dumpable();
            assert_eq!(after, Ok(false), "as {user:?}, {before} before");
            assert_eq!(fixture.exited(run).await, (Ending::Code(0), false));
        }
    });
}

/// A kernel that gives it only a part of our table of descriptors has to give it the rest of the numbers as well.
#[test]
fn a_child_has_room_for_descriptors_beside_many_of_the_daemon() {
    Fixture::open("room", async |fixture| {
        let null = || std::fs::File::open("/dev/null").unwrap();
        let _ours: Vec<_> = std::iter::repeat_with(null).take(300).collect();
        let open =
            "python3 -c 'import os; print(\"highest\", [os.dup(0) for _ in range(200)][-1])'";
        fixture.start(1, open);
        assert_eq!(fixture.exited(1).await, (Ending::Code(0), false));
        assert_eq!(fixture.said("highest ").await, "202");
    });
}

#[test]
fn a_child_may_hold_as_many_descriptors_as_if_the_daemon_had_no_need_of_more() {
    Fixture::open("limit", async |fixture| {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, 321, hard).unwrap();
        ossuary::sys::service::rlimit::raise_descriptors().unwrap();
        let users = if geteuid().is_root() {
            vec![Some("root"), Some("nobody")]
        } else {
            vec![None]
        };
        for (run, user) in (1..).zip(users) {
            let mut launch = fixture.launch(&format!("echo {run} may hold $(ulimit -Sn)"));
            launch.user = user.map(str::to_owned);
            fixture.spawn(run, &launch).unwrap();
            assert_eq!(fixture.exited(run).await, (Ending::Code(0), false));
            assert_eq!(fixture.said(&format!("{run} may hold ")).await, "321");
        }
    });
}

/// A child lives in the memory of all of them until it executes its program, and must not wait for any.
#[test]
fn children_start_while_other_threads_are_busy() {
    Fixture::open("threads", async |fixture| {
        let is_over = Arc::new(AtomicBool::new(false));
        let busy = || {
            let is_over = is_over.clone();
            std::thread::spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    // Allocates, and takes the lock of the environment.
                    assert!(std::env::vars_os().count() > 0);
                }
            })
        };
        let threads: Vec<_> = (0..4).map(|_| busy()).collect();
        for run in 1..=200 {
            fixture.start(run, "exit 3");
            assert_eq!(fixture.exited(run).await, (Ending::Code(3), false));
        }
        is_over.store(true, Ordering::Relaxed);
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn the_last_output_of_a_process_is_in_its_log_before_its_end_is_reported() {
    Fixture::open("at-once", async |fixture| {
        for run in 1..=50 {
            fixture.start(run, &format!("echo out {run}; echo err {run} >&2; exit 3"));
            assert_eq!(fixture.exited(run).await, (Ending::Code(3), false));
            let lines = fixture.lines();
            assert!(lines.contains(&format!("out {run}")) && lines.contains(&format!("err {run}")));
        }
    });
}

#[test]
fn a_pid_file_is_there_as_long_as_its_process() {
    Fixture::open("pid-file", async |fixture| {
        let pid = fixture.start(1, "echo up; exec sleep 600");
        let file = fixture.dir.join("sync.pid");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("{pid}\n"));
        fixture.children.signal(RunId(1), StopSignal::Term);
        assert_eq!(
            fixture.exited(1).await,
            (Ending::Signal(Signal::SIGTERM as i32), false)
        );
        assert!(!file.exists());
    });
}

#[test]
fn a_process_that_ignores_term_is_killed_with_its_children() {
    Fixture::open("ignores", async |fixture| {
        let main = fixture.start(
            1,
            "trap '' TERM; sleep 600 & echo child $!; while :; do wait; done",
        );
        let child: i32 = fixture.said("child ").await.parse().unwrap();
        fixture.children.signal(RunId(1), StopSignal::Term);
        assert!(
            !is_gone(main) && !is_gone(child),
            "an ignored signal is inherited"
        );
        assert_eq!(
            fixture.kill(1).await,
            Ending::Signal(Signal::SIGKILL as i32)
        );
        assert!(is_gone(child));
    });
}

#[test]
#[expect(clippy::zombie_processes, reason = "the room under test reaps it")]
fn a_grandchild_in_a_session_of_its_own_dies_too_and_its_namesake_does_not() {
    Fixture::open("double-fork", async |fixture| {
        let mut foreign = std::process::Command::new("sleep")
            .arg("600")
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        fixture.start(
            1,
            "setsid sh -c 'echo grandchild $$; exec sleep 600' & exit 0",
        );
        let grandchild: i32 = fixture.said("grandchild ").await.parse().unwrap();
        assert_eq!(fixture.exited(1).await, (Ending::Code(0), true));
        fixture.children.kill(RunId(1));
        fixture.tree_gone(1).await;
        assert!(is_gone(grandchild));
        assert_eq!(state(foreign.id() as i32), Some('S'));
        foreign.kill().unwrap();
    });
}

#[test]
fn of_many_that_end_at_once_each_has_its_own_end_and_what_it_leaves_behind() {
    const RUNS: u64 = 90;
    // Deaf to TERM, in a session of its own: a child of the main process, or of one that ends together with it.
    const DEAF: &str = "setsid sh -c 'trap \"\" TERM; echo up; exec sleep 600' &";
    let leaves_one = |run: u64| !run.is_multiple_of(3);
    Fixture::open("many", async |fixture| {
        for run in 1..=RUNS {
            let leave = match run % 3 {
                0 => String::new(),
                1 => DEAF.to_owned(),
                _ => format!("({DEAF} wait) &"),
            };
            fixture.start(
                run,
                &format!("trap 'exit {run}' TERM\n{leave}\necho up; kill -STOP $$"),
            );
        }
        let everybody: usize = (1..=RUNS).map(|run| 1 + usize::from(leaves_one(run))).sum();
        loop {
            let changed = fixture.log.changed();
            match fixture.lines().iter().filter(|line| *line == "up").count() {
                up if up == everybody => break,
                _ => changed.await,
            }
        }
        for run in 1..=RUNS {
            fixture.children.signal(RunId(run), StopSignal::Term);
        }
        let mut ended = BTreeMap::new();
        while ended.len() < RUNS as usize {
            match fixture.events.recv().await.unwrap() {
                Event::Exited {
                    run: RunId(run),
                    ending,
                    tree_left,
                } => ended.insert(run, (ending, tree_left)),
                event => panic!("{event:?}"),
            };
        }
        let expected = |run| (Ending::Code(run as i32), leaves_one(run));
        assert_eq!(ended, (1..=RUNS).map(|run| (run, expected(run))).collect());
        let mut rest: BTreeSet<u64> = (1..=RUNS).filter(|run| leaves_one(*run)).collect();
        for run in &rest {
            fixture.children.kill(RunId(*run));
        }
        while !rest.is_empty() {
            match fixture.events.recv().await.unwrap() {
                Event::TreeGone { run: RunId(run) } => assert!(rest.remove(&run)),
                event => panic!("{event:?}"),
            }
        }
    });
}

#[test]
fn a_grandchild_that_ends_is_reported_gone() {
    Fixture::open("by-itself", async |fixture| {
        let fifo = fixture.dir.join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let script = format!("(read x < {}; echo late $x) & exit 0", fifo.display());
        fixture.start(1, &script);
        assert_eq!(fixture.exited(1).await, (Ending::Code(0), true));
        // It still holds the pipe; what it prints now is not lost.
        std::fs::write(&fifo, "word\n").unwrap();
        assert_eq!(fixture.said("late ").await, "word");
        fixture.tree_gone(1).await;
    });
}

#[test]
fn a_grandchild_that_hides_from_its_run_is_remembered_from_before() {
    Fixture::open("hides", async |fixture| {
        let hidden = "trap \"\" TERM; echo hidden $$; sleep 600 & wait; wait; wait";
        fixture.start(1, &format!("setsid env -i /bin/sh -c '{hidden}' & wait"));
        let hidden: i32 = fixture.said("hidden ").await.parse().unwrap();
        fixture.children.signal(RunId(1), StopSignal::Term);
        assert_eq!(
            fixture.exited(1).await,
            (Ending::Signal(Signal::SIGTERM as i32), true)
        );
        fixture.children.kill(RunId(1));
        fixture.tree_gone(1).await;
        assert!(is_gone(hidden));
    });
}

#[test]
fn the_end_of_a_process_that_is_no_child_is_noticed_by_its_cgroup() {
    Fixture::open("cgroup-end", async |fixture| {
        let Some((cgroup, main, foreign)) = fixture.foreign().await else {
            return eprintln!("nothing proven: no cgroup was delegated to this test");
        };
        kill(Pid::from_raw(main), Signal::SIGKILL).unwrap();
        assert_eq!(fixture.exited(1).await, (Ending::Signal(9), true));
        assert!(cgroup.is_populated());
        kill(Pid::from_raw(foreign), Signal::SIGKILL).unwrap();
        fixture.tree_gone(1).await;
        assert!(!cgroup.directory().exists());
        fixture.kill(2).await;
    });
}

#[test]
fn every_process_in_the_cgroup_of_a_run_dies_with_it() {
    Fixture::open("cgroup-kill", async |fixture| {
        let Some((cgroup, _, foreign)) = fixture.foreign().await else {
            return eprintln!("nothing proven: no cgroup was delegated to this test");
        };
        fixture.kill(1).await;
        assert!(is_gone(foreign) && !cgroup.directory().exists());
        fixture.kill(2).await;
    });
}

#[test]
fn who_lives_in_the_cgroup_of_a_run_hears_that_it_is_to_end() {
    Fixture::open("cgroup-signal", async |fixture| {
        let Some((cgroup, _, foreign)) = fixture.foreign().await else {
            return eprintln!("nothing proven: no cgroup was delegated to this test");
        };
        fixture.children.signal(RunId(1), StopSignal::Term);
        let (ending, tree_left) = fixture.exited(1).await;
        assert_eq!(ending, Ending::Signal(Signal::SIGTERM as i32));
        if tree_left {
            fixture.tree_gone(1).await;
        }
        assert!(is_gone(foreign) && !cgroup.directory().exists());
        fixture.kill(2).await;
    });
}

#[test]
fn a_stray_process_is_killed_at_the_very_end() {
    Fixture::open("stray", async |fixture| {
        fixture.start(
            1,
            "setsid env -i /bin/sh -c 'echo stray $$; exec sleep 600' & exec sleep 600",
        );
        let stray: i32 = fixture.said("stray ").await.parse().unwrap();
        kill(Pid::from_raw(fixture_pid(&fixture)), Signal::SIGKILL).unwrap();
        assert_eq!(
            fixture.exited(1).await.0,
            Ending::Signal(Signal::SIGKILL as i32)
        );
        assert!(!is_gone(stray));
        assert!(fixture.children.kill_unknown_descendants() >= 1);
        while !matches!(state(stray), None | Some('Z')) {
            future::yield_now().await;
        }
    });
}

fn fixture_pid(fixture: &Fixture) -> i32 {
    std::fs::read_to_string(fixture.dir.join("sync.pid"))
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}

#[test]
fn a_tree_that_forks_faster_than_it_is_looked_at_is_killed_to_the_last() {
    Fixture::open("forks", async |fixture| {
        for run in 1..=4 {
            // Each of the loops is a session of its own, and so is each of the sleeps they leave behind.
            let forks = "while :; do setsid sleep 600 & done";
            fixture.start(
                run,
                &format!("setsid sh -c '{forks}' & setsid sh -c '{forks}' & echo up {run}; wait"),
            );
            fixture.said(&format!("up {run}")).await;
            while fixture.marked().len() < 20 {
                future::yield_now().await;
            }
            fixture.kill(run).await;
            assert_eq!(fixture.marked(), Vec::<i32>::new());
        }
    });
}

#[test]
fn orphans_that_end_do_not_pile_up_as_zombies() {
    Fixture::open("zombies", async |fixture| {
        fixture.start(1, "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do (setsid true &); done; echo done; exec sleep 600");
        fixture.said("done").await;
        while zombies() > 0 {
            future::yield_now().await;
        }
        fixture.kill(1).await;
    });
}

#[test]
fn a_process_that_closes_its_output_lives_on() {
    Fixture::open("closes", async |fixture| {
        let pid = fixture.start(1, "echo closing; exec >&- 2>&-; kill -STOP $$; exit 7");
        fixture.said("closing").await;
        while state(pid) != Some('T') {
            future::yield_now().await;
        }
        assert!(fixture.events.is_empty());
        kill(Pid::from_raw(pid), Signal::SIGCONT).unwrap();
        assert_eq!(fixture.exited(1).await, (Ending::Code(7), false));
    });
}

#[test]
fn a_stopped_process_hears_that_it_is_to_end() {
    Fixture::open("stopped", async |fixture| {
        let pid = fixture.start(1, "kill -STOP $$");
        while state(pid) != Some('T') {
            future::yield_now().await;
        }
        fixture.children.signal(RunId(1), StopSignal::Term);
        assert_eq!(
            fixture.exited(1).await,
            (Ending::Signal(Signal::SIGTERM as i32), false)
        );
    });
}

#[test]
fn binary_output_is_kept_byte_for_byte() {
    Fixture::open("binary", async |fixture| {
        fixture.start(1, r"printf '\000\377\033[0m\r\n\n\376'");
        assert_eq!(fixture.exited(1).await, (Ending::Code(0), false));
        let mut lines = Vec::new();
        fixture.log.tail(9, |line| lines.push(line.text.to_vec()));
        // The line without an end is there once the pipe is known to be closed.
        while lines.len() < 3 {
            fixture.log.changed().await;
            lines.clear();
            fixture.log.tail(9, |line| lines.push(line.text.to_vec()));
        }
        assert_eq!(lines, [&b"\0\xff\x1b[0m\r"[..], b"", b"\xfe"]);
    });
}

#[test]
fn a_flood_is_counted_to_the_last_line() {
    Fixture::open("flood", async |fixture| {
        fixture.start(1, "yes | head -c 67108864");
        assert_eq!(fixture.exited(1).await.0, Ending::Code(0));
        while fixture.log.next_seq() <= 67_108_864 / 2 {
            fixture.log.changed().await;
        }
        assert_eq!(fixture.log.next_seq() - 1, 67_108_864 / 2);
        assert!(fixture.log.first_seq() > 1);
    });
}

#[test]
fn a_child_starts_with_no_signal_blocked_or_ignored_and_null_at_its_stdin() {
    Fixture::open("clean", async |fixture| {
        let users = if geteuid().is_root() {
            vec![Some("root"), Some("nobody")]
        } else {
            vec![None]
        };
        let runs = users.len();
        for (run, user) in (1..).zip(users) {
            let mut launch = fixture
                .launch("grep -E '^Sig(Blk|Ign)' /proc/self/status; readlink /proc/self/fd/0");
            launch.user = user.map(str::to_owned);
            fixture.spawn(run, &launch).unwrap();
            assert_eq!(fixture.exited(run).await, (Ending::Code(0), false));
        }
        let lines = fixture.lines();
        for line in &lines {
            match line.split_once('\t') {
                // 32 and 33 are glibc's own, which no program can change: they are as they were when this test began.
                Some((_, mask)) => {
                    let mask = u64::from_str_radix(mask, 16).unwrap();
                    assert_eq!(mask & !(0b11 << 31), 0, "{line}");
                }
                None => assert_eq!(line, "/dev/null"),
            }
        }
        assert_eq!(lines.len(), 3 * runs);
    });
}

#[test]
fn a_process_has_only_what_its_account_has() {
    Fixture::open("account", async |fixture| {
        let own = User::from_uid(geteuid()).unwrap().unwrap();
        // Only root can become another user.
        let user = match geteuid().is_root() {
            true => User::from_name("nobody").unwrap().unwrap(),
            false => own.clone(),
        };
        let mut launch = fixture
            .launch("echo uid $(id -u) $(id -ru); echo groups $(id -G); echo home $HOME $USER");
        launch.user = (user != own).then(|| user.name.clone());
        fixture.spawn(1, &launch).unwrap();
        assert_eq!(fixture.exited(1).await, (Ending::Code(0), false));
        let uid = user.uid;
        assert_eq!(fixture.said("uid ").await, format!("{uid} {uid}"));
        let groups = std::process::Command::new("id")
            .args(["-G", &user.name])
            .output();
        let groups = String::from_utf8(groups.unwrap().stdout).unwrap();
        assert_eq!(fixture.said("groups ").await, groups.trim());
        let (home, name) = (user.dir.display(), &user.name);
        assert_eq!(fixture.said("home ").await, format!("{home} {name}"));
    });
}

#[test]
fn a_process_runs_as_root_or_another_user_only_where_the_daemon_may_become_that() {
    Fixture::open("rights", async |fixture| {
        let mut launch = fixture.launch("id -u");
        launch.user = Some("root".to_owned());
        let started = fixture.spawn(1, &launch);
        if geteuid().is_root() {
            started.unwrap();
            assert_eq!(fixture.exited(1).await, (Ending::Code(0), false));
            assert_eq!(fixture.lines(), ["0"]);
        } else {
            let refused = started.unwrap_err().message;
            assert!(refused.starts_with("cannot run as root: "), "{refused}");
        }
    });
}

#[test]
fn a_process_is_ready_when_it_says_so() {
    Fixture::open("notify", async |fixture| {
        let say = "import os, socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); \
            s.sendto(b'READY=1', os.environ['NOTIFY_SOCKET'])";
        let mut launch = fixture.launch(&format!("python3 -c \"{say}\"; exec sleep 600"));
        launch.notify = true;
        fixture.spawn(1, &launch).unwrap();
        fixture
            .children
            .await_ready(RunId(1), &ready(ReadySign::Notify), None);
        let event = fixture.events.recv().await.unwrap();
        assert!(matches!(event, Event::Ready { run: RunId(1) }), "{event:?}");
        fixture.kill(1).await;
        assert!(!fixture.dir.join("1.notify").exists());
    });
}

#[test]
fn a_process_is_ready_when_a_command_beside_it_succeeds() {
    Fixture::open("probe", async |fixture| {
        let flag = fixture.dir.join("flag");
        fixture.start(1, "exec sleep 600");
        let probe = format!("test -e {0} || {{ touch {0}; false; }}", flag.display());
        let sign = ReadySign::Command {
            command: probe.clone(),
        };
        fixture
            .children
            .await_ready(RunId(1), &ready(sign), Some(fixture.launch(&probe)));
        let event = fixture.events.recv().await.unwrap();
        assert!(matches!(event, Event::Ready { run: RunId(1) }), "{event:?}");
        fixture.kill(1).await;
    });
}

#[test]
fn a_probe_dies_with_the_run_it_probes() {
    Fixture::open("probe-dies", async |fixture| {
        let main = fixture.start(1, "exec sleep 600");
        let file = fixture.dir.join("probe");
        let probe = format!("echo $$ > {}; sleep 600; :", file.display());
        let sign = ReadySign::Command {
            command: probe.clone(),
        };
        fixture
            .children
            .await_ready(RunId(1), &ready(sign), Some(fixture.launch(&probe)));
        while !std::fs::read_to_string(&file).is_ok_and(|text| text.ends_with('\n')) {
            future::yield_now().await;
        }
        kill(Pid::from_raw(main), Signal::SIGKILL).unwrap();
        fixture.exited(1).await;
        while !fixture.marked().is_empty() {
            future::yield_now().await;
        }
    });
}
