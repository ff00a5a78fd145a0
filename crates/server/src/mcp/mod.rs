//! MCP: the routes as tools, for agents that speak JSON-RPC.
//!
//! A tool is a route: its arguments are the route's path, query, key and body, and it is called through the same
//! router, so that a tool can do nothing that the route refuses. No tool decides: a model must not vote with a
//! person's token.
//!
//! There is no library behind it. The protocol's part that a server without sessions needs is four methods, while
//! `rmcp` would add its own transport, sessions and router beside those that are here, and a minute to each build.

mod approve;
mod arguments;
mod call;
mod elicit;
mod era;
mod message;
pub(crate) mod tools;

use axum::Router;
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use schemars::JsonSchema;
use serde_json::{Map, Value, json};

use crate::access::principal::Principal;
use crate::http::body;
use crate::http::facts::Access;
use crate::http::lane::Lane;
use crate::http::problem::{Code, Problem};
use crate::http::route::Route;
use crate::state::{App, AppState};

use self::call::Outcome;
use self::era::Era;
use self::message::{Fault, Message, Params};

/// The router that tools are called through: all routes but this one.
#[derive(Clone)]
pub(crate) struct Api(pub(crate) Router);

/// How long a client may keep the list of tools, which only another build changes.
const FRESH_MS: u64 = 300_000;

const INSTRUCTIONS: &str = "Ask before you act: request_approval with exactly the action that will run, get_approval \
                            until it is approved, claim_approval, run the action once, finish_approval. People \
                            decide in the inbox; no tool does.";

/// A request of JSON-RPC 2.0, or a notification.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "it only describes")]
struct Asked {
    jsonrpc: String,
    id: Option<Value>,
    method: String,
    params: Option<Map<String, Value>>,
}

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::post("/mcp", answer)
            .does(
                "MCP over Streamable HTTP, 2025-11-25 and 2026-07-28; a notification is answered by 202",
                Access::Anyone,
            )
            .takes::<Asked>()
            .gives::<Map<String, Value>>(200)
            .in_lane(Lane::Read)
            .refuses(&[Code::OriginRefused, Code::MethodNotAllowed]),
    ]
}

async fn answer(
    State(app): State<App>,
    Extension(Api(api)): Extension<Api>,
    who: Principal,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Problem> {
    app.origins.check(&Method::POST, &headers)?;
    if !body::is_json(&headers) {
        let detail = "send the message as application/json";
        return Err(Problem::new(Code::UnsupportedMediaType, detail));
    }
    let bytes = body::read(request.into_body()).await?;
    let message = match message::parse(&bytes) {
        Ok(message) => message,
        Err(fault) => return Ok(fault.response(&Value::Null, StatusCode::BAD_REQUEST)),
    };
    // Answers of clients and notifications: nothing is asked of a client in a stream of its own, and nothing is
    // done here that a client could cancel halfway.
    let (Some(id), Some(method)) = (message.id.clone(), message.method.as_deref()) else {
        return Ok(StatusCode::ACCEPTED.into_response());
    };
    let asked = Asking {
        app: &app,
        api: &api,
        who: &who,
        headers: &headers,
    };
    match asked.dispatch(method, &message).await? {
        Ok(result) => Ok(message::result(&id, result)),
        Err((fault, status)) => Ok(fault.response(&id, status)),
    }
}

/// Who asks, of whom.
struct Asking<'a> {
    app: &'a AppState,
    api: &'a Router,
    who: &'a Principal,
    headers: &'a HeaderMap,
}

/// A result, or what is wrong with the status that says so. Nothing is answered where the server cannot take the call.
type Answer = Result<Result<Value, (Fault, StatusCode)>, Problem>;

