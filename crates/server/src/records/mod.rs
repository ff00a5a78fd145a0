//! Records over HTTP: named logs, to which agents append and from which nothing is removed.

pub(crate) mod streams;

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use jsonl_storage::Break;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::access::principal::Principal;
use crate::access::share::{self, Want};
use crate::access::tokens::Role;
use crate::clock::{self, Moment};
use crate::http::body::Json;
use crate::http::facts::Access;
use crate::http::json::json;
use crate::http::key::Key;
use crate::http::params::{Params, Segment};
use crate::http::problem::{Code, Problem};
use crate::http::route::Route;
use crate::state::App;

use self::streams::{Kept, Streams};

const MOST: usize = 200;
const USUAL: usize = 50;

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/streams", list)
            .does(
                "The names of the streams that the caller may read",
                Access::Anyone,
            )
            .gives::<Vec<String>>(200),
        Route::post("/api/v1/streams/{stream}/records", append)
            .does(
                "Append a record; it is on disk when this answers",
                Access::Roles(&[Role::Agent]),
            )
            .takes::<NewRecord>()
            .gives::<Appended>(201)
            .keyed()
            .refuses(&[
                Code::NotFound,
                Code::QuotaExceeded,
                Code::RequestInFlight,
                Code::StoreFailed,
                Code::StorageFull,
            ]),
        Route::get("/api/v1/streams/{stream}/records", range)
            .does(
                "The records of a stream, from a number on, or the newest first",
                Access::Anyone,
            )
            .gives::<Vec<RecordView>>(200)
            .query(&[
                ("from", "the first number, in the order of the stream"),
                ("before", "instead of from: newest first, below this number"),
                ("limit", "1 to 200 (default: 50)"),
            ])
            .refuses(&[Code::InvalidField, Code::UnknownField, Code::StoreFailed]),
        Route::post("/api/v1/streams/{stream}/verification", verify)
            .does(
                "Read the whole stream and check its hash chain",
                Access::Roles(&[Role::Reviewer, Role::Operator]),
            )
            .gives::<Verification>(200)
            .refuses(&[Code::StoreFailed]),
    ]
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewRecord {
    data: Value,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Appended {
    /// Its number in the stream.
    seq: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
struct RecordView {
    seq: u64,
    at: Moment,
    by: String,
    data: Value,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Verification {
    holds: bool,
    records: u64,
    last: u64,
    /// Each place where the stream is not as it was written.
    breaks: Vec<String>,
}

/// Does on a thread for blocking work what waits for the disk.
async fn blocking<T: Send + 'static>(
    app: &App,
    work: impl FnOnce(&Streams) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let app = Arc::clone(app);
    let done = tokio::task::spawn_blocking(move || work(&app.streams)).await;
    done.map_err(|error| Problem::new(Code::Internal, error.to_string()))?
}

async fn list(State(app): State<App>, who: Principal) -> Result<Response, Problem> {
    let mut names = blocking(&app, Streams::names).await?;
    names.retain(|name| share::check(&who, name, Want::Read).is_ok());
    Ok(json(StatusCode::OK, &names))
}

async fn append(
    State(app): State<App>,
    who: Principal,
    Segment(stream): Segment,
    Key(key): Key,
    Json(new): Json<NewRecord>,
) -> Result<Response, Problem> {
    share::check(&who, &stream, Want::Write)?;
    let kept = Kept {
        by: who.person.to_string(),
        at: clock::now(),
        // The key is the caller's own for this route; here it is for this stream, too.
        once: format!("{stream} {key}"),
        data: new.data,
    };
    let seq = blocking(&app, move |streams| streams.append(&stream, &kept)).await?;
    Ok(json(StatusCode::CREATED, &Appended { seq }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Range {
    #[serde(default)]
    from: Option<u64>,
    #[serde(default)]
    before: Option<u64>,
    #[serde(default)]
    limit: Option<usize>,
}

async fn range(
    State(app): State<App>,
    who: Principal,
    Segment(stream): Segment,
    Params(Range {
        from,
        before,
        limit,
    }): Params<Range>,
) -> Result<Response, Problem> {
    share::check(&who, &stream, Want::Read)?;
    let limit = limit.unwrap_or(USUAL);
    if !(1..=MOST).contains(&limit) || (from.is_some() && before.is_some()) {
        let detail = format!("limit is from 1 to {MOST}, and from and before exclude each other");
        return Err(Problem::new(Code::InvalidField, detail).with("pointer", "?"));
    }
    let read = move |streams: &Streams| match before {
        Some(before) => streams.newest(&stream, before, limit),
        None => streams.from(&stream, from.unwrap_or_default(), limit),
    };
    let records = blocking(&app, read).await?;
    let views = records.into_iter().map(|record| RecordView {
        seq: record.seq.0,
        at: record.data.at.into(),
        by: record.data.by,
        data: record.data.data,
    });
    Ok(json(StatusCode::OK, &views.collect::<Vec<_>>()))
}

/// The file by its name alone: where the directory is, is not a caller's to know.
fn in_words(found: &Break) -> String {
    let file = found.file.file_name().unwrap_or_default();
    format!("{} line {}: {}", file.display(), found.line, found.kind)
}

async fn verify(
    State(app): State<App>,
    who: Principal,
    Segment(stream): Segment,
) -> Result<Response, Problem> {
    share::check(&who, &stream, Want::Read)?;
    let verified = blocking(&app, move |streams| streams.verify(&stream)).await?;
    let verification = Verification {
        holds: verified.holds(),
        records: verified.records,
        last: verified.last.0,
        breaks: verified.breaks.iter().map(in_words).collect(),
    };
    Ok(json(StatusCode::OK, &verification))
}
