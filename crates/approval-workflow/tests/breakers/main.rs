//! Failures of other approval systems, each from a public report, each tried here: what let an
//! action run there is refused here, and what was recorded wrongly is recorded rightly.

mod binding;
mod decisions;
mod reuse;
mod support;
