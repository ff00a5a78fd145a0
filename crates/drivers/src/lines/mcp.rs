//! MCP: tools that are called by JSON-RPC, over standard streams or Streamable HTTP, in the sessions of
//! 2025-11-25 and without sessions, as of 2026-07-28.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use tokio::time::timeout;

use super::call::{Line, McpRequest};
use super::mcp_http::{McpHttp, McpSession};
use super::program::command;
use super::server::Server;
use super::tools::{Asked, Known, ToolList, Tools};
use super::version::{McpVersion, McpVersions};
use crate::answer::{Answer, Wanted};
use crate::driver::{Action, ActionSpec, Driver, Row, ServiceContext, document};
use crate::error::SpecError;
use crate::json::JsonPath;
use crate::net::Address;
use crate::outcome::{Code, Failure, Outcome, Reason};
use crate::values::{Scope, Slot, Traits, Value, Values};

/// JSON-RPC errors that are told before anything is done: no JSON, no request, no such method, wrong
/// arguments.
const REFUSALS: [i64; 4] = [-32700, -32600, -32601, -32602];

/// The keys of an MCP service that are this protocol's own.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct McpOptions {
    /// A server over standard streams and its arguments, without a shell. It is started once for all users,
    /// whose requests are under way at the same time.
    #[serde(default)]
    pub command: Option<Vec<String>>,
    /// A server over HTTP in place of it, such as `http://127.0.0.1:3101/mcp`. Each user has a session.
    #[serde(default)]
    pub url: Option<String>,
    /// Headers of every request over HTTP.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// A file with the authorities that may have issued its certificate; by default the system's.
    #[serde(default)]
    pub ca: Option<String>,
    /// The version that is spoken (2025-11-25); of a list, users take them in turn.
    #[serde(default)]
    pub version: McpVersions,
    /// Tools that may write, or "*" for all. Those whose `readOnlyHint` is true need not be named.
    #[serde(default)]
    pub allow: Vec<String>,
}

/// An MCP server: a program, or a service over HTTP.
///
/// All users share a program: a server over standard streams has one client, whose requests may overlap. Over
/// HTTP each has a session.
pub struct Mcp {
    context: ServiceContext,
    transport: Transport,
    versions: Box<[McpVersion]>,
    allow: Vec<String>,
    /// The tools that the file calls.
    asked: Mutex<Asked>,
    /// The tools that there are, once a server was asked.
    known: OnceLock<Known>,
    paths: Paths,
}

enum Transport {
    Program {
        command: Box<[String]>,
        server: tokio::sync::Mutex<Option<Arc<Server>>>,
    },
    Http(Box<McpHttp>),
}

struct Paths {
    result: JsonPath,
    error_code: JsonPath,
    error_message: JsonPath,
    is_error: JsonPath,
    text: JsonPath,
    result_type: JsonPath,
}

/// A user's share of a program, or its session over HTTP.
pub struct McpConnection {
    link: Link,
    /// Which of the service's versions it speaks.
    version: usize,
}

enum Link {
    Program(Arc<Server>),
    Http(Box<McpSession>),
}

/// The most bytes of one answer that rows are read from.
const LARGEST_READ: usize = 64 << 20;

