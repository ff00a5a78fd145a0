//! The driver: commands from templates, outcomes from replies, listings by SCAN.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::codec::{argument, command};
use super::connection::{RedisConnection, Replies, of_error};
use super::options::{RedisAction, RedisOptions};
use crate::answer::Answer;
use crate::driver::{Action, ActionSpec, Driver, Purpose, Row, ServiceContext, document};
use crate::error::SpecError;
use crate::guard::{check_host, check_redis, check_redis_database};
use crate::net::{Address, Detour, Scheme, Tls, connect};
use crate::outcome::{Failure, Outcome, Reason};
use crate::template::{Encoding, Template};
use crate::values::{Scope, Traits, Values};

const SCHEMES: [Scheme; 2] = [
    Scheme {
        name: "redis",
        port: 6379,
        tls: false,
    },
    Scheme {
        name: "rediss",
        port: 6379,
        tls: true,
    },
];

/// Keys that one SCAN looks at.
const SCANNED: &[u8] = b"1000";

/// Commands that only read, of those that are used to read effects back.
const READS: [&str; 26] = [
    "GET",
    "MGET",
    "STRLEN",
    "GETRANGE",
    "EXISTS",
    "TYPE",
    "TTL",
    "PTTL",
    "HGET",
    "HMGET",
    "HGETALL",
    "HKEYS",
    "HVALS",
    "HLEN",
    "LRANGE",
    "LLEN",
    "LINDEX",
    "SMEMBERS",
    "SISMEMBER",
    "SCARD",
    "ZRANGE",
    "ZSCORE",
    "ZCARD",
    "XRANGE",
    "XLEN",
    "JSON.GET",
];

/// A Redis service.
pub struct Redis {
    name: Box<str>,
    address: Address,
    database: u32,
    allow: Vec<String>,
    tls: Option<Tls>,
    timeout: Duration,
    detour: Detour,
}

/// A compiled command, pipeline or listing.
pub struct RedisRequest {
    kind: Kind,
    timeout: Duration,
    traits: Traits,
}

enum Kind {
    Commands(Box<[Box<[Template]>]>),
    Scan(Template),
}

