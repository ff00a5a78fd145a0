//! The eleven scenarios of the language's specification, where `PROOFLOAD_DATA` names their folder: which of them
//! can be run, and what each of the others asks for that is not there yet.

use std::io::Write as _;
use std::path::Path;
use std::{env, fs, io};

use harness::{Overrides, ScenarioFile};

/// Each file, and what is told of it if it cannot be run.
const FILES: [(&str, Option<&str>); 11] = [
    ("01-endpoints.toml", None),
    ("02-chat.toml", None),
    ("03-redis.toml", None),
    ("04-postgres.toml", None),
    ("05-mcp.toml", Some("unknown field `version`")),
    ("06-mixed.toml", None),
    ("07-chat-stream.toml", None),
    ("08-orders.toml", None),
    ("09-bank.toml", None),
    ("10-idempotency.toml", None),
    ("11-login.toml", None),
];

/// A certificate whose key is gone: it is read and never used.
const CERTIFICATE: &str = include_str!("test-ca.pem");

#[test]
fn the_scenarios_of_the_specification_compile_or_say_what_they_lack() {
    let Some(data) = env::var_os("PROOFLOAD_DATA") else {
        let _ = writeln!(io::stderr(), "not run: PROOFLOAD_DATA names no folder");
        return;
    };
    let folder = Path::new(&data).join("external-scenarios");
    let copy = tempfile::tempdir().unwrap();
    fs::write(copy.path().join("test-ca.pem"), CERTIFICATE).unwrap();
    let mut overrides = Overrides::default();
    for secret in ["CHAT_TOKEN", "LOGIN_PASSWORD", "SHOP_DB_PASSWORD"] {
        overrides
            .secrets
            .insert(secret.to_owned(), "hunter2".to_owned());
    }
    for (name, lacks) in FILES {
        let path = copy.path().join(name);
        fs::copy(folder.join(name), &path).unwrap();
        let read = ScenarioFile::read(&path, &overrides);
        match (read, lacks) {
            (Ok(file), None) => {
                let shown = file.dry_run().unwrap().unwrap();
                assert!(shown.contains("# flow "), "{name}: {shown}");
                assert!(!shown.contains("hunter2"), "{name}: {shown}");
            }
            (Err(error), Some(lacks)) => {
                assert!(error.to_string().contains(lacks), "{name}: {error}");
            }
            (Ok(_), Some(lacks)) => panic!("{name} can be run now: {lacks}"),
            (Err(error), None) => panic!("{error}"),
        }
    }
}
