//! `ARCHITECTURE.md` names every crate, and agrees with the rank table where it has one.

use super::tree::Tree;
use super::workspace::Package;
use super::{Violation, ranks};

const FILE: &str = "ARCHITECTURE.md";

pub(super) fn check(tree: &Tree, packages: &[Package]) -> Vec<Violation> {
    let Some(text) = tree.text(FILE) else {
        return vec![Violation::in_file(
            FILE,
            "is missing: it is the map of the crates",
        )];
    };
    let crates = packages
        .iter()
        .filter_map(|package| Some((package, ranks::rank(&package.name)?)));
    crates
        .flat_map(|(package, rank)| check_crate(text, package.folder(), rank))
        .collect()
}

fn check_crate(text: &str, folder: &str, rank: usize) -> Vec<Violation> {
    let mut named = text
        .lines()
        .enumerate()
        .filter(|(_, line)| names(line, folder))
        .peekable();
    if named.peek().is_none() {
        return vec![Violation::in_file(
            FILE,
            format!("does not name the crate {folder}"),
        )];
    }
    let other_rank = |line: &str| rank_of_row(line).filter(|written| *written != rank);
    named
        .filter_map(|(index, line)| {
            let written = other_rank(line)?;
            let what = format!("{folder} has rank {written} here and {rank} in the rank table");
            Some(Violation::at(FILE, index, what))
        })
        .collect()
}

/// Whether the line holds the folder's name, and not only a longer one's.
fn names(line: &str, folder: &str) -> bool {
    let continues = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    line.match_indices(folder)
        .any(|(at, _)| !line[at + folder.len()..].starts_with(continues))
}

/// The number in the first cell of a table's row.
fn rank_of_row(line: &str) -> Option<usize> {
    line.trim()
        .strip_prefix('|')?
        .split('|')
        .next()?
        .trim()
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::render;

    fn check_text(text: &str) -> String {
        let packages = [
            Package::named("memory-store"),
            Package::named("proofload-tests"),
        ];
        render(&check(&Tree::of(&[(FILE, text)]), &packages))
    }

    #[test]
    fn a_named_room_passes_with_or_without_its_rank() {
        assert_eq!(check_text("The tiers live in `crates/memory-store`.\n"), "");
        assert_eq!(check_text("| 1 | `crates/memory-store` | tiers |\n"), "");
    }

    #[test]
    fn a_room_that_is_not_named_is_reported() {
        let missing = "ARCHITECTURE.md: does not name the crate crates/memory-store";
        assert_eq!(check_text("Nothing.\n"), missing);
        assert_eq!(check_text("`crates/memory-stores`\n"), missing);
    }

    #[test]
    fn another_rank_than_the_tables_is_reported() {
        assert_eq!(
            check_text("# Rooms\n| 2 | `crates/memory-store` | tiers |\n"),
            "ARCHITECTURE.md:2: crates/memory-store has rank 2 here and 1 in the rank table"
        );
    }

    #[test]
    fn a_missing_file_is_reported() {
        let violations = check(&Tree::default(), &[]);
        assert_eq!(
            render(&violations),
            "ARCHITECTURE.md: is missing: it is the map of the crates"
        );
    }
}
