//! End-to-end tests over the rooms together.
