//! What to keep of the configuration file before it is replaced.

/// Why a file is kept: it is the only copy of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepOld {
    /// An older program wrote it in this version; kept as `config.json.vN.bak`.
    Version(u64),
    /// A user edited it and it cannot be used; kept as `config.json.bad`.
    Broken,
}
