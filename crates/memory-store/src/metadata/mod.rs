//! The metadata tier: a SQLite database, the source of truth of all others.

mod duplicates;
mod readers;
mod rows;
mod schema;
mod search;
mod session;
mod state;

pub(crate) use duplicates::find_same_content;
pub(crate) use readers::ReaderPool;
pub(crate) use rows::{
    MEMORY_COLUMNS, StoredMemory, count, edge_from_row, for_each_edge, for_each_vector,
    memory_from_row, namespace_from_row, stored_memory_from_row,
};
pub(crate) use schema::{DATABASE_FILE, open_for_verification, open_writer};
pub(crate) use search::{attribute_key, find_ids_where, find_memory, find_text, find_where};
pub(crate) use session::{PreparedMemory, Session};
pub(crate) use state::{StateReader, list_checkpoints};
