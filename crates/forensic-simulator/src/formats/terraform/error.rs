//! What is wrong with a plan, and where.

use crate::error::Error;

pub(crate) const FORMAT: &str = "terraform plan";

pub(super) fn within(field: &str, error: Error) -> Error {
    match error {
        Error::Import {
            format,
            place,
            reason,
        } => Error::Import {
            format,
            place: format!("{field}, {place} of it"),
            reason,
        },
        other => other,
    }
}

pub(crate) fn refuse(place: impl Into<String>, reason: impl ToString) -> Error {
    Error::Import {
        format: FORMAT,
        place: place.into(),
        reason: reason.to_string(),
    }
}
