//! What the parts of a file are compiled with.

use std::collections::BTreeMap;

use drivers::Reach;

use super::super::spec::{FlowsSpec, Per, PhaseSpec, StepSpec};
use super::effects::Effects;
use super::services::{Declared, ServiceFile};
use crate::KeyPath;
use crate::targets::LoadFacts;

/// What a file says, and what it may do.
#[derive(Clone, Debug)]
pub(in crate::services) struct File {
    pub(in crate::services) services: Vec<ServiceFile>,
    pub(in crate::services) flows: FlowsSpec,
    /// Of each phase as it comes.
    pub(in crate::services) phases: Vec<PhaseSpec>,
    pub(in crate::services) load: LoadFacts,
}

/// What steps are compiled with.
pub(super) struct Context<'f> {
    pub(super) file: &'f File,
    pub(super) services: &'f [Declared],
    pub(super) effects: Effects<'f>,
    /// The names of the set-up steps of each user, which `rerun` may name.
    pub(super) user_setup: Vec<String>,
    /// Names of steps, and where they are.
    pub(super) names: BTreeMap<String, KeyPath>,
}

/// For how much a set-up runs once.
pub(super) fn reach_of(step: &StepSpec) -> Reach {
    match step.per.unwrap_or_default() {
        Per::Run => Reach::Run,
        Per::User => Reach::User,
    }
}
