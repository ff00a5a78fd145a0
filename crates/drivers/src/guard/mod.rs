//! What is refused before anything is connected: slips, not bad will.

mod host;

pub(crate) use host::check_host;
