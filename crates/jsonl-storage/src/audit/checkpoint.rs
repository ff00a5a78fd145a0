//! What a chained log was at some moment, in a form that can be signed and kept elsewhere.
//!
//! The text is that of a C2SP `tlog-checkpoint` in a C2SP `signed-note` (<https://c2sp.org>):
//! origin, number of records, hash, a blank line, signatures. The hash is that of the chain and not
//! of a Merkle tree, so a witness can sign it, and only this crate can prove by it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::format::seq::Seq;
use crate::format::statement::LogId;

/// What the line with the identity of a log begins with.
const LOG: &str = "log ";

/// How many records a chained log had, and the hash over all of them.
///
/// Kept where whoever can write to the log cannot, it shows by
/// [`VerifyOptions::against`](crate::VerifyOptions::against) whether the log was cut off, or written
/// anew with other records.
///
/// ```
/// use jsonl_storage::{Checkpoint, CheckpointSigner, Log, LogOptions, VerifyOptions};
///
/// let dir = tempfile::tempdir()?;
/// let log: Log<String> = LogOptions::new().chained().open(dir.path())?;
/// log.append(&"created".to_owned())?;
/// let signer = CheckpointSigner::new("example.com/audit", [7; 32])?;
/// let note = signer.sign(&log.checkpoint("example.com/audit")?);
///
/// let checkpoint = Checkpoint::from_note(&note, &signer.key())?;
/// assert!(VerifyOptions::new().against(checkpoint).verify(dir.path())?.holds());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log it is, by a name that is unique in the world, such as a URL without the scheme.
    pub origin: String,
    /// The number of its last record.
    pub last: Seq,
    /// The chain's hash up to there.
    pub hash: [u8; 32],
    /// The identity of the log, in a fourth line: `log` and 32 hexadecimal digits, which is an extension
    /// line of the standard. `None` when the log states none.
    pub log: Option<LogId>,
}

/// Why a text is not a checkpoint that can be trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The text is not that of a checkpoint. Compare it with the one that was signed.
    #[error("checkpoint line {line} is no {expected}")]
    Malformed {
        /// The line, from 1.
        line: usize,
        /// What should stand there.
        expected: &'static str,
    },
    /// No signature is by this key. Ask for the note that it signed, or check which key it is.
    #[error("checkpoint has no signature by {key}")]
    NotSigned {
        /// The key's name.
        key: String,
    },
    /// There is a signature in the key's name, and it is not of this text by this key.
    #[error("signature by {key} does not fit the checkpoint")]
    BadSignature {
        /// The key's name.
        key: String,
    },
    /// A name has to be without spaces, plus signs and line breaks, and an origin without line
    /// breaks, and neither may be empty.
    #[error("{name:?} cannot be the name of a key or an origin")]
    Name {
        /// What was given.
        name: String,
    },
    /// The text is not `<name>+<8 hexadecimal digits>+<base64>`, or the parts do not belong
    /// together.
    #[error("{text:?} is no key")]
    Key {
        /// What was given.
        text: String,
    },
}

impl Checkpoint {
    /// The text that is signed: three lines, and a fourth one when the log states its identity.
    #[must_use]
    pub fn text(&self) -> String {
        let hash = STANDARD.encode(self.hash);
        let log = self.log.map(|log| format!("{LOG}{log}\n"));
        let log = log.unwrap_or_default();
        format!("{}\n{}\n{hash}\n{log}", self.origin, self.last)
    }

    /// Reads a checkpoint that was kept where it needs no signature.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::Malformed`].
    pub fn from_text(text: &str) -> Result<Self, CheckpointError> {
        let malformed = |line, expected| CheckpointError::Malformed { line, expected };
        let mut lines = text.lines();
        let origin = lines.next().filter(|origin| !origin.is_empty());
        let last = lines.next().and_then(|last| last.parse().ok());
        let hash = lines.next().and_then(|hash| STANDARD.decode(hash).ok());
        let extensions = lines.take_while(|line| !line.is_empty());
        let mut logs = extensions.filter_map(|line| line.strip_prefix(LOG));
        let log = logs.next().map(str::parse).transpose();
        Ok(Self {
            origin: origin.ok_or(malformed(1, "origin"))?.to_owned(),
            last: Seq(last.ok_or(malformed(2, "number of records"))?),
            hash: hash
                .and_then(|hash| hash.try_into().ok())
                .ok_or(malformed(3, "hash in base64"))?,
            log: log.map_err(|_| malformed(4, "identity of a log"))?,
        })
    }
}

/// The text of a note, with its last line break, and the lines of its signatures.
pub(super) fn split(note: &str) -> Result<(String, &str), CheckpointError> {
    let (text, signatures) = note.split_once("\n\n").ok_or(CheckpointError::Malformed {
        line: note.lines().count() + 1,
        expected: "blank line",
    })?;
    Ok((format!("{text}\n"), signatures))
}
