//! `exec`: any program that takes a JSON line and gives one back.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::time::timeout;

use super::make_one_line;
use super::program::{Program, Streams, command};
use crate::answer::{Answer, Wanted};
use crate::driver::{Action, ActionSpec, Driver, Row, ServiceContext, document};
use crate::error::SpecError;
use crate::json::{JsonPath, is_valid};
use crate::outcome::{Code, Failure, Outcome, Reason};
use crate::template::Template;
use crate::values::{Scope, Traits, Values};

/// The keys of an `exec` service that are its own.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExecOptions {
    /// The program and its arguments, without a shell. Each user has one of its own, which reads JSON lines
    /// and answers each with one.
    pub command: Vec<String>,
}

/// A line for a program.
#[derive(Clone, Debug)]
pub struct ExecAction {
    /// The line, as JSON.
    pub line: String,
}

/// Programs that take a JSON line and give one back.
///
/// A user's connection is a program of its own. It answers `{"outcome": "refused"}` or `{"outcome":
/// "unknown"}` where that is so; every other answer is an acknowledgement, and none at all is unknown.
pub struct Exec {
    context: ServiceContext,
    command: Box<[String]>,
    outcome: JsonPath,
    reason: JsonPath,
}

/// A compiled line.
pub struct ExecRequest {
    line: Template,
    timeout: Duration,
}

/// A program of one user.
pub struct ExecConnection {
    program: Program,
    input: Sender,
    output: BufReader<Receiver>,
    /// Nobody reads what it says beside, but the pipe must not be closed.
    _errors: Receiver,
    line: Vec<u8>,
    answer: Vec<u8>,
    is_open: bool,
}

/// The longest answer.
const LONGEST_LINE: usize = 16 << 20;

impl Driver for Exec {
    const KIND: &'static str = "exec";
    const ACTIONS: &'static [&'static str] = &["exec"];
    type Options = ExecOptions;
    type Request = ExecRequest;
    type Connection = ExecConnection;
    type Session = ();

    fn new(
        options: ExecOptions,
        context: &ServiceContext,
        scope: &mut Scope,
    ) -> Result<Self, SpecError> {
        Ok(Self {
            command: command(&options.command, scope)?,
            context: context.clone(),
            outcome: JsonPath::parse("$.outcome")?,
            reason: JsonPath::parse("$.reason")?,
        })
    }

    fn compile(&self, action: &ActionSpec, scope: &mut Scope) -> Result<ExecRequest, SpecError> {
        let Action::Exec(exec) = &action.action else {
            unreachable!("{}", crate::driver::OTHER_ACTION);
        };
        Ok(ExecRequest {
            line: Template::json(&exec.line, "the line", scope)
                .map_err(|error| error.under("exec"))?,
            timeout: action.timeout.unwrap_or(self.context.timeout),
        })
    }

    fn traits(&self, request: &ExecRequest) -> Traits {
        request.line.traits()
    }

    fn show(&self, request: &ExecRequest, values: &Values) -> Result<String, Failure> {
        let mut shown = Vec::new();
        request.line.render(values, &mut shown)?;
        Ok(String::from_utf8_lossy(&shown).into_owned())
    }

    async fn connect(&self, _: &Values) -> Result<ExecConnection, Failure> {
        let (program, streams) = Program::start(&self.command, &self.context)?;
        let Streams {
            input,
            output,
            errors,
        } = streams;
        Ok(ExecConnection {
            program,
            input,
            output: BufReader::new(output),
            _errors: errors,
            line: Vec::new(),
            answer: Vec::new(),
            is_open: true,
        })
    }

    fn is_open(&self, connection: &mut ExecConnection) -> bool {
        connection.is_open
    }

    async fn exchange(
        &self,
        connection: &mut ExecConnection,
        (): &mut (),
        request: &ExecRequest,
        values: &Values,
        answer: &mut Answer,
    ) -> Outcome {
        answer.clear();
        connection.line.clear();
        if let Err(failure) = request.line.render(values, &mut connection.line) {
            return Outcome::Refused(failure.reason);
        }
        // What goes wrong from here on, and a future that is dropped, leaves a program that nobody can
        // tell the next answer of.
        connection.is_open = false;
        answer.sent = Some(Instant::now());
        let asked = timeout(request.timeout, connection.ask());
        match asked.await {
            Ok(Ok(())) => {}
            Ok(Err(told)) => {
                answer.code = Code::Reset;
                return Outcome::Unknown(Reason::new(&told));
            }
            Err(_) => {
                let failed = Failure::no_answer(request.timeout);
                answer.code = failed.code;
                return Outcome::Unknown(failed.reason);
            }
        }
        answer.first_byte = Some(Instant::now());
        connection.is_open = true;
        self.judge(&connection.answer, answer)
    }

    async fn rows(
        &self,
        connection: &mut ExecConnection,
        session: &mut (),
        request: &ExecRequest,
        values: &Values,
        row: &mut dyn FnMut(Row<'_>) -> ControlFlow<()>,
    ) -> Result<(), Failure> {
        document(
            self,
            connection,
            session,
            request,
            values,
            LONGEST_LINE,
            row,
        )
        .await
    }

    async fn setting(&self, _: &mut ExecConnection, name: &str) -> Result<String, Failure> {
        let told = format!("a program has no setting `{name}` that could be asked for");
        Err(Failure::new(&told))
    }
}

impl Exec {
    fn judge(&self, line: &[u8], answer: &mut Answer) -> Outcome {
        if !is_valid(line) {
            return Outcome::Unknown(Reason::new("the answer is not a line of JSON"));
        }
        if let Wanted::Whole { limit } = answer.wanted
            && line.len() <= limit
        {
            answer.body.extend_from_slice(line);
        }
        let reason = || {
            let told = self.reason.first(line).unwrap_or(b"the program says so");
            Reason::new(String::from_utf8_lossy(told).trim_matches('"'))
        };
        match self.outcome.first(line) {
            Some(b"\"refused\"") => {
                answer.code = Code::word("refused");
                Outcome::Refused(reason())
            }
            Some(b"\"unknown\"") => {
                answer.code = Code::word("unknown");
                Outcome::Unknown(reason())
            }
            _ => Outcome::Acknowledged,
        }
    }
}

impl ExecConnection {
    /// Writes the line and reads the answer.
    async fn ask(&mut self) -> Result<(), String> {
        make_one_line(&mut self.line);
        self.line.push(b'\n');
        let written = self.input.write_all(&self.line).await;
        self.answer.clear();
        let read = match written {
            Ok(()) => self.output.read_until(b'\n', &mut self.answer).await,
            Err(error) => Err(error),
        };
        match read {
            Ok(1..) => Ok(()),
            Ok(0) => Err(format!("the program {}", self.program.ended())),
            Err(error) => Err(format!("the program does not listen: {error}")),
        }
    }
}
