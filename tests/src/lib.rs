//! End-to-end tests over the parts together; see `tests/it/main.rs`.
