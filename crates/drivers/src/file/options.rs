//! The keys of a service of files and the actions of its steps.

use schemars::JsonSchema;
use serde::Deserialize;

/// The keys of a service of files that are its own.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileOptions {
    /// The folder of its files, in the run's own directory or below `--allow-path` (the service's name).
    #[serde(default)]
    pub path: Option<String>,
    /// Whether a write is acknowledged only when file and folder are on the disk (true).
    #[serde(default = "yes")]
    pub fsync: bool,
}

fn yes() -> bool {
    true
}

/// What a step asks of files. Paths are relative to the service's folder.
#[derive(Clone, Debug)]
pub enum FileAction {
    /// Writes a file whole, in place of one that is there.
    Write {
        /// The file.
        path: String,
        /// What is in it then.
        content: String,
    },
    /// Reads a file whole, as a text.
    Read(String),
    /// Removes a file.
    Remove(String),
    /// The files of a pattern, such as `*.json`, with their contents.
    List(String),
}
