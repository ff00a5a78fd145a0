//! The metadata tier: a SQLite database, the source of truth of all others.

mod readers;
mod rows;
mod schema;
mod session;

pub(crate) use readers::{ReaderPool, attribute_key, find_memory, find_where};
pub(crate) use rows::{
    MEMORY_COLUMNS, StoredMemory, count, edge_from_row, for_each_edge, for_each_vector,
    memory_from_row, namespace_from_row, stored_memory_from_row,
};
pub(crate) use schema::{DATABASE_FILE, open_for_verification, open_writer};
pub(crate) use session::{PreparedMemory, Session};
