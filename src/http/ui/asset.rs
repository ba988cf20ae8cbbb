//! Static files in the program, deflated by `build.rs` as all browsers accept them.

use crate::http::reply::{ApiRequest, Bytes, Reply};
use std::hash::{DefaultHasher, Hasher};

/// A static file.
#[derive(Clone, Copy)]
pub struct Asset {
    /// The content in the coding "deflate" (zlib format).
    pub deflated: &'static [u8],
}

/// The file with this name in the output of `build.rs`.
macro_rules! asset {
    ($name:literal) => {
        $crate::http::ui::asset::Asset {
            deflated: include_bytes!(concat!(env!("OUT_DIR"), "/", $name)),
        }
    };
}
pub(in crate::http) use asset;

impl Asset {
    /// The file, or 304 if the client has it already. Clients revalidate each time (`no-cache`), so after an update no
    /// old script is used. A client that does not accept deflate gets the original.
    pub fn answer(self, request: &ApiRequest<'_>, media_type: &'static str) -> Reply {
        let deflates = (request.header("accept-encoding"))
            .is_some_and(|codings| codings.split(',').any(|coding| coding.trim() == "deflate"));
        let etag = self.etag(deflates);
        let is_known = (request.header("if-none-match"))
            .is_some_and(|known| known.split(',').any(|tag| tag.trim() == etag));
        let reply = match is_known {
            true => Reply::empty(304),
            false if deflates => Reply::fixed(media_type, Bytes::Static(self.deflated))
                .with("Content-Encoding", "deflate"),
            false => Reply::fixed(media_type, Bytes::Owned(self.inflated())),
        };
        reply.with("ETag", etag).with("Vary", "Accept-Encoding")
    }

    /// The original content.
    pub fn inflated(self) -> Vec<u8> {
        miniz_oxide::inflate::decompress_to_vec_zlib(self.deflated)
            .expect("embedded files are valid")
    }

    /// Hashing 20 kB takes a Raspberry Pi some 20 µs, a few times a day. The two codings are different representations.
    fn etag(self, deflated: bool) -> String {
        let mut hasher = DefaultHasher::new();
        hasher.write(self.deflated);
        hasher.write_u8(u8::from(deflated));
        format!("\"{:016x}\"", hasher.finish())
    }
}
