//! Services of others as targets: services that lie are found out, those that tell the truth pass.

#![expect(
    clippy::disallowed_methods,
    reason = "the threads of a server end with the test's process"
)]

mod agents;
mod effects;
mod eleven;
mod files;
mod incomplete;
mod memory;
mod mistakes;
mod network;
mod parts;
mod pools;
mod protocols;
mod real;
mod relations;
mod server;
mod steps;
mod tools;

/// The summary of a report as one line: where lines end is the terminal's affair.
fn page(report: &report::Report) -> String {
    let page = report::render::terminal(report);
    page.split_whitespace().collect::<Vec<_>>().join(" ")
}
