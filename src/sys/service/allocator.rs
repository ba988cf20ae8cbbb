//! Has memory that was needed for a moment given back to the system.

#![allow(unsafe_code)]

/// Blocks from this size on have pages of their own, which go back when they are freed.
#[cfg(target_env = "gnu")]
const LARGE: nix::libc::c_int = 256 * 1024;

/// Keeps glibc from what it does unasked: after the first large block was freed it keeps the next ones of that size, so
/// a daemon of 3 MB that has hashed one password would be one of 22 MB for good. Other C libraries give them back.
pub fn give_back_large_blocks() {
    #[cfg(target_env = "gnu")]
    {
        use nix::libc::{M_MMAP_THRESHOLD, mallopt};
        // SAFETY: it takes two numbers, and is called before there is a second thread.
        unsafe {
            mallopt(M_MMAP_THRESHOLD, LARGE);
        }
    }
}
