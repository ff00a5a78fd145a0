//! The driver: statements from templates, outcomes from SQLSTATEs and from what was sent.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::time::timeout;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Config, NoTls};

use super::column;
use super::connection::{PostgresConnection, Session, drive};
use super::failure::{failure, of_connecting, outcome};
use super::options::{Isolation, PostgresOptions, SqlAction};
use super::statement::{Parameter, Statement};
use crate::answer::Answer;
use crate::driver::{Action, ActionSpec, Driver, Purpose, Row, ServiceContext};
use crate::error::SpecError;
use crate::guard::{check_database, check_host};
use crate::net::{Address, Detour, Scheme, connect};
use crate::outcome::{Code, Failure, Outcome};
use crate::values::{Scope, Traits, Values};

const SCHEMES: [Scheme; 2] = [
    Scheme {
        name: "postgres",
        port: 5432,
        tls: false,
    },
    Scheme {
        name: "postgresql",
        port: 5432,
        tls: false,
    },
];

/// Rows that a read takes at a time.
const FETCHED: i32 = 1000;

/// A PostgreSQL service.
pub struct Postgres {
    name: Box<str>,
    address: Address,
    config: Config,
    timeout: Duration,
    detour: Detour,
    /// How many statements were compiled.
    statements: AtomicUsize,
}

/// Compiled statements.
pub struct PostgresRequest {
    kind: Kind,
    statements: Box<[Statement]>,
    timeout: Duration,
}

enum Kind {
    /// One statement, which is committed when it is done.
    One,
    /// One transaction, and the statement that begins it.
    Transaction(&'static str),
    /// A text of a set-up that may hold several statements.
    Script,
}

impl Driver for Postgres {
    const KIND: &'static str = "postgres";
    const ACTIONS: &'static [&'static str] = &["sql"];
    type Options = PostgresOptions;
    type Request = PostgresRequest;
    type Connection = PostgresConnection;
    type Session = ();

    fn new(
        options: PostgresOptions,
        context: &ServiceContext,
        scope: &mut Scope,
    ) -> Result<Self, SpecError> {
        let in_url = |error: SpecError| error.under("url");
        let wrong = |told: &str| in_url(SpecError::new(0, told));
        let address = Address::parse(&options.url, Self::KIND, &SCHEMES, scope);
        let mut address = address.map_err(in_url)?;
        let port = address.port.unwrap_or(SCHEMES[0].port);
        for (key, value) in address.query().collect::<Vec<_>>() {
            match (&*key, &*value) {
                ("host", folder) if folder.starts_with('/') => {
                    address.host = format!("{folder}/.s.PGSQL.{port}").into();
                    address.port = None;
                }
                ("sslmode", "disable" | "allow" | "prefer") => {}
                ("sslmode", _) => {
                    return Err(wrong(
                        "PostgreSQL is spoken to without TLS: sslmode=disable",
                    ));
                }
                (other, _) => {
                    let told = format!("`{other}` is neither `host`, a folder, nor `sslmode`");
                    return Err(wrong(&told));
                }
            }
        }
        if address.port.is_some() {
            check_host(&address.host, context).map_err(in_url)?;
        }
        let user = address.user.as_deref().unwrap_or("postgres");
        let database = match address.path.trim_start_matches('/') {
            "" => user,
            name => name,
        };
        check_database(&context.name, database, &options.allow).map_err(in_url)?;
        let mut config = Config::new();
        config
            .user(user)
            .dbname(database)
            .application_name("proofload");
        if let Some(password) = &address.password {
            config.password(password.as_bytes());
        }
        Ok(Self {
            name: context.name.clone(),
            address,
            config,
            timeout: context.timeout,
            detour: context.detour.clone(),
            statements: AtomicUsize::new(0),
        })
    }

    fn address(&self) -> Option<&Address> {
        Some(&self.address)
    }

    fn compile(
        &self,
        action: &ActionSpec,
        scope: &mut Scope,
    ) -> Result<PostgresRequest, SpecError> {
        let Action::Sql(sql) = &action.action else {
            unreachable!("{}", crate::driver::OTHER_ACTION);
        };
        let parse = |(number, text): (usize, &String)| {
            let turn = self.statements.fetch_add(1, Ordering::Relaxed);
            Statement::parse(text, action.purpose, turn, scope).map_err(|error| {
                match sql.is_transaction {
                    true => error.under(number).under("sql"),
                    false => error.under("sql"),
                }
            })
        };
        let statements = sql.statements.iter().enumerate().map(parse);
        let statements = statements.collect::<Result<Box<[Statement]>, _>>()?;
        Ok(PostgresRequest {
            kind: kind(sql, action.purpose, &statements)?,
            statements,
            timeout: action.timeout.unwrap_or(self.timeout),
        })
    }

