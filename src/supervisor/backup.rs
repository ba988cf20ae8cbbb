//! What is worth keeping of a file before it is replaced.

/// A file that is more than the document in force: nobody else has what stands in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepOld {
    /// It was written by an older program, in this version; kept as `config.json.vN.bak`.
    Version(u64),
    /// Somebody edited it, and it cannot be used; kept as `config.json.bad`.
    Broken,
}
