//! Tokens, kept as hashes in one file that is replaced whole.
//!
//! The file is the source of truth for every process: the server looks at each request whether it was
//! replaced since it was read, so that a token that the command line creates or revokes counts at once.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use action::Timestamp;
use approval_workflow::PersonId;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::RwLock;
use rustix::fs::{FlockOperation, flock};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::access::name;
use crate::clock;
use crate::error::Error;

/// What a token may do.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Asks for approvals and uses its own. It sees nobody else's.
    Agent,
    /// Reads approvals and decides about them, but for those that it asked for.
    Reviewer,
    /// Looks after the server: tokens, configuration, figures, the audit log. It decides nothing.
    Operator,
}

impl Role {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Reviewer => "reviewer",
            Self::Operator => "operator",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Agent, Self::Reviewer, Self::Operator]
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| format!("no role {text:?}: agent, reviewer or operator"))
    }
}

/// A token as it is kept: without what it says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    id: String,
    name: PersonId,
    role: Role,
    hash: String,
    created_at: Timestamp,
    expires_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revoked_at: Option<Timestamp>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kit {
    tokens: Vec<Kept>,
    /// Of the tokens, so that a flipped bit makes no other token good and none wrong; older files have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checksum: Option<String>,
}

impl Kit {
    fn sum(&self) -> String {
        let text = serde_json::to_vec(&self.tokens).expect("tokens have a JSON form");
        blake3::hash(&text).to_hex().to_string()
    }
}

/// What is known of a token; never the token itself.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct TokenInfo {
    /// Its public part.
    pub id: String,
    /// Who calls with it.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Since when, as RFC 3339.
    pub created_at: String,
    /// From when on it is refused, as RFC 3339.
    pub expires_at: String,
    /// When it was revoked, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<String>,
}

/// A token that was just made: the only time that it can be read.
#[derive(Clone, Serialize, JsonSchema)]
pub struct NewToken {
    /// What to send as `Authorization: Bearer …`.
    pub token: String,
    /// What is kept of it.
    #[serde(flatten)]
    pub info: TokenInfo,
}

impl fmt::Debug for NewToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewToken")
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}

/// Whose token it is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bearer {
    pub(crate) token_id: String,
    pub(crate) person: PersonId,
    pub(crate) role: Role,
}

/// Tells one version of the file from the next: it is replaced, never written in place.
type Version = Option<(u64, i64, i64, u64)>;

/// The tokens of a directory.
#[derive(Debug)]
pub struct Tokens {
    file: PathBuf,
    read: RwLock<(Version, Arc<Kit>)>,
}

const PREFIX: &str = "plt_";
const ID_BYTES: usize = 9; // 12 characters
const SECRET_BYTES: usize = 32; // 43 characters

impl Tokens {
    /// The tokens below a data directory, which has none at first.
    ///
    /// # Errors
    ///
    /// [`Error::Tokens`] when the file cannot be read.
    pub fn open(data: &Path) -> Result<Self, Error> {
        let dir = data.join("access");
        let made = DirBuilder::new().mode(0o700).recursive(true).create(&dir);
        let file = dir.join("tokens.json");
        made.map_err(|source| failed(&dir, source))?;
        let (version, kit) = load(&file)?;
        let read = RwLock::new((version, Arc::new(kit)));
        Ok(Self { file, read })
    }

    /// Makes a token for a name, good for so long.
    ///
    /// # Errors
    ///
    /// [`Error::Name`] for a name that is none, that looks like another's, or that is an agent's and a
    /// person's; [`Error::Tokens`] when the file cannot be written.
    pub fn create(&self, who: &str, role: Role, life: Duration) -> Result<NewToken, Error> {
        let person = name::check(who)?;
        let (id, secret) = (random::<ID_BYTES>(), random::<SECRET_BYTES>());
        let now = clock::now();
        let kept = Kept {
            id: id.clone(),
            name: person,
            role,
            hash: hash(&secret).to_string(),
            created_at: now,
            expires_at: now.after(life),
            revoked_at: None,
        };
        let info = info(&kept);
        self.change(|kit| {
            kit.tokens
                .iter()
                .try_for_each(|other| goes_with(&kept, other))?;
            kit.tokens.push(kept);
            Ok(())
        })?;
        let token = format!("{PREFIX}{id}_{secret}");
        Ok(NewToken { token, info })
    }

