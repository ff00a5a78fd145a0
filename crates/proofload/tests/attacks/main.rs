//! Attacks on what a run leaves, each carried out on real files and put before `proofload verify` with each
//! protection. `cargo xtask attack` writes the table into `docs/security.md`; the tests compare it with what
//! happens now.
//!
//! `ATTACK_TABLE` is the file that the table is written into, and `ATTACK_FLIPS` how many bits the campaign
//! flips.

mod flips;
mod log;
mod scene;
mod table;
