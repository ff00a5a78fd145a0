use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt;

use action::{Action, PathPattern};
use approval_workflow::{Disposition, Policy, PolicyEngine, Rulebook, PolicyDecision, Sensitivity};
use cedar_policy::{Authorizer, Entities, EntityUid, PolicyId, PolicySet, Request};
use serde_json::{Map, Number, Value};

use crate::{encode, formula};

/// A policy that Cedar judges.
pub struct CedarEngine {
    /// What the rules demand; it judges nothing here.
    book: Rulebook,
    policies: PolicySet,
    /// What each policy says, and of which rule.
    says: HashMap<PolicyId, (Says, usize)>,
    /// The place of each rule in the order of decision: the lower one decides.
    ranks: Vec<usize>,
    authorizer: Authorizer,
    entities: Entities,
    nobody: EntityUid,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    Covers,
    Grants,
    Denies,
    DoesNotDeny,
}

/// What Cedar's authorizer is asked: an action and its context in Cedar's form.
#[derive(Debug, Clone)]
pub struct Question(Request);

/// Why Cedar cannot judge by a policy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The policy contradicts itself.
    #[error(transparent)]
    Policy(#[from] approval_workflow::Error),
    /// More than one `**` in a pattern: Cedar has lists without an order only.
    #[error("pattern {pattern} has more than one `**`")]
    Pattern {
        /// The pattern.
        pattern: PathPattern,
    },
    /// A number that is no integer of 64 bits.
    #[error("number {number} is no integer of 64 bits")]
    Number {
        /// The number.
        number: Number,
    },
    /// Cedar refuses what a rule was translated to.
    #[error("rule {rule:?} has no form in Cedar")]
    Rule {
        /// The rule.
        rule: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl CedarEngine {
    /// Translates a policy.
    ///
    /// # Errors
    ///
    /// [`Error`] for a policy that contradicts itself, or says what Cedar cannot.
    pub fn new(policy: Policy) -> Result<Self, Error> {
        let book = Rulebook::new(policy)?;
        let mut engine = Self {
            policies: PolicySet::new(),
            says: HashMap::new(),
            ranks: ranks(&book),
            authorizer: Authorizer::new(),
            entities: Entities::empty(),
            nobody: EntityUid::from_type_name_and_id(
                "Nobody".parse().expect("a name"),
                cedar_policy::EntityId::new("nobody"),
            ),
            book,
        };
        for (index, rule) in engine.book.policy().rules.clone().iter().enumerate() {
            let covers = formula::covers(&rule.pattern)?;
            engine.add(index, Says::Covers, &covers)?;
            let conditions = [
                (Says::Grants, &rule.auto_approve, true),
                (Says::Denies, &rule.auto_deny, true),
                (Says::DoesNotDeny, &rule.auto_deny, false),
            ];
            for (says, condition, wanted) in conditions {
                if let Some(condition) = condition {
                    let known = formula::known(condition, wanted)?;
                    engine.add(index, says, &format!("{covers} && {known}"))?;
                }
            }
        }
        Ok(engine)
    }

    fn add(&mut self, index: usize, says: Says, when: &str) -> Result<(), Error> {
        let id = PolicyId::new(format!("rule {index}: {says:?}"));
        let text = format!("permit(principal, action, resource) when {{ {when} }};");
        let refused = |source: Box<dyn std::error::Error + Send + Sync>| Error::Rule {
            rule: self.book.policy().rules[index].label().to_owned(),
            source,
        };
        let policy = cedar_policy::Policy::parse(Some(id.clone()), text)
            .map_err(|error| refused(error.into()))?;
        self.policies
            .add(policy)
            .map_err(|error| refused(error.into()))?;
        self.says.insert(id, (says, index));
        Ok(())
    }

    /// What to ask about an action; none if it has no form in Cedar.
    #[must_use]
    pub fn question(&self, action: &Action, context: &Map<String, Value>) -> Option<Question> {
        let context = encode::context(action, context).ok()?;
        let nobody = || self.nobody.clone();
        let request = Request::new(nobody(), nobody(), nobody(), context, None);
        request.ok().map(Question)
    }

    /// Asks Cedar.
    ///
    /// Without an error a rule is named if any covers the action. With one, nothing that Cedar said is
    /// believed: a rule that could not be judged may be the one that decides.
    #[must_use]
    pub fn ask(&self, question: &Question) -> PolicyDecision<'_> {
        let answer = self
            .authorizer
            .is_authorized(&question.0, &self.policies, &self.entities);
        let diagnostics = answer.diagnostics();
        if diagnostics.errors().next().is_some() {
            return self.default();
        }
        let said: Vec<(Says, usize)> = diagnostics
            .reason()
            .filter_map(|id| self.says.get(id).copied())
            .collect();
        let covering = said.iter().filter(|(says, _)| *says == Says::Covers);
        let decides = covering.map(|(_, index)| *index);
        let Some(index) = decides.min_by_key(|index| self.ranks[*index]) else {
            return self.default();
        };
        let rule = &self.book.policy().rules[index];
        let does = |says: Says| said.contains(&(says, index));
        let need = if rule.terms.sensitivity == Sensitivity::None {
            Disposition::NotSensitive
        } else if does(Says::Denies) {
            Disposition::AutoDenied
        } else if does(Says::Grants) && (rule.auto_deny.is_none() || does(Says::DoesNotDeny)) {
            Disposition::AutoApproved
        } else {
            Disposition::Approval
        };
        PolicyDecision {
            rule: Some(rule),
            terms: &rule.terms,
            need,
        }
    }

    fn default(&self) -> PolicyDecision<'_> {
        PolicyDecision {
            rule: None,
            terms: &self.book.policy().default,
            need: Disposition::Approval,
        }
    }
}

impl PolicyEngine for CedarEngine {
    fn rulebook(&self) -> &Rulebook {
        &self.book
    }

    fn judge(&self, action: &Action, context: &Map<String, Value>) -> PolicyDecision<'_> {
        match self.question(action, context) {
            Some(question) => self.ask(&question),
            None => self.default(),
        }
    }
}

impl fmt::Debug for CedarEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CedarEngine")
            .field("book", &self.book)
            .finish_non_exhaustive()
    }
}

/// The more specific pattern decides, and of equally specific ones the first.
fn ranks(book: &Rulebook) -> Vec<usize> {
    let rules = &book.policy().rules;
    let mut order: Vec<usize> = (0..rules.len()).collect();
    order.sort_by_key(|&index| (Reverse(rules[index].pattern.specificity()), index));
    let mut ranks = vec![0; rules.len()];
    for (rank, index) in order.into_iter().enumerate() {
        ranks[index] = rank;
    }
    ranks
}
