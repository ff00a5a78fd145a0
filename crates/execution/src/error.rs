use approval_workflow::{DenyReason, FencingToken};
use forensic_simulator::Key;

/// Why a plan was not executed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotExecuted {
    /// Something that the simulation read has changed since. Nothing was done; simulate again.
    #[error("{} changed since the simulation", list(.0))]
    Changed(Vec<Key>),
    /// The token was used before. Nothing was done.
    #[error("token {0} was used before")]
    TokenUsed(FencingToken),
    /// The system refused. Nothing was done.
    #[error("refused: {0}")]
    Refused(String),
    /// It may have been done, in part or in full. A person should look.
    #[error("execution state unknown: {0}")]
    Unknown(String),
}

fn list(keys: &[Key]) -> String {
    let names: Vec<&str> = keys.iter().map(Key::as_str).collect();
    names.join(", ")
}

/// Why a plan could not be requested, authorized or reported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecutionError {
    /// The workflow refused; a refusal of the claim is in [`ExecutionError::refusal`].
    #[error("the approval workflow refused")]
    Approval(#[from] approval_workflow::Error),
    /// The simulation's report has no JSON form.
    #[error("the simulation has no report")]
    Simulation(#[from] forensic_simulator::Error),
    /// The plan has no canonical form, so it cannot be requested.
    #[error("the plan cannot be requested")]
    Action(#[from] action::Error),
}

impl ExecutionError {
    /// Why the claim was refused, if that is what happened: not an error of the caller, but the
    /// gate doing its work.
    #[must_use]
    pub fn refusal(&self) -> Option<DenyReason> {
        match self {
            Self::Approval(approval_workflow::Error::NotExecutable { reason, .. }) => Some(*reason),
            _ => None,
        }
    }
}
