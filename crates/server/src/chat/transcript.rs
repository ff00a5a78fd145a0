//! The log of an agent's conversations: what is in it, and how it is read.

use std::sync::Arc;

use jsonl_storage::Record;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::Moment;
use crate::http::problem::{Code, Problem, not_found};
use crate::records::streams::{Kept, Streams};
use crate::state::App;

use super::once_of;

/// Records that are looked through for one answer.
const LOOKED_AT: usize = 20_000;
/// Records that are read of the log at a time.
const PAGE: usize = 500;

/// What one record is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub(super) enum Part {
    Began {
        conversation: String,
        title: String,
    },
    Said {
        conversation: String,
        text: String,
    },
    Answered {
        conversation: String,
        text: String,
        answers: u64,
        sources: Vec<Source>,
    },
}

/// What an answer rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(super) struct Source {
    pub(super) memory: u64,
    pub(super) text: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Conversation {
    pub(super) id: String,
    pub(super) title: String,
    /// The number of its first record.
    pub(super) seq: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) seq: u64,
    pub(super) at: Moment,
    /// `user` or `assistant`
    pub(super) role: &'static str,
    pub(super) text: String,
    /// Of an answer, the number of the message that it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) answers: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) sources: Vec<Source>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Answered {
    /// The number of what was said.
    pub(super) seq: u64,
    pub(super) answer: Message,
}

impl Message {
    /// The message that a record is; none if it is none.
    pub(super) fn of(record: Record<Kept>) -> Option<(String, Self)> {
        let seq = record.seq.0;
        let part = serde_json::from_value(record.data.data).ok()?;
        let (conversation, role, text, answers, sources) = match part {
            Part::Began { .. } => return None,
            Part::Said { conversation, text } => (conversation, "user", text, None, Vec::new()),
            Part::Answered {
                conversation,
                text,
                answers,
                sources,
            } => (conversation, "assistant", text, Some(answers), sources),
        };
        let message = Self {
            id: format!("m-{seq}"),
            seq,
            at: record.data.at.into(),
            role,
            text,
            answers,
            sources,
        };
        Some((conversation, message))
    }
}

/// Does on a thread for blocking work what waits for the disk.
pub(super) async fn blocking<T: Send + 'static>(
    app: &App,
    work: impl FnOnce(&Streams) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let app = Arc::clone(app);
    let done = tokio::task::spawn_blocking(move || work(&app.chat)).await;
    done.map_err(|error| Problem::new(Code::Internal, error.to_string()))?
}

/// All records of a log up to the bound, page by page.
fn records(
    chat: &Streams,
    name: &str,
    from: u64,
    mut each: impl FnMut(Record<Kept>) -> bool,
) -> Result<(), Problem> {
    let mut next = from;
    for _ in 0..LOOKED_AT / PAGE {
        let page = chat.from(name, next, PAGE)?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        next = last.seq.0 + 1;
        for record in page {
            if !each(record) {
                return Ok(());
            }
        }
    }
    Ok(())
}

pub(super) fn conversations(chat: &Streams, name: &str) -> Result<Vec<Conversation>, Problem> {
    if !chat.names()?.iter().any(|known| known == name) {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    records(chat, name, 0, |record| {
        let seq = record.seq.0;
        if let Ok(Part::Began {
            conversation,
            title,
        }) = serde_json::from_value::<Part>(record.data.data)
        {
            found.push(Conversation {
                id: conversation,
                title,
                seq,
            });
        }
        true
    })?;
    found.reverse();
    Ok(found)
}

pub(super) fn messages(
    chat: &Streams,
    name: &str,
    conversation: &str,
    from: u64,
    limit: usize,
) -> Result<Vec<Message>, Problem> {
    let began = chat
        .find(name, &once_of(conversation))?
        .ok_or_else(not_found)?;
    let mut found = Vec::new();
    records(chat, name, from.max(began.seq.0), |record| {
        let message = Message::of(record).filter(|(of, _)| of == conversation);
        found.extend(message.map(|(_, message)| message));
        found.len() < limit
    })?;
    Ok(found)
}

/// The text and the conversation of what was said.
pub(super) fn said(part: &Part) -> (&str, &str) {
    match part {
        Part::Said { conversation, text }
        | Part::Answered {
            conversation, text, ..
        } => (conversation, text),
        Part::Began {
            conversation,
            title,
        } => (conversation, title),
    }
}

/// A record that is there already, as a message.
pub(super) fn known(chat: &Streams, name: &str, once: &str) -> Result<Option<Message>, Problem> {
    let record = chat.find(name, once)?;
    let broken = || Problem::new(Code::Internal, "a record of the transcript is no message");
    record
        .map(|record| {
            Message::of(record)
                .map(|(_, message)| message)
                .ok_or_else(broken)
        })
        .transpose()
}

/// What is written of a record, as a value.
pub(super) fn data(part: &Part) -> Value {
    serde_json::json!(part)
}
