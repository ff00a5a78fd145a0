//! The data directory: policy, reviewers, secrets, approvals, tokens.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use approval_workflow::{ApprovalWorkflow, Directory, FencingToken, Policy};

use crate::access::tokens::replace;
use crate::clock;
use crate::config::Restored;
use crate::error::Error;

/// The policy that a new directory begins with: tools that only read pass, all else waits for a person.
const STARTER: &str = include_str!("starter.toml");

/// Everything that a server keeps:
///
/// - `policy.toml`: which actions need whom; written at the first start.
/// - `directory.toml`: the reviewers, their groups and delegations. Without it everybody with a reviewer's
///   token may review what somebody else asked for.
/// - `schemas/*.toml`: what actions do, for those that come with facts.
/// - `approvals/`: the log of the gate. `streams/`: the logs of records. `memory/`: what agents remember. `access/`: hashes of tokens.
/// - `secrets/approvals`: the key that snapshots and hidden values depend on. Back it up elsewhere.
#[derive(Debug, Clone)]
pub struct DataDir(PathBuf);

impl DataDir {
    /// Makes the directory, for its owner alone, if it is missing.
    ///
    /// # Errors
    ///
    /// [`Error::File`].
    pub fn create(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        make(&path)?;
        Ok(Self(path))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Opens the approvals: by the one process at a time that has them open.
    ///
    /// # Errors
    ///
    /// [`Error::Policy`] or [`Error::Directory`] with what is wrong in a file; [`Error::Approvals`];
    /// [`Error::File`].
    pub fn open_approvals(&self, restored: Option<&Restored>) -> Result<ApprovalWorkflow, Error> {
        let mut options = ApprovalWorkflow::options().secret_key(self.secret_key()?);
        if let Some(directory) = self.directory()? {
            options = options.directory(directory);
        }
        if let Some(Restored { by, highest_token }) = restored {
            let by = crate::access::name::check(by)?;
            options = options.restored(by, clock::now(), highest_token.map(FencingToken));
        }
        let path = self.0.join("approvals");
        let policy = self.policy()?;
        let opened = options.open(&path, policy);
        opened.map_err(|source| Error::Approvals {
            path,
            source: Box::new(source),
        })
    }

    fn policy(&self) -> Result<Policy, Error> {
        let path = self.0.join("policy.toml");
        if !path.exists() {
            replace(&path, STARTER.as_bytes()).map_err(|source| failed(&path, source))?;
        }
        let text = read(&path)?.unwrap_or_default();
        Policy::from_toml(&text).map_err(|source| Error::Policy {
            path,
            source: Box::new(source),
        })
    }

    fn directory(&self) -> Result<Option<Directory>, Error> {
        let path = self.0.join("directory.toml");
        let Some(text) = read(&path)? else {
            return Ok(None);
        };
        let directory = toml::from_str(&text);
        directory.map(Some).map_err(|source| Error::Directory {
            path,
            source: Box::new(source),
        })
    }

    fn secret_key(&self) -> Result<[u8; 32], Error> {
        let dir = self.0.join("secrets");
        make(&dir)?;
        let path = dir.join("approvals");
        match fs::read(&path) {
            Ok(bytes) => bytes.try_into().map_err(|bytes: Vec<u8>| {
                let fault = format!("it has {} bytes where 32 belong", bytes.len());
                failed(&path, io::Error::new(io::ErrorKind::InvalidData, fault))
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut key = [0; 32];
                getrandom::fill(&mut key)
                    .map_err(|error| failed(&path, io::Error::other(error)))?;
                replace(&path, &key).map_err(|source| failed(&path, source))?;
                Ok(key)
            }
            Err(error) => Err(failed(&path, error)),
        }
    }
}

fn make(path: &Path) -> Result<(), Error> {
    let made = DirBuilder::new().mode(0o700).recursive(true).create(path);
    made.map_err(|source| failed(path, source))
}

fn read(path: &Path) -> Result<Option<String>, Error> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(path, error)),
    }
}

fn failed(path: &Path, source: io::Error) -> Error {
    let path = path.to_owned();
    Error::File { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_directory_has_a_policy_that_is_one_and_a_secret_that_stays() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::create(dir.path().join("new")).unwrap();
        assert_eq!(data.policy().unwrap().rules.len(), 4);
        let key = data.secret_key().unwrap();
        assert_eq!(data.secret_key().unwrap(), key);
        fs::write(
            data.path().join("policy.toml"),
            "[[rules]]\npatern = \"a\"\n",
        )
        .unwrap();
        let error = data.policy().unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.starts_with("policy, line 2"), "{cause}");
    }
}
