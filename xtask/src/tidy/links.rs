//! Relative links in the documents lead to a file, and their anchors to a heading.

use super::Violation;
use super::markdown::{self, Link};
use super::tree::Tree;

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in tree.texts_ending(".md") {
        for Link { index, target } in markdown::links(&file.text) {
            if let Some(why) = fault(tree, &file.name, &target) {
                let what = format!("the link to {target:?} {why}");
                violations.push(Violation::at(&file.name, index, what));
            }
        }
    }
    violations
}

fn fault(tree: &Tree, file: &str, target: &str) -> Option<String> {
    if is_external(target) {
        return None;
    }
    if target.is_empty() {
        return Some("has no target".to_owned());
    }
    let (path, anchor) = match target.split_once('#') {
        Some((path, anchor)) => (path, Some(anchor)),
        None => (target, None),
    };
    let name = match path {
        "" => file.to_owned(),
        path => match resolve(file, &path.replace("%20", " ")) {
            Some(name) => name,
            None => return Some("leads out of the repository".to_owned()),
        },
    };
    if !tree.contains(&name) {
        return Some(format!("leads nowhere: there is no {name}"));
    }
    // In other files an anchor is a line, as in `lib.rs#L10`, which moves with every change.
    let document = tree.text(&name).filter(|_| name.ends_with(".md"))?;
    let anchor = anchor.filter(|anchor| !markdown::anchors(document).contains(*anchor))?;
    Some(format!(
        "leads to no heading: {name} has no anchor {anchor:?}"
    ))
}

fn is_external(target: &str) -> bool {
    target.contains("://") || target.starts_with("mailto:") || target.starts_with("//")
}

/// The file that a path means in `file`; nothing when it lies outside of the root.
fn resolve(file: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = match path.starts_with('/') {
        true => Vec::new(),
        false => file
            .split('/')
            .rev()
            .skip(1)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect(),
    };
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::render;

    fn check_readme(text: &str) -> String {
        render(&check(&Tree::of(&[
            ("README.md", "# Use\n[a](docs/guide.md)\n"),
            ("docs/README.md", text),
            ("docs/guide.md", "# First steps\n"),
            ("docs/a b.md", ""),
            ("src/lib.rs", ""),
        ])))
    }

    #[test]
    fn links_that_lead_somewhere_pass() {
        for target in [
            "guide.md",
            "./guide.md#first-steps",
            "../README.md#use",
            "/README.md",
            "../src",
            "../src/",
            "../src/lib.rs#L10",
            "a%20b.md",
            "..",
            "#here",
            "https://example.com/none.md#x",
            "mailto:a@example.com",
        ] {
            assert_eq!(
                check_readme(&format!("# Here\n[x]({target})\n")),
                "",
                "{target}"
            );
        }
    }

    #[test]
    fn a_link_to_a_missing_file_is_named_with_its_line() {
        assert_eq!(
            check_readme("\n[x](../guide.md)\n"),
            "docs/README.md:2: the link to \"../guide.md\" leads nowhere: there is no guide.md"
        );
    }

    #[test]
    fn a_link_to_a_missing_heading_is_named() {
        assert_eq!(
            check_readme("[x](guide.md#second-steps)\n"),
            "docs/README.md:1: the link to \"guide.md#second-steps\" leads to no heading: \
             docs/guide.md has no anchor \"second-steps\""
        );
        assert_eq!(
            check_readme("[x](#nowhere)\n"),
            "docs/README.md:1: the link to \"#nowhere\" leads to no heading: \
             docs/README.md has no anchor \"nowhere\""
        );
    }

    #[test]
    fn a_link_out_of_the_repository_or_without_a_target_is_named() {
        assert_eq!(
            check_readme("[x](../../shared/a.md)\n[y]()\n"),
            "docs/README.md:1: the link to \"../../shared/a.md\" leads out of the repository\n\
             docs/README.md:2: the link to \"\" has no target"
        );
    }
}
