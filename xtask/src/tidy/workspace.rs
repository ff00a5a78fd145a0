//! The packages of the workspace, from `cargo metadata`.

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::cargo;

/// A member of the workspace.
#[derive(Debug, Default)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) manifest: String, // relative to the root
    pub(super) targets: Vec<Target>,
    pub(super) imports: Vec<Import>,
}

/// A library or a binary of a package.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) name: String,
    pub(super) is_library: bool,
    pub(super) source: String, // relative to the root
}

/// A dependency on a path, of whatever kind: another member, or something outside the workspace.
#[derive(Debug)]
pub(super) struct Import {
    pub(super) package: String,
    pub(super) kind: String, // "normal", "dev" or "build"
}

/// Asks cargo for the members of the workspace.
///
/// # Errors
///
/// When cargo fails, or its answer has another form than the one it documents.
pub(super) fn packages() -> Result<Vec<Package>> {
    let mut command = cargo::cargo();
    command
        .current_dir(cargo::root())
        .args(["metadata", "--no-deps", "--format-version=1"]);
    let output = command
        .output()
        .with_context(|| cargo::cannot_start(command.get_program()))?;
    if !output.status.success() {
        bail!(
            "cargo metadata failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    parse(&output.stdout).context("reading the answer of cargo metadata")
}

impl Package {
    #[cfg(test)]
    pub(super) fn named(name: &str) -> Package {
        let folder = format!("crates/{name}");
        Package {
            name: name.to_owned(),
            description: "What it is for".to_owned(),
            manifest: format!("{folder}/Cargo.toml"),
            targets: vec![Target {
                name: name.replace('-', "_"),
                is_library: true,
                source: format!("{folder}/src/lib.rs"),
            }],
            imports: Vec::new(),
        }
    }

    #[cfg(test)]
    pub(super) fn importing(mut self, package: &str, kind: &str) -> Package {
        self.imports.push(Import {
            package: package.to_owned(),
            kind: kind.to_owned(),
        });
        self
    }

    /// The folder of its manifest, relative to the root.
    pub(super) fn folder(&self) -> &str {
        self.manifest
            .rsplit_once('/')
            .map_or("", |(folder, _)| folder)
    }
}

fn parse(metadata: &[u8]) -> Result<Vec<Package>> {
    let metadata: Value = serde_json::from_slice(metadata)?;
    let root = text(&metadata, "workspace_root")?;
    items(&metadata, "packages")?
        .iter()
        .map(|value| {
            let name = text(value, "name")?.to_owned();
            package(value, root).with_context(|| format!("package {name}"))
        })
        .collect()
}

fn package(value: &Value, root: &str) -> Result<Package> {
    Ok(Package {
        name: text(value, "name")?.to_owned(),
        description: value["description"].as_str().unwrap_or_default().to_owned(),
        manifest: relative(text(value, "manifest_path")?, root),
        targets: items(value, "targets")?
            .iter()
            .filter_map(|value| target(value, root).transpose())
            .collect::<Result<_>>()?,
        imports: items(value, "dependencies")?
            .iter()
            .filter(|dependency| dependency["path"].is_string())
            .map(import)
            .collect::<Result<_>>()?,
    })
}

fn target(value: &Value, root: &str) -> Result<Option<Target>> {
    let kinds: Vec<_> = items(value, "kind")?
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let is_library = kinds
        .iter()
        .any(|kind| kind.ends_with("lib") || *kind == "proc-macro");
    if !is_library && !kinds.contains(&"bin") {
        return Ok(None);
    }
    let source = relative(text(value, "src_path")?, root);
    Ok(Some(Target {
        name: text(value, "name")?.to_owned(),
        is_library,
        source,
    }))
}

fn import(value: &Value) -> Result<Import> {
    let kind = value["kind"].as_str().unwrap_or("normal").to_owned();
    Ok(Import {
        package: text(value, "name")?.to_owned(),
        kind,
    })
}

fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str> {
    value[key]
        .as_str()
        .with_context(|| format!("no text under {key:?}"))
}

fn items<'a>(value: &'a Value, key: &str) -> Result<&'a [Value]> {
    value[key]
        .as_array()
        .map(Vec::as_slice)
        .with_context(|| format!("no list under {key:?}"))
}

fn relative(path: &str, root: &str) -> String {
    let path = Path::new(path)
        .strip_prefix(root)
        .unwrap_or(Path::new(path));
    path.to_string_lossy().replace('\\', "/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_read_with_its_targets_and_the_paths_it_imports() {
        let metadata = serde_json::json!({
            "workspace_root": "r",
            "packages": [{
                "name": "b",
                "description": null,
                "manifest_path": "r/crates/b/Cargo.toml",
                "targets": [
                    { "name": "b", "kind": ["lib"], "src_path": "r/crates/b/src/lib.rs" },
                    { "name": "c", "kind": ["bin"], "src_path": "r/crates/b/src/main.rs" },
                    { "name": "d", "kind": ["bench"], "src_path": "r/crates/b/benches/d.rs" },
                ],
                "dependencies": [
                    { "name": "serde", "kind": null },
                    { "name": "a", "kind": null, "path": "r/crates/a" },
                    { "name": "t", "kind": "dev", "path": "r/crates/t" },
                ],
            }],
        });
        let packages = parse(metadata.to_string().as_bytes()).unwrap();
        let [package] = &packages[..] else {
            panic!("{packages:?}")
        };
        assert_eq!(
            (package.name.as_str(), package.description.as_str()),
            ("b", "")
        );
        assert_eq!(package.folder(), "crates/b");
        let targets: Vec<_> = package
            .targets
            .iter()
            .map(|t| (&*t.source, t.is_library))
            .collect();
        assert_eq!(
            targets,
            [
                ("crates/b/src/lib.rs", true),
                ("crates/b/src/main.rs", false)
            ]
        );
        let imports: Vec<_> = package
            .imports
            .iter()
            .map(|i| (&*i.package, &*i.kind))
            .collect();
        assert_eq!(imports, [("a", "normal"), ("t", "dev")]);
    }

    #[test]
    fn an_answer_of_another_form_is_an_error_that_names_the_key() {
        let error = parse(br#"{"workspace_root":"r"}"#).unwrap_err();
        assert_eq!(format!("{error:#}"), "no list under \"packages\"");
    }

    #[test]
    fn this_workspace_is_read() {
        let packages = packages().unwrap();
        assert!(packages.iter().any(|package| package.folder() == "xtask"));
        assert!(
            packages
                .iter()
                .any(|package| package.folder() == "crates/action")
        );
    }
}