    fn traits(&self, request: &PostgresRequest) -> Traits {
        let traits = request.statements.iter().map(Statement::traits);
        traits.fold(Traits::default(), |all, one| all | one)
    }

    fn show(&self, request: &PostgresRequest, values: &Values) -> Result<String, Failure> {
        let shown = request.statements.iter().map(|one| one.show(values));
        let mut shown = shown.collect::<Result<Vec<String>, _>>()?;
        if let Kind::Transaction(begin) = request.kind {
            shown.insert(0, begin.to_owned());
            shown.push("COMMIT".to_owned());
        }
        Ok(shown.join("\n"))
    }

    async fn connect(&self, _: &Values) -> Result<PostgresConnection, Failure> {
        let stream = connect(&self.address, &self.detour, None, &self.name, self.timeout).await?;
        match timeout(self.timeout, self.config.connect_raw(stream, NoTls)).await {
            Ok(Ok((client, wire))) => Ok(PostgresConnection::new(client, wire)),
            Ok(Err(error)) => Err(of_connecting(&error)),
            Err(_) => {
                let told = format!("`{}` gave no session in {:?}", self.name, self.timeout);
                Err(Failure::with_code(&told, Code::Connect))
            }
        }
    }

    fn is_open(&self, connection: &mut PostgresConnection) -> bool {
        connection.is_open()
    }

    async fn exchange(
        &self,
        connection: &mut PostgresConnection,
        (): &mut (),
        request: &PostgresRequest,
        values: &Values,
        answer: &mut Answer,
    ) -> Outcome {
        answer.clear();
        let filled = request.statements.iter().map(|one| one.fill(values));
        let filled = match filled.collect::<Result<Vec<_>, _>>() {
            Ok(filled) => filled,
            Err(failure) => return Outcome::Refused(failure.reason),
        };
        answer.sent = Some(Instant::now());
        let mut may_be_committed = false;
        // So it stays if this future is dropped: nobody knows then what comes next.
        connection.is_open = false;
        let (session, wire) = connection.parts();
        let mut attempt = Attempt {
            session,
            may_be_committed: &mut may_be_committed,
            answer,
        };
        let done = timeout(
            request.timeout,
            drive(wire, attempt.request(request, &filled)),
        );
        let failed = match done.await {
            Ok(Ok(())) => {
                answer.first_byte = Some(Instant::now());
                connection.is_open = true;
                return Outcome::Acknowledged;
            }
            Ok(Err(failed)) => failed,
            Err(_) => Failure::no_answer(request.timeout),
        };
        connection.is_open = matches!(failed.code, Code::Word(_) | Code::None);
        answer.code = failed.code;
        answer.body.clear();
        outcome(&failed, may_be_committed)
    }

    async fn rows(
        &self,
        connection: &mut PostgresConnection,
        (): &mut (),
        request: &PostgresRequest,
        values: &Values,
        row: &mut dyn FnMut(Row<'_>) -> ControlFlow<()>,
    ) -> Result<(), Failure> {
        let [statement] = &*request.statements else {
            return Err(Failure::new("a read is one statement"));
        };
        let parameters = statement.fill(values)?;
        let (session, wire) = connection.parts();
        let reading = read(session, statement, &parameters, request.timeout, row);
        drive(wire, reading).await
    }

    async fn setting(
        &self,
        connection: &mut PostgresConnection,
        name: &str,
    ) -> Result<String, Failure> {
        let (session, wire) = connection.parts();
        let parameters: [&(dyn ToSql + Sync); 1] = [&name];
        let asked = async {
            let statement = "select current_setting($1)";
            let row = session.client.query_one(statement, &parameters).await;
            row.map_err(|error| failure(&error))
        };
        let answered = timeout(self.timeout, drive(wire, asked)).await;
        let row = answered.map_err(|_| Failure::no_answer(self.timeout))??;
        row.try_get(0).map_err(|error| failure(&error))
    }
}

fn kind(sql: &SqlAction, purpose: Purpose, statements: &[Statement]) -> Result<Kind, SpecError> {
    if sql.is_transaction {
        return match statements.is_empty() {
            true => {
                let told = "a transaction is a list of statements, and this one is empty";
                Err(SpecError::new(0, told).under("sql"))
            }
            false => Ok(Kind::Transaction(Isolation::begin(sql.isolation))),
        };
    }
    if sql.isolation.is_some() {
        let told = "`isolation` is for a list of statements, which is one transaction";
        return Err(SpecError::new(0, told).under("isolation"));
    }
    let is_plain = statements.iter().all(|one| one.parameters.is_empty());
    Ok(match purpose == Purpose::SetUp && is_plain {
        true => Kind::Script,
        false => Kind::One,
    })
}

/// One attempt at a request.
struct Attempt<'a> {
    session: &'a mut Session,
    /// Whether a COMMIT was sent, or a statement that needs none.
    may_be_committed: &'a mut bool,
    answer: &'a mut Answer,
}