impl Driver for Redis {
    const KIND: &'static str = "redis";
    const ACTIONS: &'static [&'static str] = &["redis", "scan"];
    type Options = RedisOptions;
    type Request = RedisRequest;
    type Connection = RedisConnection;
    type Session = ();

    fn new(
        options: RedisOptions,
        context: &ServiceContext,
        scope: &mut Scope,
    ) -> Result<Self, SpecError> {
        let in_url = |error: SpecError| error.under("url");
        let address = Address::parse(&options.url, Self::KIND, &SCHEMES, scope).map_err(in_url)?;
        if address.port.is_some() {
            check_host(&address.host, context).map_err(in_url)?;
        }
        let number = address.path.trim_start_matches('/');
        let database = match number {
            "" => Ok(0),
            number => number.parse().map_err(|_| {
                let told =
                    format!("`{number}` is no number of a database, such as redis://127.0.0.1/9");
                in_url(SpecError::new(0, told))
            }),
        }?;
        check_redis_database(&context.name, database, &options.allow).map_err(in_url)?;
        let tls = match address.tls {
            true => {
                let ca = options.ca.as_ref().map(|ca| context.folder.join(ca));
                Some(Tls::new(ca.as_deref(), &[]).map_err(|error| error.under("ca"))?)
            }
            false => None,
        };
        Ok(Self {
            name: context.name.clone(),
            address,
            database,
            allow: options.allow,
            tls,
            timeout: context.timeout,
            detour: context.detour.clone(),
        })
    }

    fn address(&self) -> Option<&Address> {
        Some(&self.address)
    }

    fn compile(&self, action: &ActionSpec, scope: &mut Scope) -> Result<RedisRequest, SpecError> {
        let Action::Redis(redis) = &action.action else {
            unreachable!("{}", crate::driver::OTHER_ACTION);
        };
        let kind = match redis {
            RedisAction::Scan(pattern) => {
                if action.purpose != Purpose::Read {
                    let told = "`scan` lists keys with their texts: it belongs to a `read`";
                    return Err(SpecError::new(0, told).under("scan"));
                }
                let pattern = Template::parsed(pattern, scope, Encoding::Bytes);
                Kind::Scan(pattern.map_err(|error| error.under("scan"))?)
            }
            RedisAction::Commands(commands) => {
                let compiled = commands.iter().enumerate().map(|(number, words)| {
                    let place = |error: SpecError| match commands.len() {
                        1 => error.under("redis"),
                        _ => error.under(number).under("redis"),
                    };
                    self.command(words, action.purpose, scope).map_err(place)
                });
                Kind::Commands(compiled.collect::<Result<_, _>>()?)
            }
        };
        let traits = match &kind {
            Kind::Scan(pattern) => pattern.traits(),
            Kind::Commands(commands) => commands
                .iter()
                .flatten()
                .fold(Traits::default(), |all, word| all | word.traits()),
        };
        Ok(RedisRequest {
            kind,
            timeout: action.timeout.unwrap_or(self.timeout),
            traits,
        })
    }

    fn traits(&self, request: &RedisRequest) -> Traits {
        request.traits
    }

    fn show(&self, request: &RedisRequest, values: &Values) -> Result<String, Failure> {
        let word = |template: &Template| {
            let mut shown = Vec::new();
            template.render(values, &mut shown)?;
            Ok::<_, Failure>(String::from_utf8_lossy(&shown).into_owned())
        };
        match &request.kind {
            Kind::Scan(pattern) => Ok(format!("SCAN 0 MATCH {}", word(pattern)?)),
            Kind::Commands(commands) => {
                let lines = commands.iter().map(|words| {
                    let words: Result<Vec<String>, Failure> = words.iter().map(word).collect();
                    Ok(words?.join(" "))
                });
                Ok(lines.collect::<Result<Vec<String>, Failure>>()?.join("\n"))
            }
        }
    }

    async fn connect(&self, _: &Values) -> Result<RedisConnection, Failure> {
        let stream = connect(
            &self.address,
            &self.detour,
            self.tls.as_ref(),
            &self.name,
            self.timeout,
        )
        .await?;
        let mut connection = RedisConnection::new(stream, self.timeout);
        if let Some(password) = &self.address.password {
            let user = self.address.user.as_deref().unwrap_or("default");
            let words: [&[u8]; 3] = [b"AUTH", user.as_bytes(), password.as_bytes()];
            connection.plain(&words, self.timeout).await?;
        }
        if self.database != 0 {
            let number = self.database.to_string();
            let words: [&[u8]; 2] = [b"SELECT", number.as_bytes()];
            connection.plain(&words, self.timeout).await?;
        }
        // Whoever has neither learns here whether it is Redis, and whether it wants a password.
        connection.plain(&[b"PING"], self.timeout).await?;
        Ok(connection)
    }

    fn is_open(&self, connection: &mut RedisConnection) -> bool {
        connection.is_open()
    }

    async fn exchange(
        &self,
        connection: &mut RedisConnection,
        (): &mut (),
        request: &RedisRequest,
        values: &Values,
        answer: &mut Answer,
    ) -> Outcome {
        answer.clear();
        let Kind::Commands(commands) = &request.kind else {
            return Outcome::Refused(Reason::new("a listing is read, not exchanged"));
        };
        if let Err(failure) = render(commands, values, connection) {
            return Outcome::Refused(failure.reason);
        }
        let sent = Instant::now();
        answer.sent = Some(sent);
        let is_list = commands.len() > 1;
        if is_list {
            answer.body.push(b'[');
        }
        let deadline = sent + request.timeout;
        let asked = connection.ask(commands.len(), deadline, request.timeout, &mut answer.body);
        let outcome = match asked.await {
            Ok(replies) => judge(&replies, answer),
            Err(unanswered) => {
                answer.code = unanswered.failure.code;
                unanswered.outcome()
            }
        };
        answer.first_byte = Some(Instant::now());
        if is_list {
            answer.body.push(b']');
        }
        let fits = answer
            .wanted
            .limit()
            .is_some_and(|limit| answer.body.len() <= limit);
        if !fits {
            answer.body.clear();
        }
        outcome
    }

    async fn rows(
        &self,
        connection: &mut RedisConnection,
        session: &mut (),
        request: &RedisRequest,
        values: &Values,
        row: &mut dyn FnMut(Row<'_>) -> ControlFlow<()>,
    ) -> Result<(), Failure> {
        if let Kind::Scan(pattern) = &request.kind {
            let mut text = Vec::new();
            pattern.render(values, &mut text)?;
            return scan(connection, &text, request.timeout, row).await;
        }
        document(self, connection, session, request, values, usize::MAX, row).await
    }

    async fn setting(
        &self,
        connection: &mut RedisConnection,
        name: &str,
    ) -> Result<String, Failure> {
        let words: [&[u8]; 3] = [b"CONFIG", b"GET", name.as_bytes()];
        let reply = connection.plain(&words, self.timeout).await?;
        let found: Vec<String> = serde_json::from_slice(&reply).unwrap_or_default();
        match &*found {
            [_, value] => Ok(value.clone()),
            _ => Err(Failure::new(&format!("Redis has no setting `{name}`"))),
        }
    }
}

