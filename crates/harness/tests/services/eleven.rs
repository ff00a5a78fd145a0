//! The eleven scenarios of the language's specification, where `PROOFLOAD_DATA` names their folder: all of them can be
//! run.

use std::io::Write as _;
use std::path::Path;
use std::{env, fs, io};

use harness::{Overrides, ScenarioFile};

/// A certificate whose key is gone: it is read and never used.
const CERTIFICATE: &str = include_str!("test-ca.pem");

#[test]
fn the_scenarios_of_the_specification_compile() {
    let Some(data) = env::var_os("PROOFLOAD_DATA") else {
        let _ = writeln!(io::stderr(), "not run: PROOFLOAD_DATA names no folder");
        return;
    };
    let copy = tempfile::tempdir().unwrap();
    fs::write(copy.path().join("test-ca.pem"), CERTIFICATE).unwrap();
    let mut overrides = Overrides::default();
    for secret in ["CHAT_TOKEN", "LOGIN_PASSWORD", "SHOP_DB_PASSWORD"] {
        overrides
            .secrets
            .insert(secret.to_owned(), "hunter2".to_owned());
    }
    let folder = Path::new(&data).join("external-scenarios");
    let mut compiled = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let copied = copy.path().join(name);
        fs::copy(&path, &copied).unwrap();
        let file = ScenarioFile::read(&copied, &overrides);
        let file = file.unwrap_or_else(|error| panic!("{error}"));
        let shown = file.dry_run().unwrap().unwrap();
        assert!(shown.contains("# flow "), "{name}: {shown}");
        assert!(!shown.contains("hunter2"), "{name}: {shown}");
        compiled += 1;
    }
    assert_eq!(compiled, 11);
}
