//! A checksum of each page of the database, in a file beside it, for as long as nobody has the store open.
//!
//! SQLite's own check finds damage to its structure, and digests that to memories; a bit that flips in a
//! page that is free, or in a column that has no digest, is found only by these. They are written when a
//! store is closed and removed before one is opened for writing, so what a kill leaves has none, and its
//! log has checksums of SQLite's.
//!
//! ```text
//! magic "PLMSSUMS" | version u32 | bytes of a page u32 | pages u32
//! | for each page 8 bytes of its BLAKE3 | BLAKE3 of all before
//! ```
//!
//! Numbers are in little endian. The file is written under another name, synced and renamed.

use std::fs::{self, File};
use std::io::{self, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::error::{IoContext, Result};

use super::directory::sync_directory;

const NAME: &str = "memory.sums";
const MAGIC: &[u8; 8] = b"PLMSSUMS";
const VERSION: u32 = 1;
const HEAD_BYTES: usize = 20;
const SUM_BYTES: usize = 8;
const DIGEST_BYTES: usize = 32;

/// What the checksums say of a database that nobody has open.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PageCheck {
    /// There are none: the store is open, or was not closed.
    None,
    Right,
    /// These pages are not what they were, from 1.
    Altered(Vec<u32>),
    /// The file of the checksums is damaged, or the database has another size.
    Unusable(String),
}

/// Removes the checksums, which are about to become wrong.
pub(super) fn remove(database: &Path) -> Result<()> {
    let path = path_of(database);
    match fs::remove_file(&path) {
        // Before anything else is written: what a crash leaves must not look damaged.
        Ok(()) => sync_directory(database),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).io("remove", &path),
    }
}

/// Writes the checksums of a database whose log is empty, while nobody writes to it.
pub(super) fn write(database: &Path) -> Result<()> {
    let path = path_of(database);
    let unfinished = path.with_extension("sums-unfinished");
    let sums = sums_of(database).io("read", database)?;
    let written = File::create(&unfinished)
        .and_then(|mut file| file.write_all(&sums).and_then(|()| file.sync_all()));
    if written.is_err() {
        // On a full disk every byte counts.
        let _ = fs::remove_file(&unfinished);
    }
    written.io("write", &unfinished)?;
    fs::rename(&unfinished, &path).io("rename", &unfinished)?;
    sync_directory(database)
}

/// Compares a database with its checksums.
pub(crate) fn check(database: &Path) -> Result<PageCheck> {
    let path = path_of(database);
    let stored = match fs::read(&path) {
        Ok(stored) => stored,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(PageCheck::None),
        Err(error) => return Err(error).io("read", &path),
    };
    let found = compare(&stored, database)?;
    // Somebody may have opened the store meanwhile.
    Ok(if path.exists() {
        found
    } else {
        PageCheck::None
    })
}

fn compare(stored: &[u8], database: &Path) -> Result<PageCheck> {
    let unusable = |why: &str| Ok(PageCheck::Unusable(why.to_owned()));
    let Some((body, digest)) = stored.split_at_checked(stored.len().wrapping_sub(DIGEST_BYTES))
    else {
        return unusable("the file of page checksums is cut off");
    };
    if blake3::hash(body).as_bytes() != digest || !body.starts_with(MAGIC) {
        return unusable("the file of page checksums is damaged");
    }
    let now = match sums_of(database) {
        Ok(now) => now,
        // The head of the database says how large its pages are.
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            return unusable("the head of the database is damaged");
        }
        Err(error) => return Err(error).io("read", database),
    };
    let now = &now[..now.len() - DIGEST_BYTES];
    if now.len() != body.len() || now[..HEAD_BYTES] != body[..HEAD_BYTES] {
        return unusable("the database has another size than when it was closed");
    }
    let sums = |of: &[u8]| -> Vec<[u8; SUM_BYTES]> {
        let (sums, _) = of[HEAD_BYTES..].as_chunks();
        sums.to_vec()
    };
    let (now, then) = (sums(now), sums(body));
    let pages = (1..).zip(now.iter().zip(&then));
    let altered: Vec<u32> = pages
        .filter(|(_, (now, then))| now != then)
        .map(|(page, _)| page)
        .collect();
    Ok(if altered.is_empty() {
        PageCheck::Right
    } else {
        PageCheck::Altered(altered)
    })
}

fn sums_of(database: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(database)?;
    let bytes = file.metadata()?.len();
    let mut file = BufReader::with_capacity(1 << 20, file);
    let mut page = vec![0; 18];
    file.read_exact(&mut page)?;
    // 1 stands for 65,536.
    let page_bytes = match u16::from_be_bytes([page[16], page[17]]) {
        1 => 1 << 16,
        bytes => usize::from(bytes),
    };
    if !page_bytes.is_power_of_two() || page_bytes < 512 || bytes % page_bytes as u64 != 0 {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let pages = u32::try_from(bytes / page_bytes as u64).map_err(io::Error::other)?;
    let mut sums = MAGIC.to_vec();
    for number in [VERSION, page_bytes as u32, pages] {
        sums.extend_from_slice(&number.to_le_bytes());
    }
    page.resize(page_bytes, 0);
    file.read_exact(&mut page[18..])?;
    for number in 0..pages {
        if number > 0 {
            file.read_exact(&mut page)?;
        }
        sums.extend_from_slice(&blake3::hash(&page).as_bytes()[..SUM_BYTES]);
    }
    let digest = blake3::hash(&sums);
    sums.extend_from_slice(digest.as_bytes());
    Ok(sums)
}

fn path_of(database: &Path) -> PathBuf {
    database.with_file_name(NAME)
}
