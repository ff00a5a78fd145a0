//! The files of a crate import one another in one direction, so that each can be read after those it
//! builds on.
//!
//! Imports are read as this project writes them: paths from `crate::`, from `super::`, and from the
//! crate's own re-exports. Test modules do not count.

use std::collections::{BTreeMap, BTreeSet};

use super::Violation;
use super::tree::Tree;
use super::workspace::Package;

/// Files whose own imports do not count, and why a circle through them is right.
const ACCEPTED: &[(&str, &str, &str)] = &[
    // An error names the crate's types in its messages, and the types give it back.
    ("approval-workflow", "error", "an error names the types"),
    ("memory-store", "error", "an error names the types"),
    // The one list of the targets that there are.
    (
        "harness",
        "targets::registry",
        "a registry names its entries",
    ),
    // A thread, started by what it works for.
    ("jsonl-storage", "commit::flusher", "a thread and its owner"),
    // A type and its builder.
    ("memory-store", "options", "a builder and its type"),
];

/// Which file imports which, by module path.
type Imports = BTreeMap<String, BTreeSet<String>>;

pub(super) fn check(tree: &Tree, packages: &[Package]) -> Vec<Violation> {
    packages
        .iter()
        .flat_map(|package| {
            let crate_name = package.folder().rsplit('/').next().unwrap_or_default();
            check_crate(tree, package.folder(), crate_name)
        })
        .collect()
}

fn check_crate(tree: &Tree, folder: &str, crate_name: &str) -> Vec<Violation> {
    let root = format!("{folder}/src/");
    let files: BTreeMap<String, (&str, &str)> = tree
        .texts_ending(".rs")
        .filter_map(|file| {
            let path = file.name.strip_prefix(&root)?;
            Some((module(path), (file.name.as_str(), file.text.as_str())))
        })
        .collect();
    let mut imports = imports(&files);
    for (of, file, _) in ACCEPTED {
        if *of == crate_name {
            imports.remove(*file);
        }
    }
    circles(&imports)
        .into_iter()
        .map(|circle| {
            let names: Vec<_> = circle.iter().map(String::as_str).collect();
            let what = format!(
                "imports itself through {}: cut the circle, or name it in xtask/src/tidy/circles.rs",
                names.join(", ")
            );
            Violation::in_file(files[names[0]].0, what)
        })
        .collect()
}

/// `exec/mod.rs` is `exec`, and `exec/user.rs` is `exec::user`.
fn module(path: &str) -> String {
    let path = path.trim_end_matches(".rs");
    path.strip_suffix("/mod").unwrap_or(path).replace('/', "::")
}

fn imports(files: &BTreeMap<String, (&str, &str)>) -> Imports {
    let exports = files
        .get("lib")
        .map_or_else(BTreeMap::new, |lib| exports(lib.1));
    let mut imports = Imports::new();
    for (module, (_, text)) in files {
        if module == "lib" || module.split("::").any(|part| part == "tests") {
            continue;
        }
        let code = code(text);
        let parent = module.rsplit_once("::").map_or("", |(parent, _)| parent);
        let own = imports.entry(module.clone()).or_default();
        for (prefix, base) in [("crate::", ""), ("super::", parent)] {
            for path in paths(&code, prefix) {
                let path = resolved(base, &path);
                let path = match exports.get(&path) {
                    Some(of) => of.clone(),
                    None => path,
                };
                own.extend(file_of(&path, files).filter(|file| file != module));
            }
        }
    }
    imports
}

