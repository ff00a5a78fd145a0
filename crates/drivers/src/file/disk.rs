//! What is done to the disk, by threads that may wait for it.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use super::pattern::matches;

/// The largest file that is read.
const LARGEST_READ: u64 = 64 << 20;

/// Why a file was not written.
pub(super) enum WriteError {
    /// It has no new content under its name: nothing was renamed yet.
    Before(io::Error),
    /// Its content under that name may be the new one, and may be gone after a crash.
    Since(io::Error),
}

/// Writes a file whole or not at all: a file of another name is written, synced and renamed, and the folder
/// synced. Without `fsync` nothing is synced.
pub(super) fn write(path: &Path, content: &[u8], fsync: bool) -> Result<(), WriteError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let unfinished = unfinished(folder);
    let made = make_folder(folder, fsync).and_then(|()| {
        let mut file = File::create_new(&unfinished)?;
        file.write_all(content)?;
        if fsync { file.sync_all() } else { Ok(()) }
    });
    let renamed = match made {
        Ok(()) => fs::rename(&unfinished, path).map_err(WriteError::Since),
        Err(error) => Err(WriteError::Before(error)),
    };
    if let Err(error) = renamed {
        // It is in nobody's way, and its name is not one of those that are listed.
        let _ = fs::remove_file(&unfinished);
        return Err(error);
    }
    match fsync {
        true => sync_folder(folder).map_err(WriteError::Since),
        false => Ok(()),
    }
}

/// The name of a file that is being written, which no other write has.
fn unfinished(folder: &Path) -> PathBuf {
    static TURN: AtomicU64 = AtomicU64::new(0);
    let turn = TURN.fetch_add(1, Ordering::Relaxed);
    folder.join(format!(".{}-{turn}.part", process::id()))
}

/// Makes a folder, with those above it that are missing, each durable in the one above.
pub(super) fn make_folder(folder: &Path, fsync: bool) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let above = folder.parent().unwrap_or(Path::new("/"));
    make_folder(above, fsync)?;
    match fs::create_dir(folder) {
        // Another user of the load was first.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
        made => made?,
    }
    match fsync {
        true => sync_folder(above),
        false => Ok(()),
    }
}

/// Makes the names in a folder durable.
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let mut file = File::open(path)?.take(LARGEST_READ + 1);
    if file.read_to_end(&mut content)? as u64 > LARGEST_READ {
        let told = format!("it is larger than {} MiB", LARGEST_READ >> 20);
        return Err(io::Error::other(told));
    }
    Ok(content)
}

pub(super) fn remove(path: &Path, fsync: bool) -> Result<(), WriteError> {
    fs::remove_file(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => WriteError::Before(error),
        _ => WriteError::Since(error),
    })?;
    match (fsync, path.parent()) {
        (true, Some(folder)) => sync_folder(folder).map_err(WriteError::Since),
        _ => Ok(()),
    }
}

/// The files of a pattern below a folder, by their paths in it, in their order.
pub(super) fn list(folder: &Path, pattern: &str) -> io::Result<Vec<String>> {
    let mut found = vec![String::new()];
    let mut parts = pattern.split('/').peekable();
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        let mut deeper = Vec::new();
        for above in &found {
            for entry in fs::read_dir(folder.join(above))? {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().into_owned();
                if matches(part, &name) && entry.path().is_dir() != is_last {
                    deeper.push(match above.is_empty() {
                        true => name,
                        false => format!("{above}/{name}"),
                    });
                }
            }
        }
        found = deeper;
    }
    found.sort_unstable();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_whole_under_its_name_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/a.txt");
        for content in ["one", "two"] {
            assert!(write(&path, content.as_bytes(), true).is_ok());
            assert_eq!(read(&path).unwrap(), content.as_bytes());
        }
        let there = fs::read_dir(path.parent().unwrap()).unwrap();
        assert_eq!(there.count(), 1);
        assert!(remove(&path, true).is_ok());
        assert!(matches!(remove(&path, true), Err(WriteError::Before(_))));
    }

    #[test]
    fn an_error_before_the_rename_is_told_from_one_in_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let below_a_file = folder.path().join("file/a.txt");
        assert!(matches!(
            write(&below_a_file, b"x", true),
            Err(WriteError::Before(_))
        ));
        fs::create_dir_all(folder.path().join("folder/a.txt/full")).unwrap();
        let onto_a_folder = folder.path().join("folder/a.txt");
        assert!(matches!(
            write(&onto_a_folder, b"x", true),
            Err(WriteError::Since(_))
        ));
        let left = list(&folder.path().join("folder"), ".*").unwrap();
        assert_eq!(left, Vec::<String>::new());
    }

    #[test]
    fn files_are_listed_by_their_paths() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["b.txt", "a.txt", "a.json", "x/c.txt", ".1-2.part"] {
            assert!(write(&folder.path().join(path), b"", false).is_ok());
        }
        let listed = |pattern| list(folder.path(), pattern).unwrap();
        assert_eq!(listed("*.txt"), ["a.txt", "b.txt"]);
        assert_eq!(listed("*"), ["a.json", "a.txt", "b.txt"]);
        assert_eq!(listed("x/*"), ["x/c.txt"]);
        assert_eq!(listed("*/*.txt"), ["x/c.txt"]);
        assert_eq!(listed("y/*"), Vec::<String>::new());
    }
}
