//! What a chained log was at some moment, in a form that can be signed and kept elsewhere.
//!
//! The text is that of a C2SP `tlog-checkpoint` in a C2SP `signed-note` (<https://c2sp.org>):
//! origin, number of records, hash, a blank line, signatures. The hash is that of the chain and not
//! of a Merkle tree, so a witness can sign it, and only this crate can prove by it.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};

use crate::format::seq::Seq;
use crate::format::statement::LogId;

/// The algorithm's byte for Ed25519 in a signed note.
const ED25519: u8 = 1;
/// What a line with a signature begins with.
const DASH: &str = "\u{2014} ";
/// What the line with the identity of a log begins with.
const LOG: &str = "log ";
/// What the text of a secret key begins with.
const SECRET: &str = "PRIVATE+KEY+";

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

    /// Reads a signed note, and checks that `key` signed it. Signatures by others are ignored.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::NotSigned`], [`CheckpointError::BadSignature`] or
    /// [`CheckpointError::Malformed`].
    pub fn from_note(note: &str, key: &CheckpointKey) -> Result<Self, CheckpointError> {
        let (text, signatures) = note.split_once("\n\n").ok_or(CheckpointError::Malformed {
            line: note.lines().count() + 1,
            expected: "blank line",
        })?;
        let text = format!("{text}\n");
        key.check(&text, signatures)?;
        Self::from_text(&text)
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

/// Signs checkpoints with Ed25519.
pub struct CheckpointSigner {
    name: String,
    secret: SigningKey,
}

impl CheckpointSigner {
    /// Takes a name, by which others find the signature in a note, and 32 secret bytes from a good
    /// source of randomness.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::Name`].
    pub fn new(name: impl Into<String>, secret: [u8; 32]) -> Result<Self, CheckpointError> {
        let name = name.into();
        let unfit = |c: char| c.is_whitespace() || c == '+';
        if name.is_empty() || name.contains(unfit) {
            return Err(CheckpointError::Name { name });
        }
        let secret = SigningKey::from_bytes(&secret);
        Ok(Self { name, secret })
    }

    /// The secret key as a text, `PRIVATE+KEY+<name>+<id>+<base64>` as in Go's `sumdb/note`. Keep it
    /// where nobody who can write to the log can read it.
    #[must_use]
    pub fn secret_text(&self) -> String {
        let mut secret = vec![ED25519];
        secret.extend_from_slice(self.secret.as_bytes());
        let id = u32::from_be_bytes(self.key().id());
        let secret = STANDARD.encode(secret);
        format!("{SECRET}{}+{id:08x}+{secret}", self.name)
    }

    /// The key that others check the signatures with.
    #[must_use]
    pub fn key(&self) -> CheckpointKey {
        CheckpointKey {
            name: self.name.clone(),
            public: self.secret.verifying_key(),
        }
    }

    /// The signed note.
    #[must_use]
    pub fn sign(&self, checkpoint: &Checkpoint) -> String {
        let text = checkpoint.text();
        let mut signature = self.key().id().to_vec();
        signature.extend_from_slice(&self.secret.sign(text.as_bytes()).to_bytes());
        let signature = STANDARD.encode(signature);
        format!("{text}\n{DASH}{} {signature}\n", self.name)
    }
}

impl FromStr for CheckpointSigner {
    type Err = CheckpointError;

    /// Reads what [`CheckpointSigner::secret_text`] gives.
    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        let parse = || {
            let (name, rest) = text.trim_end().strip_prefix(SECRET)?.split_once('+')?;
            let (_, secret) = rest.split_once('+')?;
            let secret = STANDARD.decode(secret).ok()?;
            let (algorithm, secret) = secret.split_first()?;
            let signer = Self::new(name, secret.try_into().ok()?).ok()?;
            let is_same = signer.secret_text() == text.trim_end();
            (*algorithm == ED25519 && is_same).then_some(signer)
        };
        // The text itself is a secret, and stands in no message.
        parse().ok_or_else(|| CheckpointError::Key {
            text: "the text of a secret key".to_owned(),
        })
    }
}

impl fmt::Debug for CheckpointSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckpointSigner")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A key that checkpoints are checked with; its text is the `vkey` of a signed note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointKey {
    name: String,
    public: VerifyingKey,
}

impl CheckpointKey {
    /// The name by which the signature is found in a note.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    fn id(&self) -> [u8; 4] {
        let hash = Sha256::new()
            .chain_update(self.name.as_bytes())
            .chain_update([b'\n', ED25519])
            .chain_update(self.public.as_bytes())
            .finalize();
        [hash[0], hash[1], hash[2], hash[3]]
    }

    fn check(&self, text: &str, signatures: &str) -> Result<(), CheckpointError> {
        let key = self.name.clone();
        let own = signatures.lines().find_map(|line| self.own_signature(line));
        let Some(signature) = own else {
            return Err(CheckpointError::NotSigned { key });
        };
        let signature = Signature::from_slice(&signature).ok();
        signature
            .and_then(|signature| self.public.verify_strict(text.as_bytes(), &signature).ok())
            .ok_or(CheckpointError::BadSignature { key })
    }

    fn own_signature(&self, line: &str) -> Option<Vec<u8>> {
        let (name, signature) = line.strip_prefix(DASH)?.split_once(' ')?;
        let bytes = STANDARD.decode(signature).ok()?;
        let (id, signature) = bytes.split_first_chunk()?;
        (name == self.name && *id == self.id()).then(|| signature.to_vec())
    }
}

