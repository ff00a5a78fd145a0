//! What a command comes to, while the disk works.

use std::sync::Arc;

use jsonl_storage::{Seq, Ticket};

use crate::error::Error;
use crate::model::names::RequestId;
use crate::model::request::Request;

/// A command that was checked, and that waits for the disk: for its own event, or for the one that its answer
/// rests on.
#[derive(Debug)]
#[must_use = "nothing waits for the disk yet"]
pub(crate) enum Answer {
    /// Its event has its place, and leaves the request so.
    Event {
        ticket: Ticket,
        after: Arc<Request>,
        /// The caller is told that it was refused.
        refusal: Option<Error>,
    },
    /// It happened before, as this event.
    Repeat { of: Seq, id: RequestId },
    /// It is refused because of this event.
    Refusal { from: Seq, error: Error },
}
