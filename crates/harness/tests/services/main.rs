//! Services of others as targets: services that lie are found out, those that tell the truth pass.

#![expect(
    clippy::disallowed_methods,
    reason = "the threads of a server end with the test's process"
)]

mod effects;
mod mistakes;
mod protocols;
mod server;
mod steps;
