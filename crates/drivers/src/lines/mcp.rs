//! MCP: tools that are called by JSON-RPC, over standard streams or Streamable HTTP, in the sessions of
//! 2025-11-25.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use tokio::time::timeout;

use super::make_one_line;
use super::mcp_http::{McpHttp, McpSession};
use super::program::command;
use super::server::Server;
use super::tools::ToolList;
use crate::answer::{Answer, Wanted};
use crate::driver::{Action, ActionSpec, Driver, Row, ServiceContext, document};
use crate::error::SpecError;
use crate::json::JsonPath;
use crate::names;
use crate::net::Address;
use crate::outcome::{Code, Failure, Outcome, Reason};
use crate::template::Template;
use crate::values::{Scope, Traits, Values};

/// The version of MCP that is spoken.
const VERSION: &str = "2025-11-25";

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
    /// Tools that may write. Those whose `readOnlyHint` is true need not be named.
    #[serde(default)]
    pub allow: Vec<String>,
}

/// A call of a tool.
#[derive(Clone, Debug)]
pub struct CallAction {
    /// The tool.
    pub tool: String,
    /// Its arguments, as JSON.
    pub args: Option<String>,
}

/// An MCP server: a program, or a service over HTTP.
///
/// All users share a program: a server over standard streams has one client, whose requests may overlap. Over
/// HTTP each has a session.
pub struct Mcp {
    context: ServiceContext,
    transport: Transport,
    allow: Vec<String>,
    /// The tools that the file calls.
    called: Mutex<Vec<String>>,
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
}

/// A compiled call.
pub struct McpRequest {
    tool: Box<str>,
    args: Template,
    timeout: Duration,
}

/// A user's share of a program, or its session over HTTP.
pub struct McpConnection(Link);

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
        Ok(Self {
            transport,
            context: context.clone(),
            allow: options.allow,
            called: Mutex::default(),
            paths: Paths {
                result: JsonPath::parse("$.result")?,
                error_code: JsonPath::parse("$.error.code")?,
                error_message: JsonPath::parse("$.error.message")?,
                is_error: JsonPath::parse("$.isError")?,
                text: JsonPath::parse("$.content[0].text")?,
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
        if call.tool.is_empty() {
            return Err(SpecError::new(0, "`call` names a tool").under("call"));
        }
        let args = call.args.as_deref().unwrap_or("{}");
        let args = Template::json(args, "`args`", scope).map_err(|error| error.under("args"))?;
        let mut called = self.called.lock().unwrap_or_else(PoisonError::into_inner);
        if !called.contains(&call.tool) {
            called.push(call.tool.clone());
        }
        Ok(McpRequest {
            tool: call.tool.as_str().into(),
            args,
            timeout: action.timeout.unwrap_or(self.context.timeout),
        })
    }

    fn traits(&self, request: &McpRequest) -> Traits {
        let of_service = match &self.transport {
            Transport::Program { .. } => Traits::default(),
            Transport::Http(http) => http.traits(),
        };
        request.args.traits() | of_service
    }

    fn show(&self, request: &McpRequest, values: &Values) -> Result<String, Failure> {
        let line = line(request, 1, values)?;
        Ok(String::from_utf8_lossy(&line).into_owned())
    }

    async fn connect(&self, values: &Values) -> Result<McpConnection, Failure> {
        let begun = async {
            match &self.transport {
                Transport::Program { command, server } => {
                    let mut server = server.lock().await;
                    let begun = match &*server {
                        Some(server) if server.is_open() => Arc::clone(server),
                        _ => Arc::new(self.begin(command).await?),
                    };
                    *server = Some(Arc::clone(&begun));
                    Ok(Link::Program(begun))
                }
                Transport::Http(http) => {
                    let mut session = http.begin(values, &hello()).await?;
                    if http.is_unchecked() {
                        self.check(&http.tools(&mut session, values).await?)?;
                        http.set_checked();
                    }
                    Ok(Link::Http(Box::new(session)))
                }
            }
        };
        match timeout(self.context.timeout, begun).await {
            Ok(begun) => begun.map(McpConnection),
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
        match (&mut connection.0, &self.transport) {
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
        let number = match &mut connection.0 {
            Link::Program(server) => server.number(),
            Link::Http(session) => session.number(),
        };
        let line = match line(request, number, values) {
            Ok(line) => line,
            Err(failure) => return Outcome::Refused(failure.reason),
        };
        answer.sent = Some(Instant::now());
        let asked = async {
            match (&mut connection.0, &self.transport) {
                (Link::Program(server), _) => {
                    let asked = server.ask(number, line).await;
                    asked.map_err(|failure| (Outcome::Unknown(failure.reason), failure.code))
                }
                (Link::Http(session), Transport::Http(http)) => {
                    http.ask(session, line, values).await
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
                if let Link::Http(session) = &mut connection.0 {
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
        let tools = match (&mut connection.0, &self.transport) {
            (Link::Http(session), Transport::Http(http)) => {
                http.tools(session, &Values::default()).await?
            }
            (Link::Program(server), _) => self.tools(server).await?,
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

/// What a client says first.
fn hello() -> Json {
    json!({
        "protocolVersion": VERSION,
        "capabilities": {},
        "clientInfo": { "name": "proofload", "version": env!("CARGO_PKG_VERSION") },
    })
}

/// A call as a line, without its end.
fn line(request: &McpRequest, number: u64, values: &Values) -> Result<Vec<u8>, Failure> {
    let mut line = format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":{number},\"method\":\"tools/call\",\"params\":{{\"name\":{},\"arguments\":",
        Json::from(&*request.tool)
    )
    .into_bytes();
    request.args.render(values, &mut line)?;
    line.extend_from_slice(b"}}");
    make_one_line(&mut line);
    Ok(line)
}

impl Mcp {
    /// Starts the server, begins a session, and asks the guard about the tools that the file calls.
    async fn begin(&self, command: &[String]) -> Result<Server, Failure> {
        let server = Server::start(command, &self.context)?;
        self.ask(&server, "initialize", &hello()).await?;
        let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        server.tell(&ready.to_string()).await?;
        let tools = self.tools(&server).await?;
        self.check(&tools)?;
        Ok(server)
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

    /// The tools, and whether each says that it only reads.
    async fn tools(&self, server: &Server) -> Result<BTreeMap<String, bool>, Failure> {
        let mut list = ToolList::default();
        while let Some(params) = list.next_page()? {
            let page = self.ask(server, "tools/list", &params).await?;
            list.add(&page);
        }
        Ok(list.tools)
    }

    /// The guard: tools that may write have to be allowed by name.
    fn check(&self, tools: &BTreeMap<String, bool>) -> Result<(), Failure> {
        let called = self.called.lock().unwrap_or_else(PoisonError::into_inner);
        for name in called.iter().chain(&self.allow) {
            let Some(only_reads) = tools.get(name) else {
                let known = tools.keys().map(String::as_str);
                return Err(Failure::new(&names::unknown("tool", name, "", known)));
            };
            if !only_reads && !self.allow.contains(name) {
                let told = format!("`{name}` may write: add it to `allow`");
                return Err(Failure::new(&told));
            }
        }
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
