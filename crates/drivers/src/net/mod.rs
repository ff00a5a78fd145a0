//! Connections: addresses, sockets, TLS, and reading with a deadline.

mod address;
mod buffer;
mod connect;
mod deadline;
mod detour;
mod link;
mod stream;
mod tls;

pub use address::Address;
pub(crate) use address::Scheme;
pub(crate) use buffer::Buffer;
pub(crate) use connect::connect;
pub(crate) use deadline::Deadline;
pub use detour::Detour;
pub(crate) use link::{Broken, Link};
pub(crate) use stream::Stream;
pub(crate) use tls::Tls;
