//! The headers that a service or a request sends.

use crate::error::SpecError;
use crate::template::Template;

/// A header. One of the service is left out while its value is not known.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) name: Box<str>,
    pub(super) value: Template,
    pub(super) optional: bool,
}

/// The name of a header as it is sent, if it is the scenario's to set.
pub(super) fn header_name(name: &str, at: usize) -> Result<Box<str>, SpecError> {
    let lower = name.to_ascii_lowercase();
    match &*lower {
        "content-length" | "transfer-encoding" => Err(SpecError::new(
            at,
            format!("`{lower}` is set by Proofload: leave it out"),
        )),
        _ => Ok(lower.into()),
    }
}
