//! Texts that must stand in no file: switched-off tests, and paths of somebody's machine.
//!
//! `git grep` finds them; clippy denies `todo!`, `unimplemented!` and `dbg!`, and `git diff --check`
//! finds trailing white space. A source archive without git is not checked: its clone was.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::Violation;

/// Extended regular expressions, the files they are looked for in, and what is wrong with a match.
const PATTERNS: &[(&str, &[&str], &str)] = &[
    (
        r"^[[:space:]]*#!?\[(cfg_attr\(.*, *)?ignore[]=) ]",
        &["*.rs"],
        "a switched-off test: finish it or remove it",
    ),
    (
        r"^[[:space:]]*//[/!].*```.*ignore",
        &["*.rs"],
        "an example that is never compiled: finish it or remove it",
    ),
    (
        concat!(r"(^|[^[:alnum:]./_~$})-])/(ho", r"me|Users)/[[:alnum:]_]"),
        &["."],
        "a path of somebody's machine",
    ),
    (
        concat!(r"(^|[^[:alnum:]./_~$})-])/(ro", r"ot|wo", r"rk)/"),
        &["."],
        "a path of somebody's machine",
    ),
];

/// An empty tree: what every file differs from, so that `git diff --check` reads all of them.
const EMPTY_TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

/// # Errors
///
/// When git cannot be asked.
pub(super) fn check(root: &Path) -> Result<Vec<Violation>> {
    if !root.join(".git").exists() {
        return Ok(Vec::new());
    }
    let mut violations = Vec::new();
    for (pattern, files, what) in PATTERNS {
        let mut args = vec!["grep", "--untracked", "-nIE", "-e", pattern, "--"];
        args.extend(*files);
        violations.extend(places(&git(root, &args)?, what));
    }
    let white_space = git(root, &["diff", "--check", EMPTY_TREE])?;
    let reports = white_space
        .lines()
        .filter(|line| !line.starts_with(['+', '-']));
    violations.extend(reports.filter_map(place));
    Ok(violations)
}

/// What git prints; both commands answer with 1 where there is nothing, or something, to say.
fn git(root: &Path, args: &[&str]) -> Result<String> {
    let output = Command::new("git").current_dir(root).args(args).output();
    let output = output.context("cannot start git")?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(
        stderr.trim().is_empty(),
        "git {} failed: {}",
        args[0],
        stderr.trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn places(found: &str, what: &str) -> Vec<Violation> {
    let named = |line: &str| {
        let mut parts = line.splitn(3, ':');
        let (file, number) = (parts.next()?, parts.next()?.parse::<usize>().ok()?);
        Some(Violation::at(file, number - 1, what))
    };
    found.lines().filter_map(named).collect()
}

/// `file:line: what` as `git diff --check` says it.
fn place(line: &str) -> Option<Violation> {
    let mut parts = line.splitn(3, ':');
    let (file, number) = (parts.next()?, parts.next()?.parse::<usize>().ok()?);
    Some(Violation::at(file, number - 1, parts.next()?.trim()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::tidy::render;

    /// A repository with one file, below the build folder, which is removed again.
    fn check_file(name: &str, text: &str) -> String {
        let root = std::env::temp_dir().join(format!("tidy-{}-{name}", std::process::id()));
        fs::create_dir_all(&root).unwrap();
        git(&root, &["init", "--quiet"]).unwrap();
        fs::write(root.join(name), text).unwrap();
        git(&root, &["add", "."]).unwrap();
        let found = render(&check(&root).unwrap());
        fs::remove_dir_all(&root).unwrap();
        found
    }

    #[test]
    fn a_switched_off_test_is_named_with_its_line() {
        let text = "#[test]\n#[ignore = \"slow\"]\nfn f() {}\n/// ignore this word\n";
        assert_eq!(
            check_file("off.rs", text),
            "off.rs:2: a switched-off test: finish it or remove it"
        );
    }

    #[test]
    fn an_example_that_is_never_compiled_is_named() {
        assert_eq!(
            check_file("example.rs", "//! ```rust,ignore\n//! f();\n//! ```\n"),
            "example.rs:1: an example that is never compiled: finish it or remove it"
        );
    }

    #[test]
    fn a_path_of_somebodys_machine_is_named() {
        for path in [
            concat!("/ho", "me/alice/x"),
            concat!("/Us", "ers/bob"),
            concat!("/wo", "rk/main"),
        ] {
            assert_eq!(
                check_file("path.md", &format!("see {path}\n")),
                "path.md:1: a path of somebody's machine"
            );
        }
        assert_eq!(
            check_file("path.md", "`crates/work/` and <https://a.b/home/x>\n"),
            ""
        );
    }

    #[test]
    fn trailing_white_space_is_named() {
        assert_eq!(
            check_file("space.toml", "x = 1 \n"),
            "space.toml:1: trailing whitespace."
        );
    }
}
