//! `cargo xtask tidy`: what the compiler does not check.
//!
//! Each check is a function from what the repository holds ([`Tree`], [`Package`]s) to the
//! [`Violation`]s it sees, so that a test can plant one and see it named.

mod architecture;
mod circles;
mod links;
mod manifests;
mod markdown;
mod orphans;
mod patterns;
mod ranks;
mod tree;
mod workspace;

use std::fmt;
use std::process::ExitCode;

use anyhow::Result;

use crate::cargo;
use tree::Tree;
use workspace::Package;

pub(crate) const HELP: &str = "\
Checks what the compiler does not, and names every violation with its place.

Usage: cargo xtask tidy

Checks:
  ranks          a crate imports only crates of a lower rank
  manifests      workspace lints, a description, a crate doc, no libtest benchmarks
  architecture   ARCHITECTURE.md names every crate, with its rank
  circles        the files of a crate import one another in one direction
  orphans        each file of source is named by a `mod` of the one above it
  links          relative links and anchors in the documents lead somewhere
  patterns       no switched-off test, no path of somebody's machine, no trailing white space

Exit codes: 0 all held; 1 a violation; 2 it could not run.";

/// Prints what is wrong; the exit code says whether anything is.
///
/// # Errors
///
/// When the repository cannot be read.
pub(crate) fn run() -> Result<ExitCode> {
    Ok(if holds()? {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Prints what is wrong and returns whether nothing is.
///
/// # Errors
///
/// When the repository cannot be read.
pub(crate) fn holds() -> Result<bool> {
    let tree = Tree::read(&cargo::root())?;
    let packages = workspace::packages()?;
    let mut violations = check(&tree, &packages);
    violations.extend(patterns::check(&cargo::root())?);
    for violation in &violations {
        println!("{violation}");
    }
    match violations.len() {
        0 => println!(
            "tidy: {} files and {} packages hold",
            tree.len(),
            packages.len()
        ),
        1 => println!("tidy: 1 violation"),
        n => println!("tidy: {n} violations"),
    }
    Ok(violations.is_empty())
}

fn check(tree: &Tree, packages: &[Package]) -> Vec<Violation> {
    let mut violations = [
        ranks::check(packages),
        manifests::check(tree, packages),
        architecture::check(tree, packages),
        links::check(tree),
        circles::check(tree, packages),
        orphans::check(tree),
    ]
    .concat();
    violations.sort();
    violations
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Violation {
    file: String,
    line: Option<usize>, // from 1
    what: String,
}

impl Violation {
    fn in_file(file: &str, what: impl Into<String>) -> Violation {
        Violation {
            file: file.to_owned(),
            line: None,
            what: what.into(),
        }
    }

    /// `index` counts from 0, as `enumerate` does.
    fn at(file: &str, index: usize, what: impl Into<String>) -> Violation {
        Violation {
            file: file.to_owned(),
            line: Some(index + 1),
            what: what.into(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file)?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        write!(f, " {}", self.what)
    }
}

/// The violations as a person reads them, one a line.
#[cfg(test)]
fn render(violations: &[Violation]) -> String {
    violations
        .iter()
        .map(Violation::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_takes_part_and_the_order_is_by_place() {
        let tree = Tree::of(&[("a.md", "[gone](gone.md)\n")]);
        let packages = [Package::named("stray")];
        let violations = check(&tree, &packages);
        let mut files: Vec<_> = violations
            .iter()
            .map(|violation| &*violation.file)
            .collect();
        files.dedup();
        assert_eq!(
            files,
            [
                "ARCHITECTURE.md",
                "a.md",
                "crates/stray/Cargo.toml",
                "crates/stray/src/lib.rs",
            ]
        );
        let no_rank = "stray is not in the rank table (xtask/src/tidy/ranks.rs)";
        assert!(violations.iter().any(|violation| violation.what == no_rank));
    }

    #[test]
    fn a_violation_reads_as_editors_expect() {
        assert_eq!(
            Violation::at("a/b.rs", 6, "wrong").to_string(),
            "a/b.rs:7: wrong"
        );
        assert_eq!(
            Violation::in_file("a/b.rs", "wrong").to_string(),
            "a/b.rs: wrong"
        );
    }
}
