//! Where a load writes: its own directory, on the same disk as the reports, since the usual
//! temporary directory is often in memory, where a sync costs nothing.

use std::fs;
use std::path::Path;

use crate::Error;

/// Makes a fresh directory for a load, `data-<scenario>-<random>`, which is removed when dropped.
pub(crate) fn fresh(out: &Path, scenario: &str) -> Result<tempfile::TempDir, Error> {
    fs::create_dir_all(out).map_err(Error::io("create directory", out))?;
    tempfile::Builder::new()
        .prefix(&format!("data-{scenario}-"))
        .tempdir_in(out)
        .map_err(Error::io("create a directory in", out))
}

/// Removes what a load wrote, all of which was verified.
pub(crate) fn remove(data: &Path) -> Result<(), Error> {
    fs::remove_dir_all(data).map_err(Error::io("remove", data))
}

/// Refuses a load that the disk has no room for, before it begins.
pub(crate) fn check_space(path: &Path, needed_bytes: u64) -> Result<(), Error> {
    let stat = rustix::fs::statvfs(path)
        .map_err(|errno| Error::io("examine the file system of", path)(errno.into()))?;
    let free_bytes = stat.f_bavail.saturating_mul(stat.f_frsize);
    if free_bytes < needed_bytes {
        return Err(Error::DiskFull {
            path: path.to_owned(),
            free_bytes,
            needed_bytes,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_that_does_not_fit_is_refused_with_both_figures() {
        let dir = tempfile::tempdir().unwrap();
        let error = check_space(dir.path(), u64::MAX).unwrap_err();
        let Error::DiskFull {
            free_bytes,
            needed_bytes,
            ..
        } = error
        else {
            panic!("{error}")
        };
        assert!(free_bytes < needed_bytes);
        check_space(dir.path(), 1).unwrap();
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let error = fresh(&file.join("out"), "storage").unwrap_err();
        assert!(error.to_string().contains("file/out"), "{error}");
    }
}
