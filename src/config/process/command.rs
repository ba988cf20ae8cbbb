//! A command as an operator types it: run directly where that is possible, by the shell where it is not.

use super::shell_words::{self, Token, Word};
use std::fmt;

/// What to execute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandLine {
    /// Executed directly, so that signals and exit codes are the program's own.
    Direct {
        /// Leading `NAME=value` pairs.
        env: Vec<(String, String)>,
        /// The program and its arguments; never empty.
        argv: Vec<String>,
    },
    /// Uses shell syntax: given to `/bin/sh -c` as it stands (but for a backslash
    /// before each `&` that belongs to an address).
    Shell(String),
}

/// Why a command cannot be run: one sentence for the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandError(pub &'static str);

/// Words that mean something only inside a shell when they stand where the program
/// does: the reserved words of POSIX and those built-ins that change the shell
/// itself. `echo`, `test`, `kill` and such exist as programs, too, and are run directly.
pub(in crate::config) const SHELL_WORDS: &[&str] = &[
    "!", ".", ":", "[[", "alias", "bg", "break", "case", "cd", "command", "continue", "do", "done",
    "elif", "else", "esac", "eval", "exec", "exit", "export", "fc", "fg", "fi", "for", "function",
    "getopts", "hash", "if", "jobs", "local", "read", "readonly", "return", "select", "set",
    "shift", "source", "then", "time", "times", "trap", "type", "ulimit", "umask", "unalias",
    "unset", "until", "wait", "while",
];

impl CommandLine {
    /// The longest command, in bytes: a quarter of what Linux takes as one
    /// argument (128 KiB), which the shell's command line is.
    pub const MAX_BYTES: usize = 32 * 1024;

    /// Reads a command.
    ///
    /// Quotes and backslashes are understood as POSIX `sh` does. Whatever else only
    /// a shell understands (`|`, `&`, `;`, `<`, `>`, parentheses, `$`, backticks,
    /// patterns, `~`, braces, a second line, `cd` and other built-ins, reserved words)
    /// makes it a [`Command::Shell`]. In an address (a word with `://`) patterns,
    /// braces, and an `&` before the next `name=` of its query are plain characters.
    ///
    /// # Errors
    /// Nothing to run, a quote that is not closed, control characters, more than
    /// [`Command::MAX_BYTES`].
    pub fn parse(text: &str) -> Result<CommandLine, CommandError> {
        if text.len() > CommandLine::MAX_BYTES {
            return Err(CommandError(
                "must have at most 32768 bytes; put what is longer into a script",
            ));
        }
        if text
            .chars()
            .any(|character| character.is_control() && !matches!(character, '\n' | '\t'))
        {
            return Err(CommandError(
                "must have no control characters other than tab and line break",
            ));
        }
        let shell_words::Words {
            tokens,
            comment,
            address_ampersands,
        } = shell_words::split(text)?;

        let is_newline = |token: &Token| matches!(token, Token::Newline);
        let begin = tokens
            .iter()
            .position(|token| !is_newline(token))
            .unwrap_or(tokens.len());
        let end = tokens
            .iter()
            .rposition(|token| !is_newline(token))
            .map_or(begin, |last| last + 1);
        let tokens = &tokens[begin..end];
        if !tokens
            .iter()
            .any(|token| matches!(token, Token::Word(word) if word.name.is_none()))
        {
            return Err(CommandError("has nothing to run"));
        }

        let words: Vec<&Word> = tokens
            .iter()
            .filter_map(|token| match token {
                Token::Word(word) => Some(word),
                _ => None,
            })
            .collect();
        let pairs = words.iter().take_while(|word| word.name.is_some()).count();
        let needs_shell = comment
            || words.len() < tokens.len()
            || words.iter().any(|word| word.expands)
            || (!words[pairs].quoted && SHELL_WORDS.contains(&words[pairs].text.as_str()));
        if needs_shell {
            return Ok(CommandLine::Shell(escaped(text, &address_ampersands)));
        }

        let (pairs, argv) = words.split_at(pairs);
        Ok(CommandLine::Direct {
            env: pairs.iter().map(|word| word.pair()).collect(),
            argv: argv.iter().map(|word| word.text.clone()).collect(),
        })
    }
}

impl Word {
    /// The `NAME=value` it reads; a word without a name has an empty one.
    pub(in crate::config) fn pair(&self) -> (String, String) {
        let name = self.name.unwrap_or(0);
        let value = self.text.get(name + 1..).unwrap_or_default();
        (self.text[..name].to_owned(), value.to_owned())
    }
}

