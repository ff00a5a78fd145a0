//! End-to-end tests over the rooms together; see `tests/it/main.rs`.