impl Redis {
    fn command(
        &self,
        words: &[String],
        purpose: Purpose,
        scope: &mut Scope,
    ) -> Result<Box<[Template]>, SpecError> {
        let Some(name) = words.first() else {
            let told = "a command is a list of texts, such as [\"SET\", \"${key}\", \"${value}\"]";
            return Err(SpecError::new(0, told));
        };
        check_redis(name, &self.allow).map_err(|error| error.under(0))?;
        let upper = name.to_ascii_uppercase();
        if purpose == Purpose::Read && !READS.contains(&&*upper) {
            let told = format!(
                "a `read` must not write, and {upper} may: take one of {}",
                READS.join(", ")
            );
            return Err(SpecError::new(0, told).under(0));
        }
        let word = |(number, word): (usize, &String)| {
            Template::parsed(word, scope, Encoding::Bytes).map_err(|error| error.under(number))
        };
        words.iter().enumerate().map(word).collect()
    }
}

/// Writes the commands into the connection's buffer.
fn render(
    commands: &[Box<[Template]>],
    values: &Values,
    connection: &mut RedisConnection,
) -> Result<(), Failure> {
    let mut word = Vec::new();
    let output = connection.output();
    for words in commands {
        command(words.len(), output);
        for template in words {
            word.clear();
            template.render(values, &mut word)?;
            argument(&word, output);
        }
    }
    Ok(())
}

/// An error is a refusal. In a pipeline of which some commands were done, nobody can tell.
fn judge(replies: &Replies, answer: &mut Answer) -> Outcome {
    let Some(told) = &replies.error else {
        return Outcome::Acknowledged;
    };
    let failure = of_error(told);
    answer.code = failure.code;
    match replies.good {
        0 => Outcome::Refused(failure.reason),
        _ => Outcome::Unknown(failure.reason),
    }
}

/// Gives every key of a pattern with its text, as `{"key": …, "content": …}`. SCAN may give a key twice,
/// which is no defect of what is there.
async fn scan(
    connection: &mut RedisConnection,
    pattern: &[u8],
    within: Duration,
    row: &mut dyn FnMut(Row<'_>) -> ControlFlow<()>,
) -> Result<(), Failure> {
    let mut seen: HashSet<String> = HashSet::new();
    let mut cursor = "0".to_owned();
    loop {
        let words: [&[u8]; 6] = [
            b"SCAN",
            cursor.as_bytes(),
            b"MATCH",
            pattern,
            b"COUNT",
            SCANNED,
        ];
        let page = connection.plain(&words, within).await?;
        let malformed = |_| Failure::new("malformed answer to SCAN");
        let (next, keys): (String, Vec<String>) =
            serde_json::from_slice(&page).map_err(malformed)?;
        let keys: Vec<String> = keys
            .into_iter()
            .filter(|key| seen.insert(key.clone()))
            .collect();
        if !keys.is_empty() {
            let mut words: Vec<&[u8]> = vec![b"MGET"];
            words.extend(keys.iter().map(String::as_bytes));
            let texts = connection.plain(&words, within).await?;
            let texts: Vec<Option<String>> = serde_json::from_slice(&texts).map_err(malformed)?;
            for (key, text) in keys.iter().zip(texts) {
                let element = serde_json::json!({ "key": key, "content": text }).to_string();
                if row(Row::Element(element.as_bytes())).is_break() {
                    return Ok(());
                }
            }
        }
        if next == "0" {
            return Ok(());
        }
        cursor = next;
    }
}
