//! A program that is ready to be executed: nothing is left to be found, made or allocated.

#![expect(unsafe_code)]

use super::environment::Environment;
use super::launch::{Launch, PATH};
use nix::errno::Errno;
use nix::libc::{self, c_char};
use std::ffi::{CStr, CString, NulError, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

/// What execve(2) is to be given, and in which directory.
#[derive(Debug)]
pub(in crate::sys) struct Program {
    /// Where it may be, in order.
    places: Vec<CString>,
    cwd: CString,
    /// Pointers into `_words` and `_environment`; each ends with a null.
    argv: Vec<*const c_char>,
    envp: Vec<*const c_char>,
    _words: Vec<CString>,
    _environment: Environment<'static>,
}

// SAFETY: it owns what it points to, which does not move with it and is only read.
unsafe impl Send for Program {}

// SAFETY: as above.
unsafe impl Sync for Program {}

impl Program {
    /// The program of `launch`, to be executed in `cwd`.
    ///
    /// # Errors
    /// A word holds a NUL.
    pub(in crate::sys) fn new(
        launch: &Launch,
        environment: Environment<'static>,
        cwd: &Path,
    ) -> Result<Self, NulError> {
        let path = environment.get("PATH").unwrap_or(PATH.as_ref());
        let words = launch.argv.iter().map(|word| CString::new(word.as_str()));
        let words = words.collect::<Result<Vec<CString>, _>>()?;
        Ok(Self {
            places: places(launch.program(), path)?,
            cwd: CString::new(cwd.as_os_str().as_bytes())?,
            argv: pointers(words.iter().map(CString::as_c_str)),
            envp: pointers(environment.texts()),
            _words: words,
            _environment: environment,
        })
    }

    /// Where it is to be executed.
    pub(in crate::sys) fn cwd(&self) -> &CStr {
        &self.cwd
    }

    /// Becomes it; returns only if that is impossible. A system call for each place, and nothing else.
    ///
    /// A place that has nothing is passed over. One that may not be entered, or whose file may not be executed,
    /// is passed over as well, but says more than those when nothing is found (execvp(3)).
    pub(in crate::sys) fn execute(&self) -> Errno {
        let (argv, envp) = (self.argv.as_ptr(), self.envp.as_ptr());
        let mut answer = Errno::ENOENT;
        for place in &self.places {
            // SAFETY: a live string, and live arrays of live strings, each with a null at its end.
            unsafe { libc::execve(place.as_ptr(), argv, envp) };
            match Errno::last() {
                Errno::ENOENT | Errno::ENOTDIR if answer == Errno::EACCES => {}
                error @ (Errno::ENOENT | Errno::ENOTDIR | Errno::EACCES) => answer = error,
                error => return error,
            }
        }
        answer
    }
}

/// Where a program may be. One with a slash is where it says, seen from the working directory; an empty part of
/// the path is the working directory.
fn places(program: &str, path: &OsStr) -> Result<Vec<CString>, NulError> {
    if program.is_empty() || program.contains('/') {
        return Ok(vec![CString::new(program)?]);
    }
    let directories = path.as_bytes().split(|byte| *byte == b':');
    let places = directories.map(|directory| {
        let slash: &[u8] = if directory.is_empty() { b"" } else { b"/" };
        CString::new([directory, slash, program.as_bytes()].concat())
    });
    places.collect()
}

fn pointers<'a>(texts: impl Iterator<Item = &'a CStr>) -> Vec<*const c_char> {
    texts.map(CStr::as_ptr).chain([ptr::null()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_looked_for_along_the_path_unless_it_says_where_it_is() {
        let path = OsStr::new("/usr/bin::bin");
        assert_eq!(
            places("sync", path).unwrap(),
            [c"/usr/bin/sync", c"sync", c"bin/sync"]
        );
        assert_eq!(places("./sync", path).unwrap(), [c"./sync"]);
        assert_eq!(places("", path).unwrap(), [c""], "of that there is none");
    }
}
