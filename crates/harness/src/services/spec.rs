//! What a file says about services, flows and effects, key by key. Its meaning is checked in `compile`.

use std::collections::BTreeMap;

use drivers::{Isolation, PartSpec, SqlAction, StreamKind};
use load_engine::quantity::Time;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::ThinkSpec;

/// The tables beside `[services]`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FlowsSpec {
    /// What a user does in an iteration, step after step; a flow is a list of steps.
    #[serde(default)]
    pub(super) flows: BTreeMap<String, Vec<StepSpec>>,
    /// Effects that steps leave, and how they are read back.
    #[serde(default)]
    pub(super) effects: BTreeMap<String, EffectSpec>,
    /// Requests whose answer is the same before, during and after the load.
    #[serde(default)]
    pub(super) invariants: BTreeMap<String, InvariantSpec>,
    /// Steps before the load: once, or once for each user.
    #[serde(default)]
    pub(super) setup: Vec<StepSpec>,
    /// Steps after everything, once.
    #[serde(default)]
    pub(super) teardown: Vec<StepSpec>,
    /// Weights of flows (equal weights).
    #[serde(default)]
    pub(super) mix: Option<BTreeMap<String, u32>>,
}

/// The keys of a phase that belong to services.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PhaseSpec {
    /// Weights of flows in this phase.
    #[serde(default)]
    pub(super) mix: Option<BTreeMap<String, u32>>,
    /// What happens to services in this phase.
    #[serde(default)]
    pub(super) faults: Vec<FaultSpec>,
}

/// What happens to a service during the load.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FaultSpec {
    /// When, from the phase's begin.
    pub(super) at: Time,
    /// How long a service stays killed or paused.
    #[serde(default, rename = "for")]
    pub(super) length: Option<Time>,
    /// What happens.
    pub(super) kind: FaultKind,
    /// To which service; the only one that it can happen to.
    #[serde(default)]
    pub(super) service: Option<String>,
    /// How much: a time of `latency`, a size of `limit_data`, a size per second of `bandwidth`.
    #[serde(default)]
    pub(super) value: Option<String>,
    /// To which share of connections, of requests for `drop_answer` and `duplicate` (100%).
    #[serde(default)]
    pub(super) share: Option<String>,
    /// Which way, of `latency`, `bandwidth`, `timeout` and `limit_data` (both).
    #[serde(default)]
    pub(super) direction: Option<DirectionSpec>,
}

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum DirectionSpec {
    /// To the service.
    Requests,
    /// From the service.
    Answers,
}

/// What can happen to a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum FaultKind {
    /// It is restarted.
    Restart,
    /// It is killed by SIGKILL, and started again after a time.
    Kill,
    /// It is stopped where it is, and goes on after a time.
    Pause,
    /// What is sent to it and what it sends arrives later.
    Latency,
    /// So many bytes a second get through.
    Bandwidth,
    /// Nothing gets through until it is over.
    Timeout,
    /// Its connections are reset.
    ResetPeer,
    /// Its connections are closed after so many bytes.
    LimitData,
    /// Requests reach it, and the connection is reset before the answer comes.
    DropAnswer,
    /// Requests reach it twice.
    Duplicate,
}

impl FaultKind {
    /// What a file calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::Kill => "kill",
            Self::Pause => "pause",
            Self::Latency => "latency",
            Self::Bandwidth => "bandwidth",
            Self::Timeout => "timeout",
            Self::ResetPeer => "reset_peer",
            Self::LimitData => "limit_data",
            Self::DropAnswer => "drop_answer",
            Self::Duplicate => "duplicate",
        }
    }
}

/// The keys of a service that every kind has.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ServiceSpec {
    /// Which protocol it speaks.
    pub(super) kind: String,
    /// How long connecting may take, and a request of a step that does not say (30s).
    #[serde(default)]
    pub(super) timeout: Option<Time>,
    /// Connections that users share (one of each user's own).
    #[serde(default)]
    pub(super) pool: Option<PoolSpec>,
    /// A program and its arguments, without a shell, that is the service: started before the load and
    /// stopped after it.
    #[serde(default)]
    pub(super) start: Option<Vec<String>>,
    /// A program and its arguments that restart the service; by default `stop_signal` and `start`.
    #[serde(default)]
    pub(super) restart: Option<Vec<String>>,
    /// What ends the service before it is started again (SIGKILL).
    #[serde(default)]
    pub(super) stop_signal: Option<StopSignal>,
    /// A request that succeeds as soon as the service is ready, such as "GET /health"; by default a
    /// connection and its handshake.
    #[serde(default)]
    pub(super) ready: Option<String>,
    /// Settings that the service has to have: of Redis and PostgreSQL by their names, of MCP the number of
    /// `tools`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub(super) require: BTreeMap<String, toml::Value>,
    /// What is tried again, in steps that do not say.
    #[serde(default)]
    pub(super) retry: Option<RetrySpec>,
    /// What answers mean, in steps that do not say.
    #[serde(default)]
    pub(super) outcomes: BTreeMap<String, OutcomeSpec>,
}

