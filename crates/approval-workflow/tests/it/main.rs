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
mod replay;
mod second_factor;
mod signed;
mod support;
mod votes;
mod waiting;
