//! Protocols under load: requests from templates, and answers judged as acknowledged, refused or unknown.
//!
//! A [`Driver`] speaks one protocol. It [compiles](Driver::compile) an action in the protocol's own notation
//! into a request, once, and [exchanges](Driver::exchange) that request as often as a load asks. Values
//! come from [`Values`], through placeholders such as `${id}`, and each is encoded for the place where
//! it stands. What became of a request is an [`Outcome`]: *acknowledged* (it must be found when the data is
//! read back), *refused* (it must not) or *unknown* (it may).
//!
//! Nothing here measures or decides when to send: that is the load engine's.
//!
//! ```no_run
//! use drivers::{Action, ActionSpec, Answer, Constants, Driver, Http, HttpAction, HttpOptions};
//! use drivers::{Scope, ServiceContext, Slot, Value, Values};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let mut scope = Scope::new(Constants::new("k3v9q2xz"));
//! let options = HttpOptions::new("http://127.0.0.1:8000");
//! let shop = Http::new(options, &ServiceContext::new("shop"), &mut scope)?;
//! let place = HttpAction::new("POST /orders\n\n{ \"reference\": \"${id}\" }");
//! let place = shop.compile(&ActionSpec::new(Action::Http(place)), &mut scope)?;
//!
//! let mut values = Values::default();
//! values.set(Slot::ID, Value::Text(b"k3v9q2xz-0-0"));
//! let mut connection = shop.connect(&values).await?;
//! let (mut session, mut answer) = Default::default();
//! let outcome = shop
//!     .exchange(&mut connection, &mut session, &place, &values, &mut answer)
//!     .await;
//! println!("{}: {outcome}", answer.code);
//! # Ok(())
//! # }
//! ```

mod error;
mod names;

mod json;
mod template;
mod values;

mod answer;
mod outcome;

#[macro_use]
mod driver;
mod any;

pub mod guard;
mod net;

mod file;
mod http;
mod lines;
mod postgres;
mod redis;

pub mod proxy;

pub use answer::{Answer, EventTimes, LARGEST_PARSED, Wanted};
pub use any::{AnyConnection, AnyDriver, AnyOptions, AnyRequest, AnySession, KINDS};
pub use driver::{Action, ActionSpec, Driver, Purpose, Row, ServiceContext};
pub use error::{PathPart, SpecError};
pub use file::{FileAction, FileConnection, FileOptions, FileRequest, Files};
pub use http::{
    Http, HttpAction, HttpConnection, HttpOptions, HttpRequest, HttpSession, PartSpec, StreamKind,
    Version, Versions,
};
pub use json::{JsonPath, canonical, is_valid as is_valid_json, json_by_schema};
pub use lines::{
    CallAction, Exec, ExecAction, ExecConnection, ExecOptions, ExecRequest, Mcp, McpConnection,
    McpOptions, McpRequest, McpVersion, McpVersions,
};
pub use names::{nearest, unknown as unknown_name};
pub use net::{Address, Detour};
pub use outcome::{Code, Failure, Outcome, Reason};
pub use postgres::{
    Isolation, Postgres, PostgresConnection, PostgresOptions, PostgresRequest, SqlAction,
};
pub use redis::{Redis, RedisAction, RedisConnection, RedisOptions, RedisRequest};
pub use template::{Encoding, Template};
pub use values::{
    Constants, Draw, DrawContext, Function, Random, Reach, Scope, Secrets, Slot, Traits, Value,
    Values, Var,
};
