//! A value before and after, leaf by leaf, in as many lines as leaves differ.

use action::visible;
use serde_json::Value;

use crate::input::json::NUMBER;
use crate::world::fact::Fact;

/// At most this many characters of a value are shown, from where it differs.
const SHOWN: usize = 120;

/// What is shown before the place in which two texts differ.
const CONTEXT: usize = 24;

/// One line: `+ path: after`, `- path: before` or `~ path: before -> after`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) sign: char,
    pub(super) path: String,
    pub(super) text: String,
}

/// The leaves in which two sides differ.
pub(super) fn lines(name: &str, before: Option<&Fact>, after: Option<&Fact>) -> Vec<Line> {
    let mut found = Vec::new();
    match (before, after) {
        (Some(Fact::Known(one)), Some(Fact::Known(other))) => compare(name, one, other, &mut found),
        (None, Some(Fact::Known(value))) if !is_leaf(value) => {
            one_side('+', name, value, &mut found);
        }
        (Some(Fact::Known(value)), None) if !is_leaf(value) => {
            one_side('-', name, value, &mut found);
        }
        (before, after) => {
            let shown = |fact: Option<&Fact>| fact.map(|fact| (shown_fact(fact), false));
            push(name, shown(before), shown(after), &mut found);
        }
    }
    found
}

fn is_leaf(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.is_empty() || is_mark(value),
        Value::Array(items) => items.is_empty(),
        _ => true,
    }
}

/// An object in place of a part that is not known, not shown, or a number of many digits.
fn is_mark(value: &Value) -> bool {
    let fields = value.as_object().filter(|fields| fields.len() == 1);
    fields.is_some_and(|fields| {
        let first = fields.keys().next().map_or("", String::as_str);
        matches!(first, "$unknown" | "$secret") && fields[first].is_object()
            || first == NUMBER && fields[first].is_string()
    })
}

