//! The state that is folded from the log.

pub(crate) mod basis;
pub(crate) mod event_index;
pub(crate) mod keyed;
pub(crate) mod lifecycle;
pub(crate) mod recent_requests;
pub(crate) mod statistics;
pub(crate) mod view;