/// Connections that users share.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PoolSpec {
    /// How many there are at most.
    pub(super) size: u32,
    /// How long a step may wait for one (the service's `timeout`).
    #[serde(default)]
    pub(super) wait: Option<Time>,
}

/// A signal that ends a program.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub(super) enum StopSignal {
    /// At once, with what is in its memory.
    #[default]
    #[serde(rename = "SIGKILL")]
    Kill,
    /// When it has put its things in order.
    #[serde(rename = "SIGTERM")]
    Terminate,
    /// As by Ctrl-C.
    #[serde(rename = "SIGINT")]
    Interrupt,
    /// What PostgreSQL calls immediate: it leaves its memory, and its processes end with it.
    #[serde(rename = "SIGQUIT")]
    Quit,
}

/// What an answer means for the effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum OutcomeSpec {
    /// It must be found.
    Acknowledged,
    /// It must not be found.
    Refused,
    /// It may be found.
    Unknown,
}

/// One request, what is expected of its answer, and what it leaves.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StepSpec {
    /// Its name in reports; the flow's, if that has one step.
    #[serde(default)]
    pub(super) name: Option<String>,
    /// The service that is asked; the only one that understands the action.
    #[serde(default)]
    pub(super) service: Option<String>,
    /// Set-up: once for the `run`, or for each `user` (run).
    #[serde(default)]
    pub(super) per: Option<Per>,
    /// An HTTP message: the request line, headers, an empty line, the body.
    #[serde(default)]
    pub(super) http: Option<String>,
    /// A Redis command as a list of texts, or a pipeline as a list of commands.
    #[serde(default)]
    pub(super) redis: Option<CommandsSpec>,
    /// A statement of SQL, or a list of them, which is one transaction.
    #[serde(default)]
    pub(super) sql: Option<SqlSpec>,
    /// How far a transaction is kept apart from others (the server's default).
    #[serde(default)]
    pub(super) isolation: Option<Isolation>,
    /// A tool of an MCP service.
    #[serde(default)]
    pub(super) call: Option<String>,
    /// The arguments of `call`, as JSON ({}).
    #[serde(default)]
    pub(super) args: Option<String>,
    /// A line of JSON for a program.
    #[serde(default)]
    pub(super) exec: Option<String>,
    /// A file to write whole, with `content`.
    #[serde(default)]
    pub(super) write_file: Option<String>,
    /// What is in a file that is written.
    #[serde(default)]
    pub(super) content: Option<String>,
    /// A file to read; its content is a text.
    #[serde(default)]
    pub(super) read_file: Option<String>,
    /// A file to remove.
    #[serde(default)]
    pub(super) remove_file: Option<String>,
    /// The parts of a `multipart/form-data` body: a text, or { file = "PATH" }.
    #[serde(default)]
    pub(super) multipart: Option<BTreeMap<String, PartSpec>>,
    /// How the answer is streamed.
    #[serde(default)]
    pub(super) stream: Option<StreamKind>,
    /// Values that are made when the step begins.
    #[serde(default)]
    pub(super) vars: BTreeMap<String, String>,
    /// What the answer has to be: `status`, `exists`, and JSONPaths with their values.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub(super) expect: BTreeMap<String, toml::Value>,
    /// Values that are taken from the answer: a JSONPath, or { header = "NAME" }.
    #[serde(default)]
    pub(super) capture: BTreeMap<String, CaptureSpec>,
    /// What the step leaves at the service: one effect or a list.
    #[serde(default)]
    pub(super) effect: Option<EffectsSpec>,
    /// What is tried again.
    #[serde(default)]
    pub(super) retry: Option<RetrySpec>,
    /// Asks until `expect` holds.
    #[serde(default)]
    pub(super) poll: Option<PollSpec>,
    /// How often the same request is sent, each after the last one's answer (1).
    #[serde(default)]
    pub(super) repeat: Option<u8>,
    /// How long the user waits before the step (not at all).
    #[serde(default)]
    pub(super) think_time: Option<ThinkSpec>,
    /// How long one attempt may take (the service's).
    #[serde(default)]
    pub(super) timeout: Option<Time>,
    /// What answers mean, by their code: acknowledged, refused or unknown.
    #[serde(default)]
    pub(super) outcomes: BTreeMap<String, OutcomeSpec>,
}

