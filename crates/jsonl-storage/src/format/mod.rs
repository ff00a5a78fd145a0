//! The bytes of a log: lines, segments, sidecars, the chain.

pub(crate) mod batch;
pub(crate) mod chain;
pub(crate) mod compression;
pub(crate) mod damage;
pub(crate) mod line;
pub(crate) mod marks;
pub(crate) mod segment;
pub(crate) mod seq;
pub(crate) mod sidecar;
pub(crate) mod statement;
