//! The directory of the database.

use std::fs::File;
use std::path::Path;

use crate::error::{IoContext, Result};

/// SQLite syncs its files; their names live in the directory, which is synced here.
pub(super) fn sync_directory(database: &Path) -> Result<()> {
    let directory = database
        .parent()
        .expect("the database lies in the store's directory");
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .io("sync", directory)
}
