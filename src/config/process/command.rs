//! A command as an operator types it: executed directly if possible, else by the shell.

use super::shell_words::{self, CommandError, Token, Word};

/// What to execute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandLine {
    /// Executed directly, so that signals reach the program and its exit code is seen.
    Direct {
        /// Leading `NAME=value` pairs.
        env: Vec<(String, String)>,
        /// The program and its arguments; never empty.
        argv: Vec<String>,
    },
    /// Uses shell syntax: passed to `/bin/sh -c` unchanged, except for a backslash before each `&` that belongs to a
    /// URL.
    Shell(String),
}

/// Words that only a shell understands in the place of the program: the reserved words of POSIX, and the built-ins that
/// change the shell itself. `echo`, `test` and `kill` also exist as programs and are executed directly.
pub const SHELL_WORDS: &[&str] = &[
    "!", ".", ":", "[[", "alias", "bg", "break", "case", "cd", "command", "continue", "do", "done",
    "elif", "else", "esac", "eval", "exec", "exit", "export", "fc", "fg", "fi", "for", "function",
    "getopts", "hash", "if", "jobs", "local", "read", "readonly", "return", "select", "set",
    "shift", "source", "then", "time", "times", "trap", "type", "ulimit", "umask", "unalias",
    "unset", "until", "wait", "while",
];

impl CommandLine {
    /// The longest command in bytes: a quarter of the longest argument on Linux (128 KiB), which the command line of
    /// the shell is.
    pub const MAX_BYTES: usize = 32 * 1024;

    /// Parses a command.
    ///
    /// Quotes and backslashes are interpreted as in POSIX `sh`. Anything else that needs a shell (`|`, `&`, `;`, `<`,
    /// `>`, parentheses, `$`, backticks, patterns, `~`, braces, a second line, `cd` and other built-ins, reserved
    /// words) makes it a [`CommandLine::Shell`]. In a URL (a word with `://`) patterns, braces, and an `&` before the
    /// next `name=` of its query are plain characters.
    ///
    /// # Errors
    /// No program, a quote that is not closed, control characters, more than [`CommandLine::MAX_BYTES`].
    pub fn parse(text: &str) -> Result<CommandLine, CommandError> {
        if text.len() > CommandLine::MAX_BYTES {
            return Err(CommandError(
                "must have at most 32768 bytes; put a longer command into a script",
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
            url_ampersands,
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
            return Err(CommandError("has no program to run"));
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
            return Ok(CommandLine::Shell(escaped(text, &url_ampersands)));
        }

        let (pairs, argv) = words.split_at(pairs);
        Ok(CommandLine::Direct {
            env: pairs.iter().map(|word| word.pair()).collect(),
            argv: argv.iter().map(|word| word.text.clone()).collect(),
        })
    }
}

/// `text` with a backslash before each of these byte offsets.
fn escaped(text: &str, offsets: &[usize]) -> String {
    let mut escaped = String::with_capacity(text.len() + offsets.len());
    let mut done = 0;
    for &offset in offsets {
        escaped.push_str(&text[done..offset]);
        escaped.push('\\');
        done = offset;
    }
    escaped.push_str(&text[done..]);
    escaped
}

/// Checks that a command can be parsed.
pub fn check_command(command: &str) -> Result<(), &'static str> {
    CommandLine::parse(command)
        .map(drop)
        .map_err(|error| error.0)
}

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
    fn quotes_and_backslashes_are_interpreted_as_in_sh() {
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
        assert_eq!(direct("'A=b' c"), ["A=b", "c"], "the name is quoted");
        assert_eq!(direct("1A=b c"), ["1A=b", "c"]);
    }

    #[test]
    fn shell_syntax_is_passed_to_the_shell_unchanged() {
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
    fn a_url_needs_no_quotes() {
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
    fn an_ampersand_ends_a_command_unless_a_query_parameter_follows() {
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
    fn the_ampersands_of_a_url_are_escaped_for_the_shell() {
        assert_eq!(
            CommandLine::parse("cd /srv && chromium https://x/?a=1&b=2&c=3"),
            Ok(CommandLine::Shell(
                r"cd /srv && chromium https://x/?a=1\&b=2\&c=3".to_owned()
            ))
        );
    }

    #[test]
    fn a_command_that_cannot_be_run_is_an_error() {
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
            assert!(CommandLine::parse(text).is_err(), "{text:?} was accepted");
        }
    }
}
