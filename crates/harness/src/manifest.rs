//! A file in a data directory that says which run of which scenario wrote it, and by which target, so that
//! it can be verified after a kill.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use report::line_sum::{self, Sum};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::targets::TargetEntry;

/// The file's name.
pub(crate) const NAME: &str = "scenario.json";

/// What the file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// The kind of target, by the name it had in the first version of this file.
    #[serde(rename = "scenario")]
    target: String,
    /// The run, by a number that no other has. None in directories of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) run: Option<String>,
    /// The scenario's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
}

impl Manifest {
    /// Of a run that begins now.
    pub(crate) fn begin(target: &str, scenario: &str) -> Result<Self, Error> {
        let source = Path::new("/dev/urandom");
        let mut number = [0; 8];
        fs::File::open(source)
            .and_then(|mut random| random.read_exact(&mut number))
            .map_err(Error::io("read", source))?;
        Ok(Self {
            target: target.to_owned(),
            run: Some(format!("{:016x}", u64::from_be_bytes(number))),
            name: Some(scenario.to_owned()),
        })
    }

    /// Writes it into a fresh data directory.
    pub(crate) fn write(&self, directory: &Path) -> Result<(), Error> {
        let path = directory.join(NAME);
        let mut json = serde_json::to_vec(self).expect("names are text");
        line_sum::add(&mut json);
        fs::write(&path, json).map_err(Error::io("write", &path))
    }

    /// Reads it back.
    pub(crate) fn read(directory: &Path) -> Result<Self, Error> {
        let path = directory.join(NAME);
        let json = fs::read(&path).map_err(Error::io("read", &path))?;
        let bad = |reason: String| Error::NotAScenario {
            path: path.clone(),
            reason,
        };
        if line_sum::check(&json) == Sum::Wrong {
            return Err(bad("it is damaged: its checksum does not fit".to_owned()));
        }
        serde_json::from_slice(&json).map_err(|error| bad(error.to_string()))
    }

    /// The target that it names.
    pub(crate) fn target<'e>(
        &self,
        directory: &Path,
        targets: &'e [TargetEntry],
    ) -> Result<&'e TargetEntry, Error> {
        let known = targets.iter().find(|entry| entry.name() == self.target);
        known.ok_or_else(|| Error::NotAScenario {
            path: directory.join(NAME),
            reason: format!("it names the target {:?}", self.target),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_is_found_and_files_of_earlier_versions_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let manifest = Manifest::begin("storage", "mine").unwrap();
        manifest.write(dir.path()).unwrap();
        assert_eq!(Manifest::read(dir.path()).unwrap(), manifest);
        let path = dir.path().join(NAME);
        let whole = fs::read(&path).unwrap();
        for bit in 0..whole.len() * 8 {
            let mut damaged = whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, &damaged).unwrap();
            let error = Manifest::read(dir.path()).unwrap_err();
            assert!(
                matches!(error, Error::NotAScenario { .. }),
                "bit {bit}: {error}"
            );
        }
        fs::write(&path, r#"{"scenario":"storage"}"#).unwrap();
        assert_eq!(Manifest::read(dir.path()).unwrap().run, None);
    }
}
