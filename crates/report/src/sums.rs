//! Checksums of the files of a saved report, in the form that `sha256sum --check` reads.

use std::fs;
use std::io;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::Error;

/// The file's name in the folder of a run.
const NAME: &str = "SHA256SUMS";

/// Gives the checksums of all files in a folder.
pub(crate) fn of_folder(folder: &Path) -> Result<(&'static str, String), Error> {
    let mut lines = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::io("read directory", folder))? {
        let path = entry.map_err(Error::io("read directory", folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        lines.push((name.clone().into_owned(), line(&path, &name)?));
    }
    lines.sort();
    Ok((NAME, lines.into_iter().map(|(_, line)| line).collect()))
}

/// Compares the files of a saved report with their checksums, and names each that is damaged or missing;
/// none if the folder has no checksums, as one that an earlier version saved.
///
/// # Errors
///
/// [`Error::Io`] when a file cannot be read.
pub fn check_sums(folder: &Path) -> Result<Option<Vec<String>>, Error> {
    let sums = folder.join(NAME);
    let stored = match fs::read(&sums) {
        Ok(stored) => stored,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("read", &sums)(error)),
    };
    let mut damaged = Vec::new();
    let mut name_of = |stored: &str| -> Result<(), Error> {
        let Some((_, name)) = stored.split_once("  ") else {
            damaged.push(format!("{}: {stored:?} is no checksum", sums.display()));
            return Ok(());
        };
        // A name that leads elsewhere is none that was written here.
        let path = folder.join(name);
        let is_here = path.parent() == Some(folder) && !name.is_empty() && name != "..";
        let holds =
            is_here && path.is_file() && line(&path, name)?.trim_end_matches('\n') == stored;
        if !holds {
            damaged.push(format!("{}: not what was saved", path.display()));
        }
        Ok(())
    };
    match std::str::from_utf8(&stored) {
        Ok(text) if text.ends_with('\n') => text
            .trim_end_matches('\n')
            .split('\n')
            .try_for_each(&mut name_of)?,
        _ => damaged.push(format!("{}: damaged", sums.display())),
    }
    Ok(Some(damaged))
}

fn line(path: &Path, name: &str) -> Result<String, Error> {
    let bytes = fs::read(path).map_err(Error::io("read", path))?;
    let digest = Sha256::digest(&bytes);
    let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{digits}  {name}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_of_a_saved_report_and_of_its_checksums_is_named() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.json"), "{}").unwrap();
        fs::write(dir.path().join("b.md"), "# b").unwrap();
        assert_eq!(check_sums(dir.path()).unwrap(), None);
        let (name, sums) = of_folder(dir.path()).unwrap();
        fs::write(dir.path().join(name), sums).unwrap();
        assert_eq!(check_sums(dir.path()).unwrap(), Some(vec![]));
        for name in [name, "a.json", "b.md"] {
            let path = dir.path().join(name);
            let whole = fs::read(&path).unwrap();
            for bit in 0..whole.len() * 8 {
                let mut damaged = whole.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                fs::write(&path, damaged).unwrap();
                let found = check_sums(dir.path()).unwrap().unwrap();
                assert!(!found.is_empty(), "{name} bit {bit}");
            }
            fs::write(&path, whole).unwrap();
        }
        fs::remove_file(dir.path().join("b.md")).unwrap();
        let found = check_sums(dir.path()).unwrap().unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
    }
}
