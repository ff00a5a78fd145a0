//! What a simulation means: risk, conflicts, faults, advice.

pub(crate) mod analysis;
pub(crate) mod compare;
pub(crate) mod conflicts;
pub(crate) mod examination;
pub(crate) mod faults;
pub(crate) mod findings;
pub(crate) mod flow;
pub(crate) mod forecast;
pub(crate) mod gate;
pub(crate) mod kinds;
pub(crate) mod provenance;
pub(crate) mod request;
pub(crate) mod risk;
pub(crate) mod rollback;
pub(crate) mod statistics;
pub(crate) mod summary;
