//! Conversations: a message is on disk before it is acknowledged, the log is the transcript, and answers quote what the
//! caller said before.
//!
//! A conversation belongs to one agent. Its messages are records of a log, and memories of the agent's namespace
//! `NAME:chat`, under ids that are made from their numbers, so that a repeated call adds none.

mod answer;
mod transcript;

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::access::principal::Principal;
use crate::access::tokens::Role;
use crate::clock;
use crate::http::body::Json;
use crate::http::facts::Access;
use crate::http::json::json as as_json;
use crate::http::key::Key;
use crate::http::params::{Params, Segment};
use crate::http::problem::{Code, Problem, not_found};
use crate::http::route::Route;
use crate::http::sse::{self, Events, Gone};
use crate::records::streams::Kept;
use crate::state::App;

use self::answer::answer;
use self::transcript::{Answered, Conversation, Message, Part, blocking, messages};

const AGENTS: Access = Access::Roles(&[Role::Agent]);
/// The longest message.
const MOST_BYTES: usize = 16 << 10;

const STORE: &[Code] = &[
    Code::RequestInFlight,
    Code::QuotaExceeded,
    Code::StoreFailed,
    Code::StorageFull,
];

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::post("/api/v1/chat/conversations", begin)
            .does("Begin a conversation", AGENTS)
            .takes::<NewConversation>()
            .gives::<Conversation>(201)
            .keyed()
            .refuses(STORE),
        Route::get("/api/v1/chat/conversations", list)
            .does("The caller's conversations, the newest first", AGENTS)
            .gives::<Vec<Conversation>>(200)
            .refuses(&[Code::StoreFailed]),
        Route::get("/api/v1/chat/conversations/{id}/messages", read)
            .does("The messages of a conversation, in order", AGENTS)
            .gives::<Vec<Message>>(200)
            .query(&[("from", "the first number"), ("limit", "1 to 200 (default: 50)")])
            .refuses(&[Code::InvalidField, Code::UnknownField, Code::StoreFailed]),
        Route::post("/api/v1/chat/conversations/{id}/messages", say)
            .does(
                "Say something; it is on disk before it is acknowledged. With Accept: text/event-stream, as events",
                AGENTS,
            )
            .takes::<NewMessage>()
            .gives::<Answered>(201)
            .keyed()
            .refuses(STORE),
    ]
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewConversation {
    #[serde(default)]
    title: String,
}

async fn begin(
    State(app): State<App>,
    who: Principal,
    Key(key): Key,
    Json(NewConversation { title }): Json<NewConversation>,
) -> Result<Response, Problem> {
    check(&title)?;
    // From the caller's key, so that a repeated call finds what it began.
    let id = format!("c-{}", &key.as_str()[..16]);
    let part = Part::Began {
        conversation: id.clone(),
        title: title.clone(),
    };
    let kept = kept(&who, once_of(&id), &part);
    let name = who.person.to_string();
    let seq = blocking(&app, move |chat| chat.append(&name, &kept)).await?;
    Ok(as_json(
        StatusCode::CREATED,
        &Conversation { id, title, seq },
    ))
}

/// A record of the caller's log.
fn kept(who: &Principal, once: String, part: &Part) -> Kept {
    Kept {
        by: who.person.to_string(),
        at: clock::now(),
        once,
        data: json!(part),
    }
}

fn once_of(conversation: &str) -> String {
    format!("conversation {conversation}")
}

fn check(text: &str) -> Result<(), Problem> {
    if text.len() <= MOST_BYTES {
        return Ok(());
    }
    let detail = format!("the text has more than {MOST_BYTES} bytes");
    Err(Problem::new(Code::TooLarge, detail))
}

async fn list(State(app): State<App>, who: Principal) -> Result<Response, Problem> {
    let name = who.person.to_string();
    let found = blocking(&app, move |chat| transcript::conversations(chat, &name)).await?;
    Ok(as_json(StatusCode::OK, &found))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Range {
    #[serde(default)]
    from: u64,
    #[serde(default)]
    limit: Option<usize>,
}

async fn read(
    State(app): State<App>,
    who: Principal,
    Segment(id): Segment,
    Params(Range { from, limit }): Params<Range>,
) -> Result<Response, Problem> {
    const MOST: usize = 200;
    let limit = limit.unwrap_or(50);
    if !(1..=MOST).contains(&limit) {
        let detail = format!("limit is from 1 to {MOST}");
        return Err(Problem::new(Code::InvalidField, detail).with("pointer", "?limit"));
    }
    let name = who.person.to_string();
    let found = blocking(&app, move |chat| messages(chat, &name, &id, from, limit)).await?;
    Ok(as_json(StatusCode::OK, &found))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewMessage {
    text: String,
}

async fn say(
    State(app): State<App>,
    who: Principal,
    Segment(id): Segment,
    Key(key): Key,
    headers: HeaderMap,
    Json(NewMessage { text }): Json<NewMessage>,
) -> Result<Response, Problem> {
    check(&text)?;
    let part = Part::Said {
        conversation: id.clone(),
        text: text.clone(),
    };
    let record = kept(&who, format!("message {id} {key}"), &part);
    let name = who.person.to_string();
    let seq = blocking(&app, move |chat| {
        chat.find(&name, &once_of(&id))?.ok_or_else(not_found)?;
        chat.append(&name, &record)
    });
    let seq = seq.await?;
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    if !accept.is_some_and(|accept| accept.contains("text/event-stream")) {
        let answered = answer(&app, &who, &part, seq).await?;
        return Ok(as_json(StatusCode::CREATED, &answered));
    }
    let _client = app.clients.enter(who.person.as_str())?;
    let (events, response) = sse::answer();
    let app = Arc::clone(&app);
    tokio::spawn(async move {
        let _client = _client;
        // A client that is gone finds the answer in the transcript.
        let _ = stream(&app, &who, &part, seq, &events).await;
    });
    Ok(response)
}

async fn stream(
    app: &App,
    who: &Principal,
    part: &Part,
    seq: u64,
    events: &Events,
) -> Result<(), Gone> {
    let event = |name: &str, data: &Value| format!("event: message.{name}\ndata: {data}\n\n");
    let id = format!("m-{seq}");
    events
        .send(event("accepted", &json!({ "id": id, "seq": seq })))
        .await?;
    match answer(app, who, part, seq).await {
        Ok(Answered { answer, .. }) => {
            events
                .send(event(
                    "delta",
                    &json!({ "id": answer.id, "text": answer.text }),
                ))
                .await?;
            events.send(event("completed", &json!(answer))).await
        }
        Err(problem) => {
            let data = json!({ "id": id, "code": problem.code.as_str() });
            events.send(event("failed", &data)).await
        }
    }
}
