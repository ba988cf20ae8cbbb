//! Asks at the terminal for something that is not shown.

use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use std::io::{self, BufRead, IsTerminal, Stdin, Write, stdin};

/// The longest line that is taken: a password is at most 256 bytes.
const LINE_MAX: u64 = 4096;

/// What Ctrl-C is while it ends nothing.
const INTERRUPT: char = '\u{3}';

/// Reads one line of standard input. On a terminal it prompts, and the input is not shown.
///
/// # Errors
/// There is none, or Ctrl-C was pressed.
pub fn ask_secret(question: &str) -> io::Result<String> {
    let stdin = stdin();
    if !stdin.is_terminal() {
        return line(&stdin);
    }
    eprint!("{question}");
    let _ = io::stderr().flush();
    let _silence = Silence::new(&stdin)?;
    let line = line(&stdin);
    eprintln!();
    line
}

fn line(stdin: &Stdin) -> io::Result<String> {
    let mut line = String::new();
    io::Read::take(stdin.lock(), LINE_MAX).read_line(&mut line)?;
    if line.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if line.contains(INTERRUPT) {
        return Err(io::ErrorKind::Interrupted.into());
    }
    let line = line.strip_suffix('\n').unwrap_or(&line);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

/// A terminal that does not show what is typed, until this is dropped. Ctrl-C is a letter meanwhile: a program that ended
/// now would leave the terminal silent.
struct Silence<'t> {
    terminal: &'t Stdin,
    before: Termios,
}

impl<'t> Silence<'t> {
    fn new(terminal: &'t Stdin) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut silent = before.clone();
        let shown = LocalFlags::ECHO | LocalFlags::ISIG;
        silent.local_flags.remove(shown);
        tcsetattr(terminal, SetArg::TCSAFLUSH, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Silence<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal, SetArg::TCSAFLUSH, &self.before);
    }
}
