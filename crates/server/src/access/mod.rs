//! Who calls: tokens, and the guard in front of each route.

pub(crate) mod guard;
pub(crate) mod name;
pub(crate) mod principal;
pub(crate) mod rates;
pub(crate) mod share;
pub(crate) mod tokens;