/// One command of Redis, or several.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum CommandsSpec {
    /// A command.
    One(Vec<String>),
    /// A pipeline.
    Many(Vec<Vec<String>>),
}

/// A statement, or several as one transaction.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum SqlSpec {
    /// A statement; in a set-up, and without placeholders, also several with `;` between them.
    One(String),
    /// A transaction.
    Many(Vec<String>),
}

impl SqlSpec {
    pub(super) fn action(&self) -> SqlAction {
        match self {
            Self::One(statement) => SqlAction::one(statement),
            Self::Many(statements) => SqlAction::transaction(statements.clone()),
        }
    }
}

/// How often a set-up runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Per {
    /// Once.
    #[default]
    Run,
    /// Once for each user, when it begins its first iteration.
    User,
}

/// Where a captured value is in the answer.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum CaptureSpec {
    /// At a JSONPath.
    Path(String),
    /// In a header.
    Header {
        /// Its name.
        header: String,
    },
}

/// One effect or several.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "`effect` expects a table such as { creates = \"order\", key = \"${id}\" }, with `creates`, `updates`, \
                 `removes`, `adds` or `reads`, `key`, and if need be `content` or `by`; or a list of them"
)]
pub(super) enum EffectsSpec {
    /// One.
    One(StepEffectSpec),
    /// Several.
    Many(Vec<StepEffectSpec>),
}

/// What a step does to an effect: exactly one verb, and a key.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StepEffectSpec {
    /// It makes one that was not there before.
    #[serde(default)]
    pub(super) creates: Option<String>,
    /// It writes one, whether or not it was there before.
    #[serde(default)]
    pub(super) updates: Option<String>,
    /// It removes one.
    #[serde(default)]
    pub(super) removes: Option<String>,
    /// It adds to one, whose content is a number.
    #[serde(default)]
    pub(super) adds: Option<String>,
    /// It reads one, whose `content` is a captured value: no write may have replaced that before.
    #[serde(default)]
    pub(super) reads: Option<String>,
    /// Which one.
    #[serde(default)]
    pub(super) key: Option<String>,
    /// What is in it.
    #[serde(default)]
    pub(super) content: Option<String>,
    /// How much `adds` adds: a whole number, or a text that is one (1).
    #[serde(default)]
    pub(super) by: Option<AmountSpec>,
}

/// How much is added.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum AmountSpec {
    /// Always as much.
    Number(i64),
    /// What a value is.
    Text(String),
}

/// What is tried again, and how often.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RetrySpec {
    /// How many more attempts there may be.
    pub(super) times: u32,
    /// After what: HTTP statuses, `timeout`, `reset`, `connect`, SQLSTATEs (timeout, reset, 429, 503, 40001,
    /// 40P01).
    #[serde(default)]
    pub(super) on: Option<Vec<CodeSpec>>,
    /// How long to wait before the second attempt; it doubles each time, with jitter (50ms).
    #[serde(default)]
    pub(super) delay: Option<Time>,
    /// A per-user set-up step that runs again first.
    #[serde(default)]
    pub(super) rerun: Option<String>,
}

/// A code of an answer: a status, or a word.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum CodeSpec {
    /// A status of HTTP.
    Status(u16),
    /// `timeout`, `reset`, `connect`, or a protocol's own.
    Word(String),
}

/// How a step is repeated until `expect` holds.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PollSpec {
    /// How long to wait between two requests.
    pub(super) every: Time,
    /// How long it may take altogether.
    pub(super) timeout: Time,
}

/// An effect: how it is read back, and removed.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EffectSpec {
    /// How it is read back.
    #[serde(default)]
    pub(super) read: Option<ReadSpec>,
    /// How it is removed, once everything was found.
    #[serde(default)]
    pub(super) delete: Option<RequestSpec>,
    /// How long after the load it may take until an effect is seen (not at all).
    #[serde(default)]
    pub(super) settle: Option<Time>,
    /// Whether a listing gives each user's effects in the order in which they were acknowledged (false).
    #[serde(default)]
    pub(super) ordered: bool,
    /// Another effect of the same keys: both are there, or neither.
    #[serde(default)]
    pub(super) together_with: Option<String>,
}

