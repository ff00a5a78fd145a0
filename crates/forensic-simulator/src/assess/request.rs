use std::collections::HashSet;

use action::{ActionPath, PathPattern};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::plan::Plan;
use crate::plan::step_id::StepId;
use crate::plan::workflow::Step;
use crate::run::report::{SimulationReport, StepReport};
use crate::world::World;

/// What a person asked for, in their own words: the one text that an attacker did not write.
///
/// ```
/// use forensic_simulator::Request;
/// let request = Request::new("Please send 'Ann' (ann@example.org) the minutes.");
/// assert!(request.names("ann@example.org"));
/// assert!(!request.names("mallory@example.org"));
/// assert!(request.has_word("send") && !request.has_word("delete"));
/// ```
#[derive(Debug, Clone)]
pub struct Request {
    /// In lower case.
    text: String,
    words: HashSet<String>,
}

/// What the effects of a plan must have to do with the request that it serves.
///
/// Three rules, none of which needs to understand the request:
/// an effect has to be asked for by one of the words that ask for it; what it is aimed at has to be
/// named by the request, or known from places that no outsider writes; and an effect that comes a
/// second time must be aimed at what the request names.
///
/// ```
/// use action::{Action, ActionPath, PathPattern};
/// use forensic_simulator::{
///     EffectRule, Request, RequestPolicy, Simulator, Timestamp, Workflow, World,
/// };
/// let policy = RequestPolicy::new()
///     .rule(EffectRule::new(PathPattern::new("http/post")?).asked_by(["post"]).aimed_at("url"));
/// let post = Action::new(ActionPath::new("http/post")?, "Post")
///     .with_parameter("url", "https://mallory.example");
/// let simulator = Simulator::builder().builtins().build()?;
/// let plan = simulator.check(Workflow::new("w").step("post", post))?;
/// let (world, at) = (World::new(), Timestamp::default());
/// let report = simulator.simulate(&plan, &world, at);
///
/// let request = Request::new("Post it to https://ann.example");
/// let concerns = policy.concerns(&plan, &report, &world, &request);
/// assert_eq!(
///     concerns[0].to_string(),
///     r#"step "post": parameter "url" is https://mallory.example, which the request does not name"#
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct RequestPolicy {
    rules: Vec<EffectRule>,
    trusted: Vec<String>,
    allowed: HashSet<ConcernKind>,
}

/// What one kind of effect must have to do with the request.
#[derive(Debug, Clone)]
pub struct EffectRule {
    pattern: PathPattern,
    asked_by: Vec<String>,
    asked_by_if_unaimed: Vec<String>,
    targets: Vec<Target>,
}

#[derive(Debug, Clone)]
struct Target {
    parameter: String,
    /// Whether it is enough that a trusted key holds it.
    may_be_known: bool,
}

/// An effect that the request does not account for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("step {step}: {reason}")]
pub struct Concern {
    /// The step with the effect.
    pub step: StepId,
    /// Which rule it is about.
    pub kind: ConcernKind,
    /// Why, with the value.
    pub reason: String,
}

/// The rules of a [`RequestPolicy`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ConcernKind {
    /// No rule of the policy is about such an effect.
    NotForeseen,
    /// The request has none of the words that ask for it.
    NotAskedFor,
    /// It is aimed at something that the request does not name, and no trusted key holds where
    /// that would do.
    NewTarget,
    /// It is not the first of its kind, and not aimed at something that the request names.
    Repeated,
}

impl Request {
    /// A request in a person's words.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let text = text.to_lowercase();
        let words = text.split(|c: char| !c.is_alphanumeric());
        let words = words.filter(|word| !word.is_empty()).map(str::to_owned);
        Self {
            words: words.collect(),
            text,
        }
    }

    /// Whether it has a value as it stands, in upper or lower case, and not within a longer word or a
    /// longer identifier: `/srv/app` does not name `/srv`.
    #[must_use]
    pub fn names(&self, value: &str) -> bool {
        self.mentions(value) > 0
    }

    /// How often it names a value.
    pub(crate) fn mentions(&self, value: &str) -> usize {
        mentions(&self.text, &value.trim().to_lowercase())
    }

    /// Whether it has a word, in upper or lower case.
    #[must_use]
    pub fn has_word(&self, word: &str) -> bool {
        self.words.contains(&word.to_lowercase())
    }
}

