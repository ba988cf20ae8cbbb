//! Compresses the static files that the program serves, the web UI and the API description, to a third of their size: a
//! phone on a slow network waits for less, and the program is smaller. Comments are removed from scripts; nothing is
//! bundled or rewritten. In release builds it also removes the unwind tables.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("OUT_DIR is not set"))?;
    let out = PathBuf::from(out);
    let ui = Path::new("src/http/ui");
    println!("cargo::rerun-if-changed={}", ui.display());
    for part in fs::read_dir(ui)? {
        deflate(&part?.path(), &out)?;
    }
    let description = Path::new("src/http/api/openapi.json");
    println!("cargo::rerun-if-changed={}", description.display());
    deflate(description, &out)?;
    // In the release profile a panic aborts.
    if env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        without_unwinding()?;
    }
    Ok(())
}

/// Lets the linker discard the unwind tables, which are 15 % of the program and not needed, because a panic aborts. The
/// standard library and, after link-time optimization, our code have them nevertheless, and no compiler option removes
/// them. The cost is that RUST_BACKTRACE prints no backtrace.
fn without_unwinding() -> io::Result<()> {
    let script = Path::new("src/without-unwinding.ld");
    println!("cargo::rerun-if-changed={}", script.display());
    let script = script.canonicalize()?;
    println!("cargo::rustc-link-arg-bins=-T{}", script.display());
    Ok(())
}

/// The content coding "deflate" is the zlib format (RFC 9110, 8.4.1.2).
fn deflate(file: &Path, out: &Path) -> io::Result<()> {
    let name = (file.file_name()).ok_or_else(|| io::Error::other("the path has no file name"))?;
    let bytes = match file.extension() {
        Some(extension) if extension == "js" => without_comments(&fs::read_to_string(file)?).into(),
        _ => fs::read(file)?,
    };
    let small = miniz_oxide::deflate::compress_to_vec_zlib(&bytes, 10);
    fs::write(out.join(name), small)
}

/// Empties comment lines, which are a sixth of the bytes to transfer. Line numbers stay the same, so that errors in the
/// browser's console can be located.
fn without_comments(script: &str) -> String {
    let mut is_in_block = false;
    let mut kept = String::new();
    for line in script.lines() {
        let text = line.trim();
        let is_block = is_in_block || text.starts_with("/**");
        if !is_block && !text.starts_with("//") {
            kept.push_str(line);
        }
        kept.push('\n');
        is_in_block = is_block && !text.ends_with("*/");
    }
    kept
}
