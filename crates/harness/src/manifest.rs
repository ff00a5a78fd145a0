//! A file in a data directory that says which target wrote it, so that it can be verified after a kill.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::targets::TargetEntry;

const NAME: &str = "scenario.json";

#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    scenario: String,
}

/// Writes it into a fresh data directory.
pub(crate) fn write(directory: &Path, target: &str) -> Result<(), Error> {
    let path = directory.join(NAME);
    let manifest = Manifest {
        scenario: target.to_owned(),
    };
    let json = serde_json::to_vec(&manifest).expect("a name is text");
    fs::write(&path, json).map_err(Error::io("write", &path))
}

/// Reads it back.
pub(crate) fn read<'e>(
    directory: &Path,
    targets: &'e [TargetEntry],
) -> Result<&'e TargetEntry, Error> {
    let path = directory.join(NAME);
    let json = fs::read(&path).map_err(Error::io("read", &path))?;
    let manifest: Manifest =
        serde_json::from_slice(&json).map_err(|error| Error::NotAScenario {
            path: path.clone(),
            reason: error.to_string(),
        })?;
    let known = targets
        .iter()
        .find(|entry| entry.name() == manifest.scenario);
    known.ok_or_else(|| Error::NotAScenario {
        path: path.clone(),
        reason: format!("it names the target {:?}", manifest.scenario),
    })
}
