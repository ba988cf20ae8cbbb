//! Quotes arguments as a command line.

use super::command::SHELL_WORDS;

/// A line that [`crate::config::CommandLine::parse`] and `sh` parse as exactly these arguments. Only arguments that need
/// quotes get them.
pub fn quote<S: AsRef<str>>(argv: &[S]) -> String {
    let mut line = String::new();
    for (index, argument) in argv.iter().map(AsRef::as_ref).enumerate() {
        if index > 0 {
            line.push(' ');
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:,+@%=".contains(&byte);
        // As the first word these would be an environment variable or a word of the shell.
        let taken = argument.contains('=') || SHELL_WORDS.contains(&argument);
        let bare = !argument.is_empty() && argument.bytes().all(plain) && (index > 0 || !taken);
        if bare {
            line.push_str(argument);
        } else {
            line.push('\'');
            line.push_str(&argument.replace('\'', r"'\''"));
            line.push('\'');
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::CommandLine;

    #[test]
    fn quoted_arguments_are_parsed_as_they_were() {
        for argv in [
            vec!["chromium", "--kiosk", "https://x/?a=b&c=d"],
            vec!["a", "", "b c", "it's", "\"$x\"", "~", "#", "*", "\\", "é"],
            vec!["A=b", "c"],
            vec!["cd", "cd"],
        ] {
            let read = CommandLine::parse(&quote(&argv));
            let argv = argv.iter().map(|argument| argument.to_string()).collect();
            assert_eq!(
                read,
                Ok(CommandLine::Direct {
                    env: Vec::new(),
                    argv
                })
            );
        }
        assert_eq!(
            quote(&["node", "/home/pi/server.js"]),
            "node /home/pi/server.js"
        );
    }
}