fn compare(path: &str, before: &Value, after: &Value, found: &mut Vec<Line>) {
    if before == after {
        return;
    }
    if let (Value::String(one), Value::String(other)) = (before, after)
        && let (Some(one), Some(other)) = (within(one), within(other))
        && one != other
    {
        return compare(path, &one, &other, found);
    }
    match (before, after) {
        (Value::Object(one), Value::Object(other)) if !is_mark(before) && !is_mark(after) => {
            let names: std::collections::BTreeSet<_> = one.keys().chain(other.keys()).collect();
            for name in names {
                let path = field(path, name);
                match (one.get(name), other.get(name)) {
                    (Some(one), Some(other)) => compare(&path, one, other, found),
                    (Some(one), None) => one_side('-', &path, one, found),
                    (None, Some(other)) => one_side('+', &path, other, found),
                    (None, None) => {}
                }
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (index, (one, other)) in one.iter().zip(other).enumerate() {
                compare(&format!("{path}[{index}]"), one, other, found);
            }
        }
        (Value::Array(one), Value::Array(other)) => {
            // Of lists of other lengths, what only one of them has.
            let only = |list: &[Value], rest: &[Value]| -> Vec<Value> {
                list.iter()
                    .filter(|item| !rest.contains(item))
                    .cloned()
                    .collect()
            };
            let (gone, new) = (only(one, other), only(other, one));
            if gone.is_empty() && new.is_empty() {
                push(
                    path,
                    Some((shown(before), false)),
                    Some((shown(after), false)),
                    found,
                );
            }
            gone.iter()
                .for_each(|item| one_side('-', &format!("{path}[]"), item, found));
            new.iter()
                .for_each(|item| one_side('+', &format!("{path}[]"), item, found));
        }
        (Value::String(one), Value::String(other)) => {
            let from = difference(one, other);
            push(
                path,
                Some((cut(one, from), true)),
                Some((cut(other, from), true)),
                found,
            );
        }
        _ => push(
            path,
            Some((shown(before), false)),
            Some((shown(after), false)),
            found,
        ),
    }
}

/// A text that is JSON itself, as documents of policies are.
fn within(text: &str) -> Option<Value> {
    let start = text.trim_start();
    if !start.starts_with('{') && !start.starts_with('[') {
        return None;
    }
    serde_json::from_str(text).ok()
}

fn one_side(sign: char, path: &str, value: &Value, found: &mut Vec<Line>) {
    match value {
        Value::Object(fields) if !is_leaf(value) => {
            fields
                .iter()
                .for_each(|(name, value)| one_side(sign, &field(path, name), value, found));
        }
        Value::Array(items) if !is_leaf(value) && !items.iter().all(is_leaf) => {
            let items = items.iter().enumerate();
            items
                .for_each(|(index, item)| one_side(sign, &format!("{path}[{index}]"), item, found));
        }
        _ => {
            let text = Some((shown(value), false));
            let (before, after) = if sign == '+' {
                (None, text)
            } else {
                (text, None)
            };
            push(path, before, after, found);
        }
    }
}

fn field(path: &str, name: &str) -> String {
    let plain = !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    if plain {
        format!("{path}.{name}")
    } else {
        format!("{path}[{name:?}]")
    }
}

/// The texts come with whether they were cut already.
fn push(
    path: &str,
    before: Option<(String, bool)>,
    after: Option<(String, bool)>,
    found: &mut Vec<Line>,
) {
    let sign = match (&before, &after) {
        (None, _) => '+',
        (_, None) => '-',
        _ => '~',
    };
    let mut sides: Vec<String> = [before, after]
        .into_iter()
        .flatten()
        .map(
            |(text, is_cut)| {
                if is_cut { text } else { cut_plain(&text) }
            },
        )
        .collect();
    if sides.len() == 2 && sides[0] == sides[1] {
        // They differ behind what is shown, or in what is not shown.
        sides[1].push_str(" (another one)");
    }
    found.push(Line {
        sign,
        path: visible(path).into_owned(),
        text: visible(&sides.join(" -> ")).into_owned(),
    });
}

/// Where two texts begin to differ, in bytes, at the start of a character.
fn difference(one: &str, other: &str) -> usize {
    let pairs = one.char_indices().zip(other.chars());
    let mut differing = pairs.filter(|((_, a), b)| a != b);
    differing
        .next()
        .map_or(one.len().min(other.len()), |((at, _), _)| at)
}

/// A text in quotes; a long one from a little before a place.
fn cut(text: &str, from: usize) -> String {
    if text.chars().nth(SHOWN).is_none() {
        return quoted(text);
    }
    let before = text[..from.min(text.len())]
        .char_indices()
        .rev()
        .nth(CONTEXT - 1);
    let start = before.map_or(0, |(at, _)| at);
    let mut rest = text[start..].char_indices();
    let end = rest.nth(SHOWN).map_or(text.len(), |(at, _)| start + at);
    let (left, right) = (
        if start > 0 { "…" } else { "" },
        if end < text.len() { "…" } else { "" },
    );
    format!("{left}{}{right}", quoted(&text[start..end]))
}

fn cut_plain(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

fn shown_fact(fact: &Fact) -> String {
    match fact {
        Fact::Known(value) => shown(value),
        other => other.to_string(),
    }
}

/// A value, with words in place of what is not known or not shown.
fn shown(value: &Value) -> String {
    match value {
        Value::Object(fields) if is_mark(value) => match fields.get(NUMBER) {
            Some(digits) => digits.as_str().unwrap_or_default().to_owned(),
            None => match serde_json::from_value::<Fact>(value.clone()) {
                Ok(fact) => fact.to_string(),
                Err(_) => value.to_string(),
            },
        },
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value)| format!("{}: {}", quoted(name), shown(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => {
            format!(
                "[{}]",
                items.iter().map(shown).collect::<Vec<_>>().join(", ")
            )
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(before: Value, after: Value) -> Vec<String> {
        let found = lines("a", Some(&before.into()), Some(&after.into()));
        found
            .into_iter()
            .map(|line| format!("{} {}: {}", line.sign, line.path, line.text))
            .collect()
    }

    #[test]
    fn a_change_is_shown_where_it_is() {
        assert_eq!(
            told(
                json!({"x": 1, "y": [1, 2]}),
                json!({"x": 1, "y": [1, 3], "z w": true})
            ),
            ["~ a.y[1]: 2 -> 3", "+ a[\"z w\"]: true",]
        );
        assert_eq!(
            told(json!(["a", "b"]), json!(["b", "c", "d"])),
            ["- a[]: \"a\"", "+ a[]: \"c\"", "+ a[]: \"d\"",]
        );
        let policy = |action: &str| {
            json!(json!({"Statement": [{"Effect": "Allow", "Action": action}]}).to_string())
        };
        assert_eq!(
            told(policy("s3:GetObject"), policy("*")),
            ["~ a.Statement[0].Action: \"s3:GetObject\" -> \"*\""]
        );
        let number = |digits: &str| json!({"$number": digits});
        assert_eq!(
            told(
                number("18446744073709551616"),
                number("18446744073709551617")
            ),
            ["~ a: 18446744073709551616 -> 18446744073709551617",]
        );
        let unknown = json!({"$unknown": {"origin": "known after apply"}});
        assert_eq!(
            told(json!({"p": "x"}), json!({"p": unknown})),
            ["~ a.p: \"x\" -> (unknown: known after apply)"]
        );
    }

    #[test]
    fn long_texts_are_shown_from_where_they_differ() {
        let long = "x".repeat(300);
        let text = told(
            json!(format!("{long}one{long}")),
            json!(format!("{long}two{long}")),
        )
        .remove(0);
        assert!(
            text.contains("one") && text.contains("two") && text.chars().count() < 300,
            "{text}"
        );
        let hidden = told(json!("a"), json!("b\u{202e}c")).remove(0);
        assert_eq!(hidden, "~ a: \"a\" -> \"b\\u{202e}c\"");
    }
}
