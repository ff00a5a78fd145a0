//! JSON as bytes: found by paths without being parsed into a tree, and checked where a template writes it.

mod check;
mod generate;
mod path;
mod scan;

pub(crate) use check::check;
pub(crate) use generate::generate;
pub use generate::json_by_schema;
pub use path::JsonPath;
pub use scan::is_valid;
pub(crate) use scan::unescape;

/// The canonical form of a JSON text (RFC 8785), or the text itself where it is no JSON.
#[must_use]
pub fn canonical(json: &[u8]) -> Vec<u8> {
    serde_json::from_slice::<serde_json::Value>(json)
        .ok()
        .and_then(|value| serde_json_canonicalizer::to_vec(&value).ok())
        .unwrap_or_else(|| json.to_vec())
}
