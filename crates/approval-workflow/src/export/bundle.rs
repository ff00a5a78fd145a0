//! One request's whole history in one text, to be verified without the log and without a workflow.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use jsonl_storage::{ChainLink, Seq};
use serde::{Deserialize, Serialize};
use serde_jsonlines::JsonLinesWriter;

use crate::error::Error;
use crate::journal::rebuild;
use crate::model::event::AuditEntry;
use crate::model::names::RequestId;
use crate::model::request::Request;
use crate::workflow::ApprovalWorkflow;

action::digest_type! {
    /// The digest of a request's history: each event is hashed under the hash of those before it.
    HistoryDigest, 32
}

impl HistoryDigest {
    fn begin(id: &RequestId) -> Self {
        const DOMAIN: &str = "proofload 2026-11 approval history v1";
        Self(blake3::derive_key(DOMAIN, id.as_str().as_bytes()))
    }

    fn then(self, entry: &AuditEntry, chain: Option<&Chained>) -> Self {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        crate::model::content::write_json(&mut hasher, entry);
        if let Some(chain) = chain {
            crate::model::content::write_json(&mut hasher, chain);
        }
        Self(hasher.finalize().into())
    }
}

action::digest_type! {
    /// The hash of an event, and of all before it, in the log that it was exported from. A
    /// [`Checkpoint`](crate::Checkpoint) of the log that ends with the event has the same hash.
    LogHash, 32
}

/// An event's place in the chain of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Chained {
    /// What the log knew to be on disk when it wrote the event.
    synced: Seq,
    /// The hash of the line before.
    before: LogHash,
    hash: LogHash,
}

impl Chained {
    fn of(link: &ChainLink) -> Self {
        Self {
            synced: link.synced,
            before: LogHash(link.before),
            hash: LogHash(link.hash),
        }
    }

    /// Whether this is the place of an event.
    fn fits(&self, entry: &AuditEntry) -> bool {
        let link = ChainLink {
            seq: entry.seq,
            synced: self.synced,
            before: self.before.0,
            hash: self.hash.0,
        };
        let mut data = Vec::new();
        crate::model::content::write_json(&mut data, &entry.event);
        self.synced < entry.seq && link.fits(&data)
    }
}

/// What [`verify_bundle`] found to be so.
#[derive(Debug, Clone, PartialEq)]
pub struct VerifiedBundle {
    /// The request as its history leaves it.
    pub request: Request,
    /// Everything that happened to it, in order.
    pub trail: Vec<AuditEntry>,
    /// The digest of the history.
    pub digest: HistoryDigest,
    /// Of each event, its hash in the log's chain; empty if the log had none.
    pub log_hashes: Vec<LogHash>,
}

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    approval_bundle: u32, // 1
    request: RequestId,
    events: usize,
    history: HistoryDigest,
    /// Whether each line has its event's place in the log's chain.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    chained: bool,
}

/// Every other line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    entry: AuditEntry,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    chain: Option<Chained>,
    link: HistoryDigest,
}

const VERSION: u32 = 1;

/// Checks a bundle, with nothing but its text: that it is byte for byte what an export writes, that
/// every event is the one that was hashed, that the events can have happened in this order, and that
/// the action is the one that the approval is bound to. If the log had a chain, also that each event
/// has the hash there that it is said to have, so that a checkpoint of the log can be compared.
///
/// An attacker who rewrites the whole text can write another history with a digest of its own. Pass the
/// digest that was noted elsewhere when the bundle was made, to detect that too.
///
/// # Errors
///
/// [`Error::Bundle`] with the line at fault.
pub fn verify_bundle(text: &str, noted: Option<&HistoryDigest>) -> Result<VerifiedBundle, Error> {
    let fault = |line: usize, fault: String| Error::Bundle { line, fault };
    let mut lines = text.lines();
    let head: Head = parse(1, lines.next().unwrap_or_default())?;
    if head.approval_bundle != VERSION {
        let version = head.approval_bundle;
        return Err(fault(1, format!("version {version}, not {VERSION}")));
    }
    let mut request: Option<Request> = None;
    let mut trail: Vec<AuditEntry> = Vec::new();
    let mut chains: Vec<Chained> = Vec::new();
    let mut digest = HistoryDigest::begin(&head.request);
    for (number, line) in (2..).zip(lines) {
        let Line { entry, chain, link } = parse(number, line)?;
        digest = digest.then(&entry, chain.as_ref());
        if link != digest {
            let text = format!("its event has the digest {digest}, not {link}");
            return Err(fault(number, text));
        }
        if entry.event.id() != Some(&head.request) {
            return Err(fault(number, "it is about another request".into()));
        }
        if trail.last().is_some_and(|last| last.seq >= entry.seq) {
            return Err(fault(
                number,
                "it does not come after the line before".into(),
            ));
        }
        let follows = stands_there(&entry, chain.as_ref(), trail.last(), chains.last());
        if chain.is_some() != head.chained || !follows {
            let text = "its event does not have that place in the log's chain";
            return Err(fault(number, text.into()));
        }
        let next = rebuild::checked(request.as_ref(), &entry.event);
        request = Some(next.map_err(|error| fault(number, error.to_string()))?);
        trail.push(entry);
        chains.extend(chain);
    }
    let Some(request) = request.filter(|_| digest == head.history) else {
        let history = head.history;
        let text = format!("the history has the digest {digest}, not {history}");
        return Err(fault(1, text));
    };
    if let Some(noted) = noted.filter(|noted| **noted != digest) {
        let text = format!("the history has the digest {digest}, but {noted} was noted");
        return Err(fault(1, text));
    }
    // Whatever else the text could say in other words or spaces.
    if render(&head.request, &trail, &chains).0 != text {
        return Err(fault(1, "the text is not as it is exported".into()));
    }
    Ok(VerifiedBundle {
        request,
        trail,
        digest,
        log_hashes: chains.iter().map(|chain| chain.hash).collect(),
    })
}

