//! Small programs for users; each is in `examples/`, and is the program that its crate's README shows.
//!
//! `cargo run -p proofload-examples --example append_and_verify`
