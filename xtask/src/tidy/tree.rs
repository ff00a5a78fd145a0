//! The repository's text files, as the checks see them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

/// What a run of the product leaves in the root; see `.gitignore`.
const OUTPUT: &str = "proofload-out";

/// The files of the repository: all by name, and the text of those that are text.
#[derive(Debug, Default)]
pub(super) struct Tree {
    names: BTreeSet<String>, // relative to the root, with `/`
    texts: Vec<TextFile>,    // by name
}

#[derive(Debug)]
pub(super) struct TextFile {
    pub(super) name: String, // relative to the root, with `/`
    pub(super) text: String,
}

impl Tree {
    /// Reads the files that git tracks or would track.
    ///
    /// Without git, or outside of a clone, all files but build output: a source archive on a
    /// machine with nothing but Rust must pass too.
    ///
    /// # Errors
    ///
    /// When a file cannot be read.
    pub(super) fn read(root: &Path) -> Result<Tree> {
        let names = match git_files(root) {
            Some(names) => names,
            None => all_files(root)?,
        };
        let mut tree = Tree::default();
        for name in names {
            let path = root.join(&name);
            // A deleted file is still in git's index, and a link's target is checked by itself.
            if !fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_file()) {
                continue;
            }
            let bytes = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
            if let Some(text) = as_text(bytes) {
                tree.texts.push(TextFile {
                    name: name.clone(),
                    text,
                });
            }
            tree.names.insert(name);
        }
        Ok(tree)
    }

    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Tree {
        let names = files.iter().map(|(name, _)| (*name).to_owned()).collect();
        let text_file = |(name, text): &(&str, &str)| TextFile {
            name: (*name).to_owned(),
            text: (*text).to_owned(),
        };
        Tree {
            names,
            texts: files.iter().map(text_file).collect(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    pub(super) fn texts(&self) -> impl Iterator<Item = &TextFile> {
        self.texts.iter()
    }

    pub(super) fn texts_ending(&self, suffix: &str) -> impl Iterator<Item = &TextFile> {
        self.texts().filter(move |file| file.name.ends_with(suffix))
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.texts()
            .find(|file| file.name == name)
            .map(|file| file.text.as_str())
    }

    /// Whether a file of this name exists, or a folder that holds one; the root is the empty name.
    pub(super) fn contains(&self, name: &str) -> bool {
        let folder = format!("{name}/");
        let first_inside = || self.names.range(folder.clone()..).next();
        name.is_empty()
            || self.names.contains(name)
            || first_inside().is_some_and(|inside| inside.starts_with(&folder))
    }
}

/// Nothing when git is missing, or does not answer for this directory.
fn git_files(root: &Path) -> Option<BTreeSet<String>> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let names = String::from_utf8_lossy(&output.stdout);
    let names: BTreeSet<_> = names
        .split('\0')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    // An archive unpacked inside of another repository is no clone: git knows none of its files.
    names.contains("Cargo.toml").then_some(names)
}

fn all_files(root: &Path) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let path = root.join(&folder);
        let context = || format!("listing {}", path.display());
        for entry in fs::read_dir(&path).with_context(context)? {
            let entry = entry.with_context(context)?;
            let name = format!("{folder}{}", entry.file_name().to_string_lossy());
            let kind = entry.file_type().with_context(context)?;
            if kind.is_file() {
                names.insert(name);
            } else if kind.is_dir() && !is_output(&name, &entry.path()) {
                folders.push(format!("{name}/"));
            }
        }
    }
    Ok(names)
}

/// Cargo marks its target directories, wherever they stand, with `CACHEDIR.TAG`; not one that it
/// found there, as when a build with other flags came first and has its own inside.
fn is_output(name: &str, path: &Path) -> bool {
    let marks = ["CACHEDIR.TAG", ".rustc_info.json"];
    name == ".git" || name == OUTPUT || marks.iter().any(|mark| path.join(mark).exists())
}

fn as_text(bytes: Vec<u8>) -> Option<String> {
    if bytes.contains(&0) {
        return None;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cargo;

    #[test]
    fn without_git_the_sources_are_listed_and_no_build_output() {
        let names = all_files(&cargo::root()).unwrap();
        assert!(names.contains("Cargo.toml") && names.contains("xtask/src/main.rs"));
        assert!(
            !names
                .iter()
                .any(|name| name.ends_with(".rlib") || name.starts_with(".git/"))
        );
    }

    #[test]
    fn a_file_and_the_folders_above_it_exist() {
        let tree = Tree::of(&[("crates/action/src/lib.rs", "")]);
        for name in ["", "crates", "crates/action", "crates/action/src/lib.rs"] {
            assert!(tree.contains(name), "{name:?}");
        }
        for name in ["crate", "crates/act", "crates/action/src/lib", "lib.rs"] {
            assert!(!tree.contains(name), "{name:?}");
        }
    }

    #[test]
    fn binary_files_are_no_text() {
        assert_eq!(as_text(b"a\0b".to_vec()), None);
        assert_eq!(as_text(vec![0xff, 0xfe]), None);
        assert_eq!(as_text(b"ab\n".to_vec()).as_deref(), Some("ab\n"));
    }
}
