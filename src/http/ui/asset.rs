//! What the program sends as it is: kept deflated (by `build.rs`), as every browser takes it.

use crate::http::reply::{ApiRequest, Reply};
use std::hash::{DefaultHasher, Hasher};

/// A file inside the program.
#[derive(Clone, Copy)]
pub struct Asset {
    /// The content coding "deflate": the zlib format.
    pub deflated: &'static [u8],
}

/// The file of this name, from where `build.rs` puts it.
macro_rules! asset {
    ($name:literal) => {
        $crate::http::ui::asset::Asset {
            deflated: include_bytes!(concat!(env!("OUT_DIR"), "/", $name)),
        }
    };
}
pub(in crate::http) use asset;

impl Asset {
    /// The file, or 304 where the client has it already. Clients ask each time (`no-cache`), so after an update nobody
    /// is left with an old script for a new page. Whoever does not take it deflated gets it as it was written.
    pub fn answer(self, request: &ApiRequest<'_>, media_type: &'static str) -> Reply {
        let deflates = (request.header("accept-encoding"))
            .is_some_and(|codings| codings.split(',').any(|coding| coding.trim() == "deflate"));
        let etag = self.etag(deflates);
        let is_known = (request.header("if-none-match"))
            .is_some_and(|known| known.split(',').any(|tag| tag.trim() == etag));
        let reply = match is_known {
            true => Reply::empty(304),
            false if deflates => {
                Reply::fixed(media_type, self.deflated).with("Content-Encoding", "deflate")
            }
            false => Reply::inflated(media_type, self.inflated()),
        };
        reply.with("ETag", etag).with("Vary", "Accept-Encoding")
    }

    /// As it was written.
    pub fn inflated(self) -> Vec<u8> {
        miniz_oxide::inflate::decompress_to_vec_zlib(self.deflated)
            .expect("what the program was built with is whole")
    }

    /// Hashing 20 kB takes a Pi some 20 µs, and a page is loaded a few times a day. The two forms are two things.
    fn etag(self, deflated: bool) -> String {
        let mut hasher = DefaultHasher::new();
        hasher.write(self.deflated);
        hasher.write_u8(u8::from(deflated));
        format!("\"{:016x}\"", hasher.finish())
    }
}
