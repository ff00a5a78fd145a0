//! A plan that holds what reviewers must not see.

use action::{Action, ActionPath, Timestamp};
use approval_workflow::{ApprovalWorkflow, Decision, FencingToken, PersonId, Policy};
use execution::{ExecutionResult, NotExecuted, PlanExecutor, System};
use forensic_simulator::{Change, Plan, SimulationReport, Simulator, Workflow, World};

const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);
const TOKEN: &str = "correct horse battery staple";

/// Does nothing, and has nothing.
struct Nothing(World);

impl System for Nothing {
    fn look<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        look(&self.0)
    }

    fn execute(
        &self,
        plan: &Plan,
        _: &SimulationReport,
        _: FencingToken,
    ) -> Result<Vec<Change>, NotExecuted> {
        assert_eq!(plan.steps()[0].action.parameters["token"], TOKEN);
        Ok(Vec::new())
    }
}

#[test]
fn a_plan_with_a_secret_is_asked_for_without_it_and_claimed_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let policy =
        "secrets = [\"token\"]\n[[rules]]\npattern = \"plans/**\"\nsensitivity = \"high\"\n";
    let options = ApprovalWorkflow::options().secret_key([7; 32]);
    let approvals = options.open(dir.path(), Policy::from_toml(policy).unwrap());
    let executor = PlanExecutor {
        simulator: &Simulator::builder().builtins().build().unwrap(),
        approvals: &approvals.unwrap(),
        system: &Nothing(World::new()),
    };
    let person = |name: &str| PersonId::new(name).unwrap();
    let fetch = Action::new(ActionPath::new("http/get").unwrap(), "Fetch")
        .with_parameter("url", "https://example.org/orders")
        .with_parameter("token", TOKEN);
    let plan = Workflow::new("fetch").step("fetch", fetch);
    let plan = executor.simulator.check(plan).unwrap();
    let report = executor.simulate(&plan, NOW).into();
    let path = ActionPath::new("plans/run").unwrap();
    let proposal = executor.propose(path, plan, report, person("agent-1"), NOW);
    let proposal = proposal.unwrap();

    let shown = serde_json::to_string(&proposal.request.submission).unwrap();
    assert!(!shown.contains(TOKEN), "{shown}");
    let digest = proposal.action().digest().unwrap();
    assert_eq!(digest, proposal.request.submission.digest);

    let id = &proposal.request.submission.id;
    let yes = Decision::approve(person("alice"), NOW);
    executor.approvals.decide(id, yes).unwrap();
    let authorized = executor
        .authorize(&proposal, person("agent-1"), NOW)
        .unwrap();
    let result = executor.execute(authorized, NOW).unwrap();
    assert!(
        matches!(result, ExecutionResult::AsPredicted { .. }),
        "{result:?}"
    );
}
