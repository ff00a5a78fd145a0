//! Mistakes that a driver found, with their places in the file.

use crate::{Inside, KeyPath, SpecError};

/// A mistake that a driver found in what is at this place.
pub(super) fn placed(at: &KeyPath, error: drivers::SpecError) -> SpecError {
    let mut path = at.clone();
    for part in error.at {
        path = match part {
            drivers::PathPart::Key(key) => path.then(&*key),
            drivers::PathPart::Index(index) => path.then(index),
        };
    }
    SpecError {
        inside: Inside::Bytes(error.inside),
        ..SpecError::new(path, error.problem)
    }
}

/// A mistake that a driver found in the name at this place.
pub(super) fn key_of(at: &KeyPath, error: drivers::SpecError) -> SpecError {
    SpecError::of_key(at.clone(), error.problem)
}
