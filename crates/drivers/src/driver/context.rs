//! What a driver is told about its service beyond the service's own keys.

use std::path::PathBuf;
use std::time::Duration;

use crate::net::Detour;

/// What a driver is told about its service beyond the service's own keys.
#[derive(Clone, Debug)]
pub struct ServiceContext {
    /// The service's name, for messages.
    pub name: Box<str>,
    /// How long connecting may take, and a request of a step that does not say.
    pub timeout: Duration,
    /// The folder that paths in the file are relative to.
    pub folder: PathBuf,
    /// Hosts beyond loopback that may be connected to.
    pub allowed_hosts: Vec<String>,
    /// Folders beyond the run's own that files may be in.
    pub allowed_paths: Vec<PathBuf>,
    /// Where connections go in place of the service's address.
    pub detour: Detour,
}

impl ServiceContext {
    /// A service on loopback, with half a minute for everything.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            timeout: Duration::from_secs(30),
            folder: PathBuf::from("."),
            allowed_hosts: Vec::new(),
            allowed_paths: Vec::new(),
            detour: Detour::default(),
        }
    }
}
