use std::path::Path;

use action::{Action, ActionPath};
use approval_workflow::{
    ApprovalWorkflow, Decision, DenyReason, Error, NewRequest, Permission, PersonId, Policy,
    RequestId, Timestamp, Use,
};
use tempfile::TempDir;

pub(crate) struct Gate {
    pub(crate) workflow: ApprovalWorkflow,
    dir: TempDir,
}

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_micros((1_700_000_000 + second) * 1_000_000)
}

pub(crate) fn person(name: &str) -> PersonId {
    PersonId::new(name).unwrap()
}

pub(crate) fn action(path: &str) -> Action {
    Action::new(ActionPath::new(path).unwrap(), "Run")
}

/// A gate whose policy has one rule over everything.
pub(crate) fn gate() -> Gate {
    gate_with(
        "[[rules]]\npattern = \"**\"\nsensitivity = \"high\"\nexpiry = \"1h\"\nexecute_within = \"1h\"",
    )
}

pub(crate) fn gate_with(policy: &str) -> Gate {
    gate_of(policy, None)
}

/// A gate whose reviewers are those that a directory lists.
pub(crate) fn gate_of(policy: &str, directory: Option<&str>) -> Gate {
    let dir = tempfile::tempdir().unwrap();
    let workflow = open(&dir, Policy::from_toml(policy).unwrap(), directory);
    Gate { workflow, dir }
}

fn open(dir: &TempDir, policy: Policy, directory: Option<&str>) -> ApprovalWorkflow {
    // The moment of the one code that these tests use.
    let now = Timestamp::from_micros(1_234_567_890_000_000);
    let mut options = ApprovalWorkflow::options()
        .secret_key([7; 32])
        .clock(move || now);
    if let Some(text) = directory {
        options = options.directory(toml::from_str(text).unwrap());
    }
    options.open(dir.path(), policy).unwrap()
}

impl Gate {
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn ask(&self, action: &Action) -> RequestId {
        let new = NewRequest::new(action.clone(), person("agent"), at(0));
        self.workflow.request(new).unwrap().submission.id.clone()
    }

    pub(crate) fn approve(&self, id: &RequestId) {
        self.workflow
            .decide(id, Decision::approve(person("alice"), at(1)))
            .unwrap();
    }

    pub(crate) fn approved(&self, action: &Action) -> RequestId {
        let id = self.ask(action);
        self.approve(&id);
        id
    }

    pub(crate) fn can(&self, id: &RequestId, action: &Action) -> Result<(), DenyReason> {
        match self.workflow.can_execute(id, action, at(2)) {
            Permission::Allowed { .. } => Ok(()),
            Permission::Denied(reason) => Err(reason),
        }
    }

    pub(crate) fn claim(&self, id: &RequestId, action: &Action) -> Result<(), DenyReason> {
        match self
            .workflow
            .claim(id, Use::new(action.clone(), person("executor"), at(2)))
        {
            Ok(_) => Ok(()),
            Err(Error::NotExecutable { reason, .. }) => Err(reason),
            Err(other) => panic!("{other}"),
        }
    }

    pub(crate) fn restart(self) -> Self {
        let policy = self.workflow.rulebook().policy().clone();
        self.restart_with(policy)
    }

    pub(crate) fn restart_with(self, policy: Policy) -> Self {
        self.restart_as(policy, None)
    }

    pub(crate) fn restart_as(self, policy: Policy, directory: Option<&str>) -> Self {
        self.workflow.close().unwrap();
        let workflow = open(&self.dir, policy, directory);
        Self {
            workflow,
            dir: self.dir,
        }
    }
}
