//! Failures of other approval systems, each from a public report, each tried here: what let an
//! action run there is refused here, and what was recorded wrongly is recorded rightly.

mod approvers;
mod binding;
mod decisions;
#[allow(dead_code, reason = "this test needs less of it than the other one")]
#[path = "../disk/mod.rs"]
mod disk;
mod emergency;
mod forged;
mod record;
mod restored;
mod reuse;
mod secrets;
mod signed;
mod support;
mod world;
