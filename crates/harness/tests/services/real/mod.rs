//! Servers of others, as they are: what `cargo xtask services` has installed.

mod nginx;
mod postgres;
mod postgres_server;
mod redis;
mod redis_server;
mod shipped;

use std::env;
use std::path::{Path, PathBuf};

/// A file below `.services`. Where servers are required, it has to be there; elsewhere its absence is said.
#[expect(clippy::print_stderr, reason = "a test that proves nothing says so")]
fn installed(path: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.services");
    let file = root.join(path);
    if file.exists() {
        return Some(file.canonicalize().unwrap());
    }
    let told = format!("{path} is not installed: run `cargo xtask services`");
    assert!(
        env::var_os("PROOFLOAD_REQUIRE_SERVICES").is_none(),
        "{told}"
    );
    eprintln!("nothing is proved here: {told}");
    None
}
