//! The bytes of a report, and the digests of what it says.

use std::sync::Arc;

use serde_json::Value;

use action::{EffectsDigest, ReportDigest};

use crate::digest::{Hasher, Version, WorldDigest, update_text};
use crate::error::Error;
use crate::run::report::SimulationReport;
use crate::world::digest_versions;
use crate::world::fact::Fact;

impl SimulationReport {
    /// The bytes that are stored and digested: JSON without white space.
    ///
    /// # Errors
    ///
    /// [`Error::Report`] if the report has no JSON form, which no report of a simulation does.
    pub fn to_json(&self) -> Result<String, Error> {
        /// About what a step takes, so that the text seldom moves while it grows.
        const STEP_BYTES: usize = 768;
        let mut json = Vec::with_capacity(STEP_BYTES * (1 + self.steps.len()));
        serde_json::to_writer(&mut json, self).map_err(|source| Error::Report(Arc::new(source)))?;
        Ok(String::from_utf8(json).expect("serde_json writes UTF-8"))
    }

    /// The digest over [`SimulationReport::to_json`].
    ///
    /// # Errors
    ///
    /// As [`SimulationReport::to_json`].
    pub fn digest(&self) -> Result<ReportDigest, Error> {
        Ok(digest_json(&self.to_json()?))
    }

    /// The digest of what the simulation read from the world. Two worlds that agree in it give
    /// the same report.
    #[must_use]
    pub fn world_digest(&self) -> WorldDigest {
        let reads = self.reads.iter();
        digest_versions(reads.map(|read| (read.key.as_str(), read.version)))
    }

    /// The digest of every change and external effect, in order: what an approval of the effects
    /// is bound to.
    #[must_use]
    pub fn effects_digest(&self) -> EffectsDigest {
        let mut hasher = Hasher::of(EffectsDigest::hasher());
        let mut versions = Versions::default();
        for step in &self.steps {
            for change in &step.changes {
                update_text(&mut hasher, change.key.as_str());
                for side in [&change.before, &change.after] {
                    match side {
                        Some(fact) => hasher.update(&[1]).update(versions.of(fact).as_bytes()),
                        None => hasher.update(&[0]),
                    };
                }
            }
            hasher.update(&[2]);
            for external in &step.external {
                update_text(&mut hasher, &external.target);
                update_text(&mut hasher, &external.effect);
            }
            hasher.update(&[3]);
        }
        EffectsDigest::from_bytes(hasher.finish())
    }
}

/// The versions of the last facts. A key that is written twice holds the same value, not only an equal
/// one, after the first time and before the second.
#[derive(Default)]
struct Versions<'a> {
    known: [Option<(&'a Arc<Value>, Version)>; 8],
    next: usize,
}

impl<'a> Versions<'a> {
    fn of(&mut self, fact: &'a Fact) -> Version {
        let Fact::Known(value) = fact else {
            return fact.version();
        };
        let mut known = self.known.iter().flatten();
        if let Some((_, version)) = known.find(|(known, _)| Arc::ptr_eq(known, value)) {
            return *version;
        }
        let version = fact.version();
        self.known[self.next] = Some((value, version));
        self.next = (self.next + 1) % self.known.len();
        version
    }
}

pub(crate) fn digest_json(json: &str) -> ReportDigest {
    ReportDigest::of(json.as_bytes())
}