impl Driver for Mcp {
    const KIND: &'static str = "mcp";
    const ACTIONS: &'static [&'static str] = &["call"];
    type Options = McpOptions;
    type Request = McpRequest;
    type Connection = McpConnection;
    type Session = ();

    fn new(
        options: McpOptions,
        context: &ServiceContext,
        scope: &mut Scope,
    ) -> Result<Self, SpecError> {
        let transport = match (&options.command, &options.url) {
            (Some(_), Some(_)) => {
                let told = "a service has `url` or `command`: leave one out";
                return Err(SpecError::new(0, told).under("url"));
            }
            (None, None) => {
                let told =
                    "`url` or `command` is missing, such as url = \"http://127.0.0.1:3101/mcp\"";
                return Err(SpecError::new(0, told));
            }
            (Some(words), None) => Transport::Program {
                command: command(words, scope)?,
                server: tokio::sync::Mutex::default(),
            },
            (None, Some(url)) => {
                let (headers, ca) = (options.headers.clone(), options.ca.clone());
                let http = McpHttp::new(url, headers, ca, context, scope)?;
                Transport::Http(Box::new(http))
            }
        };
        let versions = match options.version.0 {
            none if none.is_empty() => vec![McpVersion::default()],
            some => some,
        };
        if options.command.is_some() && versions.len() > 1 {
            let told = "a program speaks one version with its only client: leave the others out";
            return Err(SpecError::new(0, told).under("version"));
        }
        Ok(Self {
            transport,
            versions: versions.into(),
            context: context.clone(),
            allow: options.allow,
            asked: Mutex::default(),
            known: OnceLock::new(),
            paths: Paths {
                result: JsonPath::parse("$.result")?,
                error_code: JsonPath::parse("$.error.code")?,
                error_message: JsonPath::parse("$.error.message")?,
                is_error: JsonPath::parse("$.isError")?,
                text: JsonPath::parse("$.content[0].text")?,
                result_type: JsonPath::parse("$.resultType")?,
            },
        })
    }

    fn address(&self) -> Option<&Address> {
        match &self.transport {
            Transport::Http(http) => http.address(),
            Transport::Program { .. } => None,
        }
    }

    fn compile(&self, action: &ActionSpec, scope: &mut Scope) -> Result<McpRequest, SpecError> {
        let Action::Call(call) = &action.action else {
            unreachable!("{}", crate::driver::OTHER_ACTION);
        };
        let timeout = action.timeout.unwrap_or(self.context.timeout);
        let request = McpRequest::compile(call, timeout, scope)?;
        let mut asked = self.asked();
        match request.named() {
            Some(name) if !asked.called.iter().any(|known| known == name) => {
                asked.called.push(name.to_owned());
            }
            Some(_) => {}
            None => asked.calls_each = true,
        }
        Ok(request)
    }

    fn traits(&self, request: &McpRequest) -> Traits {
        let of_service = match &self.transport {
            Transport::Program { .. } => Traits::default(),
            Transport::Http(http) => http.traits(),
        };
        request.traits() | of_service
    }

    fn show(&self, request: &McpRequest, values: &Values) -> Result<String, Failure> {
        request.show(values)
    }

    fn variants(&self, request: &McpRequest) -> Vec<String> {
        let versions = self
            .versions
            .iter()
            .map(|version| version.date().to_owned());
        let mut variants: Vec<String> = match self.versions.len() {
            1 => Vec::new(),
            _ => versions.collect(),
        };
        if request.named().is_none() {
            let known = self.known.get();
            variants.extend(
                known
                    .into_iter()
                    .flat_map(|known| known.each.iter().cloned()),
            );
        }
        variants
    }

    fn has_unknown_variants(&self, request: &McpRequest) -> bool {
        request.named().is_none()
    }

    async fn connect(&self, values: &Values) -> Result<McpConnection, Failure> {
        let number = match values.get(Slot::USER) {
            Some(Value::Int(user)) => user as usize % self.versions.len(),
            _ => 0,
        };
        let version = self.versions[number];
        let begun = async {
            match &self.transport {
                Transport::Program { command, server } => {
                    let mut server = server.lock().await;
                    let begun = match &*server {
                        Some(server) if server.is_open() => Arc::clone(server),
                        _ => Arc::new(self.begin(command, version).await?),
                    };
                    *server = Some(Arc::clone(&begun));
                    Ok(Link::Program(begun))
                }
                Transport::Http(http) => {
                    let mut session = http.begin(values, version).await?;
                    if http.is_unchecked(version) {
                        self.check(http.tools(&mut session, values).await?)?;
                        http.set_checked(version);
                    }
                    Ok(Link::Http(Box::new(session)))
                }
            }
        };
        match timeout(self.context.timeout, begun).await {
            Ok(begun) => begun.map(|link| McpConnection {
                link,
                version: number,
            }),
            Err(_) => {
                let told = format!(
                    "`{}` did not begin a session in {:?}",
                    self.context.name, self.context.timeout
                );
                Err(Failure::with_code(&told, Code::Connect))
            }
        }
    }

    fn is_open(&self, connection: &mut McpConnection) -> bool {
        match (&mut connection.link, &self.transport) {
            (Link::Program(server), _) => server.is_open(),
            (Link::Http(session), Transport::Http(http)) => http.is_open(session),
            (Link::Http(_), Transport::Program { .. }) => false,
        }
    }

    async fn exchange(
        &self,
        connection: &mut McpConnection,
        (): &mut (),
        request: &McpRequest,
        values: &Values,
        answer: &mut Answer,
    ) -> Outcome {
        answer.clear();
        let McpConnection { link, version } = connection;
        let number = match link {
            Link::Program(server) => server.number(),
            Link::Http(session) => session.number(),
        };
        let Some(known) = self.known.get() else {
            return Outcome::Refused(Reason::new("no server has told its tools yet"));
        };
        let line = request.line(number, self.versions[*version], known, values);
        let Line { text, tool, turn } = match line {
            Ok(line) => line,
            Err(failure) => return Outcome::Refused(failure.reason),
        };
        let of_versions = match self.versions.len() {
            1 => 0,
            several => several,
        };
        answer.variants = [
            (of_versions > 0).then_some(*version),
            turn.map(|turn| of_versions + turn),
        ];
        answer.sent = Some(Instant::now());
        let asked = async {
            match (&mut *link, &self.transport) {
                (Link::Program(server), _) => {
                    let asked = server.ask(number, text).await;
                    asked.map_err(|failure| (Outcome::Unknown(failure.reason), failure.code))
                }
                (Link::Http(session), Transport::Http(http)) => {
                    http.ask(session, "tools/call", Some(&tool), text, values)
                        .await
                }
                (Link::Http(_), Transport::Program { .. }) => {
                    unreachable!("a connection of this service")
                }
            }
        };
        match timeout(request.timeout, asked).await {
            Ok(Ok(line)) => {
                answer.first_byte = Some(Instant::now());
                self.judge(&line, answer)
            }
            Ok(Err((outcome, code))) => {
                answer.code = code;
                outcome
            }
            Err(_) => {
                if let Link::Http(session) = link {
                    session.give_up();
                }
                let failed = Failure::no_answer(request.timeout);
                answer.code = failed.code;
                Outcome::Unknown(failed.reason)
            }
        }
    }

    async fn rows(
        &self,
        connection: &mut McpConnection,
        session: &mut (),
        request: &McpRequest,
        values: &Values,
        row: &mut dyn FnMut(Row<'_>) -> ControlFlow<()>,
    ) -> Result<(), Failure> {
        document(
            self,
            connection,
            session,
            request,
            values,
            LARGEST_READ,
            row,
        )
        .await
    }

    async fn setting(&self, connection: &mut McpConnection, name: &str) -> Result<String, Failure> {
        if name != "tools" {
            let told = format!("an MCP service has the setting `tools`, and no `{name}`");
            return Err(Failure::new(&told));
        }
        let version = self.versions[connection.version];
        let tools = match (&mut connection.link, &self.transport) {
            (Link::Http(session), Transport::Http(http)) => {
                http.tools(session, &Values::default()).await?
            }
            (Link::Program(server), _) => self.tools(server, version).await?,
            (Link::Http(_), Transport::Program { .. }) => {
                unreachable!("a connection of this service")
            }
        };
        Ok(tools.len().to_string())
    }

    async fn reset(&self) -> bool {
        match &self.transport {
            // Its users hold it as long as they are connected; for the next one it is started again.
            Transport::Program { server, .. } => server.lock().await.take().is_some(),
            Transport::Http(_) => false,
        }
    }
}

