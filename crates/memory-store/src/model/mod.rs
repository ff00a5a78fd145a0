//! The terms of the store: memories, edges, queries, states, and their digests.

pub(crate) mod change;
pub(crate) mod chunking;
pub(crate) mod digest;
pub(crate) mod edge;
pub(crate) mod embed;
pub(crate) mod entries;
pub(crate) mod fault;
pub(crate) mod filter;
pub(crate) mod function_words;
pub(crate) mod language;
pub(crate) mod latency;
pub(crate) mod letters;
pub(crate) mod memory;
pub(crate) mod millis;
pub(crate) mod names;
pub(crate) mod query;
pub(crate) mod quota;
pub(crate) mod report;
pub(crate) mod state;
pub(crate) mod stats;
pub(crate) mod time;
