//! The workflow from outside: what it promises, on a real log.

mod binding;
mod bundle;
mod concurrency;
mod delegation;
mod emergency;
mod garbage;
mod gate;
mod grants;
mod hostile;
mod insight;
mod old_log;
mod queries;
mod replay;
mod second_factor;
mod secrets;
mod snapshots;
mod support;
mod votes;
mod waiting;
