//! Evidence for people who have no access to the log.

pub(crate) mod bundle;
