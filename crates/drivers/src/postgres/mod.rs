//! PostgreSQL, over tokio-postgres: statements with bound parameters, transactions, and reads in portals.

mod column;
mod connection;
mod driver;
mod failure;
mod options;
mod statement;

pub use connection::PostgresConnection;
pub use driver::{Postgres, PostgresRequest};
pub use options::{Isolation, PostgresOptions, SqlAction};
