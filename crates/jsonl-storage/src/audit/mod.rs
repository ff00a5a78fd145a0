//! Proof that a log is whole: verification and signed checkpoints.

pub(crate) mod checkpoint;
pub(crate) mod keys;
pub(crate) mod verify;