impl fmt::Display for CheckpointKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![ED25519];
        key.extend_from_slice(self.public.as_bytes());
        let id = u32::from_be_bytes(self.id());
        write!(f, "{}+{id:08x}+{}", self.name, STANDARD.encode(key))
    }
}

impl FromStr for CheckpointKey {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        let parse = || {
            let (name, rest) = text.split_once('+')?;
            let (_, key) = rest.split_once('+')?;
            let key = STANDARD.decode(key).ok()?;
            let (algorithm, public) = key.split_first()?;
            let public = public.try_into().ok()?;
            let key = Self {
                name: name.to_owned(),
                public: VerifyingKey::from_bytes(public).ok()?,
            };
            // The same text again: so the number is right, and there is one spelling.
            (*algorithm == ED25519 && key.to_string() == text).then_some(key)
        };
        parse().ok_or_else(|| CheckpointError::Key {
            text: text.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint() -> Checkpoint {
        Checkpoint {
            origin: "example.com/audit".to_owned(),
            last: Seq(42),
            hash: [3; 32],
            log: None,
        }
    }

    fn signer(name: &str) -> CheckpointSigner {
        CheckpointSigner::new(name, [7; 32]).unwrap()
    }

    #[test]
    fn a_note_has_the_form_of_the_standard() {
        let note = signer("example.com/key").sign(&checkpoint());
        let lines: Vec<_> = note.lines().collect();
        assert_eq!(
            lines[..4],
            [
                "example.com/audit",
                "42",
                "AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=",
                ""
            ]
        );
        assert!(lines[4].starts_with("— example.com/key "), "{note}");
        assert_eq!(lines.len(), 5);
    }

    #[test]
    fn a_checkpoint_names_its_log_in_a_line_that_is_signed() {
        let log = Some(LogId([0xc3; 16]));
        let checkpoint = Checkpoint {
            log,
            ..checkpoint()
        };
        let signer = signer("ours");
        let note = signer.sign(&checkpoint);
        assert!(
            note.contains(&format!("\nlog {}\n\n", "c3".repeat(16))),
            "{note}"
        );
        assert_eq!(
            Checkpoint::from_note(&note, &signer.key()),
            Ok(checkpoint.clone())
        );
        assert_eq!(Checkpoint::from_text(&note), Ok(checkpoint));
        let other = note.replace("c3c3", "c3c4");
        assert!(Checkpoint::from_note(&other, &signer.key()).is_err());
    }

    #[test]
    fn a_secret_key_is_read_back_from_its_text_and_stands_in_no_message() {
        let signer = signer("example.com/key");
        let text = signer.secret_text();
        let read: CheckpointSigner = text.parse().unwrap();
        assert_eq!(read.key(), signer.key());
        assert_eq!(read.sign(&checkpoint()), signer.sign(&checkpoint()));
        let changed = text.replace("example", "Example");
        let error = changed.parse::<CheckpointSigner>().unwrap_err();
        assert!(!error.to_string().contains("PRIVATE"), "{error}");
    }

    #[test]
    fn a_key_has_the_form_of_the_standard() {
        // From the documentation of golang.org/x/mod/sumdb/note.
        let text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        let key: CheckpointKey = text.parse().unwrap();
        assert_eq!(key.to_string(), text);
        let note = "If you think cryptography is the answer to your problem,\n\
            then you don't know what your problem is.\n\n\
            — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
        let (text, signatures) = note.split_once("\n\n").unwrap();
        assert_eq!(key.check(&format!("{text}\n"), signatures), Ok(()));
        assert!(
            "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
                .parse::<CheckpointKey>()
                .is_err()
        );
    }

    #[test]
    fn a_signature_is_found_among_others_and_holds_for_every_byte() {
        let (ours, theirs) = (signer("ours"), signer("theirs"));
        let mut note = theirs.sign(&checkpoint());
        let own = ours.sign(&checkpoint());
        note.push_str(own.lines().last().unwrap());
        note.push('\n');
        assert_eq!(Checkpoint::from_note(&note, &ours.key()), Ok(checkpoint()));
        assert_eq!(
            Checkpoint::from_note(&own, &theirs.key()),
            Err(CheckpointError::NotSigned {
                key: "theirs".to_owned()
            })
        );
        for at in 0..own.len() {
            let mut bytes = own.clone().into_bytes();
            bytes[at] ^= 1;
            if let Ok(changed) = String::from_utf8(bytes) {
                let read = Checkpoint::from_note(&changed, &ours.key());
                assert!(read.is_err() || at == own.len() - 1, "{changed}");
            }
        }
    }

    #[test]
    fn a_name_that_would_break_the_note_is_refused() {
        for name in ["", "a b", "a+b", "a\nb"] {
            assert!(CheckpointSigner::new(name, [0; 32]).is_err(), "{name:?}");
        }
    }
}
