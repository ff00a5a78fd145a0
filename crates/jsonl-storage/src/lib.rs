//! jsonl-storage.
