//! What every package's manifest says, and every crate's first lines.

use super::Violation;
use super::tree::Tree;
use super::workspace::{Package, Target};

pub(super) fn check(tree: &Tree, packages: &[Package]) -> Vec<Violation> {
    packages
        .iter()
        .flat_map(|package| check_package(tree, package))
        .collect()
}

fn check_package(tree: &Tree, package: &Package) -> Vec<Violation> {
    let manifest = tree.text(&package.manifest).unwrap_or_default();
    let mut violations = Vec::new();
    let mut wrong = |what: String| violations.push(Violation::in_file(&package.manifest, what));
    if package.description.trim().is_empty() {
        wrong("no description".to_owned());
    }
    if !has_line(manifest, "[lints]", "workspace = true") {
        wrong("the workspace's lints do not apply: add [lints] workspace = true".to_owned());
    }
    if let Some(folder) = package.folder().strip_prefix("crates/")
        && folder
            != package
                .name
                .strip_prefix("proofload-")
                .unwrap_or(&package.name)
    {
        wrong(format!(
            "the package {} stands in the folder {folder}",
            package.name
        ));
    }
    for target in &package.targets {
        if let Some(what) = missing_bench_off(manifest, target) {
            wrong(what);
        }
    }
    violations.extend(
        package
            .targets
            .iter()
            .filter_map(|target| missing_doc(tree, target)),
    );
    violations
}

/// Without `bench = false`, `cargo bench -- <options of criterion>` hands those options to the
/// default harness of a library or binary, which knows few of them, and builds its tests anew.
fn missing_bench_off(manifest: &str, target: &Target) -> Option<String> {
    let section = if target.is_library {
        "[lib]"
    } else {
        "[[bin]]"
    };
    (!has_line(manifest, section, "bench = false")).then(|| {
        format!(
            "{} is run as a benchmark: add bench = false to {section}",
            target.name
        )
    })
}

fn missing_doc(tree: &Tree, target: &Target) -> Option<Violation> {
    let source = tree.text(&target.source).unwrap_or_default();
    let has_doc = source.lines().any(|line| line.starts_with("//!"));
    (!has_doc).then(|| Violation::in_file(&target.source, "no crate doc: begin the file with //!"))
}

/// Whether a section holds a line.
///
/// Not a TOML parser: the manifests are ours and written in one way, and a manifest that means the
/// same in another way fails and is told what to write.
fn has_line(manifest: &str, section: &str, wanted: &str) -> bool {
    let mut inside = false;
    manifest.lines().map(str::trim).any(|line| {
        if line.starts_with('[') {
            inside = line == section;
        }
        inside && line == wanted
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::render;

    const MANIFEST: &str = "[package]\nname = \"action\"\n\n[lib]\nbench = false\n\n\
                            [dependencies]\nserde.workspace = true\n\n[lints]\nworkspace = true\n";

    fn check_with(manifest: &str, source: &str, package: Package) -> String {
        let tree = Tree::of(&[
            (&package.manifest, manifest),
            (&package.targets[0].source, source),
        ]);
        render(&check(&tree, &[package]))
    }

    #[test]
    fn a_complete_package_passes() {
        assert_eq!(
            check_with(MANIFEST, "//! A crate.\n", Package::named("action")),
            ""
        );
    }

    #[test]
    fn missing_lints_are_named() {
        let without = MANIFEST.replace("[lints]", "[package.metadata]");
        assert_eq!(
            check_with(&without, "//! A crate.\n", Package::named("action")),
            "crates/action/Cargo.toml: the workspace's lints do not apply: \
             add [lints] workspace = true"
        );
    }

    #[test]
    fn a_missing_description_is_named() {
        let package = Package {
            description: " ".to_owned(),
            ..Package::named("action")
        };
        assert_eq!(
            check_with(MANIFEST, "//! A crate.\n", package),
            "crates/action/Cargo.toml: no description"
        );
    }

    #[test]
    fn a_library_that_is_run_as_a_benchmark_is_named() {
        let with = MANIFEST.replace("bench = false", "bench = true");
        assert_eq!(
            check_with(&with, "//! A crate.\n", Package::named("action")),
            "crates/action/Cargo.toml: action is run as a benchmark: add bench = false to [lib]"
        );
    }

    #[test]
    fn a_crate_without_a_doc_is_named() {
        assert_eq!(
            check_with(MANIFEST, "// A crate.\nmod a;\n", Package::named("action")),
            "crates/action/src/lib.rs: no crate doc: begin the file with //!"
        );
    }

    #[test]
    fn a_folder_of_another_name_than_its_crate_is_named() {
        let manifest = "crates/actions/Cargo.toml".to_owned();
        let package = Package {
            manifest,
            ..Package::named("action")
        };
        assert_eq!(
            check_with(MANIFEST, "//! A crate.\n", package),
            "crates/actions/Cargo.toml: the package action stands in the folder actions"
        );
    }
}
