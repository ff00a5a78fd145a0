//! An answer from what the agent said before: the memories that fit best, quoted.

use std::sync::Arc;

use memory_store::{
    AttributeValue, Error, Filter, MemoryId, MemoryStore, Namespace, NewMemory, Query,
};

use crate::access::principal::Principal;
use crate::clock;
use crate::http::key::bound;
use crate::http::problem::{Code, Problem};
use crate::memories;
use crate::records::streams::Kept;
use crate::state::App;

use super::transcript::{Answered, Message, Part, Source, blocking, data, known, said};

/// Memories that are quoted.
const QUOTED: usize = 3;

/// The answer to a message, which is written once: a repeated call finds it.
pub(super) async fn answer(
    app: &App,
    who: &Principal,
    part: &Part,
    seq: u64,
) -> Result<Answered, Problem> {
    let (name, once) = (who.person.to_string(), format!("answer {seq}"));
    let (of, key) = (name.clone(), once.clone());
    if let Some(answer) = blocking(app, move |chat| known(chat, &of, &key)).await? {
        return Ok(Answered { seq, answer });
    }
    let (conversation, text) = said(part);
    let sources = recalled(app, &name, text, seq).await?;
    let answer = Part::Answered {
        conversation: conversation.to_owned(),
        text: in_words(&sources),
        answers: seq,
        sources,
    };
    let record = Kept {
        by: name.clone(),
        at: clock::now(),
        once: once.clone(),
        data: data(&answer),
    };
    let written = blocking(app, move |chat| {
        chat.append(&name, &record)?;
        known(chat, &name, &once)
    });
    let lost = || Problem::new(Code::Internal, "the answer is not in the transcript");
    let answer: Message = written.await?.ok_or_else(lost)?;
    Ok(Answered { seq, answer })
}

fn in_words(sources: &[Source]) -> String {
    if sources.is_empty() {
        return "Nothing is known about this.".to_owned();
    }
    let quoted: Vec<String> = sources
        .iter()
        .map(|source| format!("“{}”", source.text))
        .collect();
    format!("You said: {}", quoted.join("; "))
}

/// Remembers what was said, and finds what was said before that is about the same.
async fn recalled(app: &App, name: &str, text: &str, seq: u64) -> Result<Vec<Source>, Problem> {
    let namespace = Namespace::new(format!("{name}:chat"));
    let namespace =
        namespace.map_err(|error| Problem::new(Code::InvalidField, error.to_string()))?;
    let id = memories::id_of(bound(&[name, "chat", &seq.to_string()]).as_str());
    let (app, text) = (Arc::clone(app), text.to_owned());
    let done =
        tokio::task::spawn_blocking(move || find(&app.memory, &namespace, id, text, seq)).await;
    let done = done.map_err(|error| Problem::new(Code::Internal, error.to_string()))?;
    done.map_err(|error| memories::failed(&error))
}

fn find(
    store: &MemoryStore,
    namespace: &Namespace,
    id: MemoryId,
    text: String,
    seq: u64,
) -> Result<Vec<Source>, Error> {
    let mut query = Query::new().only(Filter::new()).limit(QUOTED + 1);
    query.text = Some(text.clone());
    let number = AttributeValue::Integer(i64::try_from(seq).unwrap_or(i64::MAX));
    let memory = NewMemory {
        id: Some(id),
        attributes: [("seq".to_owned(), number)].into(),
        ..NewMemory::new(namespace.clone(), text, clock::now())
    };
    match store.remember(memory) {
        Ok(_) | Err(Error::AlreadyExists { .. }) => {}
        Err(error) => return Err(error),
    }
    let found = store.recall(namespace, &query)?.into_iter();
    let others = found.filter(|found| found.memory.id != id).take(QUOTED);
    Ok(others
        .map(|found| Source {
            memory: found.memory.id.get(),
            text: found.memory.text.clone(),
        })
        .collect())
}
