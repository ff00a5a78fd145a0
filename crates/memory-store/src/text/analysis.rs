//! From a text to its terms: what is folded, where words end, which forms are the same word.

use std::borrow::Cow;
use std::collections::HashSet;

use rust_stemmers::{Algorithm, Stemmer};
use unicode_normalization::char::is_combining_mark;

use crate::model::function_words::is_function_word;
use crate::model::language::Language;

/// Longer words are cut: they are encoded data, of which the beginning tells enough apart.
const MAX_WORD_BYTES: usize = 128;

/// The form under which a word is kept.
pub(super) fn stem(language: Language, word: &str) -> Cow<'_, str> {
    match algorithm(language) {
        Some(algorithm) => Stemmer::create(algorithm).stem(word),
        None => word.into(),
    }
}

fn algorithm(language: Language) -> Option<Algorithm> {
    Some(match language {
        Language::Exact => return None,
        Language::Arabic => Algorithm::Arabic,
        Language::Dutch => Algorithm::Dutch,
        Language::English => Algorithm::English,
        Language::French => Algorithm::French,
        Language::German => Algorithm::German,
        Language::Greek => Algorithm::Greek,
        Language::Italian => Algorithm::Italian,
        Language::Portuguese => Algorithm::Portuguese,
        Language::Russian => Algorithm::Russian,
        Language::Spanish => Algorithm::Spanish,
        Language::Swedish => Algorithm::Swedish,
        Language::Turkish => Algorithm::Turkish,
    })
}

/// A part of a text that is looked up as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A word of letters, whose form may be another one of the same word.
    Word(&'a str),
    /// What has no other form: an identifier, letters of a script without spaces, a symbol.
    Exact(&'a str),
}

/// Whether a text is read to be kept or to be searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Single letters of scripts without spaces are kept too.
    Keep,
    /// Only pairs of them are asked for, unless there is a single one.
    Ask,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Separator,
    Letter,
    Digit,
    /// A letter of a script that puts no spaces between words.
    Unspaced,
    /// An emoji, which is a token by itself.
    Symbol,
    /// Changes the letter before it.
    Mark,
}

fn class(character: char) -> Class {
    if character.is_ascii() {
        return match character {
            'a'..='z' | 'A'..='Z' => Class::Letter,
            '0'..='9' => Class::Digit,
            _ => Class::Separator,
        };
    }
    let is_mark = is_combining_mark(character);
    match character {
        // A selector of colour, a joiner, and tones of skin: none changes what is meant.
        '\u{fe00}'..='\u{fe0f}' | '\u{200d}' | '\u{1f3fb}'..='\u{1f3ff}' => Class::Separator,
        _ if is_unspaced(character) && (character.is_alphanumeric() || is_mark) => Class::Unspaced,
        _ if is_mark => Class::Mark,
        '\u{1f000}'..='\u{1faff}' | '\u{2600}'..='\u{27bf}' => Class::Symbol,
        // Private use: whoever writes them means letters of their own.
        '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10fffd}' => Class::Letter,
        _ if character.is_numeric() => Class::Digit,
        _ if character.is_alphabetic() => Class::Letter,
        _ => Class::Separator,
    }
}

fn is_unspaced(character: char) -> bool {
    matches!(character,
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1100}'..='\u{11ff}'
        | '\u{1780}'..='\u{17ff}' | '\u{3040}'..='\u{30ff}' | '\u{3130}'..='\u{318f}'
        | '\u{31f0}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7ff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// Calls back with each token of a folded text.
pub(super) fn for_each_token<'a>(
    folded: &'a str,
    purpose: Purpose,
    mut visit: impl FnMut(Token<'a>),
) {
    let mut rest = folded;
    while let Some(first) = rest.chars().next() {
        let kind = class(first);
        let run = match kind {
            Class::Separator | Class::Mark | Class::Symbol => first.len_utf8(),
            Class::Unspaced => length_of(rest, |class| class == Class::Unspaced),
            Class::Letter | Class::Digit => length_of(rest, |class| {
                matches!(class, Class::Letter | Class::Digit | Class::Mark)
            }),
        };
        let (token, after) = rest.split_at(run);
        match kind {
            Class::Separator | Class::Mark => {}
            Class::Symbol => visit(Token::Exact(token)),
            Class::Unspaced => for_each_gram(token, purpose, &mut visit),
            Class::Letter | Class::Digit => visit(word(token)),
        }
        rest = after;
    }
}

fn length_of(text: &str, belongs: impl Fn(Class) -> bool) -> usize {
    let end = text.char_indices().find(|(_, c)| !belongs(class(*c)));
    end.map_or(text.len(), |(place, _)| place)
}

fn word(token: &str) -> Token<'_> {
    let token = &token[..token.floor_char_boundary(MAX_WORD_BYTES)];
    if token.chars().any(char::is_numeric) {
        Token::Exact(token)
    } else {
        Token::Word(token)
    }
}

