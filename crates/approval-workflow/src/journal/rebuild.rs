//! Requests and events read back from the log.

use jsonl_storage::{Log, Seq};

use crate::error::Error;
use crate::model::event::{AuditEntry, Event, Submission};
use crate::model::names::RequestId;
use crate::model::request::Request;
use crate::model::secrets;
use crate::state::lifecycle;

/// The request that these events leave.
pub(crate) fn request(log: &Log<Event>, id: &RequestId, events: &[Seq]) -> Result<Request, Error> {
    let mut request = None;
    for entry in trail(log, id, events)? {
        let next = checked(request.as_ref(), &entry.event);
        request = Some(next.map_err(|error| Error::Replay {
            seq: entry.seq,
            source: Box::new(error),
        })?);
    }
    request.ok_or_else(|| Error::UnknownRequest { id: id.clone() })
}

/// The events themselves.
pub(crate) fn trail(
    log: &Log<Event>,
    id: &RequestId,
    events: &[Seq],
) -> Result<Vec<AuditEntry>, Error> {
    let missing = |seq| Error::EventMissing {
        id: id.clone(),
        seq,
    };
    let mut trail = Vec::with_capacity(events.len());
    for &seq in events {
        let event = event(log, seq)?.filter(|event| event.id() == Some(id));
        let event = event.ok_or_else(|| missing(seq))?;
        trail.push(AuditEntry { seq, event });
    }
    Ok(trail)
}

/// The request that an event is about.
pub(crate) fn request_of(log: &Log<Event>, seq: Seq) -> Result<RequestId, Error> {
    let unknown = || jsonl_storage::Error::Poisoned {
        dir: log.dir().to_owned(),
        cause: format!("event {seq} is not in it any more"),
    };
    let event = event(log, seq)?;
    let id = event.as_ref().and_then(Event::id).cloned();
    Ok(id.ok_or_else(unknown)?)
}

fn event(log: &Log<Event>, seq: Seq) -> Result<Option<Event>, Error> {
    if let Some(record) = log.get(seq)? {
        return Ok(Some(record.data));
    }
    // A log that buffers acknowledges what it did not write yet.
    log.flush()?;
    Ok(log.get(seq)?.map(|record| record.data))
}

/// The state after an event that comes from a log, of which nothing is believed.
pub(crate) fn checked(current: Option<&Request>, event: &Event) -> Result<Request, Error> {
    if let Event::Requested(submission) = event {
        check_action(submission)?;
    }
    lifecycle::apply(current, event)
}

/// Whether the action is the one that the approval is bound to; of one with secrets, whether it is
/// the one that was written, and hides something.
fn check_action(submission: &Submission) -> Result<(), Error> {
    let Submission { action, digest, .. } = submission;
    let is_as_written = match &submission.hidden {
        None => action.digest()? == *digest,
        Some(hidden) => action.digest()? == *hidden && secrets::hides_something(action),
    };
    if is_as_written {
        return Ok(());
    }
    let id = submission.id.clone();
    Err(Error::DigestMismatch { id })
}
