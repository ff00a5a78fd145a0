//! Each example is the program that its crate's README shows, and fits on a screen.

use std::fs;
use std::path::PathBuf;

/// A crate, and the example that shows its use.
const EXAMPLES: [(&str, &str); 6] = [
    ("approval-workflow", "approve"),
    ("forensic-simulator", "simulate"),
    ("harness", "own_target"),
    ("jsonl-storage", "append_and_verify"),
    ("load-engine", "custom_workload"),
    ("memory-store", "remember_and_recall"),
];

/// Pages of the guide that show an example.
const PAGES: [(&str, &str); 2] = [
    ("docs/guide/approving-an-action.md", "approve"),
    ("docs/guide/your-own-target.md", "own_target"),
];

/// What only the example needs: a README is no program that is linted.
const LINT: &str =
    "#![allow(clippy::print_stdout, reason = \"an example prints what it does\")]\n\n";

/// Lines of code, without imports, comments and empty lines.
const LINES_AT_MOST: usize = 40;

fn read(path: &str) -> String {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Without the first line of documentation, which the README says in its own words.
fn program(example: &str) -> String {
    let text = read(&format!("examples/examples/{example}.rs")).replace(LINT, "");
    let (doc, program) = text.split_once("\n\n").expect("a line of documentation");
    assert!(doc.starts_with("//! "), "{example}: {doc}");
    program.trim_end().to_owned()
}

#[test]
fn readmes_and_the_guide_show_the_examples_as_they_are() {
    let readmes =
        EXAMPLES.map(|(package, example)| (format!("crates/{package}/README.md"), example));
    let pages = PAGES.map(|(page, example)| (page.to_owned(), example));
    for (page, example) in readmes.into_iter().chain(pages) {
        let program = program(example);
        assert!(
            read(&page).contains(&format!("```rust\n{program}\n```")),
            "{page} does not show examples/examples/{example}.rs as it is"
        );
    }
}

#[test]
fn each_example_fits_on_a_screen() {
    for (_, example) in EXAMPLES {
        let program = program(example);
        let after_imports = program.rsplit("\nuse ").next().unwrap_or_default();
        let (_, code) = after_imports.split_once(";\n").expect("imports");
        let is_code = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with("//");
        let lines = code.lines().filter(is_code).count();
        assert!(lines <= LINES_AT_MOST, "{example}: {lines} lines");
    }
}
