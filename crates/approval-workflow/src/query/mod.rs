//! Questions about what is recorded.

pub(crate) mod insight;
pub(crate) mod listing;
pub(crate) mod reading;
pub(crate) mod waiting;
