use std::fmt;

use action::Action;
use serde_json::{Map, Value};

use crate::model::event::Submission;
use crate::policy::rulebook::{PolicyDecision, Rulebook};

/// Judges actions by a policy: [`Rulebook`], the built-in engine, or another one that comes to the same
/// decisions, such as a client of a policy server. See [`Options::open_judged_by`].
///
/// It is asked anew about what was approved before, so of the same action and the same context it must
/// say the same every time.
///
/// [`Options::open_judged_by`]: crate::Options::open_judged_by
pub trait PolicyEngine: fmt::Debug + Send + Sync {
    /// The policy that it judges by: which terms there are, whose keys, and what is secret.
    fn rulebook(&self) -> &Rulebook;

    /// Decides about an action in a context: a rule of the policy and its terms, or the policy's
    /// default. What it cannot judge needs a person.
    fn judge(&self, action: &Action, context: &Map<String, Value>) -> PolicyDecision<'_>;

    /// Whether the policy decides about a request as it did when the request was made.
    fn agrees_with(&self, submission: &Submission) -> bool {
        // Where people sign, the log is not trusted: a forged request would have the digest of the
        // policy, and terms that list no key.
        let rulebook = self.rulebook();
        let is_trusted = rulebook.policy().signers.is_empty();
        if is_trusted && submission.policy == rulebook.digest() {
            return true;
        }
        let decided = self.judge(&submission.action, &submission.context);
        decided.agrees_with(submission)
    }
}

impl PolicyEngine for Rulebook {
    fn rulebook(&self) -> &Rulebook {
        self
    }

    fn judge(&self, action: &Action, context: &Map<String, Value>) -> PolicyDecision<'_> {
        Rulebook::judge(self, action, context)
    }
}

impl Rulebook {
    /// Whether the policy decides about a request as it did when the request was made.
    #[must_use]
    pub fn agrees_with(&self, submission: &Submission) -> bool {
        PolicyEngine::agrees_with(self, submission)
    }
}
