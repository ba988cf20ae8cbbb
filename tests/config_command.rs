//! A command that is executed directly has the arguments that a shell would have passed.

use ossuary::config::CommandLine;
use std::process;

/// Pieces of random commands. No `&`: in a URL it is a plain character, unlike in a shell.
const PIECES: &[&str] = &[
    "a",
    "b=c",
    " ",
    " ",
    "\t",
    "'",
    "\"",
    "\\",
    "'x y'",
    "\"x y\"",
    "https://x/?a=b",
    "[",
    "*",
    "~",
    "#",
    "{a,b}",
    "$HOME",
    "é",
    "\\n",
    "\\\n",
    ":",
    "=",
    "%",
    "-",
    "\\\\",
];

/// The arguments after `printf '%s\0'` that `/bin/sh` passes.
fn words_by_shell(command: &str) -> Vec<String> {
    let output = process::Command::new("/bin/sh")
        .args(["-c", command])
        .output()
        .expect("there is a shell");
    assert!(output.status.success(), "{command:?}: {output:?}");
    let text = String::from_utf8(output.stdout).expect("the words are text");
    let words = text.strip_suffix('\0').expect("every word is ended");
    words.split('\0').map(str::to_owned).collect()
}

#[test]
fn a_direct_command_has_the_arguments_that_a_shell_would_pass() {
    let mut random = fastrand::Rng::with_seed(7);
    let mut compared = 0;
    while compared < 300 {
        let pieces = (0..random.usize(1..12)).map(|_| PIECES[random.usize(..PIECES.len())]);
        let text = format!("printf '%s\\0' {}", pieces.collect::<String>());
        let Ok(CommandLine::Direct { argv, .. }) = CommandLine::parse(&text) else {
            continue;
        };
        assert_eq!(argv[..2], ["printf", "%s\\0"]);
        let words = if argv.len() == 2 {
            vec![String::new()]
        } else {
            argv[2..].to_vec()
        };
        assert_eq!(words_by_shell(&text), words, "{text:?}");
        compared += 1;
    }
}
