//! Names and messages come from targets. Whatever they hold, they are shown as text.

use std::borrow::Cow;

pub(crate) use action::visible;

use crate::Conclusion;

/// At most `most` characters of it, with an ellipsis in place of the rest.
pub(crate) fn elided(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most.saturating_sub(1)) {
        Some((end, last)) if text.len() > end + last.len_utf8() => {
            Cow::Owned(format!("{}…", &text[..end]))
        }
        _ => Cow::Borrowed(text),
    }
}

/// Visible text as content, or as the value of an attribute in double quotes, of HTML and XML.
pub(crate) fn markup(text: &str) -> String {
    let text = visible(text);
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            letter => out.push(letter),
        }
    }
    out
}

/// The first letter in upper case, and a full stop.
pub(crate) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first: String = letters
        .next()
        .map(|letter| letter.to_uppercase().collect())
        .unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

/// A verdict at the beginning of a sentence.
pub(crate) fn capitalized(conclusion: Conclusion) -> &'static str {
    match conclusion {
        Conclusion::Pass => "Pass",
        Conclusion::Fail => "Fail",
        Conclusion::Inconclusive => "Inconclusive",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_text_in_content_and_attributes() {
        assert_eq!(markup("<script>'\"&"), "&lt;script&gt;&#39;&quot;&amp;");
    }

    #[test]
    fn a_long_name_is_cut_between_characters() {
        assert_eq!(elided("äöü", 3), "äöü");
        assert_eq!(elided("äöüß", 3), "äö…");
        assert_eq!(elided("", 3), "");
    }
}