impl Attempt<'_> {
    async fn request(
        &mut self,
        request: &PostgresRequest,
        filled: &[Vec<Parameter>],
    ) -> Result<(), Failure> {
        let all = || request.statements.iter().zip(filled);
        match request.kind {
            Kind::One => {
                for (statement, parameters) in all() {
                    self.statement(statement, parameters, true).await?;
                }
                Ok(())
            }
            Kind::Script => {
                *self.may_be_committed = true;
                for (statement, _) in all() {
                    self.batch(&statement.text).await?;
                }
                Ok(())
            }
            Kind::Transaction(begin) => {
                self.batch(begin).await?;
                for (statement, parameters) in all() {
                    if let Err(failed) = self.statement(statement, parameters, false).await {
                        // One that broke has nothing to be rolled back any more.
                        let _ = self.batch("ROLLBACK").await;
                        return Err(failed);
                    }
                }
                *self.may_be_committed = true;
                self.batch("COMMIT").await
            }
        }
    }

    async fn batch(&self, text: &str) -> Result<(), Failure> {
        let done = self.session.client.batch_execute(text).await;
        done.map_err(|error| failure(&error))
    }

    /// Does one statement, whose rows are the answer.
    async fn statement(
        &mut self,
        statement: &Statement,
        parameters: &[Parameter],
        commits: bool,
    ) -> Result<(), Failure> {
        let prepared = self.session.prepare(statement).await;
        let prepared = prepared.map_err(|error| failure(&error))?;
        *self.may_be_committed = commits;
        let parameters = bound(parameters);
        let rows = self.session.client.query(&prepared, &parameters).await;
        let rows = rows.map_err(|error| failure(&error))?;
        let body = &mut self.answer.body;
        body.clear();
        let Some(limit) = self.answer.wanted.limit() else {
            return Ok(());
        };
        body.push(b'[');
        for (number, row) in rows.iter().enumerate() {
            if number > 0 {
                body.push(b',');
            }
            column::object(row, body)?;
        }
        body.push(b']');
        if body.len() > limit {
            body.clear();
        }
        Ok(())
    }
}

/// Parameters as the client takes them.
fn bound(parameters: &[Parameter]) -> Vec<&(dyn ToSql + Sync)> {
    let parameters = parameters.iter();
    parameters.map(|one| one as &(dyn ToSql + Sync)).collect()
}

/// Reads rows through a portal in a transaction that cannot write, so that no more than a few are held.
async fn read(
    session: &mut Session,
    statement: &Statement,
    parameters: &[Parameter],
    within: Duration,
    row: &mut dyn FnMut(Row<'_>) -> ControlFlow<()>,
) -> Result<(), Failure> {
    let late = |_| Failure::no_answer(within);
    let told = |error: tokio_postgres::Error| failure(&error);
    let parameters = bound(parameters);
    let opened = async {
        let prepared = session.prepare(statement).await?;
        let transaction = session.client.build_transaction().read_only(true);
        let transaction = transaction.start().await?;
        let portal = transaction.bind(&prepared, &parameters).await?;
        Ok((transaction, portal))
    };
    let opened = timeout(within, opened).await;
    let (transaction, portal) = opened.map_err(late)?.map_err(told)?;
    let mut element = Vec::new();
    loop {
        let page = timeout(within, transaction.query_portal(&portal, FETCHED)).await;
        let page = page.map_err(late)?.map_err(told)?;
        for found in &page {
            element.clear();
            column::object(found, &mut element)?;
            if row(Row::Element(&element)).is_break() {
                return Ok(());
            }
        }
        if page.len() < FETCHED as usize {
            break;
        }
    }
    let ended = timeout(within, transaction.rollback()).await;
    ended.map_err(late)?.map_err(told)
}
