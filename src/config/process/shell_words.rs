//! Cuts a command into words the way POSIX `sh` does, and sees where only a shell can go on.

use crate::config::CommandError;

/// One piece of a command.
#[derive(Debug)]
pub(in crate::config) enum Token {
    /// A word, its quotes removed.
    Word(Word),
    /// What ends one simple command and begins the next: `;`, `&`, `|`, `(`, `)`.
    Separator,
    /// A line break: a separator, too, except at the very beginning and end.
    Newline,
    /// `<` or `>` and their kin: the next word is a file.
    Redirect,
}

/// A word, its quotes removed.
#[derive(Debug, Default)]
pub(in crate::config) struct Word {
    /// What a program would see of it, provided no shell has to expand it.
    pub text: String,
    /// Where the word reads `NAME=value`: the length of NAME.
    pub name: Option<usize>,
    /// A shell would put something else in its place.
    pub expands: bool,
    /// Some of it stood in quotes or behind a backslash.
    pub quoted: bool,
}

/// A command in pieces.
#[derive(Debug, Default)]
pub(in crate::config) struct Words {
    /// In order.
    pub tokens: Vec<Token>,
    /// It has a comment, which only a shell passes over.
    pub comment: bool,
    /// Where an `&` stands that belongs to an address, in bytes from the
    /// beginning: a shell must not see it as it is.
    pub address_ampersands: Vec<usize>,
}

/// Cuts `text` into words.
///
/// One thing is read as operators mean it rather than as a terminal would: in an
/// address (a word with `://` in it) `?`, `*`, `[`, `{` and `~` are plain
/// characters, and so is an `&` in its query that is followed by the next
/// `name=`. A shell finds no file by that name and leaves the former alone
/// anyway; the latter would cut the address in two and put the browser in the
/// background, which nobody wants who types
/// `chromium --kiosk https://example.com/?a=1&b=2`.
///
/// # Errors
/// A quote that is not closed, a backslash with nothing behind it.
pub(in crate::config) fn split(text: &str) -> Result<Words, CommandError> {
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
                words.address_ampersands.push(at);
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
                None => return Err(CommandError("ends in a backslash with nothing behind it")),
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
    /// Adds a character that stands neither in quotes nor behind a backslash.
    fn push_plain(&mut self, character: char) {
        self.expands |= match character {
            '$' | '`' => true,
            '*' | '?' | '[' | ']' | '{' | '}' => !self.is_address(),
            // Somebody's home, at the beginning of a path.
            '~' => self.text.is_empty() || self.text.ends_with(['=', ':']),
            _ => false,
        };
        if character == '=' && self.name.is_none() && !self.quoted && is_name(&self.text) {
            self.name = Some(self.text.len());
        }
        self.text.push(character);
    }

    fn is_address(&self) -> bool {
        self.text.contains("://")
    }

    fn is_query(&self) -> bool {
        self.text
            .split_once("://")
            .is_some_and(|(_, rest)| rest.contains('?'))
    }
}

/// Whether `text` is a name that a variable of the environment may have.
pub(in crate::config) fn is_name(text: &str) -> bool {
    !text.starts_with(|first: char| first.is_ascii_digit())
        && !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether `text` begins with `name=`, as the next part of an address's query does.
fn begins_query_pair(text: &str) -> bool {
    let name = text.find(|next: char| !(next.is_ascii_alphanumeric() || "_-.%+~[]".contains(next)));
    name.is_some_and(|length| length > 0 && text[length..].starts_with('='))
}
