//! The workflow from outside: what it promises, on a real log.

mod concurrency;
mod gate;
mod grants;
mod hostile;
mod replay;
mod second_factor;
mod support;
