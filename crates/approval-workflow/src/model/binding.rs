//! What an approval is bound to beside its action: the plan, what a simulation predicted, and the
//! versions of what was read.

use std::collections::BTreeMap;
use std::fmt;

use action::{Action, ActionDigest, EffectsDigest, PlanDigest, ReportDigest, StepProof, Timestamp};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::model::limits;
use crate::model::names::{self, IdempotencyKey, PersonId};
use crate::model::permission::DenyReason;
use crate::model::token::FencingToken;

/// The world as a request, or a claim, knows it.
///
/// A request states under which circumstances the approval was asked for; a claim states those of now.
/// A claim that lacks what the request names, or names it otherwise, is refused. What the request does
/// not name is not compared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    /// The plan that the action is done for, or that the approval covers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanDigest>,
    /// The report of the simulation that the approval rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<ReportDigest>,
    /// The effects that the simulation predicted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effects: Option<EffectsDigest>,
    /// What was read, and in which version: opaque texts, compared as they are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reads: BTreeMap<String, String>,
}

impl Binding {
    /// Names the plan.
    #[must_use]
    pub fn with_plan(mut self, plan: PlanDigest) -> Self {
        self.plan = Some(plan);
        self
    }

    /// Names the simulation's report.
    #[must_use]
    pub fn with_report(mut self, report: ReportDigest) -> Self {
        self.report = Some(report);
        self
    }

    /// Names the predicted effects.
    #[must_use]
    pub fn with_effects(mut self, effects: EffectsDigest) -> Self {
        self.effects = Some(effects);
        self
    }

    /// Names the version in which a key was read, replacing an earlier one.
    #[must_use]
    pub fn with_read(mut self, key: impl Into<String>, version: impl Into<String>) -> Self {
        self.reads.insert(key.into(), version.into());
        self
    }

    /// Whether nothing is named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What differs `now`; none if nothing does. A step that proved that it belongs to the
    /// plan need not name it again.
    pub(crate) fn differs(&self, now: &Self, is_step: bool) -> Option<DenyReason> {
        let is_read = |(key, version)| now.reads.get(key) == Some(version);
        if self.plan.is_some() && now.plan != self.plan && !is_step {
            Some(DenyReason::PlanChanged)
        } else if self.report.is_some() && now.report != self.report {
            Some(DenyReason::ReportChanged)
        } else if self.effects.is_some() && now.effects != self.effects {
            Some(DenyReason::EffectsChanged)
        } else if !self.reads.iter().all(is_read) {
            Some(DenyReason::ReadsChanged)
        } else {
            None
        }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let most = limits::MAX_CONTEXT_BYTES;
        for text in self.reads.iter().flat_map(|(key, version)| [key, version]) {
            names::check_text("read set", text, most)?;
        }
        let texts = self.reads.iter().flat_map(|(key, version)| [key, version]);
        let bound = texts.map(|text| limits::text_bound(text)).sum::<usize>() + limits::FIELD_NAMES;
        limits::check_size("binding", self, bound, most)
    }
}

/// The use of an approval: what will run, who runs it, and the circumstances of now. Its debug
/// output leaves out every parameter, since any of them may be secret.
#[derive(Clone, PartialEq)]
pub struct Use {
    /// What will run.
    pub action: Action,
    /// Who runs it.
    pub claimant: PersonId,
    /// When.
    pub at: Timestamp,
    /// The circumstances of now, compared with those that the approval is bound to.
    pub seen: Binding,
    /// The proof that the action is a step of the plan that was approved; none if it is the action
    /// that was asked for.
    pub step: Option<StepProof>,
    /// The highest token that the claimant, or the system that is acted on, has seen: a log that never
    /// gave it out is an older copy, and the claim is refused.
    pub seen_token: Option<FencingToken>,
    /// The caller's key: repeated under it, the call returns the claim that the first one made.
    pub key: Option<IdempotencyKey>,
}

impl Use {
    /// Makes the use of an approval that is bound to its action alone.
    #[must_use]
    pub fn new(action: Action, claimant: PersonId, at: Timestamp) -> Self {
        Self {
            action,
            claimant,
            at,
            seen: Binding::default(),
            step: None,
            seen_token: None,
            key: None,
        }
    }

    /// States the circumstances of now.
    #[must_use]
    pub fn seeing(mut self, now: Binding) -> Self {
        self.seen = now;
        self
    }

    /// Makes it the use for one step of the plan that was approved.
    #[must_use]
    pub fn as_step(mut self, proof: StepProof) -> Self {
        self.step = Some(proof);
        self
    }

    /// Gives the highest token that was seen.
    #[must_use]
    pub fn having_seen(mut self, token: FencingToken) -> Self {
        self.seen_token = Some(token);
        self
    }

    /// Gives the idempotency key.
    #[must_use]
    pub fn with_key(mut self, key: IdempotencyKey) -> Self {
        self.key = Some(key);
        self
    }
}

impl fmt::Debug for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.action.parameters.keys().collect();
        f.debug_struct("Use")
            .field("path", &self.action.path)
            .field("parameters", &names)
            .field("claimant", &self.claimant)
            .field("at", &self.at)
            .field("seen", &self.seen)
            .field("step", &self.step)
            .finish_non_exhaustive()
    }
}

/// Whether a step that was claimed belongs to the plan that was approved.
pub(crate) fn belongs(asked: &Binding, proof: &StepProof, action: &ActionDigest) -> bool {
    asked.plan.is_some_and(|plan| proof.verify(&plan, action))
}
