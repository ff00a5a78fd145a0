//! Reading: scans, points, and following a log that grows.

pub(crate) mod candidates;
pub(crate) mod follow;
pub(crate) mod lines;
pub(crate) mod links;
pub(crate) mod point;
pub(crate) mod reader;
pub(crate) mod rebuild;
pub(crate) mod scan;
