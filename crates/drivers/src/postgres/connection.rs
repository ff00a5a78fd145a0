//! A connection to PostgreSQL, which is driven while it is used.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use tokio_postgres::tls::NoTlsStream;
use tokio_postgres::{Client, Error};

use super::failure::failure;
use crate::net::Stream;
use crate::outcome::{Code, Failure};

type Wire = tokio_postgres::Connection<Stream, NoTlsStream>;

/// A connection to PostgreSQL.
pub struct PostgresConnection {
    pub(super) session: Session,
    wire: Wire,
    pub(super) is_open: bool,
}

/// What statements are sent through.
pub(super) struct Session {
    pub(super) client: Client,
    /// By the statements' numbers.
    prepared: Vec<Option<tokio_postgres::Statement>>,
}

impl PostgresConnection {
    pub(super) fn new(client: Client, wire: Wire) -> Self {
        Self {
            session: Session {
                client,
                prepared: Vec::new(),
            },
            wire,
            is_open: true,
        }
    }

    pub(super) fn is_open(&mut self) -> bool {
        if !self.is_open || self.session.client.is_closed() {
            return false;
        }
        // A server that went away has said so, which nobody has read yet.
        let mut context = Context::from_waker(Waker::noop());
        self.is_open = Pin::new(&mut self.wire).poll(&mut context).is_pending();
        self.is_open
    }

    /// The session, and what has to be driven while it is used: in one task, so that no other has to be
    /// woken for each message.
    pub(super) fn parts(&mut self) -> (&mut Session, &mut Wire) {
        (&mut self.session, &mut self.wire)
    }
}

impl Session {
    /// The statement as this connection has prepared it, which is done once.
    pub(super) async fn prepare(
        &mut self,
        statement: &super::statement::Statement,
    ) -> Result<tokio_postgres::Statement, Error> {
        let number = statement.number;
        if let Some(Some(prepared)) = self.prepared.get(number) {
            return Ok(prepared.clone());
        }
        let prepared = self.client.prepare(&statement.text).await?;
        if self.prepared.len() <= number {
            self.prepared.resize(number + 1, None);
        }
        self.prepared[number] = Some(prepared.clone());
        Ok(prepared)
    }
}

/// Runs a task to its end while the connection takes its messages to and fro.
///
/// # Errors
///
/// The connection ended first. The task would wait for ever: its answers come through the connection, which
/// only tells so when it is dropped.
pub(super) async fn drive<T>(
    wire: &mut Wire,
    task: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let mut task = pin!(task);
    poll_fn(|context| {
        if let Poll::Ready(done) = task.as_mut().poll(context) {
            return Poll::Ready(done);
        }
        let ended = Pin::new(&mut *wire).poll(context);
        match (task.as_mut().poll(context), ended) {
            (Poll::Ready(done), _) => Poll::Ready(done),
            (Poll::Pending, Poll::Pending) => Poll::Pending,
            (Poll::Pending, Poll::Ready(Ok(()))) => {
                let told = "the server closed the connection";
                Poll::Ready(Err(Failure::with_code(told, Code::Reset)))
            }
            (Poll::Pending, Poll::Ready(Err(error))) => Poll::Ready(Err(failure(&error))),
        }
    })
    .await
}
