//! No line ends in white space, and every file ends in a newline.

use super::Violation;
use super::tree::{TextFile, Tree};

/// What programs wrote: it may have to end as it does, such as a log with a torn last line.
const RECORDED: &[&str] = &[".snap", ".jsonl", ".hlog"];

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let is_recorded = |file: &TextFile| RECORDED.iter().any(|ending| file.name.ends_with(ending));
    tree.texts()
        .filter(|file| !is_recorded(file))
        .flat_map(check_file)
        .collect()
}

fn check_file(file: &TextFile) -> Vec<Violation> {
    // By '\n' alone: a carriage return is white space at the end too.
    let lines = file.text.split('\n').enumerate();
    let mut violations: Vec<_> = lines
        .filter(|(_, line)| line.ends_with(char::is_whitespace))
        .map(|(index, _)| Violation::at(&file.name, index, "white space at the end of the line"))
        .collect();
    if !file.text.is_empty() && !file.text.ends_with('\n') {
        violations.push(Violation::in_file(
            &file.name,
            "no newline at the end of the file",
        ));
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::render;

    fn check_one(name: &str, text: &str) -> String {
        render(&check(&Tree::of(&[(name, text)])))
    }

    #[test]
    fn clean_and_empty_files_pass() {
        assert_eq!(check_one("a.toml", "a = 1\n\nb = 2\n"), "");
        assert_eq!(check_one(".gitkeep", ""), "");
    }

    #[test]
    fn white_space_at_the_end_of_a_line_is_named() {
        for end in [" ", "\t", "\r"] {
            assert_eq!(
                check_one("a.toml", &format!("a = 1\nb = 2{end}\n")),
                "a.toml:2: white space at the end of the line"
            );
        }
    }

    #[test]
    fn a_missing_newline_at_the_end_is_named() {
        assert_eq!(
            check_one("a.toml", "a = 1"),
            "a.toml: no newline at the end of the file"
        );
    }

    #[test]
    fn what_a_program_recorded_may_end_as_it_does() {
        assert_eq!(check_one("torn.jsonl", "{\"a\":1}\n{\"a\""), "");
    }
}
