//! Parts of a scenario's text.

use std::collections::BTreeSet;

/// A text as TOML writes it: over several lines where that can be read.
pub(super) fn quoted(text: &str) -> String {
    let is_plain = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
    match text.contains('\n') && !text.contains("'''") && text.chars().all(is_plain) {
        true => format!("'''\n{text}\n'''"),
        // A text of JSON is one of TOML.
        false => serde_json::Value::from(text).to_string(),
    }
}

/// A text in which nothing is a placeholder.
pub(super) fn literal(text: &str) -> String {
    text.replace("${", "$${")
}

/// Each line as a comment.
pub(super) fn commented(text: &str) -> String {
    let lines = text.lines().map(|line| match line.is_empty() {
        true => "#\n".to_owned(),
        false => format!("# {line}\n"),
    });
    lines.collect()
}

/// A text as one line of a comment.
pub(super) fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words
        .join(" ")
        .chars()
        .filter(|c| !c.is_control())
        .take(100)
        .collect()
}

/// Names of steps and flows: letters, digits and `-`, none twice.
#[derive(Default)]
pub(super) struct Names(BTreeSet<String>);

impl Names {
    pub(super) fn name(&mut self, text: &str) -> String {
        let name = slug(text);
        let mut unique = name.clone();
        for number in 2.. {
            if self.0.insert(unique.clone()) {
                break;
            }
            unique = format!("{name}-{number}");
        }
        unique
    }
}

/// Letters, digits and single hyphens.
pub(super) fn slug(text: &str) -> String {
    let mut slug = String::new();
    for letter in text.chars() {
        match letter.is_ascii_alphanumeric() || letter == '_' {
            true => slug.push(letter),
            false if !slug.is_empty() && !slug.ends_with('-') => slug.push('-'),
            false => {}
        }
    }
    slug.truncate(48);
    match slug.trim_end_matches('-') {
        "" => "request".to_owned(),
        slug => slug.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_none_comes_twice() {
        let mut names = Names::default();
        let mut name = |text| names.name(text);
        assert_eq!(name("GET /orders/{id}"), "GET-orders-id");
        assert_eq!(name("GET /orders/{id}"), "GET-orders-id-2");
        assert_eq!(name("é"), "request");
        assert_eq!(name("list_orders"), "list_orders");
    }

    #[test]
    fn a_text_is_read_again_as_it_was() {
        for text in [
            "a",
            "two\nlines",
            "it's '''\nthree",
            "bell \u{7}",
            "\"quoted\"",
        ] {
            let table: toml::Table = toml::from_str(&format!("text = {}", quoted(text))).unwrap();
            let read = table["text"].as_str().unwrap().trim_end_matches('\n');
            assert_eq!(read, text);
        }
        assert_eq!(literal("a ${b} $c"), "a $${b} $c");
    }
}
