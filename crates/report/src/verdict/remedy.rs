//! What to do about a violated threshold, by its figure.

use load_engine::{Judgement, Ruling};

use super::figure_of;

pub(crate) fn remedy(judgement: &Judgement) -> &'static str {
    if judgement.ruling == Ruling::Unknown {
        return "not measured, so the threshold counts as violated";
    }
    match figure_of(&judgement.threshold)
        .split('(')
        .next()
        .unwrap_or_default()
    {
        "lost" => "the target acknowledged a write and lost it",
        "altered" => "the stored data differs from the acknowledged write",
        "duplicated" => "something was written twice: look for a retry without a key",
        "unexpected" => {
            "something came back, was refused and done all the same, or came from elsewhere: see the \
             discrepancies"
        }
        "stale" => {
            "a read gave what an acknowledged write had replaced: look for a cache or a replica"
        }
        "out_of_order" => {
            "one user's writes are listed in another order than they were acknowledged"
        }
        "partial" => "one part was done and the other was not: look for what undoes the first",
        "violated" => "an answer that should never change did: see the discrepancies",
        "miscounted" => {
            "a sum is not what was added: look for updates that read, add and write back"
        }
        "unreadable" => "the target cannot read what it wrote: see the discrepancies",
        "vacuous" => "this write step wrote nothing: its measurements are meaningless",
        "error_rate" | "failed" | "failed_iterations" => "see the failure messages of each step",
        "mean" => "fewer users or a faster disk; compare the step's p50 and p99",
        "memory_peak" | "memory_growth" => "see the memory samples; a slope that goes on is a leak",
        "memory_leak" => "the floors of memory keep rising: look for what is never freed",
        "dropped" => {
            "arrivals waited too long to be started: a lower rate, or more `max_in_flight`"
        }
        _ => "compare the phases and steps to see where it begins",
    }
}

/// What to do about a figure of all scenarios that is worth a look.
pub(super) fn remedy_for_all(judgement: &Judgement) -> &'static str {
    match figure_of(&judgement.threshold).as_str() {
        "memory_peak" => "give the process more memory, or bound what grows with the load",
        _ => "find the most frequent failure message and mend its cause before raising the load",
    }
}
