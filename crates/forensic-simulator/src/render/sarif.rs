//! SARIF 2.1.0 (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>).

use serde_json::{Value, json};

use crate::assess::examination::Examination;
use crate::assess::kinds::{Finding, FindingKind};
use crate::plan::step_id::StepId;

impl Examination {
    /// The findings as SARIF 2.1.0, as code scanners give theirs. `file` is the plan, as a path below the
    /// repository.
    #[must_use]
    pub fn to_sarif(&self, file: &str) -> String {
        let rules = FindingKind::ALL.iter().map(|kind| {
            json!({
                "id": kind.as_str(),
                "shortDescription": {"text": kind.meaning()},
                "helpUri": "https://proofload.dev/guide/gating-terraform",
            })
        });
        let results = self.findings.iter().map(|finding| result(finding, file));
        let log = json!({
            "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
            "version": "2.1.0",
            "runs": [{
                "tool": {"driver": {
                    "name": "proofload simulate",
                    "informationUri": "https://proofload.dev",
                    "version": env!("CARGO_PKG_VERSION"),
                    "rules": rules.collect::<Vec<_>>(),
                }},
                "invocations": [{"executionSuccessful": self.incomplete.is_empty()}],
                "results": results.collect::<Vec<_>>(),
                "properties": {
                    "advice": self.advice,
                    "headline": self.headline,
                    "risk": self.analysis.risk.score,
                },
            }],
        });
        action::visible_json(&log.to_string()).into_owned()
    }
}

fn result(finding: &Finding, file: &str) -> Value {
    let index = FindingKind::ALL
        .iter()
        .position(|kind| *kind == finding.kind);
    let names: Vec<&str> = match &finding.subject {
        Some(subject) => vec![subject],
        None => finding.steps.iter().map(StepId::as_str).collect(),
    };
    let message = match names.as_slice() {
        [] => finding.evidence.clone(),
        names => format!("{}: {}", names.join(", "), finding.evidence),
    };
    let logical: Vec<Value> = names
        .iter()
        .map(|name| json!({"fullyQualifiedName": name, "kind": "resource"}))
        .collect();
    let print = blake3::hash(format!("{} {message}", finding.kind.as_str()).as_bytes());
    json!({
        "ruleId": finding.kind.as_str(),
        "ruleIndex": index,
        "level": finding.severity.as_str(),
        "message": {"text": message},
        "locations": [{
            "physicalLocation": {
                "artifactLocation": {"uri": uri(file)},
                "region": {"startLine": 1},
            },
            "logicalLocations": logical,
        }],
        "partialFingerprints": {"finding/v1": print.to_hex().as_str()},
    })
}

/// A path as a relative reference: what a URI does not have is written in percent.
fn uri(file: &str) -> String {
    let mut uri = String::new();
    for byte in file.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => {
                uri.push(byte as char);
            }
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri
}
