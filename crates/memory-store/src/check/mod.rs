//! Do the tiers agree? The database is checked against itself, then the derived tiers against it.

pub(crate) mod repair;
pub(crate) mod verify;

mod chunks;
mod derived;
mod history;
mod metadata;

pub(crate) use chunks::recount_chunks;
pub(crate) use derived::check_derived;
pub(crate) use metadata::check_metadata;
