//! What every protocol's driver does, and the enums over all of them.

#[macro_use]
mod dispatch;
mod action;
mod context;

pub use action::{Action, ActionSpec, Purpose};
pub use context::ServiceContext;

use std::ops::ControlFlow;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::answer::{Answer, Wanted};
use crate::error::SpecError;
use crate::net::Address;
use crate::outcome::{Failure, Outcome};
use crate::values::{Scope, Traits, Values};

/// An action is compiled by a driver that understands it; to hand it to another is a mistake of the caller.
pub(crate) const OTHER_ACTION: &str = "an action that the driver understands";

/// A part of what a read found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row<'r> {
    /// The whole answer, as JSON: the rows are in it.
    Document(&'r [u8]),
    /// One element of the list that `$` is, as JSON.
    Element(&'r [u8]),
}

/// One protocol under load: requests are compiled once, and exchanged as often as the load says.
///
/// All of a connection's code runs on one thread, so nothing of it has to be `Send`. An exchange whose
/// future is dropped leaves its connection unusable: drop it as well.
pub trait Driver: Sized + Send + Sync + 'static {
    /// The value of `kind`.
    const KIND: &'static str;
    /// The actions it understands, by the keys of a step.
    const ACTIONS: &'static [&'static str];
    /// The keys of a service that are this protocol's own.
    type Options: DeserializeOwned + JsonSchema + Send;
    /// A compiled action.
    type Request: Send + Sync;
    /// A connection with its buffers.
    type Connection;
    /// What one user keeps over all its connections, such as cookies.
    type Session: Default;

    /// A driver for one service. The guard is asked before anything is connected.
    ///
    /// # Errors
    ///
    /// A mistake in the options, or what the guard refuses.
    fn new(
        options: Self::Options,
        context: &ServiceContext,
        scope: &mut Scope,
    ) -> Result<Self, SpecError>;

    /// Where it connects to; nothing of a program.
    fn address(&self) -> Option<&Address> {
        None
    }

    /// Compiles an action, with slots for its placeholders. The guard is asked.
    ///
    /// # Errors
    ///
    /// A mistake in the action, or what the guard refuses.
    fn compile(&self, action: &ActionSpec, scope: &mut Scope) -> Result<Self::Request, SpecError>;

    /// What a request depends on, the service's headers included.
    fn traits(&self, request: &Self::Request) -> Traits;

    /// What its exchanges are told apart by in reports, such as versions of the protocol and tools: their names,
    /// as far as they are known. [`Answer::variants`] has their numbers.
    fn variants(&self, request: &Self::Request) -> Vec<String> {
        let _ = request;
        Vec::new()
    }

    /// Whether there are variants that only the service can tell.
    fn has_unknown_variants(&self, request: &Self::Request) -> bool {
        let _ = request;
        false
    }

    /// The request as it would be sent, for people to read.
    ///
    /// # Errors
    ///
    /// A value is not known yet, or cannot stand in its place.
    fn show(&self, request: &Self::Request, values: &Values) -> Result<String, Failure>;

    /// Opens a connection, with its handshake, in the service's time.
    ///
    /// # Errors
    ///
    /// There is none, and why.
    fn connect(&self, values: &Values) -> impl Future<Output = Result<Self::Connection, Failure>>;

    /// Whether a connection can take another request, as far as it can be told without asking.
    fn is_open(&self, connection: &mut Self::Connection) -> bool;

    /// Sends one request and reads its whole answer, in the step's time.
    ///
    /// The outcome is the protocol's; what a file expects beyond that is judged by its reader.
    fn exchange(
        &self,
        connection: &mut Self::Connection,
        session: &mut Self::Session,
        request: &Self::Request,
        values: &Values,
        answer: &mut Answer,
    ) -> impl Future<Output = Outcome>;

    /// Reads, and gives what is found to `row`, which may end the reading.
    ///
    /// # Errors
    ///
    /// It could not be read. The code tells absence where a protocol says so, such as 404.
    fn rows(
        &self,
        connection: &mut Self::Connection,
        session: &mut Self::Session,
        request: &Self::Request,
        values: &Values,
        row: &mut dyn FnMut(Row<'_>) -> ControlFlow<()>,
    ) -> impl Future<Output = Result<(), Failure>>;

    /// What `require` asks for: a setting of the service, as text.
    ///
    /// # Errors
    ///
    /// There is no such setting, or it could not be asked for.
    fn setting(
        &self,
        connection: &mut Self::Connection,
        name: &str,
    ) -> impl Future<Output = Result<String, Failure>>;

    /// Lets go of a program that the driver has started for all connections, so that the next connection
    /// starts it again; whether there was one. It ends with the last connection to it.
    fn reset(&self) -> impl Future<Output = bool> {
        async { false }
    }
}

/// Reads by one exchange, whose whole answer of at most so many bytes is the one row.
pub(crate) async fn document<D: Driver>(
    driver: &D,
    connection: &mut D::Connection,
    session: &mut D::Session,
    request: &D::Request,
    values: &Values,
    limit: usize,
    row: &mut dyn FnMut(Row<'_>) -> ControlFlow<()>,
) -> Result<(), Failure> {
    let mut answer = Answer {
        wanted: Wanted::Whole { limit },
        ..Answer::default()
    };
    let asked = driver.exchange(connection, session, request, values, &mut answer);
    match asked.await {
        Outcome::Acknowledged => {
            // There is one row, after which nothing is left to be stopped.
            let _ = row(Row::Document(&answer.body));
            Ok(())
        }
        Outcome::Refused(reason) | Outcome::Unknown(reason) => Err(Failure {
            reason,
            code: answer.code,
        }),
    }
}
