use action::{Action, ActionPath};
use approval_workflow::{
    ApprovalWorkflow, NewRequest, PersonId, Policy, Request, RequestId, Timestamp,
};
use tempfile::TempDir;

pub(crate) const POLICY: &str = r#"
    [[rules]]
    pattern = "payments/**"
    sensitivity = "high"
    requires_reason = true
    expiry = "4h"
    execute_within = "1h"
    affected_systems = ["ledger"]

    [[rules]]
    name = "test deployments"
    pattern = "deploy/*"
    sensitivity = "medium"
    auto_approve.equals = { field = "context.environment", value = "test" }

    [[rules]]
    pattern = "reports/**"
    sensitivity = "none"

    [[rules]]
    pattern = "keys/*"
    sensitivity = "critical"
    requires_second_factor = true
"#;

pub(crate) fn policy() -> Policy {
    toml::from_str(POLICY).unwrap()
}

pub(crate) fn open(dir: &TempDir) -> ApprovalWorkflow {
    ApprovalWorkflow::open(dir.path(), policy()).unwrap()
}

pub(crate) fn person(name: &str) -> PersonId {
    PersonId::new(name).unwrap()
}

pub(crate) fn id(text: &str) -> RequestId {
    RequestId::new(text).unwrap()
}

pub(crate) fn action(path: &str) -> Action {
    Action::new(ActionPath::new(path).unwrap(), "Do it").with_parameter("amount", 12.5)
}

/// Seconds after an arbitrary moment.
pub(crate) fn second(count: u64) -> Timestamp {
    Timestamp::from_micros((1_700_000_000 + count) * 1_000_000)
}

pub(crate) fn ask(path: &str) -> NewRequest {
    NewRequest::new(action(path), person("agent-7"), second(0))
}

/// What a reader can see of everything.
pub(crate) fn everything(workflow: &ApprovalWorkflow) -> String {
    let now = second(1_000_000);
    let requests: Vec<Request> = workflow
        .requests()
        .map(|request| (*request).clone())
        .collect();
    let trails: Vec<_> = requests
        .iter()
        .map(|request| workflow.audit_trail(&request.submission.id).unwrap())
        .collect();
    let log: Vec<_> = workflow.audit_log().unwrap().map(Result::unwrap).collect();
    format!(
        "{requests:#?}\n{trails:#?}\n{log:#?}\n{:#?}",
        workflow.statistics(now)
    )
}
