//! Redis, by an own client: RESP2, pipelines, and listings by SCAN.

mod codec;
mod connection;
mod driver;
mod options;

pub use connection::RedisConnection;
pub use driver::{Redis, RedisRequest};
pub use options::{RedisAction, RedisOptions};
