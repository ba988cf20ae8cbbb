//! What runs without a shell runs as the shell would have run it.

use ossuary::config::CommandLine;
use std::process;

/// Pieces that random commands are made of. No `&`: in an address it is read as
/// operators mean it and not as a shell does.
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

/// What `/bin/sh` makes of the words behind `printf '%s\0'`.
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
fn what_runs_without_a_shell_runs_as_the_shell_would_have_run_it() {
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
