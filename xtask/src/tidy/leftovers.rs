//! Nothing half done or switched off stays in the code.

use super::tree::{TextFile, Tree};
use super::{Violation, rust_code};

const MACROS: &[&str] = &["todo", "unimplemented", "dbg"];

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    tree.texts_ending(".rs").flat_map(check_file).collect()
}

fn check_file(file: &TextFile) -> Vec<Violation> {
    let mut violations = Vec::new();
    let code = rust_code::code_of(&file.text);
    for (index, (line, code)) in file.text.lines().zip(code.lines()).enumerate() {
        let macros = MACROS
            .iter()
            .filter(|name| calls(code, name))
            .map(|name| format!("{name}!"));
        let ignored = ignores(code).then(|| "an ignored test".to_owned());
        let example = ignores_example(line).then(|| "an ignored example".to_owned());
        let left = macros.chain(ignored).chain(example);
        violations.extend(left.map(|what| {
            Violation::at(
                &file.name,
                index,
                format!("{what} is left: finish it or remove it"),
            )
        }));
    }
    violations
}

fn calls(code: &str, name: &str) -> bool {
    words(code, name).any(|after| after.starts_with('!') && !after.starts_with("!="))
}

/// `#[ignore]`, `#[ignore = "…"]`, `#[cfg_attr(…, ignore)]`.
fn ignores(code: &str) -> bool {
    let Some((_, attribute)) = code.split_once("#[") else {
        return false;
    };
    let attribute = attribute.trim_start();
    let may_ignore = attribute.starts_with("ignore") || attribute.starts_with("cfg_attr");
    may_ignore && words(attribute, "ignore").next().is_some()
}

/// A fenced block of a doc comment that is marked `ignore`: its example is never compiled.
fn ignores_example(line: &str) -> bool {
    let line = line.trim_start();
    let doc = line
        .strip_prefix("///")
        .or_else(|| line.strip_prefix("//!"));
    let marks = doc.and_then(|doc| doc.trim_start().strip_prefix("```"));
    marks.is_some_and(|marks| words(marks, "ignore").next().is_some())
}

/// What follows each place where `name` stands as a whole word.
fn words<'a>(code: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let in_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(name).filter_map(move |(at, name)| {
        let after = &code[at + name.len()..];
        (!code[..at].ends_with(in_word) && !after.starts_with(in_word)).then_some(after)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::render;

    fn check_code(code: &str) -> String {
        render(&check(&Tree::of(&[("src/a.rs", code)])))
    }

    #[test]
    fn unfinished_code_is_named_with_its_line() {
        for name in ["todo", "unimplemented", "dbg"] {
            assert_eq!(
                check_code(&format!("fn f() {{\n    {name}!(1)\n}}\n")),
                format!("src/a.rs:2: {name}! is left: finish it or remove it")
            );
        }
    }

    #[test]
    fn an_ignored_test_is_named_however_it_is_ignored() {
        for attribute in [
            "#[ignore]",
            "#[ignore = \"slow\"]",
            "#[cfg_attr(miri, ignore)]",
        ] {
            assert_eq!(
                check_code(&format!("#[test]\n{attribute}\nfn f() {{}}\n")),
                "src/a.rs:2: an ignored test is left: finish it or remove it"
            );
        }
    }

    #[test]
    fn an_ignored_example_is_named() {
        for fence in [
            "/// ```ignore",
            "//! ```rust,ignore",
            "    /// ```ignore-windows",
        ] {
            assert_eq!(
                check_code(&format!("{fence}\n/// ```\n")),
                "src/a.rs:1: an ignored example is left: finish it or remove it"
            );
        }
    }

    #[test]
    fn words_in_comments_strings_and_other_names_pass() {
        for code in [
            "// todo!() and #[ignore]\n",
            "const A: &str = \"dbg!(1) #[ignore]\";\n",
            "const A: &str = r#\"\ntodo!()\n\"#;\n",
            "my_todo!();\n",
            "#[arg(ignore_case = true)]\n",
            "#[serde(rename = \"ignore\")]\n",
            "if todo != done {}\n",
            "/// ```no_run\n/// ```\n",
        ] {
            assert_eq!(check_code(code), "", "{code}");
        }
    }
}