/// `text` with a backslash before each of `places`.
fn escaped(text: &str, places: &[usize]) -> String {
    let mut escaped = String::with_capacity(text.len() + places.len());
    let mut done = 0;
    for &place in places {
        escaped.push_str(&text[done..place]);
        escaped.push('\\');
        done = place;
    }
    escaped.push_str(&text[done..]);
    escaped
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for CommandError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn direct(text: &str) -> Vec<String> {
        match CommandLine::parse(text) {
            Ok(CommandLine::Direct { env, argv }) if env.is_empty() => argv,
            other => panic!("{text:?} was read as {other:?}"),
        }
    }

    #[test]
    fn quotes_and_backslashes_are_read_as_sh_reads_them() {
        for (text, argv) in [
            (
                "node /home/pi/server.js",
                vec!["node", "/home/pi/server.js"],
            ),
            ("  a\tb  ", vec!["a", "b"]),
            ("a 'b c' d", vec!["a", "b c", "d"]),
            ("a \"b 'c' d\"", vec!["a", "b 'c' d"]),
            (r#"a "\$x \"y\" \\ \n""#, vec!["a", r#"$x "y" \ \n"#]),
            (r"a b\ c \'d\| \\", vec!["a", "b c", "'d|", r"\"]),
            ("a ''", vec!["a", ""]),
            ("a b''c'd'\"e\"", vec!["a", "bcde"]),
            ("a \\\n b", vec!["a", "b"]),
            ("a '$x * ~ #'", vec!["a", "$x * ~ #"]),
            ("a b#c d~e f=g", vec!["a", "b#c", "d~e", "f=g"]),
            ("\n a b \n", vec!["a", "b"]),
        ] {
            assert_eq!(direct(text), argv, "from {text:?}");
        }
    }

    #[test]
    fn leading_pairs_are_the_environment() {
        let command = CommandLine::parse("DISPLAY=:0 A='b c' EMPTY= node x=y").unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            command,
            CommandLine::Direct {
                env: vec![pair("DISPLAY", ":0"), pair("A", "b c"), pair("EMPTY", "")],
                argv: vec!["node".to_owned(), "x=y".to_owned()],
            }
        );
        assert_eq!(direct("'A=b' c"), ["A=b", "c"], "a quoted name is no name");
        assert_eq!(direct("1A=b c"), ["1A=b", "c"]);
    }

    #[test]
    fn shell_syntax_goes_to_the_shell_as_it_stands() {
        for text in [
            "a | b",
            "a && b",
            "a & b",
            "a&",
            "a; b",
            "a > b",
            "a 2>&1",
            "a < b",
            "(a)",
            "a $B",
            "a ${B}",
            "a `b`",
            "a \"$B\"",
            "a \"`b`\"",
            "a *.txt",
            "a ?",
            "a [b]",
            "~/a",
            "a ~",
            "A=~/b c",
            "a {b,c}",
            "{ a; }",
            "a # b",
            "# a\nb",
            "a\nb",
            "cd /x",
            "exec a",
            ". a",
            "! a",
            "if a; then b; fi",
            "while true; do a; done",
            "A=b export c",
            "$a",
        ] {
            assert_eq!(
                CommandLine::parse(text),
                Ok(CommandLine::Shell(text.to_owned())),
                "{text:?}"
            );
        }
    }

    #[test]
    fn an_address_needs_no_quotes() {
        for address in [
            "https://example.com/?a=b",
            "https://example.com/d/abc?orgId=1&kiosk=tv&var[]=x",
            "http://[::1]:8080/~pi/*{x}#part",
            "--app=https://example.com/?a=b#c",
        ] {
            let text = format!("chromium --kiosk {address} --incognito");
            assert_eq!(
                direct(&text),
                ["chromium", "--kiosk", address, "--incognito"]
            );
        }
    }

    #[test]
    fn an_ampersand_ends_a_command_unless_the_next_value_of_an_address_follows() {
        for text in [
            "wget https://x/?a=b& chromium",
            "wget https://x/?a=b&chromium --kiosk",
            "wget https://x/?a=b&&A=b chromium",
            "wget https://x/a&A=b chromium",
            "a $B=https://x",
            "chromium https://x/?a=$B",
            "chromium https://x/?a=1;b=2",
        ] {
            assert_eq!(
                CommandLine::parse(text),
                Ok(CommandLine::Shell(text.to_owned())),
                "{text:?}"
            );
        }
    }

    #[test]
    fn the_shell_sees_an_address_whole() {
        assert_eq!(
            CommandLine::parse("cd /srv && chromium https://x/?a=1&b=2&c=3"),
            Ok(CommandLine::Shell(
                r"cd /srv && chromium https://x/?a=1\&b=2\&c=3".to_owned()
            ))
        );
    }

    #[test]
    fn what_cannot_be_run_is_an_error() {
        let long = "a".repeat(CommandLine::MAX_BYTES + 1);
        for text in [
            "",
            "  ",
            "\n\n",
            "A=b",
            "A=b C=d",
            "# only a comment",
            "&",
            "a 'b",
            "a \"b",
            "a \"b\\",
            "a \\",
            "a\0b",
            "a\x1b[0m",
            "a\r\nb",
            &long,
        ] {
            assert!(CommandLine::parse(text).is_err(), "{text:?} was taken");
        }
    }
}
