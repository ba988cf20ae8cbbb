//! Escapes untrusted text in built-in pages: it can neither become markup or script nor reorder other text.

/// The first `most` characters of a text, escaped for HTML text and quoted attributes, without control characters and
/// marks that change the text direction. `…` follows text that was truncated.
pub(super) fn shown(text: &str, most: usize) -> String {
    let mut escaped = String::with_capacity(text.len().min(4 * most));
    let mut visible = text.chars().filter(|c| !is_hidden(*c));
    for character in visible.by_ref().take(most) {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    if visible.next().is_some() {
        escaped.push('…');
    }
    escaped
}

/// The text as a JavaScript string literal, which is also safe inside HTML.
pub(super) fn literal(text: &str) -> String {
    let visible: String = text.chars().filter(|c| !is_hidden(*c)).collect();
    serde_json::Value::String(visible)
        .to_string()
        .replace('<', "\\u003c")
}

/// Control characters, line separators, and marks that change the text direction (Unicode's `Bidi_Control`).
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_markup() {
        assert_eq!(
            shown("</p><script>alert('1')</script>&\"", 99),
            "&lt;/p&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;&quot;"
        );
        assert_eq!(literal("\"</script>\\"), r#""\"\u003c/script>\\""#);
    }

    #[test]
    fn control_characters_and_direction_marks_are_removed() {
        assert_eq!(shown("a\0\n\u{202e}\u{2066}b\u{2028}\u{7f}", 99), "ab");
        assert_eq!(literal("a\u{202e}\u{2029}b"), "\"ab\"");
    }

    #[test]
    fn long_text_is_truncated_between_characters_with_an_ellipsis() {
        assert_eq!(shown("äöü", 3), "äöü");
        assert_eq!(shown("äöü€", 3), "äöü…");
        assert_eq!(shown("äöü\0", 3), "äöü");
    }
}