/// A request whose answer is always the same.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct InvariantSpec {
    /// The service that is asked; the only one that understands the action.
    #[serde(default)]
    pub(super) service: Option<String>,
    /// An HTTP message: the request line, headers, an empty line.
    #[serde(default)]
    pub(super) http: Option<String>,
    /// A Redis command as a list of texts, or a pipeline as a list of commands.
    #[serde(default)]
    pub(super) redis: Option<CommandsSpec>,
    /// A statement of SQL that reads.
    #[serde(default)]
    pub(super) sql: Option<String>,
    /// A tool of an MCP service.
    #[serde(default)]
    pub(super) call: Option<String>,
    /// The arguments of `call`, as JSON ({}).
    #[serde(default)]
    pub(super) args: Option<String>,
    /// A line of JSON for a program.
    #[serde(default)]
    pub(super) exec: Option<String>,
    /// A file to read; its content is a text.
    #[serde(default)]
    pub(super) read_file: Option<String>,
    /// What the answer has to be, as in a step (the answer before the load).
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub(super) expect: BTreeMap<String, toml::Value>,
    /// How long to wait between two requests (1s).
    #[serde(default)]
    pub(super) every: Option<Time>,
    /// How long one request may take (the service's).
    #[serde(default)]
    pub(super) timeout: Option<Time>,
}

impl InvariantSpec {
    /// The step that asks for it.
    pub(super) fn step(&self) -> StepSpec {
        StepSpec {
            service: self.service.clone(),
            http: self.http.clone(),
            redis: self.redis.clone(),
            sql: self.sql.clone().map(SqlSpec::One),
            call: self.call.clone(),
            args: self.args.clone(),
            exec: self.exec.clone(),
            read_file: self.read_file.clone(),
            expect: self.expect.clone(),
            timeout: self.timeout,
            ..StepSpec::default()
        }
    }
}

/// A request that reads effects, and where they are in its answer.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadSpec {
    /// The service that is asked; the only one that understands the action.
    #[serde(default)]
    pub(super) service: Option<String>,
    /// An HTTP message: the request line, headers, an empty line.
    #[serde(default)]
    pub(super) http: Option<String>,
    /// A Redis command as a list of texts, or a pipeline as a list of commands.
    #[serde(default)]
    pub(super) redis: Option<CommandsSpec>,
    /// A statement of SQL that reads: each row is an object.
    #[serde(default)]
    pub(super) sql: Option<String>,
    /// A tool of an MCP service.
    #[serde(default)]
    pub(super) call: Option<String>,
    /// The arguments of `call`, as JSON ({}).
    #[serde(default)]
    pub(super) args: Option<String>,
    /// A line of JSON for a program.
    #[serde(default)]
    pub(super) exec: Option<String>,
    /// A file to read; its content is a text.
    #[serde(default)]
    pub(super) read_file: Option<String>,
    /// A pattern of files, such as "*.json": each is a row with its `$.key`, the path, and its `$.content`.
    #[serde(default)]
    pub(super) list_files: Option<String>,
    /// A pattern of Redis keys: each is a row with its `$.key` and, if it is a text, its `$.content`.
    #[serde(default)]
    pub(super) scan: Option<String>,
    /// How long one attempt may take (the service's).
    #[serde(default)]
    pub(super) timeout: Option<Time>,
    /// A JSONPath of the rows ($[*]; with ${key} in the request $).
    #[serde(default)]
    pub(super) rows: Option<String>,
    /// A JSONPath in a row ($.key; with ${key} in the request the key that is asked for).
    #[serde(default)]
    pub(super) key: Option<String>,
    /// A JSONPath in a row ($.content; with ${key} in the request $).
    #[serde(default)]
    pub(super) content: Option<String>,
    /// A JSONPath of the next page's ${cursor}, if the answer comes in pages.
    #[serde(default)]
    pub(super) next: Option<String>,
}

/// A request that is nothing but sent.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestSpec {
    /// The service that is asked; the only one that understands the action.
    #[serde(default)]
    pub(super) service: Option<String>,
    /// An HTTP message: the request line, headers, an empty line, the body.
    #[serde(default)]
    pub(super) http: Option<String>,
    /// A Redis command as a list of texts, or a pipeline as a list of commands.
    #[serde(default)]
    pub(super) redis: Option<CommandsSpec>,
    /// A statement of SQL, or a list of them, which is one transaction.
    #[serde(default)]
    pub(super) sql: Option<SqlSpec>,
    /// A tool of an MCP service.
    #[serde(default)]
    pub(super) call: Option<String>,
    /// The arguments of `call`, as JSON ({}).
    #[serde(default)]
    pub(super) args: Option<String>,
    /// A line of JSON for a program.
    #[serde(default)]
    pub(super) exec: Option<String>,
    /// A file to remove.
    #[serde(default)]
    pub(super) remove_file: Option<String>,
    /// How long one attempt may take (the service's).
    #[serde(default)]
    pub(super) timeout: Option<Time>,
}
