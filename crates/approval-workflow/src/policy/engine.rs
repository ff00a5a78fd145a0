use std::fmt;

use action::Action;
use serde_json::{Map, Value};

use crate::model::event::Submission;
use crate::policy::rulebook::{PolicyDecision, Rulebook};

/// What judges actions by a policy: [`Rulebook`], which ships, or another engine that says the same in
/// another way, such as one that asks a policy server. See [`Options::open_judged_by`].
///
/// It is asked anew about what was approved before, so of the same action and the same context it must
/// say the same every time.
///
/// [`Options::open_judged_by`]: crate::Options::open_judged_by
pub trait PolicyEngine: fmt::Debug + Send + Sync {
    /// The policy that it judges by: which terms there are, whose keys, and what is secret.
    fn rulebook(&self) -> &Rulebook;

    /// Says what holds for an action in a context: a rule of the policy and its terms, or the policy's
    /// default. What it cannot judge needs a person.
    fn judge(&self, action: &Action, context: &Map<String, Value>) -> PolicyDecision<'_>;

    /// Whether the policy says to a request what was said when it was made.
    fn agrees_with(&self, submission: &Submission) -> bool {
        if submission.policy == self.rulebook().digest() {
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
