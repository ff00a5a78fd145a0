//! The files of a log: `segment-<first sequence number>.jsonl`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Error, Seq};

const PREFIX: &str = "segment-";
const SUFFIX: &str = ".jsonl";

/// One file of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) first: Seq,
    pub(crate) path: PathBuf,
}

impl Segment {
    pub(crate) fn new(dir: &Path, first: Seq) -> Self {
        Self {
            first,
            path: dir.join(format!("{PREFIX}{:020}{SUFFIX}", first.0)),
        }
    }
}

/// The segments of a directory in the order of their records.
pub(crate) fn list(dir: &Path) -> Result<Vec<Segment>, Error> {
    let entries = fs::read_dir(dir).map_err(Error::io("read directory", dir))?;
    let mut segments = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Error::io("read directory", dir))?;
        if let Some(first) = entry.file_name().to_str().and_then(first_of) {
            segments.push(Segment {
                first,
                path: entry.path(),
            });
        }
    }
    segments.sort_by_key(|segment| segment.first);
    Ok(segments)
}

/// Whether a directory holds a log, that is, at least one segment.
#[must_use]
pub fn is_log(dir: &Path) -> bool {
    list(dir).is_ok_and(|segments| !segments.is_empty())
}

fn first_of(name: &str) -> Option<Seq> {
    let digits = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    let number = digits.parse().ok()?;
    (digits.len() == 20 && number > 0).then_some(Seq(number))
}

/// Makes the names in a directory durable: a synced file whose name is lost is lost.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), Error> {
    fs::File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(Error::io("sync directory", dir))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_the_first_sequence_number() {
        let segment = Segment::new(Path::new("d"), Seq(42));
        assert_eq!(
            segment.path,
            Path::new("d/segment-00000000000000000042.jsonl")
        );
        assert_eq!(
            first_of("segment-00000000000000000042.jsonl"),
            Some(Seq(42))
        );
        for other in [
            "segment-42.jsonl",
            "segment-00000000000000000000.jsonl",
            "LOCK",
            "a.jsonl",
        ] {
            assert_eq!(first_of(other), None, "{other}");
        }
    }
}
