//! Splits a command into words like POSIX `sh`, and finds what only a shell can interpret.

use std::fmt;

/// Why a command cannot be run: one sentence for the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandError(pub &'static str);

/// A token of a command.
#[derive(Debug)]
pub enum Token {
    /// A word.
    Word(Word),
    /// Separates simple commands: `;`, `&`, `|`, `(`, `)`.
    Separator,
    /// A line break: also a separator, except at the beginning and end.
    Newline,
    /// A redirection (`<`, `>`, `>>`, …): the next word is a file.
    Redirect,
}

/// A word, its quotes removed.
#[derive(Debug, Default)]
pub struct Word {
    /// The argument that a program receives, unless a shell expands it.
    pub text: String,
    /// If the word is `NAME=value`: the length of NAME.
    pub name: Option<usize>,
    /// Whether a shell would expand it.
    pub expands: bool,
    /// Whether some of it is quoted or escaped.
    pub quoted: bool,
}

/// A command split into tokens.
#[derive(Debug, Default)]
pub struct Words {
    /// The tokens in order.
    pub tokens: Vec<Token>,
    /// Whether it has a comment, which only a shell skips.
    pub comment: bool,
    /// The byte offset of each `&` that belongs to a URL and must be escaped for a shell.
    pub url_ampersands: Vec<usize>,
}

/// Splits `text` into tokens.
///
/// Unlike in a shell, `?`, `*`, `[`, `{` and `~` are plain characters in a URL (a word with `://`), and so is an `&` in
/// its query before the next `name=`. A shell finds no file that matches the former and keeps them anyway; the latter
/// would split the URL and run the browser in the background, which an operator who types
/// `chromium --kiosk https://example.com/?a=1&b=2` does not want.
///
/// # Errors
/// A quote that is not closed, or a backslash at the end.
pub fn split(text: &str) -> Result<Words, CommandError> {
    let mut words = Words::default();
    let mut word: Option<Word> = None;
    let mut rest = text.char_indices().peekable();

    while let Some((at, character)) = rest.next() {
        match character {
            ' ' | '\t' => words.push(&mut word),
            '\n' => {
                words.push(&mut word);
                words.tokens.push(Token::Newline);
            }
            '#' if word.is_none() => {
                words.comment = true;
                while rest.next_if(|(_, next)| *next != '\n').is_some() {}
            }
            '&' if word.as_ref().is_some_and(Word::is_query)
                && begins_query_pair(&text[at + 1..]) =>
            {
                words.url_ampersands.push(at);
                word.get_or_insert_default().text.push('&');
            }
            ';' | '&' | '|' | '(' | ')' => {
                words.push(&mut word);
                words.tokens.push(Token::Separator);
            }
            '<' | '>' => {
                words.push(&mut word);
                words.tokens.push(Token::Redirect);
                while rest
                    .next_if(|(_, next)| matches!(next, '<' | '>' | '&' | '|'))
                    .is_some()
                {}
            }
            '\'' => {
                let word = word.get_or_insert_default();
                word.quoted = true;
                loop {
                    match rest.next() {
                        Some((_, '\'')) => break,
                        Some((_, inside)) => word.text.push(inside),
                        None => return Err(CommandError("a ' quote is not closed")),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                word.quoted = true;
                loop {
                    match rest.next() {
                        Some((_, '"')) => break,
                        Some((_, '\\')) => match rest.next() {
                            Some((_, '\n')) => {}
                            Some((_, escaped @ ('$' | '`' | '"' | '\\'))) => {
                                word.text.push(escaped)
                            }
                            Some((_, other)) => word.text.extend(['\\', other]),
                            None => return Err(CommandError("a \" quote is not closed")),
                        },
                        Some((_, inside)) => {
                            word.expands |= matches!(inside, '$' | '`');
                            word.text.push(inside);
                        }
                        None => return Err(CommandError("a \" quote is not closed")),
                    }
                }
            }
            '\\' => match rest.next() {
                Some((_, '\n')) => {}
                Some((_, escaped)) => {
                    let word = word.get_or_insert_default();
                    word.quoted = true;
                    word.text.push(escaped);
                }
                None => return Err(CommandError("must not end with a backslash")),
            },
            plain => word.get_or_insert_default().push_plain(plain),
        }
    }
    words.push(&mut word);
    Ok(words)
}

impl Words {
    fn push(&mut self, word: &mut Option<Word>) {
        self.tokens.extend(word.take().map(Token::Word));
    }
}

impl Word {
    /// The name and value of a word `NAME=value`; the name is empty if the word has none.
    pub fn pair(&self) -> (String, String) {
        let name = self.name.unwrap_or(0);
        let value = self.text.get(name + 1..).unwrap_or_default();
        (self.text[..name].to_owned(), value.to_owned())
    }

    /// Adds a character that is neither quoted nor escaped.
    fn push_plain(&mut self, character: char) {
        self.expands |= match character {
            '$' | '`' => true,
            '*' | '?' | '[' | ']' | '{' | '}' => !self.is_url(),
            // A home directory, at the beginning of a path.
            '~' => self.text.is_empty() || self.text.ends_with(['=', ':']),
            _ => false,
        };
        if character == '=' && self.name.is_none() && !self.quoted && is_name(&self.text) {
            self.name = Some(self.text.len());
        }
        self.text.push(character);
    }

    fn is_url(&self) -> bool {
        self.text.contains("://")
    }

    fn is_query(&self) -> bool {
        self.text
            .split_once("://")
            .is_some_and(|(_, rest)| rest.contains('?'))
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for CommandError {}

/// Whether `text` is a valid name of an environment variable.
pub fn is_name(text: &str) -> bool {
    !text.starts_with(|first: char| first.is_ascii_digit())
        && !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether `text` starts with `name=`, like a parameter of a query.
fn begins_query_pair(text: &str) -> bool {
    let name = text.find(|next: char| !(next.is_ascii_alphanumeric() || "_-.%+~[]".contains(next)));
    name.is_some_and(|length| length > 0 && text[length..].starts_with('='))
}
