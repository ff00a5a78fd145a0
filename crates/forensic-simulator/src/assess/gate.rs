use std::collections::BTreeSet;
use std::str::FromStr;

use crate::assess::examination::Examination;
use crate::assess::kinds::FindingKind;
use crate::formats::planned::ChangeKind;

/// What a gate refuses, such as a check of a pull request.
///
/// Written as kinds of findings or of changes, separated by commas, or as `any` or `none`.
///
/// ```
/// use forensic_simulator::FailOn;
/// let strict: FailOn = "destroy,replace,half-done".parse()?;
/// let error = "destory".parse::<FailOn>().unwrap_err();
/// assert!(error.starts_with("\"destory\" is none of any, none, create, update, read, "));
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailOn {
    findings: BTreeSet<FindingKind>,
    changes: BTreeSet<ChangeKind>,
}

/// What a gate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GateResult {
    /// Nothing that it refuses was found.
    Clean,
    /// Something was.
    Findings,
    /// The plan failed, or a part of it was put off: make it anew.
    Incomplete,
}

/// Every finding but what someone else changed before.
impl Default for FailOn {
    fn default() -> Self {
        let all = FindingKind::ALL.into_iter();
        Self {
            findings: all.filter(|kind| *kind != FindingKind::Drift).collect(),
            changes: BTreeSet::new(),
        }
    }
}

impl FromStr for FailOn {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut fail_on = Self {
            findings: BTreeSet::new(),
            changes: BTreeSet::new(),
        };
        for name in text
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
        {
            fail_on.add(name)?;
        }
        Ok(fail_on)
    }
}

impl FailOn {
    fn add(&mut self, name: &str) -> Result<(), String> {
        match name {
            "any" => self.findings.extend(FindingKind::ALL),
            "none" => {}
            _ => {
                let mut changes = ChangeKind::ALL.into_iter();
                let change = changes.find(|kind| kind.as_str() == name);
                match (name.parse::<FindingKind>(), change) {
                    (Ok(kind), _) => drop(self.findings.insert(kind)),
                    (Err(_), Some(change)) => drop(self.changes.insert(change)),
                    (Err(_), None) => {
                        let findings = FindingKind::ALL.map(|kind| kind.as_str().replace('_', "-"));
                        let findings = findings.join(", ");
                        return Err(format!(
                            "{name:?} is none of any, none, create, update, read, {findings}"
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    /// What it says of a plan. A plan that is not whole is no plan to be judged, whatever is refused.
    #[must_use]
    pub fn judge(&self, examination: &Examination) -> GateResult {
        let mut findings = examination.findings.iter();
        let mut counts = examination.counts.iter();
        if !examination.incomplete.is_empty() {
            GateResult::Incomplete
        } else if findings.any(|finding| self.findings.contains(&finding.kind))
            || counts.any(|count| self.changes.contains(&count.kind))
        {
            GateResult::Findings
        } else {
            GateResult::Clean
        }
    }
}
