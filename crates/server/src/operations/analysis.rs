//! What an operator should look at, by the gate's own counts, each with its evidence.

use std::time::Duration;

use action::Timestamp;
use approval_workflow::{ApprovalWorkflow, Error, Page, Query, Status};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::clock;
use crate::http::json::json as answer;
use crate::http::problem::Problem;
use crate::state::App;

/// What waits longer than this keeps an agent from its work.
const LONG: Duration = Duration::from_secs(3600);
/// Claims that are looked at.
const MOST: usize = 1000;

/// One thing to look at.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Finding {
    id: &'static str,
    /// `warning` or `critical`
    grade: &'static str,
    /// What it is about, and what to do.
    about: String,
    /// The figures that it rests on.
    #[schemars(with = "Map<String, Value>")]
    evidence: Value,
}

/// What the gate counts at one moment.
#[derive(Debug, Default)]
struct Facts {
    pending: u64,
    oldest: Option<(String, Duration)>,
    /// Claims without a report, and for how long.
    unreported: Vec<(String, Duration)>,
    open_reviews: u64,
    wrong_codes: u64,
    indeterminate: u64,
}

pub(crate) async fn analysis(State(app): State<App>) -> Result<Response, Problem> {
    let facts = app
        .gate
        .blocking(|gate| Facts::of(gate, clock::now()))
        .await?;
    Ok(answer(StatusCode::OK, &facts.findings()))
}

impl Facts {
    fn of(gate: &ApprovalWorkflow, now: Timestamp) -> Result<Self, Error> {
        let statistics = gate.statistics(now);
        let oldest = gate.pending(Page::first(1), now).requests;
        let oldest = oldest.first().map(|request| {
            let asked = &request.submission;
            (asked.id.to_string(), now.since(asked.at))
        });
        let claimed = gate.list(&Query::with_status(Status::Claimed), Page::first(MOST), now)?;
        let unreported = claimed.requests.iter().filter_map(|request| {
            let mut open = request.uses().filter(|(_, receipt)| receipt.is_none());
            let (claim, _) = open.next()?;
            Some((request.submission.id.to_string(), now.since(claim.at)))
        });
        Ok(Self {
            pending: statistics.count(Status::Pending),
            oldest,
            unreported: unreported.collect(),
            open_reviews: statistics.open_reviews,
            wrong_codes: statistics.wrong_codes,
            indeterminate: statistics.count(Status::Indeterminate),
        })
    }

    /// What is worst first.
    fn findings(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        if self.open_reviews > 0 {
            found.push(Finding {
                id: "unattested_glass",
                grade: "critical",
                about: "emergency approvals owe a review: see /api/v1/follow-ups".to_owned(),
                evidence: json!({ "open_reviews": self.open_reviews }),
            });
        }
        let late = self.unreported.iter().filter(|(_, since)| *since >= LONG);
        let late: Vec<&String> = late.map(|(id, _)| id).collect();
        if let Some(first) = late.first() {
            found.push(Finding {
                id: "unreported_claim",
                grade: "critical",
                about: format!("nobody reported what came of {first}: ask its agent, and look at what was acted on"),
                evidence: json!({ "claims": late.len(), "longer_than_s": LONG.as_secs() }),
            });
        }
        if let Some((id, waited)) = self.oldest.as_ref().filter(|(_, waited)| *waited >= LONG) {
            found.push(Finding {
                id: "aging_queue",
                grade: "warning",
                about: format!(
                    "{id} waits for a person: call for attention to it, or name more reviewers"
                ),
                evidence: json!({ "waited_s": waited.as_secs(), "pending": self.pending }),
            });
        }
        if self.indeterminate > 0 {
            found.push(Finding {
                id: "indeterminate_outcome",
                grade: "warning",
                about: "actions were tried and nobody knows whether they took effect".to_owned(),
                evidence: json!({ "indeterminate": self.indeterminate }),
            });
        }
        if self.wrong_codes > 0 {
            found.push(Finding {
                id: "wrong_codes",
                grade: "warning",
                about: "wrong one-time codes were tried: see /api/v1/audit".to_owned(),
                evidence: json!({ "wrong_codes": self.wrong_codes }),
            });
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(facts: &Facts) -> Vec<&'static str> {
        facts.findings().iter().map(|finding| finding.id).collect()
    }

    #[test]
    fn what_is_as_it_should_be_is_no_finding_and_the_worst_comes_first() {
        let soon = LONG - Duration::from_secs(1);
        let mut facts = Facts {
            pending: 1,
            oldest: Some(("r-1".to_owned(), soon)),
            unreported: vec![("r-2".to_owned(), soon)],
            ..Facts::default()
        };
        assert!(ids(&facts).is_empty(), "{:?}", facts.findings());
        facts.oldest = Some(("r-1".to_owned(), LONG));
        facts.unreported.push(("r-3".to_owned(), LONG));
        facts.open_reviews = 1;
        facts.wrong_codes = 2;
        assert_eq!(
            ids(&facts),
            [
                "unattested_glass",
                "unreported_claim",
                "aging_queue",
                "wrong_codes"
            ]
        );
        let claim = &facts.findings()[1];
        assert!(
            claim.about.contains("r-3") && claim.evidence["claims"] == 1,
            "{claim:?}"
        );
    }
}