/// Whether an event has the place in the log's chain that its line states; also, whether it follows the
/// event before, if that is the line before.
fn stands_there(
    entry: &AuditEntry,
    chain: Option<&Chained>,
    last: Option<&AuditEntry>,
    last_chain: Option<&Chained>,
) -> bool {
    let is_next = last.is_some_and(|last| last.seq.next() == entry.seq);
    let before = last_chain.filter(|_| is_next).map(|last| last.hash);
    chain
        .is_none_or(|chain| chain.fits(entry) && before.is_none_or(|before| before == chain.before))
}

fn parse<T: for<'de> Deserialize<'de>>(line: usize, text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| Error::Bundle {
        line,
        fault: error.to_string(),
    })
}

/// `chains` has an entry for each event, or none at all.
fn render(id: &RequestId, trail: &[AuditEntry], chains: &[Chained]) -> (String, HistoryDigest) {
    let mut digest = HistoryDigest::begin(id);
    let mut body = Vec::new();
    for (at, entry) in trail.iter().enumerate() {
        let chain = chains.get(at);
        digest = digest.then(entry, chain);
        let line = Line {
            entry: entry.clone(),
            chain: chain.cloned(),
            link: digest,
        };
        crate::model::content::write_json(&mut body, &line);
        body.push(b'\n');
    }
    let head = Head {
        approval_bundle: VERSION,
        request: id.clone(),
        events: trail.len(),
        history: digest,
        chained: !chains.is_empty(),
    };
    let mut text = Vec::new();
    crate::model::content::write_json(&mut text, &head);
    text.push(b'\n');
    text.extend(body);
    let text = String::from_utf8(text).expect("JSON is UTF-8");
    (text, digest)
}

impl ApprovalWorkflow {
    /// Writes everything that happened to a request as a text that [`verify_bundle`] can check
    /// anywhere, and the digest of it, to be noted elsewhere; none if there is no such request.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn export_bundle(&self, id: &RequestId) -> Result<Option<(String, HistoryDigest)>, Error> {
        let Some(trail) = self.audit_trail(id)? else {
            return Ok(None);
        };
        let chains = self.chains(&trail)?;
        Ok(Some(render(id, &trail, &chains)))
    }

    /// The places of events in the log's chain; empty if it has none.
    fn chains(&self, trail: &[AuditEntry]) -> Result<Vec<Chained>, Error> {
        if !self.journal.is_chained() {
            return Ok(Vec::new());
        }
        let mut chains = Vec::with_capacity(trail.len());
        for entry in trail {
            chains.extend(self.journal.link(entry.seq)?.as_ref().map(Chained::of));
        }
        Ok(chains)
    }

    /// Writes `requests.jsonl`, `decisions.jsonl` and `audit_trail.jsonl` into a directory, which
    /// must be there; files of these names are replaced. What happens meanwhile may be in some of
    /// them and not in others.
    ///
    /// # Errors
    ///
    /// [`Error::Export`] with the file that cannot be written; [`Error::Log`].
    pub fn export_jsonl(&self, dir: impl AsRef<Path>) -> Result<(), Error> {
        let dir = dir.as_ref();
        write_lines(&dir.join("requests.jsonl"), self.requests())?;
        write_lines(&dir.join("decisions.jsonl"), self.decisions())?;
        write_lines(&dir.join("audit_trail.jsonl"), self.audit_log()?)
    }
}

fn write_lines<T: Serialize>(
    path: &Path,
    values: impl Iterator<Item = Result<T, Error>>,
) -> Result<(), Error> {
    let failed = |source: io::Error| Error::Export {
        path: path.to_owned(),
        source,
    };
    // As private as the log, whatever the umask lets through.
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let file = options.open(path).map_err(failed)?;
    let mut writer = JsonLinesWriter::new(BufWriter::new(file));
    for value in values {
        writer.write(&value?).map_err(failed)?;
    }
    let mut file = writer.into_inner();
    file.flush().map_err(failed)?;
    file.get_ref().sync_all().map_err(failed)
}