impl Mcp {
    /// Starts the server, begins a session, and asks the guard about the tools that the file calls.
    async fn begin(&self, command: &[String], version: McpVersion) -> Result<Server, Failure> {
        let server = Server::start(command, &self.context)?;
        if version == McpVersion::Sessions {
            self.ask(&server, "initialize", &version.hello()).await?;
            let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
            server.tell(&ready.to_string()).await?;
        }
        self.check(self.tools(&server, version).await?)?;
        Ok(server)
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        // Nothing under the lock panics half-way.
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self, server: &Server, method: &str, params: &Json) -> Result<Json, Failure> {
        let number = server.number();
        let request = json!({ "jsonrpc": "2.0", "id": number, "method": method, "params": params });
        let line = server.ask(number, request.to_string().into_bytes()).await?;
        let told = |problem: &str| {
            let told = format!("`{}` answered `{method}` with {problem}", self.context.name);
            Failure::with_code(&told, Code::Connect)
        };
        let answer: Json = serde_json::from_slice(&line).map_err(|_| told("what is no JSON"))?;
        match answer.get("result") {
            Some(result) => Ok(result.clone()),
            None => Err(told(&answer["error"]["message"].to_string())),
        }
    }

    async fn tools(&self, server: &Server, version: McpVersion) -> Result<Tools, Failure> {
        let mut list = ToolList::default();
        while let Some(params) = list.next_page()? {
            let params = version.enveloped(params);
            let page = self.ask(server, "tools/list", &params).await?;
            list.add(&page);
        }
        Ok(list.tools)
    }

    /// Asks the guard about the tools of a server, and keeps them.
    fn check(&self, tools: Tools) -> Result<(), Failure> {
        let known = self.asked().check(tools, &self.allow)?;
        // A server that was started again is taken to have the same.
        self.known.get_or_init(|| known);
        Ok(())
    }

    fn judge(&self, line: &[u8], answer: &mut Answer) -> Outcome {
        let text = |found: Option<&[u8]>| {
            String::from_utf8_lossy(found.unwrap_or_default())
                .trim_matches('"')
                .to_owned()
        };
        if let Some(code) = self.paths.error_code.first(line) {
            let code: i64 = text(Some(code)).parse().unwrap_or_default();
            answer.code = Code::word(&code.to_string());
            let message = text(self.paths.error_message.first(line));
            let reason = Reason::new(&format!("error {code}: {message}"));
            return match REFUSALS.contains(&code) {
                true => Outcome::Refused(reason),
                false => Outcome::Unknown(reason),
            };
        }
        let Some(result) = self.paths.result.first(line) else {
            return Outcome::Unknown(Reason::new("the answer has neither a result nor an error"));
        };
        if let Wanted::Whole { limit } = answer.wanted
            && result.len() <= limit
        {
            answer.body.extend_from_slice(result);
        }
        if self.paths.result_type.first(result) == Some(b"\"input_required\"") {
            answer.code = Code::word("input_required");
            return Outcome::Unknown(Reason::new(
                "the tool asks for input, which nobody gives here",
            ));
        }
        match self.paths.is_error.first(result) {
            Some(b"true") => {
                answer.code = Code::word("isError");
                let told = format!("the tool failed: {}", text(self.paths.text.first(result)));
                Outcome::Unknown(Reason::new(&told))
            }
            _ => Outcome::Acknowledged,
        }
    }
}