impl Asking<'_> {
    async fn dispatch(&self, method: &str, message: &Message) -> Answer {
        let params = match message.params() {
            Ok(params) => params,
            Err(fault) => return Ok(Err((fault, StatusCode::OK))),
        };
        let era = match era::of(method, &params, self.headers) {
            Ok(era) => era,
            Err(fault) => return Ok(Err((fault, StatusCode::BAD_REQUEST))),
        };
        let result = match (method, era) {
            ("initialize", Era::Handshake) => Ok(hello(&params)),
            ("ping", Era::Handshake) => Ok(json!({})),
            ("server/discover", Era::Stateless) => Ok(discovered()),
            ("tools/list", _) => Ok(self.list()),
            ("tools/call", _) => match self.call(&params, era).await? {
                Ok(result) => Ok(result),
                Err(fault) => return Ok(Err((fault, StatusCode::OK))),
            },
            _ => {
                let status = match era {
                    Era::Handshake => StatusCode::OK,
                    Era::Stateless => StatusCode::NOT_FOUND,
                };
                let told = format!("there is no method {method:?} here");
                return Ok(Err((Fault::new(Fault::NO_METHOD, told), status)));
            }
        };
        Ok(result.map(|result| era.complete(result)))
    }

    fn list(&self) -> Value {
        let tools = self.app.tools.of_role(self.who.role);
        let tools: Vec<&Value> = tools.map(|tool| &tool.listing).collect();
        json!({ "tools": tools, "ttlMs": FRESH_MS, "cacheScope": "private" })
    }

    async fn call(&self, params: &Params, era: Era) -> Result<Result<Value, Fault>, Problem> {
        let name = params.name.as_deref().unwrap_or_default();
        let tool = self
            .app
            .tools
            .of_role(self.who.role)
            .find(|tool| tool.spec.name == name);
        let Some(tool) = tool else {
            let told = format!(
                "there is no tool {name:?} for a token of the role {}",
                self.who.role
            );
            return Ok(Err(Fault::new(Fault::PARAMS, told)));
        };
        let arguments = match arguments::parse(params.arguments.as_deref()) {
            Ok(arguments) => arguments,
            Err(fault) => return Ok(Err(fault)),
        };
        let outcome = match tool.route {
            None => approve::ask(self.app, self.who, &arguments).await,
            Some(_) => call::through(self.api, self.who, tool, arguments).await,
        };
        Ok(match outcome {
            // A model reads what a tool says, and corrects itself; an error of the protocol stays with its host.
            Outcome::Wrong(fault) => Ok(text(&fault.problem().to_string(), true)),
            Outcome::Overloaded(detail) => return Err(Problem::new(Code::Overloaded, detail)),
            Outcome::Refused(problem) => Ok(text(&problem.to_string(), true)),
            Outcome::Said(said) => Ok(text(&said, false)),
            Outcome::Done(found) => Ok(self.done(tool.spec.name, found, params, era)),
        })
    }

    fn done(&self, tool: &str, found: Value, params: &Params, era: Era) -> Value {
        let place = elicit::place(tool, &found, &self.app.origins, self.headers);
        if let (Some(place), Era::Stateless) = (&place, era)
            && let Some(question) =
                elicit::question(&self.app.tools.secret, self.who, &found, place, params)
        {
            return question;
        }
        let mut content = vec![json!({ "type": "text", "text": found.to_string() })];
        if let Some(place) = place {
            let told = format!("A person decides at {place}; wait for it with get_approval.");
            content.push(json!({ "type": "text", "text": told }));
        }
        json!({ "content": content, "structuredContent": found, "isError": false })
    }
}

fn text(text: &str, is_error: bool) -> Value {
    json!({ "content": [{ "type": "text", "text": text }], "isError": is_error })
}

fn server() -> Value {
    json!({ "name": "proofload", "title": "Proofload gate", "version": env!("CARGO_PKG_VERSION") })
}

fn hello(params: &Params) -> Value {
    json!({
        "protocolVersion": era::agreed(params.protocol_version.as_deref()),
        "capabilities": { "tools": {} },
        "serverInfo": server(),
        "instructions": INSTRUCTIONS,
    })
}

fn discovered() -> Value {
    json!({
        "supportedVersions": era::supported(),
        "capabilities": { "tools": {} },
        "instructions": INSTRUCTIONS,
        "ttlMs": FRESH_MS,
        "cacheScope": "public",
        "_meta": { "io.modelcontextprotocol/serverInfo": server() },
    })
}

/// A message as it is answered, in one write.
fn whole(status: StatusCode, message: &Value) -> Response {
    let media_type = HeaderValue::from_static("application/json");
    (
        status,
        [(header::CONTENT_TYPE, media_type)],
        message.to_string(),
    )
        .into_response()
}