    /// Revokes a token; it is refused from then on. Returns whether there is one of this id.
    ///
    /// # Errors
    ///
    /// [`Error::Tokens`] when the file cannot be written.
    pub fn revoke(&self, id: &str) -> Result<bool, Error> {
        let mut found = false;
        self.change(|kit| {
            let token = kit.tokens.iter_mut().find(|token| token.id == id);
            if let Some(token) = token {
                found = true;
                token.revoked_at.get_or_insert(clock::now());
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// All of them, in the order in which they were made.
    ///
    /// # Errors
    ///
    /// [`Error::Tokens`] when the file cannot be read.
    pub fn list(&self) -> Result<Vec<TokenInfo>, Error> {
        Ok(self.current()?.tokens.iter().map(info).collect())
    }

    /// Whose token it is; none for one that is unknown, wrong, expired or revoked.
    pub(crate) fn bearer(&self, token: &str, now: Timestamp) -> Result<Option<Bearer>, Error> {
        let kit = self.current()?;
        let parts = token
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split_at_checked(ID_BYTES / 3 * 4));
        let Some((id, secret)) = parts.and_then(|(id, rest)| Some((id, rest.strip_prefix('_')?)))
        else {
            return Ok(None);
        };
        let kept = kit.tokens.iter().find(|kept| kept.id == id);
        Ok(kept
            .filter(|kept| is_good(kept, secret, now))
            .map(|kept| Bearer {
                token_id: kept.id.clone(),
                person: kept.name.clone(),
                role: kept.role,
            }))
    }

    /// Whether a token that was good is so still.
    pub(crate) fn is_live(&self, id: &str, now: Timestamp) -> Result<bool, Error> {
        let kit = self.current()?;
        let kept = kit.tokens.iter().find(|kept| kept.id == id);
        Ok(kept.is_some_and(|kept| is_current(kept, now)))
    }

    fn current(&self) -> Result<Arc<Kit>, Error> {
        let there = version(&self.file).map_err(|source| failed(&self.file, source))?;
        {
            let read = self.read.read();
            if read.0 == there {
                return Ok(Arc::clone(&read.1));
            }
        }
        let (version, kit) = load(&self.file)?;
        let kit = Arc::new(kit);
        *self.read.write() = (version, Arc::clone(&kit));
        Ok(kit)
    }

    /// Changes the file under a lock that other processes respect, and returns when it is on disk.
    fn change(&self, change: impl FnOnce(&mut Kit) -> Result<(), Error>) -> Result<(), Error> {
        let fails = |source| failed(&self.file, source);
        let lock = private()
            .open(self.file.with_extension("lock"))
            .map_err(fails)?;
        flock(&lock, FlockOperation::LockExclusive).map_err(|errno| fails(errno.into()))?;
        let (_, mut kit) = load(&self.file)?;
        change(&mut kit)?;
        kit.checksum = Some(kit.sum());
        let text = serde_json::to_vec_pretty(&kit).expect("tokens have a JSON form");
        replace(&self.file, &text).map_err(fails)
    }
}

/// Refuses a name that looks like another one, and an agent's token for a person or the other way round:
/// whoever asks must not be able to decide by another credential.
fn goes_with(new: &Kept, other: &Kept) -> Result<(), Error> {
    let fault = if name::look_alike(&new.name, &other.name) {
        format!("it looks like {}", other.name)
    } else if new.name == other.name && (new.role == Role::Agent) != (other.role == Role::Agent) {
        format!(
            "{} has a token as {}, and an agent is nobody else",
            other.name, other.role
        )
    } else {
        return Ok(());
    };
    let name = new.name.to_string();
    Err(Error::Name { name, fault })
}

fn is_good(kept: &Kept, secret: &str, now: Timestamp) -> bool {
    let given = hash(secret);
    // Hashes of BLAKE3 are compared in constant time.
    let is_right = blake3::Hash::from_hex(&kept.hash).is_ok_and(|right| right == given);
    is_right && is_current(kept, now)
}

fn is_current(kept: &Kept, now: Timestamp) -> bool {
    kept.revoked_at.is_none() && now < kept.expires_at
}

/// 256 random bits need no slow hash.
fn hash(secret: &str) -> blake3::Hash {
    let key = blake3::derive_key("proofload 2026-11 server token v1", secret.as_bytes());
    blake3::Hash::from_bytes(key)
}

/// So many random bytes, as text.
pub(crate) fn random<const N: usize>() -> String {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    URL_SAFE_NO_PAD.encode(bytes)
}

fn info(kept: &Kept) -> TokenInfo {
    let text = |at: Timestamp| clock::text(at);
    TokenInfo {
        id: kept.id.clone(),
        name: kept.name.to_string(),
        role: kept.role,
        created_at: text(kept.created_at),
        expires_at: text(kept.expires_at),
        revoked_at: kept.revoked_at.map(text),
    }
}

fn load(file: &Path) -> Result<(Version, Kit), Error> {
    // The version first: what is replaced in between is read again.
    let version = version(file).map_err(|source| failed(file, source))?;
    let text = match fs::read(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((None, Kit::default())),
        read => read.map_err(|source| failed(file, source))?,
    };
    let kit: Kit = serde_json::from_slice(&text).map_err(|error| failed(file, error.into()))?;
    if kit
        .checksum
        .as_ref()
        .is_some_and(|checksum| *checksum != kit.sum())
    {
        let told = "the tokens are not those that were written: their checksum is another one; put the file back from a copy";
        return Err(failed(
            file,
            io::Error::new(io::ErrorKind::InvalidData, told),
        ));
    }
    Ok((version, kit))
}

fn version(file: &Path) -> io::Result<Version> {
    match fs::metadata(file) {
        Ok(facts) => Ok(Some((
            facts.ino(),
            facts.mtime(),
            facts.mtime_nsec(),
            facts.len(),
        ))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options
}

/// Puts a file in the place of another, whole and on disk.
pub(crate) fn replace(file: &Path, text: &[u8]) -> io::Result<()> {
    let new = file.with_extension("new");
    let mut writer = private().open(&new)?;
    writer.write_all(text)?;
    writer.sync_all()?;
    fs::rename(&new, file)?;
    let dir = file.parent().unwrap_or(Path::new("."));
    File::open(dir)?.sync_all()
}

fn failed(path: &Path, source: io::Error) -> Error {
    let path = path.to_owned();
    Error::Tokens { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn a_token_is_good_until_it_is_revoked_by_any_process_or_over() {
        let dir = tempfile::tempdir().unwrap();
        let (tokens, other) = (
            Tokens::open(dir.path()).unwrap(),
            Tokens::open(dir.path()).unwrap(),
        );
        let new = tokens.create("alice", Role::Reviewer, DAY).unwrap();
        let bearer = |token: &str, now| other.bearer(token, now).unwrap().map(|bearer| bearer.role);
        assert_eq!(bearer(&new.token, clock::now()), Some(Role::Reviewer));
        assert_eq!(bearer(&new.token, clock::now().after(DAY)), None);
        let mut wrong = new.token.clone();
        wrong.replace_range(20..21, if &new.token[20..21] == "A" { "B" } else { "A" });
        for wrong in [&wrong, "", "plt_", &new.token[..20], "plt_äääääääääääää"] {
            assert_eq!(bearer(wrong, clock::now()), None, "{wrong:?}");
        }
        assert!(tokens.revoke(&new.info.id).unwrap());
        assert_eq!(bearer(&new.token, clock::now()), None);
        assert!(!tokens.revoke("nobody").unwrap());
        let kept = fs::read_to_string(dir.path().join("access/tokens.json")).unwrap();
        assert!(!kept.contains(&new.token[17..]), "only its hash is kept");
    }

    #[test]
    fn a_file_that_was_changed_by_anything_else_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = Tokens::open(dir.path()).unwrap();
        tokens.create("build-bot", Role::Agent, DAY).unwrap();
        let file = dir.path().join("access/tokens.json");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace("\"agent\"", "\"operator\"")).unwrap();
        let told = |result: Result<Vec<TokenInfo>, Error>| {
            let error = result.unwrap_err();
            std::error::Error::source(&error).unwrap().to_string()
        };
        assert!(told(tokens.list()).contains("checksum"));
        assert!(tokens.create("other", Role::Agent, DAY).is_err());
        let mut old: serde_json::Value = serde_json::from_str(&text).unwrap();
        old.as_object_mut().unwrap().remove("checksum");
        fs::write(&file, old.to_string()).unwrap();
        assert_eq!(
            tokens.list().unwrap().len(),
            1,
            "a file of an older version"
        );
    }

    #[test]
    fn whoever_asks_has_no_second_name_to_decide_by() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = Tokens::open(dir.path()).unwrap();
        tokens.create("build-bot", Role::Agent, DAY).unwrap();
        let refused = |name, role| tokens.create(name, role, DAY).unwrap_err().to_string();
        assert!(refused("build-bot", Role::Reviewer).contains("has a token as agent"));
        assert!(refused("bui1d-bot", Role::Reviewer).contains("looks like build-bot"));
        assert!(refused("Build-Bot", Role::Reviewer).contains("upper-case"));
        assert!(refused("team", Role::Agent).contains("all agents share"));
        tokens
            .create("build-bot", Role::Agent, DAY)
            .expect("a second token of the same agent");
    }
}
