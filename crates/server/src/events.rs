//! What happens, as it becomes durable: to programs with everything that the log has, to open pages as the ids that
//! changed.

use std::sync::atomic::Ordering;
use std::time::Duration;

use approval_workflow::{ApprovalWorkflow, AuditEntry, Error, Seq};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use crate::access::guard::authenticate;
use crate::access::principal::Principal;
use crate::approvals::history::Entry;
use crate::approvals::may_see;
use crate::http::facts::Access;
use crate::http::problem::{Code, Problem};
use crate::http::route::Route;
use crate::http::sse::{self, Client, Events, Gone};
use crate::inbox::forms::SignedIn;
use crate::state::App;

/// A line that says nothing, so that neither end, nor a proxy, takes the silence for the end.
const ALIVE_EVERY: Duration = Duration::from_secs(15);
/// Entries that are read of the log at a time.
const PAGE: usize = 256;

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/events", events)
            .does(
                "What happens to approvals that the caller may see, as server-sent events; Last-Event-ID resumes",
                Access::Anyone,
            )
            .media("text/event-stream")
            .refuses(&[Code::InvalidCursor, Code::TooManyWaits]),
        Route::get("/live", live).does("What changed, for open pages", Access::Session),
    ]
}

/// How entries are written, and who must still be allowed to read them.
struct Listener {
    who: Principal,
    headers: HeaderMap,
    is_page: bool,
    _client: Client,
}

async fn events(
    State(app): State<App>,
    who: Principal,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let next = match headers.get("last-event-id") {
        None => *app.gate.latest().borrow(),
        Some(last) => after(last.to_str().unwrap_or_default())?,
    };
    listen(app, who, headers, next, false)
}

async fn live(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let next = *app.gate.latest().borrow();
    listen(app, session.principal.clone(), headers, next, true)
}

/// The number of the entry after an event's id.
fn after(id: &str) -> Result<u64, Problem> {
    let last: Option<u64> = id.strip_prefix('a').and_then(|digits| digits.parse().ok());
    last.and_then(|last| last.checked_add(1)).ok_or_else(|| {
        let detail = format!("Last-Event-ID {id:?} is not the id of an event");
        Problem::new(Code::InvalidCursor, detail)
    })
}

fn listen(
    app: App,
    who: Principal,
    headers: HeaderMap,
    next: u64,
    is_page: bool,
) -> Result<Response, Problem> {
    let listener = Listener {
        _client: app.clients.enter(who.person.as_str())?,
        who,
        headers,
        is_page,
    };
    let (events, answer) = sse::answer();
    tokio::spawn(async move {
        // A client that is gone needs no word of it.
        let _ = follow(&app, &listener, next, &events).await;
    });
    Ok((StatusCode::OK, answer).into_response())
}

async fn follow(
    app: &App,
    listener: &Listener,
    mut next: u64,
    events: &Events,
) -> Result<(), Gone> {
    let mut latest = app.gate.latest();
    events.send("retry: 1000\n\n".to_owned()).await?;
    loop {
        latest.borrow_and_update();
        loop {
            let who = listener.who.clone();
            let read = move |gate: &ApprovalWorkflow| page(gate, &who, next);
            // A log that cannot be read is told by commands; a stream ends, and its client comes again.
            let Ok(page) = app.gate.blocking(read).await else {
                return Err(Gone);
            };
            next = page.next;
            for entry in page.entries {
                events.send(listener.write(entry)).await?;
            }
            if page.is_last {
                break;
            }
        }
        if app.is_stopping.load(Ordering::SeqCst) {
            return events
                .send("event: shutdown\ndata: {}\n\n".to_owned())
                .await;
        }
        tokio::select! {
            () = events.gone() => return Err(Gone),
            changed = latest.changed() => changed.map_err(|_| Gone)?,
            () = tokio::time::sleep(ALIVE_EVERY) => events.send(": alive\n\n".to_owned()).await?,
        }
        // A token that was revoked meanwhile reads no more.
        if !listener.may_listen(app) {
            return Err(Gone);
        }
    }
}

struct Found {
    entries: Vec<AuditEntry>,
    next: u64,
    is_last: bool,
}

/// The entries from a number on that somebody may see.
fn page(gate: &ApprovalWorkflow, who: &Principal, next: u64) -> Result<Found, Error> {
    let mut found = Found {
        entries: Vec::new(),
        next,
        is_last: true,
    };
    for entry in gate.audit_range(Seq(next)..)?.take(PAGE) {
        let entry = entry?;
        found.next = entry.seq.0 + 1;
        found.is_last = false;
        let request = match entry.event.id() {
            Some(id) => gate.get(id)?,
            None => None,
        };
        if request.is_some_and(|request| may_see(who, &request)) {
            found.entries.push(entry);
        }
    }
    Ok(found)
}

impl Listener {
    fn may_listen(&self, app: &App) -> bool {
        if self.is_page {
            return app.sessions.look(&app.tokens, &self.headers).is_some();
        }
        authenticate(app, &self.headers).is_ok()
    }

    fn write(&self, entry: AuditEntry) -> String {
        let seq = entry.seq.0;
        if self.is_page {
            let id = entry.event.id().map(ToString::to_string);
            return format!(
                "id: a{seq}\nevent: changed\ndata: {}\n\n",
                json!({ "id": id })
            );
        }
        let entry = json!(Entry::from(entry));
        let kind = entry["event"]
            .as_object()
            .and_then(|event| event.keys().next());
        let kind = kind.map_or("event", String::as_str);
        format!(
            "id: a{seq}\nevent: {kind}\ndata: {}\n\n",
            Value::to_string(&entry)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_goes_on_after_the_last_event_that_was_seen() {
        assert_eq!(after("a41").unwrap(), 42);
        for id in ["", "41", "a", "a-1", "a1.5", "a18446744073709551615"] {
            assert!(after(id).is_err(), "{id:?}");
        }
    }
}
