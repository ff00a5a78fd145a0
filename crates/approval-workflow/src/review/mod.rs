//! Reviews: signatures, second factors, delegation and emergencies.

pub(crate) mod delegation;
pub(crate) mod emergency;
pub(crate) mod second_factor;
pub(crate) mod signature;
pub(crate) mod signed;
