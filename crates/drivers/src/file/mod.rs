//! Files: written whole or not at all, and durable when they are acknowledged.

mod disk;
mod driver;
mod options;
mod pattern;

pub use driver::{FileConnection, FileRequest, Files};
pub use options::{FileAction, FileOptions};
