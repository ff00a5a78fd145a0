//! What a record says about the target and about the generator.

pub(crate) mod leak;
pub mod trend;
pub(crate) mod validity;
