//! Letters that can be written in several ways, in one.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

/// A folded text: small letters, without accents, in one way of writing each letter. Accents are
/// those that stand over Latin, Greek and Cyrillic letters; vowel signs of other scripts stay.
/// Both Turkish i become i, ß becomes ss, and letters of full width become usual ones.
pub(crate) fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut folded = String::with_capacity(text.len());
    for character in text.nfkd().filter(|character| !is_accent(*character)).nfc() {
        match character {
            'ı' => folded.push('i'),
            'ß' | 'ẞ' => folded.push_str("ss"),
            'ς' => folded.push('σ'),
            _ => folded.extend(character.to_lowercase().filter(|lower| !is_accent(*lower))),
        }
    }
    folded
}

/// A label in one way of writing each letter: composed, and otherwise as it is.
pub(crate) fn compose(label: &str) -> Cow<'_, str> {
    if label.is_ascii() {
        label.into()
    } else {
        label.nfc().collect::<String>().into()
    }
}

fn is_accent(character: char) -> bool {
    matches!(character,
        '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_letter_in_several_ways_of_writing_is_one_letter() {
        assert_eq!(fold("Café"), fold("cafe\u{301}"));
        assert_eq!(fold("Ｆｕｌｌ　ＷＩＤＴＨ１"), "full width1");
        assert_eq!(fold("İstanbul ISPARTA ılık"), "istanbul isparta ilik");
        assert_eq!(fold("STRASSE"), fold("Straße"));
        assert_eq!(fold("ΟΔΟΣ"), fold("οδος"));
        // A vowel sign is no accent, and a Korean syllable stays whole.
        assert_eq!(fold("हिन्दी"), "हिन्दी");
        assert_eq!(fold("한국어").chars().count(), 3);
        assert_eq!(fold("が").chars().count(), 1);
    }
}
