//! Keys that sign checkpoints, those of witnesses that cosign them, and the public keys to check both with.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};

use crate::audit::checkpoint::{Checkpoint, CheckpointError, split};

/// What a line with a signature begins with.
const DASH: &str = "\u{2014} ";
/// What the text of a secret key begins with.
const SECRET: &str = "PRIVATE+KEY+";
/// The algorithm's byte in the text of a secret key.
const ED25519: u8 = Kind::Signer as u8;

/// What a key signs: the byte by which a note names the algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The text of the note (C2SP `signed-note`).
    Signer = 1,
    /// The text of the note and the time (C2SP `tlog-cosignature`).
    Witness = 4,
}

impl Checkpoint {
    /// Reads a signed note, and checks that `key` signed it, or cosigned it if it is a
    /// [witness's](crate::CheckpointSigner::witness_key). Signatures by others are ignored.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::NotSigned`], [`CheckpointError::BadSignature`] or
    /// [`CheckpointError::Malformed`].
    pub fn from_note(note: &str, key: &CheckpointKey) -> Result<Self, CheckpointError> {
        let (text, signatures) = split(note)?;
        key.check(&text, signatures)?;
        Self::from_text(&text)
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
        self.key_of(Kind::Signer)
    }

    /// The key that others check [cosignatures](Self::cosign) with. It differs from [`key`](Self::key) in its
    /// number, so that neither signature can be taken for the other.
    #[must_use]
    pub fn witness_key(&self) -> CheckpointKey {
        self.key_of(Kind::Witness)
    }

    fn key_of(&self, kind: Kind) -> CheckpointKey {
        CheckpointKey {
            name: self.name.clone(),
            kind,
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

    /// The note with a witness's signature added, as C2SP `tlog-cosignature` has it. `time` is in seconds
    /// since 1970. A witness says by it that this is the newest checkpoint of that origin which it has seen,
    /// so a log that shows one history to one person and another history to another is caught: verify the
    /// log against this checkpoint and the one before, and cosign then.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::Malformed`] when it is no note.
    pub fn cosign(&self, note: &str, time: u64) -> Result<String, CheckpointError> {
        let (text, _) = split(note)?;
        Checkpoint::from_text(&text)?;
        let mut signature = self.witness_key().id().to_vec();
        signature.extend_from_slice(&time.to_be_bytes());
        let message = cosigned(&text, time);
        signature.extend_from_slice(&self.secret.sign(message.as_bytes()).to_bytes());
        let signature = STANDARD.encode(signature);
        let note = note.trim_end_matches('\n');
        Ok(format!("{note}\n{DASH}{} {signature}\n", self.name))
    }
}

/// What a witness signs.
fn cosigned(text: &str, time: u64) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
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
    kind: Kind,
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
            .chain_update([b'\n', self.kind as u8])
            .chain_update(self.public.as_bytes())
            .finalize();
        [hash[0], hash[1], hash[2], hash[3]]
    }

    pub(super) fn check(&self, text: &str, signatures: &str) -> Result<(), CheckpointError> {
        let key = self.name.clone();
        let own = signatures.lines().find_map(|line| self.own_signature(line));
        let Some(signature) = own else {
            return Err(CheckpointError::NotSigned { key });
        };
        self.verify(text, &signature)
            .ok_or(CheckpointError::BadSignature { key })
    }

    fn verify(&self, text: &str, signature: &[u8]) -> Option<()> {
        let (message, signature) = match self.kind {
            Kind::Signer => (text.to_owned(), signature),
            Kind::Witness => {
                let (time, signature) = signature.split_first_chunk()?;
                (cosigned(text, u64::from_be_bytes(*time)), signature)
            }
        };
        let signature = Signature::from_slice(signature).ok()?;
        self.public
            .verify_strict(message.as_bytes(), &signature)
            .ok()
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
        let mut key = vec![self.kind as u8];
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
            let kinds = [Kind::Signer, Kind::Witness];
            let kind = kinds.into_iter().find(|kind| *kind as u8 == *algorithm)?;
            let key = Self {
                name: name.to_owned(),
                kind,
                public: VerifyingKey::from_bytes(public).ok()?,
            };
            // The same text again: so the number is right, and there is one spelling.
            (key.to_string() == text).then_some(key)
        };
        parse().ok_or_else(|| CheckpointError::Key {
            text: text.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::seq::Seq;
    use crate::format::statement::LogId;

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
    fn a_cosignature_holds_for_the_text_and_the_time_and_is_told_from_a_signature() {
        let (log, witness) = (signer("example.com/log"), signer("example.com/witness"));
        let note = log.sign(&checkpoint());
        let cosigned = witness.cosign(&note, 1_700_000_000).unwrap();
        assert!(cosigned.starts_with(&note), "{cosigned}");
        let key: CheckpointKey = witness.witness_key().to_string().parse().unwrap();
        for key in [&key, &log.key()] {
            assert_eq!(Checkpoint::from_note(&cosigned, key), Ok(checkpoint()));
        }
        let not_signed = Checkpoint::from_note(&cosigned, &witness.key());
        assert!(matches!(not_signed, Err(CheckpointError::NotSigned { .. })));
        let not_cosigned = Checkpoint::from_note(&note, &key);
        assert!(matches!(
            not_cosigned,
            Err(CheckpointError::NotSigned { .. })
        ));
        let other = cosigned.replace("\n42\n", "\n43\n");
        let altered = Checkpoint::from_note(&other, &key);
        assert!(matches!(altered, Err(CheckpointError::BadSignature { .. })));
        // Another time, under the same signature.
        let (before, line) = cosigned.trim_end().rsplit_once(' ').unwrap();
        let mut bytes = STANDARD.decode(line).unwrap();
        bytes[11] ^= 1;
        let later = format!("{before} {}\n", STANDARD.encode(bytes));
        let altered = Checkpoint::from_note(&later, &key);
        assert!(matches!(altered, Err(CheckpointError::BadSignature { .. })));
    }

    /// The message of the specification's example, and the number of a key by its rule.
    #[test]
    fn a_cosignature_is_of_the_message_that_the_specification_shows() {
        let text =
            "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
        assert_eq!(
            cosigned(text, 1_679_315_147),
            format!("cosignature/v1\ntime 1679315147\n{text}")
        );
        let key = signer("w.example").witness_key();
        let hash = Sha256::new()
            .chain_update(b"w.example\n\x04")
            .chain_update(key.public.as_bytes())
            .finalize();
        assert_eq!(key.id(), hash[..4]);
    }
}
