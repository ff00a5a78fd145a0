//! The rank table: a crate imports only crates of a lower rank.

use super::Violation;
use super::workspace::{Import, Package};

/// The crates by rank. `ARCHITECTURE.md` says what each one owns.
const TABLE: &[&[&str]] = &[
    &["action", "jsonl-storage", "load-engine"],
    &[
        "approval-workflow",
        "drivers",
        "forensic-simulator",
        "memory-store",
    ],
    &["execution", "report"],
    &["harness"],
    &["distributed", "server"],
    &["proofload"],
];

/// They look at the crates from outside, so they may import any.
const ABOVE_ALL: &[&str] = &["proofload-benches", "proofload-examples", "proofload-tests"];

/// It checks the others, so it imports none.
const BESIDE_ALL: &str = "xtask";

/// The rank of a crate, by its package name or its folder, if it has one.
pub(super) fn rank(package: &str) -> Option<usize> {
    let name = package.strip_prefix("proofload-").unwrap_or(package);
    TABLE.iter().position(|crates| crates.contains(&name))
}

pub(super) fn check(packages: &[Package]) -> Vec<Violation> {
    packages.iter().flat_map(check_package).collect()
}

fn check_package(package: &Package) -> Vec<Violation> {
    let name = package.name.as_str();
    // The highest rank that it may import lies below this one.
    let below = match rank(name) {
        Some(rank) => rank,
        None if ABOVE_ALL.contains(&name) => TABLE.len(),
        None if name == BESIDE_ALL => 0,
        None => {
            let what = format!("{name} is not in the rank table (xtask/src/tidy/ranks.rs)");
            return vec![Violation::in_file(&package.manifest, what)];
        }
    };
    let faults = package
        .imports
        .iter()
        .filter_map(|import| fault(name, below, import));
    faults
        .map(|what| Violation::in_file(&package.manifest, what))
        .collect()
}

fn fault(name: &str, below: usize, Import { package, kind }: &Import) -> Option<String> {
    match rank(package) {
        Some(rank) if rank < below => None,
        Some(_) if name == BESIDE_ALL => Some(format!(
            "{name} imports {package} ({kind}), and imports no crate of the product"
        )),
        Some(rank) => Some(format!(
            "{name} (rank {below}) imports {package} (rank {rank}, {kind}): \
             only lower ranks may be imported"
        )),
        None => Some(format!(
            "{name} imports {package} ({kind}), which is no crate of the rank table"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::render;

    fn check_one(package: Package) -> String {
        render(&check(&[package]))
    }

    #[test]
    fn lower_ranks_may_be_imported() {
        let harness = Package::named("harness")
            .importing("load-engine", "normal")
            .importing("memory-store", "dev")
            .importing("action", "build");
        assert_eq!(check_one(harness), "");
        let tests = Package::named("proofload-tests").importing("proofload", "dev");
        assert_eq!(check_one(tests), "");
        assert_eq!(check_one(Package::named("xtask")), "");
    }

    #[test]
    fn an_import_of_an_equal_or_higher_rank_is_named_whatever_its_kind() {
        for (name, kind) in [
            ("load-engine", "normal"),
            ("harness", "dev"),
            ("proofload", "build"),
        ] {
            let rank = rank(name).unwrap();
            assert_eq!(
                check_one(Package::named("action").importing(name, kind)),
                format!(
                    "crates/action/Cargo.toml: action (rank 0) imports {name} (rank {rank}, \
                     {kind}): only lower ranks may be imported"
                )
            );
        }
    }

    #[test]
    fn a_crate_without_a_rank_is_named() {
        assert_eq!(
            check_one(Package::named("stray")),
            "crates/stray/Cargo.toml: stray is not in the rank table (xtask/src/tidy/ranks.rs)"
        );
    }

    #[test]
    fn an_import_of_something_without_a_rank_is_named() {
        assert_eq!(
            check_one(Package::named("proofload").importing("xtask", "normal")),
            "crates/proofload/Cargo.toml: proofload imports xtask (normal), which is no crate of the rank table"
        );
    }

    #[test]
    fn xtask_imports_no_room() {
        assert_eq!(
            check_one(Package::named("xtask").importing("action", "dev")),
            "crates/xtask/Cargo.toml: xtask imports action (dev), \
             and imports no crate of the product"
        );
    }
}
