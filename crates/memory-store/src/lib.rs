//! memory-store.