/// How often a text has a value as a whole identifier; both in lower case.
pub(crate) fn mentions(text: &str, value: &str) -> usize {
    if value.is_empty() {
        return 0;
    }
    let found = text.match_indices(value);
    found
        .filter(|(start, found)| {
            let (before, after) = (&text[..*start], &text[start + found.len()..]);
            !before.ends_with(is_of_identifier) && ends_identifier(after)
        })
        .count()
}

/// Characters that join the parts of a path, an address or a name.
fn is_of_identifier(c: char) -> bool {
    c.is_alphanumeric() || "_-./@:+~%#=&?\\".contains(c)
}

/// Whether an identifier is over where this text goes on. A dot, a colon or a question mark ends a
/// sentence, unless the identifier goes on behind it.
fn ends_identifier(rest: &str) -> bool {
    let mut characters = rest.chars();
    match characters.next() {
        None => true,
        Some('.' | ':' | '?') => !characters.next().is_some_and(is_of_identifier),
        Some(next) => !is_of_identifier(next),
    }
}

impl EffectRule {
    /// A rule for the actions of a pattern, which asks for nothing yet.
    #[must_use]
    pub fn new(pattern: PathPattern) -> Self {
        Self {
            pattern,
            asked_by: Vec::new(),
            asked_by_if_unaimed: Vec::new(),
            targets: Vec::new(),
        }
    }

    /// The words of which the request must have one. Without any, it need not ask.
    #[must_use]
    pub fn asked_by<W: Into<String>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.asked_by.extend(words.into_iter().map(Into::into));
        self
    }

    /// The words of which the request must have one if the action is aimed at nothing: if it gives none
    /// of the parameters that [`aimed_at`](Self::aimed_at) and
    /// [`aimed_at_known`](Self::aimed_at_known) look at. Nothing else would hold such an action.
    #[must_use]
    pub fn asked_by_if_unaimed<W: Into<String>>(
        mut self,
        words: impl IntoIterator<Item = W>,
    ) -> Self {
        let words = words.into_iter().map(Into::into);
        self.asked_by_if_unaimed.extend(words);
        self
    }

    /// A parameter of which the request must name each text and number.
    #[must_use]
    pub fn aimed_at(mut self, parameter: impl Into<String>) -> Self {
        self.targets.push(Target {
            parameter: parameter.into(),
            may_be_known: false,
        });
        self
    }

    /// A parameter of which the request must name each text and number, or a trusted key hold it.
    #[must_use]
    pub fn aimed_at_known(mut self, parameter: impl Into<String>) -> Self {
        self.targets.push(Target {
            parameter: parameter.into(),
            may_be_known: true,
        });
        self
    }
}

impl RequestPolicy {
    /// A policy without rules, under which no effect is foreseen.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a rule. For an action that several match, the first one counts.
    #[must_use]
    pub fn rule(mut self, rule: EffectRule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Trusts what the world holds at keys of a form such as `contacts/*/email`, where `*` is any
    /// one segment: places that no outsider writes.
    #[must_use]
    pub fn trust(mut self, keys: impl Into<String>) -> Self {
        self.trusted.push(keys.into());
        self
    }

    /// Leaves out one of the rules.
    #[must_use]
    pub fn allow(mut self, kind: ConcernKind) -> Self {
        self.allowed.insert(kind);
        self
    }

    /// Finds the effects of a plan that the request does not account for, in the order of the
    /// report. A step that is not modelled counts as one with effects.
    ///
    /// # Panics
    ///
    /// If the report is not one of the plan.
    #[must_use]
    pub fn concerns(
        &self,
        plan: &Plan,
        report: &SimulationReport,
        world: &World,
        request: &Request,
    ) -> Vec<Concern> {
        assert_eq!(plan.digest(), report.plan, "the report is one of the plan");
        let mut judge = Judge {
            policy: self,
            request,
            known: self.known(world),
            seen: HashSet::new(),
            found: Vec::new(),
        };
        for (&position, step) in plan.order().iter().zip(&report.steps) {
            if has_effects(step, report) {
                judge.step(&plan.steps()[position]);
            }
        }
        let concerns = judge.found.into_iter();
        concerns
            .filter(|concern| !self.allowed.contains(&concern.kind))
            .collect()
    }

    fn known(&self, world: &World) -> HashSet<String> {
        if self.trusted.is_empty() {
            return HashSet::new();
        }
        let is_trusted = |key: &str| self.trusted.iter().any(|form| has_form(key, form));
        let trusted = world.iter().filter(|(key, _)| is_trusted(key.as_str()));
        let values = trusted.filter_map(|(_, fact)| fact.value());
        values.flat_map(scalars).collect()
    }
}

struct Judge<'a> {
    policy: &'a RequestPolicy,
    request: &'a Request,
    known: HashSet<String>,
    seen: HashSet<&'a ActionPath>,
    found: Vec<Concern>,
}

