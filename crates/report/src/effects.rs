//! How the effects of external services were read back.

use load_engine::{Defect, Verification};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One effect of a file: what the load did to it, and what was read back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EffectReport {
    /// Its name in the file.
    pub name: String,
    /// How often it was asked for and acknowledged: it had to be found.
    pub acknowledged: u64,
    /// How often it was refused: it had not to be found.
    pub refused: u64,
    /// How often nobody knows: it might be found.
    pub unknown: u64,
    /// How often it was read during the load.
    #[serde(default, skip_serializing_if = "is_none")]
    pub reads: u64,
    /// How many of these reads are not checked for stale contents, since there were more than are kept.
    #[serde(default, skip_serializing_if = "is_none")]
    pub unchecked_reads: u64,
    /// What was read, one reading after the other; none of an effect that nothing reads.
    pub readings: Vec<EffectReading>,
    /// How it was read: what that cannot show.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cannot_see: Vec<String>,
    /// What was left when it had been removed, if it was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<u64>,
    /// Whether its service was restarted before it was read for the last time.
    pub restarted: bool,
}

/// One reading of one effect.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EffectReading {
    /// When: `end`, or `after restart`.
    pub stage: String,
    /// Things that are not of this run.
    #[serde(default, skip_serializing_if = "is_none")]
    pub foreign: u64,
    /// Of what is unexpected, the writes that the service had refused.
    #[serde(default, skip_serializing_if = "is_none")]
    pub refused_but_found: u64,
    /// What was found. Its discrepancies are those of the whole result.
    pub verification: Verification,
}

/// A request whose answer is the same before, during and after the load.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InvariantReport {
    /// Its name in the file.
    pub name: String,
    /// How often it was asked.
    pub asked: u64,
    /// How often there was no answer, such as while its service was restarted.
    #[serde(default, skip_serializing_if = "is_none")]
    pub unanswered: u64,
    /// How often it did not hold.
    pub violated: u64,
    /// When that was first, and what the answer was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_violation: Option<String>,
}

impl InvariantReport {
    /// How often it was asked and held, in a line for people.
    #[must_use]
    pub fn line(&self) -> String {
        let mut line = format!("invariant {}: asked {} times", self.name, self.asked);
        if self.unanswered > 0 {
            line.push_str(&format!(", {} without an answer", self.unanswered));
        }
        match (&self.first_violation, self.violated) {
            (Some(first), violated) => {
                line.push_str(&format!(", violated {violated} times, first {first}"));
            }
            (None, _) => line.push_str(", held in each answer"),
        }
        line
    }
}

/// What was done to a service during the load.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FaultReport {
    /// What: `kill`, `pause` or `restart`, or what the network did, such as `latency`.
    pub kind: String,
    /// How much of it, if that can be more or less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// To which service.
    pub service: String,
    /// When it began, in milliseconds since the load did.
    pub began_ms: u64,
    /// When the service was ready again.
    pub ended_ms: u64,
    /// Why it was not, if it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

impl FaultReport {
    /// What was done and when, in a line for people.
    #[must_use]
    pub fn line(&self) -> String {
        let detail = self.detail.as_ref();
        let detail = detail.map_or_else(String::new, |detail| format!(" ({detail})"));
        let mut line = format!(
            "fault: {}{detail} of {} from {:.1} s to {:.1} s",
            self.kind,
            self.service,
            self.began_ms as f64 / 1e3,
            self.ended_ms as f64 / 1e3
        );
        if let Some(failed) = &self.failed {
            line.push_str(&format!(", after which it was not ready: {failed}"));
        }
        line
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

impl EffectReport {
    /// What the load did and what was found, in a line for people.
    #[must_use]
    pub fn line(&self) -> String {
        let mut line = format!(
            "{}: {} acknowledged, {} refused, {} unknown",
            self.name, self.acknowledged, self.refused, self.unknown
        );
        if self.reads > 0 {
            line.push_str(&format!("; {} reads during the load", self.reads));
            if self.unchecked_reads > 0 {
                let unchecked = self.unchecked_reads;
                line.push_str(&format!(", of which the last {unchecked} are not checked"));
            }
        }
        for reading in &self.readings {
            line.push_str(&reading.part());
        }
        if self.readings.is_empty() {
            line.push_str("; not read back, so nothing is proved");
        } else if !self.restarted {
            line.push_str("; not proved over a restart");
        }
        match self.left {
            Some(0) => line.push_str("; removed"),
            Some(left) => line.push_str(&format!("; {left} left after removing")),
            None => {}
        }
        line
    }

    /// What its reading cannot show, in a line for people.
    #[must_use]
    pub fn blind_spots(&self) -> Option<String> {
        (!self.cannot_see.is_empty()).then(|| {
            format!(
                "reading {} back cannot see {}",
                self.name,
                self.cannot_see.join(", ")
            )
        })
    }
}

impl EffectReading {
    fn part(&self) -> String {
        let found = &self.verification;
        let mut part = format!("; {}: {} found", self.stage, found.verified);
        let defects = found.defects().into_iter();
        let counts = defects
            .map(|(defect, count)| (count, defect.name()))
            .chain([
                (found.unreadable, "unreadable"),
                (found.indeterminate, "indeterminate"),
                (self.foreign, "of others"),
            ]);
        for (count, what) in counts.filter(|(count, _)| *count > 0) {
            part.push_str(&format!(", {count} {what}"));
            if what == Defect::Unexpected.name() && self.refused_but_found > 0 {
                part.push_str(&format!(" ({} refused but found)", self.refused_but_found));
            }
        }
        part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_was_found_and_what_was_not_proved() {
        let mut verification = Verification::default();
        (verification.verified, verification.lost) = (7, 3);
        let mut effect = EffectReport {
            name: "order".to_owned(),
            acknowledged: 10,
            readings: vec![EffectReading {
                stage: "end".to_owned(),
                foreign: 2,
                refused_but_found: 0,
                verification,
            }],
            ..EffectReport::default()
        };
        assert_eq!(
            effect.line(),
            "order: 10 acknowledged, 0 refused, 0 unknown; end: 7 found, 3 lost, 2 of others; \
             not proved over a restart"
        );
        effect.restarted = true;
        effect.left = Some(0);
        assert!(effect.line().ends_with("2 of others; removed"));
        effect.readings.clear();
        assert!(
            effect
                .line()
                .contains("; not read back, so nothing is proved")
        );
        assert_eq!(effect.blind_spots(), None);
    }
}
