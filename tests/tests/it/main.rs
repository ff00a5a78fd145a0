//! End-to-end tests over the parts together.

mod gate;
mod logs;
mod tokio_tasks;
