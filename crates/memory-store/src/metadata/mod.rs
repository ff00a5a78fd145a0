//! The metadata tier: a SQLite database, the source of truth of all others.

mod directory;
mod duplicates;
mod embedding;
mod export;
mod history;
mod migration;
mod page_sums;
mod prepared;
mod readers;
mod rows;
mod schema;
mod search;
mod session;
mod state;
mod tables;

pub(crate) use duplicates::find_same_content;
pub(crate) use embedding::{Embedded, embed_anew, embedded, find_vector_source};
pub(crate) use export::for_each_record;
pub(crate) use history::{find_edge_versions, find_versions};
pub(crate) use page_sums::{PageCheck, check as check_page_sums};
pub(crate) use prepared::PreparedMemory;
pub(crate) use readers::ReaderPool;
pub(crate) use rows::{
    AFTER_EDGE, AFTER_MEMORY, EDGE_COLUMNS, MEMORY_COLUMNS, StoredMemory, count, edge_from_row,
    for_each_edge, for_each_memory, for_each_vector, languages, memory_from_row,
    namespace_from_row, stored_memory_from_row,
};
pub(crate) use schema::{DATABASE_FILE, begin_reading, open_for_verification, open_writer};
pub(crate) use search::{
    find_ids_where, find_memory, find_namespaces, find_newest, find_usage, find_where,
};
pub(crate) use session::Session;
pub(crate) use state::{
    CHUNK_OF_BYTES, NODE_OF_CHUNKS, StateReader, ids_from_bytes, list_checkpoints,
};
