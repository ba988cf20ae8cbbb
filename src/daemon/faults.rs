//! Makes a running daemon hang, for the tests of its watchdog. Only in builds with the feature `faults`, which is
//! never installed.
//!
//! A file `fault` in the run directory names what hangs from the next round of the loop (SIGHUP causes one):
//!
//! | content | what hangs |
//! |---|---|
//! | `loop` | the loop; clients are still served |
//! | `thread` | everything |
//! | `http` | the listeners; open connections are still served |
//! | `store` | the disk under the configuration |

use super::action_runner::ActionRunner;
use std::fs;
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::thread;

static LISTENERS_HANG: AtomicBool = AtomicBool::new(false);

/// Warns that this program must not be installed.
pub fn warn() {
    log::warn!("this program is for tests: it can be made to hang");
}

/// Serves until the fault `http` is injected, then hangs.
pub async fn may_hang(serve: impl Future<Output = ()>) {
    let mut serve = pin!(serve);
    poll_fn(|context| match LISTENERS_HANG.load(Ordering::Relaxed) {
        true => Poll::Pending,
        false => serve.as_mut().poll(context),
    })
    .await;
}

/// Injects the fault that the file names, if there is one.
pub async fn inject(runner: &ActionRunner) {
    let file = runner.run_dir.path().join("fault");
    let Ok(fault) = fs::read_to_string(&file) else {
        return;
    };
    // The next daemon must not hang as well.
    let _ = fs::remove_file(file);
    let fault = fault.trim();
    log::warn!("fault: {fault}");
    match fault {
        "loop" => pending().await,
        "thread" => loop {
            thread::park();
        },
        "http" => LISTENERS_HANG.store(true, Ordering::Relaxed),
        "store" => {
            let store = runner.store.clone();
            let hang = async move { store.hang().await };
            runner.executor.spawn(hang).detach();
        }
        _ => log::error!("there is no fault {fault}"),
    }
}
