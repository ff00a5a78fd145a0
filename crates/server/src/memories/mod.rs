//! Memories over HTTP: what agents remember, by namespace.

mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use memory_store::{
    AttributeValue, Error, Filter, MemoryId, MemoryStore, Namespace, NewMemory, Query, Usage,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::access::principal::Principal;
use crate::access::share::{self, Want};
use crate::access::tokens::Role;
use crate::clock;
use crate::http::body::Json;
use crate::http::facts::Access;
use crate::http::json::json;
use crate::http::key::{Key, bound};
use crate::http::params::{Segment, Segments};
use crate::http::problem::{Code, Problem, not_found};
use crate::http::route::Route;
use crate::state::App;

use self::view::{FoundView, MemoryView};

const AGENTS: Access = Access::Roles(&[Role::Agent]);
const MOST: usize = 200;

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/namespaces/{namespace}", usage)
            .does("What a namespace holds, and may hold", Access::Anyone)
            .gives::<UsageBody>(200)
            .refuses(&[Code::StoreFailed]),
        Route::post("/api/v1/namespaces/{namespace}/memories", remember)
            .does("Remember a text; it is on disk when this answers", AGENTS)
            .takes::<NewText>()
            .gives::<MemoryView>(201)
            .keyed()
            .refuses(&[
                Code::QuotaExceeded,
                Code::EmbeddingFailed,
                Code::StoreFailed,
                Code::StorageFull,
            ]),
        Route::get("/api/v1/namespaces/{namespace}/memories/{id}", get)
            .does("One memory", Access::Anyone)
            .gives::<MemoryView>(200)
            .refuses(&[Code::StoreFailed]),
        Route::delete("/api/v1/namespaces/{namespace}/memories/{id}", forget)
            .does("Forget a memory, with its history", AGENTS)
            .status(204)
            .refuses(&[Code::StoreFailed, Code::StorageFull]),
        Route::post("/api/v1/namespaces/{namespace}/recall", recall)
            .does(
                "Memories by words (and by meaning, where a model embeds them), tags and attributes, the best first",
                Access::Anyone,
            )
            .takes::<Wanted>()
            .gives::<Vec<FoundView>>(200)
            .in_lane(crate::http::lane::Lane::Read)
            .refuses(&[Code::EmbeddingFailed, Code::StoreFailed]),
    ]
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewText {
    text: String,
    #[serde(default)]
    tags: BTreeSet<String>,
    /// Texts, whole numbers, true or false, by name.
    #[serde(default)]
    #[schemars(with = "Map<String, Value>")]
    attributes: BTreeMap<String, AttributeValue>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// Words that it should have; without them the newest come first.
    #[serde(default)]
    text: Option<String>,
    /// Tags that it must have, all of them.
    #[serde(default)]
    tags: BTreeSet<String>,
    #[serde(default)]
    #[schemars(with = "Map<String, Value>")]
    attributes: BTreeMap<String, AttributeValue>,
    /// 1 to 200 (default: 10).
    #[serde(default = "ten")]
    limit: usize,
}

fn ten() -> usize {
    10
}

#[derive(Serialize, JsonSchema)]
#[serde(transparent)]
struct UsageBody(#[schemars(with = "Map<String, Value>")] Usage);

/// The namespace, if the caller may do so.
fn namespace(who: &Principal, name: &str, want: Want) -> Result<Namespace, Problem> {
    share::check(who, name, want)?;
    Namespace::new(name).map_err(|_| not_found())
}

fn id(text: &str) -> Result<MemoryId, Problem> {
    let number = text.parse().ok();
    number
        .and_then(|number| MemoryId::new(number).ok())
        .ok_or_else(not_found)
}

/// Does on a thread for blocking work what waits for the disk.
async fn blocking<T: Send + 'static>(
    app: &App,
    work: impl FnOnce(&MemoryStore) -> Result<T, Error> + Send + 'static,
) -> Result<T, Problem> {
    let app = Arc::clone(app);
    let done = tokio::task::spawn_blocking(move || work(&app.memory)).await;
    let done = done.map_err(|error| Problem::new(Code::Internal, error.to_string()))?;
    done.map_err(|error| failed(&error))
}

