//! Server-sent events: an answer that goes on, within bounds, and is cut off where nobody reads it.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use dashmap::DashMap;
use hyper::body::{Bytes, Frame};
use tokio::sync::mpsc;

use crate::http::problem::{Code, Problem};

/// Clients at a time, and of one person or agent.
const MOST: usize = 2048;
const MOST_OF_ONE: usize = 16;
/// Events that wait for a client that reads slowly.
const QUEUE: usize = 64;
/// How long they may wait.
const STALL: Duration = Duration::from_secs(10);

/// Who listens.
#[derive(Debug, Default, Clone)]
pub(crate) struct Clients(Arc<DashMap<String, usize>>);

/// One who listens, until it is dropped.
#[derive(Debug)]
pub(crate) struct Client {
    clients: Clients,
    name: String,
}

impl Clients {
    pub(crate) fn count(&self) -> usize {
        self.0.iter().map(|entry| *entry.value()).sum()
    }

    pub(crate) fn enter(&self, name: &str) -> Result<Client, Problem> {
        let all = self.count();
        let mut of_one = self.0.entry(name.to_owned()).or_default();
        if all >= MOST || *of_one >= MOST_OF_ONE {
            let detail = format!("at most {MOST_OF_ONE} streams of events each, and {MOST} in all");
            return Err(Problem::new(Code::TooManyWaits, detail));
        }
        *of_one += 1;
        let (clients, name) = (self.clone(), name.to_owned());
        Ok(Client { clients, name })
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(mut count) = self.clients.0.get_mut(&self.name) {
            *count -= 1;
        }
        self.clients.0.remove_if(&self.name, |_, count| *count == 0);
    }
}

/// The client is gone, or read nothing for too long.
#[derive(Debug)]
pub(crate) struct Gone;

/// The end at which events are put in.
pub(crate) struct Events(mpsc::Sender<Bytes>);

impl Events {
    pub(crate) async fn send(&self, event: String) -> Result<(), Gone> {
        let sent = self.0.send_timeout(event.into(), STALL).await;
        sent.map_err(|_| Gone)
    }

    /// Ends when the client is gone.
    pub(crate) async fn gone(&self) {
        self.0.closed().await;
    }
}

/// An answer of events, and where they are put in.
pub(crate) fn answer() -> (Events, Response) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let media_type = HeaderValue::from_static("text/event-stream");
    // A proxy that gathers an answer before it passes it on would hold the events back.
    let at_once = ("x-accel-buffering", HeaderValue::from_static("no"));
    let body = Body::new(Frames(receiver));
    let headers = [(header::CONTENT_TYPE.as_str(), media_type), at_once];
    (Events(sender), (headers, body).into_response())
}

struct Frames(mpsc::Receiver<Bytes>);

impl HttpBody for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = self.0.poll_recv(context);
        next.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_all_places_and_who_leaves_gives_one_back() {
        let clients = Clients::default();
        let held: Vec<_> = (0..MOST_OF_ONE)
            .map(|_| clients.enter("alice").unwrap())
            .collect();
        assert!(clients.enter("alice").is_err() && clients.enter("bob").is_ok());
        assert_eq!(clients.count(), MOST_OF_ONE, "bob left at once");
        drop(held);
        assert_eq!(clients.count(), 0);
        assert!(clients.0.is_empty(), "names are forgotten");
        assert!(clients.enter("alice").is_ok());
    }
}
