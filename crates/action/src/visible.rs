//! Text of others, shown: it comes from files, arguments, reports and targets, and may hold characters
//! that a terminal obeys or that deceive a reader.

use std::borrow::Cow;

/// Returns the text with every [deceptive](is_deceptive) character written as an escape, so that a
/// terminal does not obey it and a reader sees it: `\n`, `\t` and `\r`, and others as `\u{202e}`.
/// Letters of every script stay.
///
/// ```
/// assert_eq!(action::visible("done\u{1b}]0;root\u{7}"), "done\\u{1b}]0;root\\u{7}");
/// ```
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, |_| false)
}

/// As [`visible`], of text that is several lines: line feeds and tabs stay, and the word joiner, which
/// changes nothing else and which Markdown needs so that `@` calls nobody.
#[must_use]
pub fn visible_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |letter| matches!(letter, '\n' | '\t' | '\u{2060}'))
}

/// As [`visible_lines`], of text that a program has styled itself: sequences that only choose colours
/// and the like (SGR, `ESC [ … m`) stay too. The texts within must have been made visible before.
#[must_use]
pub fn visible_styled(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\u{1b}') {
        let (before, from) = rest.split_at(at);
        out.push_str(&visible_lines(before));
        let style = style_length(from);
        let taken = style.max(1);
        match style {
            0 => out.push_str(&visible(&from[..taken])),
            _ => out.push_str(&from[..taken]),
        }
        rest = &from[taken..];
    }
    out.push_str(&visible_lines(rest));
    out
}

/// JSON text with every [deceptive](is_deceptive) character written as JSON's own escape, which means the
/// same: such characters stand only within strings. Line feeds between values stay.
#[must_use]
pub fn visible_json(json: &str) -> Cow<'_, str> {
    let is_unseen = |letter: char| letter != '\n' && is_deceptive(letter);
    if !json.contains(is_unseen) {
        return Cow::Borrowed(json);
    }
    let mut escaped = String::with_capacity(json.len() + 16);
    for letter in json.chars() {
        if is_unseen(letter) {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                escaped.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            escaped.push(letter);
        }
    }
    Cow::Owned(escaped)
}

/// Whether a character is not seen, or changes how others are seen: controls of both sets (C0, C1),
/// marks of direction (CVE-2021-42574), ends of lines and paragraphs, zero-width characters, tags, and
/// what no XML document may hold.
#[must_use]
pub fn is_deceptive(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{fffe}'
                | '\u{ffff}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

fn escaped(text: &str, stays: impl Fn(char) -> bool) -> Cow<'_, str> {
    let is_unseen = |letter: char| is_deceptive(letter) && !stays(letter);
    if !text.contains(is_unseen) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        match letter {
            letter if !is_unseen(letter) => escaped.push(letter),
            '\n' => escaped.push_str("\\n"),
            '\t' => escaped.push_str("\\t"),
            '\r' => escaped.push_str("\\r"),
            letter => escaped.extend(letter.escape_unicode()),
        }
    }
    Cow::Owned(escaped)
}

/// The bytes of the sequence that chooses a style at the beginning of the text; 0 if there is none.
fn style_length(text: &str) -> usize {
    let Some(parameters) = text.strip_prefix("\u{1b}[") else {
        return 0;
    };
    let is_parameter = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b';' | b':');
    let length = parameters
        .bytes()
        .take_while(|byte| is_parameter(byte))
        .count();
    match parameters.as_bytes().get(length) {
        Some(b'm') => 2 + length + 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A title (OSC), the clipboard (OSC 52), a cleared screen (CSI), the same in C1, and text that is
    /// turned around.
    const ATTACKS: [&str; 6] = [
        "\u{1b}]0;title\u{7}",
        "\u{1b}]52;c;cm0=\u{1b}\\",
        "\u{1b}[2J\u{1b}[H",
        "\u{9b}2J",
        "\u{9d}0;title\u{9c}",
        "\u{202e}gnp.exe",
    ];

    #[test]
    fn what_a_terminal_obeys_or_deceives_is_escaped_and_every_script_stays() {
        for attack in ATTACKS {
            for shown in [
                visible(attack),
                visible_lines(attack),
                visible_styled(attack).into(),
            ] {
                assert!(!shown.contains(is_deceptive), "{shown:?}");
            }
        }
        assert_eq!(
            visible("a\u{202e}b\u{1b}[31m\n"),
            "a\\u{202e}b\\u{1b}[31m\\n"
        );
        for text in ["plain", "日本語 עברית 🦀", "ü"] {
            assert!(matches!(visible(text), Cow::Borrowed(same) if same == text));
        }
        for hidden in ['\u{2066}', '\u{200b}', '\u{e0041}', '\u{85}', '\u{7f}'] {
            assert!(is_deceptive(hidden), "{hidden:?}");
        }
    }

    #[test]
    fn lines_and_columns_stay_where_text_has_them() {
        assert_eq!(visible_lines("a\n\tb\r\n"), "a\n\tb\\r\n");
    }

    #[test]
    fn only_styles_pass_among_the_sequences_of_styled_text() {
        let styled = "\u{1b}[1;31mbad\u{1b}[0m \u{1b}[38:5:1mred\u{1b}[m\n";
        assert_eq!(visible_styled(styled), styled);
        assert_eq!(visible_styled("\u{1b}[2Ja\u{1b}[1"), "\\u{1b}[2Ja\\u{1b}[1");
    }

    #[test]
    fn json_means_the_same() {
        let json = "{\n  \"a\": \"\u{202e}\u{e0041}\u{85}\"\n}";
        let shown = visible_json(json);
        assert!(!shown.replace('\n', "").contains(is_deceptive), "{shown}");
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(read(&shown), read(json));
    }
}
