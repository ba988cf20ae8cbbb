//! Keeps the daemon's memory off the disk: passwords pass through it.

use nix::sys::prctl::set_dumpable;
use std::io;

/// From now on this process leaves no core file however it ends, nor can another program of its account look into it;
/// root still can. The program it executes next is as any other again, so that the operator's processes leave theirs
/// as before. (A limit of zero would be inherited by them, and is no limit where cores are piped to a program.)
///
/// # Errors
/// The system's.
pub fn prevent() -> io::Result<()> {
    Ok(set_dumpable(false)?)
}
