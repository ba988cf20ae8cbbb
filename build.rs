//! Compresses what the program sends as it is: the parts of the page and the description of the API. A phone on a poor
//! network waits for a third of the bytes, and a card holds no more. Scripts lose their comments; nothing is bundled or
//! rewritten. And it leaves out of a program that is installed what only unwinding needs.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo names OUT_DIR"))?;
    let out = PathBuf::from(out);
    let page = Path::new("src/http/ui");
    println!("cargo::rerun-if-changed={}", page.display());
    for part in fs::read_dir(page)? {
        deflate(&part?.path(), &out)?;
    }
    let description = Path::new("src/http/api/openapi.json");
    println!("cargo::rerun-if-changed={}", description.display());
    deflate(description, &out)?;
    // The profile in which a panic aborts.
    if env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        without_unwinding()?;
    }
    Ok(())
}

/// A panic that aborts unwinds nothing, and still every function of the standard library and, after link-time
/// optimisation, of ours brings its line for the unwinder: 15 % of the program. No option of the compiler leaves them
/// out, so the linker does. What is lost is the list of callers that RUST_BACKTRACE prints.
fn without_unwinding() -> io::Result<()> {
    let script = Path::new("src/without-unwinding.ld");
    println!("cargo::rerun-if-changed={}", script.display());
    let script = script.canonicalize()?;
    println!("cargo::rustc-link-arg-bins=-T{}", script.display());
    Ok(())
}

/// The content coding "deflate" is the zlib format (RFC 9110, 8.4.1.2).
fn deflate(file: &Path, out: &Path) -> io::Result<()> {
    let name = (file.file_name()).ok_or_else(|| io::Error::other("a file has a name"))?;
    let bytes = match file.extension() {
        Some(extension) if extension == "js" => without_comments(&fs::read_to_string(file)?).into(),
        _ => fs::read(file)?,
    };
    let small = miniz_oxide::deflate::compress_to_vec_zlib(&bytes, 10);
    fs::write(out.join(name), small)
}

/// Empties the lines that are a comment: a sixth of what a phone would wait for. The lines keep their numbers, which
/// an error in the browser's console names.
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