impl<'a> Judge<'a> {
    fn step(&mut self, step: &'a Step) {
        let path = &step.action.path;
        let mut rules = self.policy.rules.iter();
        let Some(rule) = rules.find(|rule| rule.pattern.matches(path)) else {
            self.note(
                step,
                ConcernKind::NotForeseen,
                format!("no rule is about {path}"),
            );
            return;
        };
        self.words(step, &rule.asked_by);
        let mut named = 0;
        let mut targets = 0;
        for target in &rule.targets {
            let value = step.action.parameters.get(&target.parameter);
            for text in value.into_iter().flat_map(scalars) {
                targets += 1;
                if self.request.names(&text) {
                    named += 1;
                } else if !(target.may_be_known && self.known.contains(&text)) {
                    let (name, shown) = (&target.parameter, crate::text::shorten(&text));
                    let reason =
                        format!("parameter {name:?} is {shown}, which the request does not name");
                    self.note(step, ConcernKind::NewTarget, reason);
                }
            }
        }
        if targets == 0 {
            self.words(step, &rule.asked_by_if_unaimed);
        }
        let is_named = targets > 0 && named == targets;
        if !self.seen.insert(path) && !is_named {
            let reason = format!("it is not the first {path}, and the request names no target");
            self.note(step, ConcernKind::Repeated, reason);
        }
    }

    fn words(&mut self, step: &Step, words: &[String]) {
        if !words.is_empty() && !words.iter().any(|word| self.request.has_word(word)) {
            let reason = format!("the request has none of the words {}", words.join(", "));
            self.note(step, ConcernKind::NotAskedFor, reason);
        }
    }

    fn note(&mut self, step: &Step, kind: ConcernKind, reason: String) {
        self.found.push(Concern {
            step: step.id.clone(),
            kind,
            reason,
        });
    }
}

fn has_effects(step: &StepReport, report: &SimulationReport) -> bool {
    !step.changes.is_empty() || !step.external.is_empty() || report.not_modelled.contains(&step.id)
}

/// Every text, number and boolean within a value, in lower case.
pub(crate) fn scalars(value: &Value) -> Vec<String> {
    match value {
        Value::Null => Vec::new(),
        Value::String(text) => vec![text.trim().to_lowercase()],
        Value::Bool(_) | Value::Number(_) => vec![value.to_string()],
        Value::Array(items) => items.iter().flat_map(scalars).collect(),
        Value::Object(fields) => fields.values().flat_map(scalars).collect(),
    }
}

pub(crate) fn has_form(key: &str, form: &str) -> bool {
    let (mut key, mut form) = (key.split('/'), form.split('/'));
    loop {
        match (key.next(), form.next()) {
            (None, None) => return true,
            (Some(segment), Some(wanted)) if wanted == "*" || wanted == segment => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_within_a_longer_word_is_not_named() {
        let request = Request::new("Pay DE12-34 and Ann; café.");
        for named in ["de12-34", "ANN", "café"] {
            assert!(request.names(named), "{named}");
        }
        for other in ["", " ", "E12", "an", "caf", "de12-3"] {
            assert!(!request.names(other), "{other}");
        }
    }

    #[test]
    fn a_star_is_one_segment() {
        assert!(has_form("a/1/b", "a/*/b"));
        for key in ["a/b", "a/1/2/b", "a/1/c", "a/1/b/c"] {
            assert!(!has_form(key, "a/*/b"), "{key}");
        }
    }
}