/// What `lib.rs` re-exports, and the module that it is of.
fn exports(lib: &str) -> BTreeMap<String, String> {
    let code = code(lib);
    let statements = code.split("pub use ").skip(1);
    statements
        .filter_map(|statement| statement.split_once(';').map(|(path, _)| path))
        .flat_map(|path| {
            let path = path.strip_prefix("crate::").unwrap_or(path);
            let (module, names) = path.rsplit_once("::").unwrap_or((path, ""));
            let (module, names) = match path.split_once("::{") {
                Some((module, names)) => (module, names.trim_end_matches('}')),
                None => (module, names),
            };
            names
                .split(',')
                .map(|name| (name.trim().to_owned(), module.to_owned()))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// The text without comments and without the test module, which is the last of a file.
fn code(text: &str) -> String {
    let text = text.split("\nmod tests {").next().unwrap_or(text);
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Every path that begins so, without the beginning; of a group, one for each name.
fn paths(code: &str, prefix: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        let continues = |c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '$';
        if code[..at].ends_with(continues) {
            continue;
        }
        let rest = &code[at + prefix.len()..];
        let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let path = rest[..end].trim_end_matches(':');
        match rest[end..]
            .strip_prefix('{')
            .and_then(|group| group.split_once('}'))
        {
            Some((names, _)) => found.extend(names.split(',').map(|name| join(path, name.trim()))),
            None => found.push(path.to_owned()),
        }
    }
    found
}

/// A path from a module, which may begin with more of `super::`.
fn resolved(base: &str, path: &str) -> String {
    match path.strip_prefix("super::") {
        Some(path) => resolved(
            base.rsplit_once("::").map_or("", |(parent, _)| parent),
            path,
        ),
        None => join(base, path),
    }
}

fn join(base: &str, path: &str) -> String {
    match (base, path) {
        ("", _) => path.to_owned(),
        (_, "" | "self") => base.to_owned(),
        _ => format!("{base}::{path}"),
    }
}

/// The file that a path leads into: the longest beginning of it that is one.
fn file_of(path: &str, files: &BTreeMap<String, (&str, &str)>) -> Option<String> {
    let mut path = path;
    loop {
        if files.contains_key(path) {
            return Some(path.to_owned());
        }
        path = path.rsplit_once("::")?.0;
    }
}

/// Groups of files each of which imports, directly or not, every other of its group.
fn circles(imports: &Imports) -> Vec<BTreeSet<String>> {
    let reached: BTreeMap<&str, BTreeSet<&str>> = imports
        .keys()
        .map(|file| (file.as_str(), reach(imports, file)))
        .collect();
    let mut circles = BTreeSet::new();
    for (file, reaches) in &reached {
        if reaches.contains(file) {
            let mutual =
                |other: &&&str| reached.get(**other).is_some_and(|back| back.contains(file));
            circles.insert(
                reaches
                    .iter()
                    .filter(mutual)
                    .map(|other| (*other).to_owned())
                    .collect(),
            );
        }
    }
    circles.into_iter().collect()
}

/// What a file imports, directly or not; itself only if a circle leads back.
fn reach<'a>(imports: &'a Imports, from: &str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&str> = imports[from].iter().map(String::as_str).collect();
    while let Some(file) = next.pop() {
        if reached.insert(file) {
            next.extend(imports.get(file).into_iter().flatten().map(String::as_str));
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::render;

    fn check_files(files: &[(&str, &str)]) -> String {
        let packages = [Package::named("memory-store")];
        render(&check(&Tree::of(files), &packages))
    }

    #[test]
    fn a_circle_is_named_with_its_files() {
        let found = check_files(&[
            (
                "crates/memory-store/src/lib.rs",
                "pub use crate::c::{Deep, Other};\n",
            ),
            (
                "crates/memory-store/src/a.rs",
                "use crate::b::inner::Thing;\n",
            ),
            (
                "crates/memory-store/src/b/mod.rs",
                "fn f() { crate::c::g(); }\n",
            ),
            (
                "crates/memory-store/src/b/inner.rs",
                "use super::super::x;\nuse crate::Deep;\n",
            ),
            ("crates/memory-store/src/c.rs", "use crate::{a, d};\n"),
            ("crates/memory-store/src/d.rs", ""),
        ]);
        assert_eq!(
            found,
            "crates/memory-store/src/a.rs: imports itself through a, b::inner, c: cut the circle, \
             or name it in xtask/src/tidy/circles.rs"
        );
    }

    #[test]
    fn tests_comments_and_accepted_files_make_no_circle() {
        let of_tests =
            "//! See [`crate::b`].\n#[cfg(test)]\nmod tests {\n    use crate::b::x;\n}\n";
        assert_eq!(
            check_files(&[
                ("crates/memory-store/src/a.rs", of_tests),
                (
                    "crates/memory-store/src/b.rs",
                    "use crate::a::y;\nuse crate::error::Error;\n"
                ),
                ("crates/memory-store/src/error.rs", "use crate::b::x;\n"),
            ]),
            ""
        );
    }

    #[test]
    fn every_accepted_file_exists() {
        let tree = Tree::read(&crate::cargo::root()).unwrap();
        for (crate_name, file, why) in ACCEPTED {
            let file = format!("crates/{crate_name}/src/{}", file.replace("::", "/"));
            let exists =
                tree.contains(&format!("{file}.rs")) || tree.contains(&format!("{file}/mod.rs"));
            assert!(exists, "{file} is accepted ({why}) and not there");
        }
    }
}
