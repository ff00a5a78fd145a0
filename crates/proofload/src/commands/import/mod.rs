//! Scenarios made of what describes a service already: an OpenAPI document, a recording of a browser, or a file of Hurl.

mod har;
mod hurl;
mod openapi;
mod text;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};
use serde_json::Value;

pub(super) use self::har::scenario as from_har;
pub(super) use self::hurl::scenario as from_hurl;
pub(super) use self::openapi::scenario as from_openapi;

/// Reads a document of JSON.
pub(super) fn read(path: &Path) -> anyhow::Result<Value> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    match serde_json::from_str(&text) {
        Ok(document) => Ok(document),
        Err(error) => bail!(
            "{} is no JSON: {error}. A document in YAML has to be converted first",
            path.display()
        ),
    }
}
