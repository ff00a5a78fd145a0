//! What is refused before anything is connected. It protects from slips, not from bad will.
//!
//! Each rule is a function that a driver asks when it is made or compiles an action:
//!
//! ```
//! use drivers::guard;
//!
//! let told = guard::check_sql("delete from orders").unwrap_err();
//! assert_eq!(
//!     told.problem,
//!     "a DELETE without WHERE empties the table: it may stand in [[setup]] only"
//! );
//! assert!(guard::check_sql("delete from orders where id = $1").is_ok());
//! ```

mod cypher;
mod database;
mod host;
mod key;
mod redis;
mod sql;
mod words;

pub use cypher::check_cypher;
pub use database::{check_database, check_redis_database};
pub use host::check_host;
pub use key::{check_created_key, check_no_secret};
pub use redis::check_redis;
pub use sql::{check_sql, check_sql_read};
pub(crate) use words::is_quoted;
