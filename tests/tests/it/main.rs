//! End-to-end tests over the rooms together.

mod gate;
mod logs;
mod tokio_tasks;
