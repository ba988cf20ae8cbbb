//! Makes a running daemon hang, for the tests of its watchdog. No program that is installed has this
//! (feature `faults`).
//!
//! A file `fault` in the run directory says what hangs from the next round of the loop on (SIGHUP makes one):
//!
//! | it says | what hangs |
//! |---|---|
//! | `loop` | the loop; clients are still served |
//! | `thread` | everything |
//! | `http` | the doors; whoever was let in is still served |
//! | `store` | the disk under the configuration |

use super::action_runner::ActionRunner;
use std::fs;
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::thread;

static DOORS_HANG: AtomicBool = AtomicBool::new(false);

/// Nobody is to take such a program for one that may be installed.
pub fn warn() {
    log::warn!("this program is for tests: it can be made to hang");
}

/// A door that hangs when it is told to.
pub async fn may_hang(serve: impl Future<Output = ()>) {
    let mut serve = pin!(serve);
    poll_fn(|context| match DOORS_HANG.load(Ordering::Relaxed) {
        true => Poll::Pending,
        false => serve.as_mut().poll(context),
    })
    .await;
}

/// Looks whether something is to hang.
pub async fn befall(hands: &ActionRunner) {
    let file = hands.run_dir.path().join("fault");
    let Ok(fault) = fs::read_to_string(&file) else {
        return;
    };
    // The next daemon is to be well.
    let _ = fs::remove_file(file);
    let fault = fault.trim();
    log::warn!("fault: {fault}");
    match fault {
        "loop" => pending().await,
        "thread" => loop {
            thread::park();
        },
        "http" => DOORS_HANG.store(true, Ordering::Relaxed),
        "store" => {
            let store = hands.store.clone();
            let hang = async move { store.hang().await };
            hands.executor.spawn(hang).detach();
        }
        _ => log::error!("there is no fault {fault}"),
    }
}
