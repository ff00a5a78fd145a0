//! One request's whole history in one text, for somebody who has neither the log nor this workflow.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use action::ActionDigest;
use serde::{Deserialize, Serialize};
use serde_jsonlines::JsonLinesWriter;

use crate::digest::hex_digest;
use crate::{ApprovalWorkflow, AuditEntry, Error, Event, Request, RequestId, lifecycle};

/// The digest of a request's history: each event is hashed under the hash of those before it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct HistoryDigest([u8; 32]);

hex_digest!(HistoryDigest, "history digest");

impl HistoryDigest {
    fn begin(id: &RequestId) -> Self {
        const DOMAIN: &str = "proofload 2026-11 approval history v1";
        Self(blake3::derive_key(DOMAIN, id.as_str().as_bytes()))
    }

    fn then(self, entry: &AuditEntry) -> Self {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        crate::content::write_json(&mut hasher, entry);
        Self(hasher.finalize().into())
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
}

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    approval_bundle: u32, // 1
    request: RequestId,
    events: usize,
    history: HistoryDigest,
}

/// Every other line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    entry: AuditEntry,
    link: HistoryDigest,
}

const VERSION: u32 = 1;

/// Checks a bundle, with nothing but its text: that it is byte for byte what an export writes, that
/// every event is the one that was hashed, that the events can have happened in this order, and that
/// the action is the one that the approval is bound to.
///
/// Whoever may rewrite the whole text may write another history with a digest of its own. Give the
/// digest that was noted elsewhere when the bundle was made, and that is found out too.
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
    let mut digest = HistoryDigest::begin(&head.request);
    for (number, line) in (2..).zip(lines) {
        let Line { entry, link } = parse(number, line)?;
        digest = digest.then(&entry);
        if link != digest {
            let text = format!("its event has the digest {digest}, not {link}");
            return Err(fault(number, text));
        }
        if *entry.event.id() != head.request {
            return Err(fault(number, "it is about another request".into()));
        }
        if trail.last().is_some_and(|last| last.seq >= entry.seq) {
            return Err(fault(
                number,
                "it does not come after the line before".into(),
            ));
        }
        check_action(&entry.event).map_err(|error| fault(number, error.to_string()))?;
        let next = lifecycle::apply(request.as_ref(), &entry.event);
        request = Some(next.map_err(|error| fault(number, error.to_string()))?);
        trail.push(entry);
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
    if render(&head.request, &trail).0 != text {
        return Err(fault(1, "the text is not as it is exported".into()));
    }
    Ok(VerifiedBundle {
        request,
        trail,
        digest,
    })
}

fn parse<T: for<'de> Deserialize<'de>>(line: usize, text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| Error::Bundle {
        line,
        fault: error.to_string(),
    })
}

fn check_action(event: &Event) -> Result<(), Error> {
    let Event::Requested(submission) = event else {
        return Ok(());
    };
    let digest: ActionDigest = submission.action.digest()?;
    if digest == submission.digest {
        return Ok(());
    }
    let id = submission.id.clone();
    Err(Error::DigestMismatch { id })
}

fn render(id: &RequestId, trail: &[AuditEntry]) -> (String, HistoryDigest) {
    let mut digest = HistoryDigest::begin(id);
    let mut body = Vec::new();
    for entry in trail {
        digest = digest.then(entry);
        let line = Line {
            entry: entry.clone(),
            link: digest,
        };
        crate::content::write_json(&mut body, &line);
        body.push(b'\n');
    }
    let head = Head {
        approval_bundle: VERSION,
        request: id.clone(),
        events: trail.len(),
        history: digest,
    };
    let mut text = Vec::new();
    crate::content::write_json(&mut text, &head);
    text.push(b'\n');
    text.extend(body);
    let text = String::from_utf8(text).expect("JSON is UTF-8");
    (text, digest)
}

impl ApprovalWorkflow {
    /// Writes everything that happened to a request as a text that [`verify_bundle`] can check
    /// anywhere, and the digest of it, to be noted elsewhere; none if there is no such request.
    #[must_use]
    pub fn export_bundle(&self, id: &RequestId) -> Option<(String, HistoryDigest)> {
        Some(render(id, &self.audit_trail(id)?))
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
        write_lines(&dir.join("requests.jsonl"), self.requests().map(Ok))?;
        write_lines(&dir.join("decisions.jsonl"), self.decisions().map(Ok))?;
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
    let file = File::create(path).map_err(failed)?;
    let mut writer = JsonLinesWriter::new(BufWriter::new(file));
    for value in values {
        writer.write(&value?).map_err(failed)?;
    }
    let mut file = writer.into_inner();
    file.flush().map_err(failed)?;
    file.get_ref().sync_all().map_err(failed)
}
