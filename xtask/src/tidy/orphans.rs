//! Each file of source is part of a crate. One that no `mod` names is not compiled: it reads like the
//! code that runs, and no test or lint sees that it is not.

use super::Violation;
use super::tree::Tree;

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    tree.texts_ending(".rs")
        .filter(|file| !is_named(tree, &file.name))
        .map(|file| {
            let what = "no `mod` names it, so nothing compiles it: name it, or remove it";
            Violation::in_file(&file.name, what)
        })
        .collect()
}

/// Whether a file is a root of a crate, or the file above it says that it is a module.
fn is_named(tree: &Tree, file: &str) -> bool {
    let Some((_, inner)) = file.split_once("src/") else {
        return true; // tests, benches and examples are roots, and the compiler finds what they name
    };
    let above = file.strip_suffix(inner).unwrap_or_default();
    let path = inner.trim_end_matches(".rs");
    let path = path.strip_suffix("/mod").unwrap_or(path);
    if matches!(path, "lib" | "main") || path.starts_with("bin/") {
        return true;
    }
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let parents = match folder {
        "" => vec![format!("{above}lib.rs"), format!("{above}main.rs")],
        folder => vec![
            format!("{above}{folder}/mod.rs"),
            format!("{above}{folder}.rs"),
        ],
    };
    let declared = format!("mod {name};");
    // As long tests are named by the file beside them.
    let by_path = format!("#[path = \"{name}.rs\"]");
    let beside = format!("{above}{folder}");
    tree.texts_ending(".rs").any(|other| {
        parents.contains(&other.name) && other.text.lines().any(|line| line.ends_with(&declared))
            || other
                .name
                .rsplit_once('/')
                .is_some_and(|(at, _)| at == beside.trim_end_matches('/'))
                && other.text.contains(&by_path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::render;

    #[test]
    fn a_file_that_no_module_names_is_found() {
        let tree = Tree::of(&[
            ("crates/a/src/lib.rs", "mod one;\npub(crate) mod two;\n"),
            (
                "crates/a/src/one.rs",
                "#[cfg(test)]\n#[path = \"long.rs\"]\nmod tests;\n",
            ),
            ("crates/a/src/long.rs", ""),
            (
                "crates/a/src/two/mod.rs",
                "mod inner;\n// mod left is no longer here\n",
            ),
            ("crates/a/src/two/inner.rs", ""),
            ("crates/a/src/two/left.rs", ""),
            ("crates/a/src/bin/tool.rs", ""),
            ("crates/a/tests/it/main.rs", ""),
        ]);
        assert_eq!(
            render(&check(&tree)),
            "crates/a/src/two/left.rs: no `mod` names it, so nothing compiles it: name it, or remove it"
        );
    }
}
