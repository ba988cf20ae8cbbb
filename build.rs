//! Compresses the parts of the page, so that a phone on a poor network waits for a third of the bytes.
//! The parts themselves stay as they are written: there is nothing to bundle.

use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let page = Path::new("src/http/page");
    println!("cargo::rerun-if-changed={}", page.display());
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo names OUT_DIR"))?;
    for part in fs::read_dir(page)? {
        let part = part?;
        let bytes = fs::read(part.path())?;
        // The content coding "deflate" is the zlib format (RFC 9110, 8.4.1.2).
        let small = miniz_oxide::deflate::compress_to_vec_zlib(&bytes, 10);
        fs::write(Path::new(&out).join(part.file_name()), small)?;
    }
    Ok(())
}