fn for_each_gram<'a>(run: &'a str, purpose: Purpose, visit: &mut impl FnMut(Token<'a>)) {
    let starts: Vec<usize> = run.char_indices().map(|(place, _)| place).collect();
    let end = |letter: usize| starts.get(letter).copied().unwrap_or(run.len());
    let is_single = starts.len() == 1;
    for (letter, start) in starts.iter().enumerate() {
        if purpose == Purpose::Keep || is_single {
            visit(Token::Exact(&run[*start..end(letter + 1)]));
        }
        if letter + 1 < starts.len() {
            visit(Token::Exact(&run[*start..end(letter + 2)]));
        }
    }
}

/// The distinct tokens of a question. Function words of the language are left out unless there is
/// nothing else.
pub(super) fn asked(folded: &str, language: Language) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut seen = HashSet::new();
    for_each_token(folded, Purpose::Ask, |token| {
        let (Token::Word(text) | Token::Exact(text)) = token;
        if seen.insert(text) {
            tokens.push(token);
        }
    });
    let is_content = |token: &Token<'_>| match token {
        Token::Word(word) => !is_function_word(language, word),
        Token::Exact(_) => true,
    };
    if tokens.iter().any(is_content) {
        tokens.retain(is_content);
    }
    tokens
}

#[cfg(test)]
mod tests {
    use crate::model::letters::fold;

    use super::*;

    fn tokens(text: &str, purpose: Purpose) -> Vec<String> {
        let folded = fold(text);
        let mut tokens = Vec::new();
        for_each_token(&folded, purpose, |token| {
            let (Token::Word(text) | Token::Exact(text)) = token;
            tokens.push(text.to_owned());
        });
        tokens
    }

    fn kept(text: &str) -> Vec<String> {
        tokens(text, Purpose::Keep)
    }

    #[test]
    fn scripts_without_spaces_are_kept_by_letters_and_pairs_and_asked_for_by_pairs() {
        assert_eq!(kept("富士山"), ["富", "富士", "士", "士山", "山"]);
        assert_eq!(tokens("富士山", Purpose::Ask), ["富士", "士山"]);
        assert_eq!(tokens("山", Purpose::Ask), ["山"]);
        assert_eq!(kept("v2.1 東京 ok"), ["v2", "1", "東", "東京", "京", "ok"]);
        assert_eq!(tokens("서울에서", Purpose::Ask), ["서울", "울에", "에서"]);
    }

    #[test]
    fn emoji_and_private_letters_can_be_found() {
        assert_eq!(
            kept("deploy 🚀🎉 ok❤\u{fe0f}"),
            ["deploy", "🚀", "🎉", "ok", "❤"]
        );
        assert_eq!(kept("x\u{e000}y z"), ["x\u{e000}y", "z"]);
    }

    #[test]
    fn a_mark_at_the_beginning_or_alone_is_no_word() {
        assert_eq!(kept("a\u{338}n1zpassword"), ["an1zpassword"]);
        assert_eq!(kept(" … \u{301} \u{93f}"), [""; 0]);
        assert_eq!(kept(&"x".repeat(300))[0].len(), MAX_WORD_BYTES);
    }

    #[test]
    fn function_words_count_only_where_there_is_nothing_else() {
        let asked = |text: &str, language| {
            let folded = fold(text);
            let tokens = asked(&folded, language).into_iter().map(|token| {
                let (Token::Word(text) | Token::Exact(text)) = token;
                text.to_owned()
            });
            tokens.collect::<Vec<_>>()
        };
        assert_eq!(
            asked("Why is the linker of it", Language::English),
            ["linker"]
        );
        assert_eq!(
            asked("to be or to be", Language::English),
            ["to", "be", "or"]
        );
        assert_eq!(asked("the linker", Language::Exact), ["the", "linker"]);
        assert_eq!(
            asked("wo ist der Schlüssel", Language::German),
            ["schlussel"]
        );
    }
}