async fn usage(
    State(app): State<App>,
    who: Principal,
    Segment(name): Segment,
) -> Result<Response, Problem> {
    let namespace = namespace(&who, &name, Want::Read)?;
    let usage = blocking(&app, move |store| store.usage(&namespace)).await?;
    Ok(json(StatusCode::OK, &UsageBody(usage)))
}

/// The id is made from the caller's key, so that a repeated call finds what it stored.
async fn remember(
    State(app): State<App>,
    who: Principal,
    Segment(name): Segment,
    Key(key): Key,
    Json(new): Json<NewText>,
) -> Result<Response, Problem> {
    let namespace = namespace(&who, &name, Want::Write)?;
    let id = id_of(&bound(&[&name, key.as_str()]).to_string());
    let memory = NewMemory {
        id: Some(id),
        tags: new.tags,
        attributes: new.attributes,
        ..NewMemory::new(namespace.clone(), new.text, clock::now())
    };
    let wanted = memory.clone();
    let stored = blocking(&app, move |store| {
        match store.remember(memory) {
            Ok(_) | Err(Error::AlreadyExists { .. }) => {}
            Err(error) => return Err(error),
        }
        store.get(&namespace, id)
    });
    let stored = stored.await?.ok_or_else(not_found)?;
    let is_same = (&stored.text, &stored.tags, &stored.attributes)
        == (&wanted.text, &wanted.tags, &wanted.attributes);
    if !is_same {
        let detail = format!("the key was used for another memory, {id}");
        return Err(Problem::new(Code::IdempotencyKeyReused, detail));
    }
    Ok(json(StatusCode::CREATED, &MemoryView::of(&stored)))
}

/// 53 bits of a key, so that every reader of JSON reads the number as it is.
pub(crate) fn id_of(key: &str) -> MemoryId {
    let hash = blake3::hash(key.as_bytes());
    let bytes = hash.as_bytes().first_chunk().expect("a hash has 32 bytes");
    let number = u64::from_le_bytes(*bytes) >> 11;
    MemoryId::new(number.max(1)).expect("it is in range")
}

async fn get(
    State(app): State<App>,
    who: Principal,
    Segments(name, text): Segments,
) -> Result<Response, Problem> {
    let (namespace, id) = (namespace(&who, &name, Want::Read)?, id(&text)?);
    let memory = blocking(&app, move |store| store.get(&namespace, id)).await?;
    Ok(json(
        StatusCode::OK,
        &MemoryView::of(&*memory.ok_or_else(not_found)?),
    ))
}

async fn forget(
    State(app): State<App>,
    who: Principal,
    Segments(name, text): Segments,
) -> Result<StatusCode, Problem> {
    let (namespace, id) = (namespace(&who, &name, Want::Write)?, id(&text)?);
    let forgotten = blocking(&app, move |store| store.forget(&namespace, id)).await?;
    if forgotten {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(not_found())
    }
}

async fn recall(
    State(app): State<App>,
    who: Principal,
    Segment(name): Segment,
    Json(wanted): Json<Wanted>,
) -> Result<Response, Problem> {
    let namespace = namespace(&who, &name, Want::Read)?;
    if !(1..=MOST).contains(&wanted.limit) {
        let detail = format!("limit is from 1 to {MOST}");
        return Err(Problem::new(Code::InvalidField, detail).with("pointer", "/limit"));
    }
    let mut filter = Filter::new();
    filter.tags = wanted.tags;
    filter.attributes = wanted.attributes;
    let mut query = Query::new().only(filter).limit(wanted.limit);
    query.text = wanted.text;
    let found = blocking(&app, move |store| store.recall(&namespace, &query)).await?;
    let found: Vec<FoundView> = found.iter().map(FoundView::of).collect();
    Ok(json(StatusCode::OK, &found))
}

pub(crate) fn failed(error: &Error) -> Problem {
    let code = match error {
        Error::TooLarge { .. } | Error::QueryTooLarge { .. } => Code::TooLarge,
        Error::QuotaExceeded { .. } => Code::QuotaExceeded,
        Error::DiskFull { .. } => Code::StorageFull,
        Error::Poisoned { .. } => Code::StoreFailed,
        Error::Embedding { .. } => Code::EmbeddingFailed,
        Error::InvalidName { .. } => Code::InvalidField,
        _ => Code::Internal,
    };
    Problem::new(code, error.to_string())
}
