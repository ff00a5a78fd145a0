//! Requests, decides, claims and finishes one action.

#![allow(clippy::print_stdout, reason = "an example prints what it does")]

use action::{Action, ActionPath};
use approval_workflow::{
    ApprovalWorkflow, Decision, NewRequest, PersonId, Policy, Receipt, ReceiptOutcome, Timestamp,
    Use,
};

const POLICY: &str = r#"
    [[rules]]
    pattern = "payments/**"
    sensitivity = "high"
    requires_reason = true
"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let workflow = ApprovalWorkflow::open(dir.path(), Policy::from_toml(POLICY)?)?;
    let (agent, alice) = (PersonId::new("agent-7")?, PersonId::new("alice")?);
    let now = Timestamp::from_micros(1_700_000_000_000_000); // the caller's clock

    let path = ActionPath::new("payments/refund")?;
    let refund = Action::new(path, "Refund").with_parameter("cents", 1250);
    let request = workflow.request(NewRequest::new(refund.clone(), agent.clone(), now))?;
    let id = &request.submission.id;
    assert!(!workflow.can_execute(id, &refund, now).is_allowed());

    workflow.decide(id, Decision::approve(alice, now).with_reason("order A-17"))?;
    let more = refund.clone().with_parameter("cents", 125_000);
    assert!(!workflow.can_execute(id, &more, now).is_allowed());

    let claim = workflow.claim(id, Use::new(refund.clone(), agent, now))?;
    // … run the refund, and hand `claim.token` to the payment system …
    workflow.finish(Receipt {
        id: id.clone(),
        at: now,
        token: claim.token,
        outcome: ReceiptOutcome::Succeeded,
        observed: String::new(),
    })?;
    assert!(
        !workflow.can_execute(id, &refund, now).is_allowed(),
        "used once"
    );
    Ok(())
}
