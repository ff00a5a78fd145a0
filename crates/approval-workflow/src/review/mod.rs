//! Who may review, and how a review proves whose it is: signatures, one-time codes, delegations.

pub(crate) mod delegation;
pub(crate) mod second_factor;
pub(crate) mod signed;
pub(crate) mod statement;
