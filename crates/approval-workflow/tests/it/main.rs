//! The workflow from outside: what it promises, on a real log.

mod awaited;
mod binding;
mod bundle;
mod changes;
mod concurrency;
mod crash;
mod delegation;
mod denial;
#[path = "../disk/mod.rs"]
#[allow(dead_code, reason = "the other tests need other parts of it")]
mod disk;
mod emergency;
mod garbage;
mod gate;
mod grants;
mod hostile;
mod insight;
mod kill;
mod old_log;
mod queries;
mod races;
mod refused;
mod replaced;
mod replay;
mod second_factor;
mod secrets;
mod signed;
mod snapshots;
mod support;
mod unattended;
mod unreadable;
mod votes;
mod waiting;
