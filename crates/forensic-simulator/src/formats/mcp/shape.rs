//! What the schema of a tool says of its parameters.

use std::collections::BTreeSet;

use serde_json::Value;

/// What the schema and the annotations of a tool say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToolShape {
    /// Whether it only reads.
    pub read_only: bool,
    /// Whether it destroys.
    pub destructive: bool,
    /// The parameters that are its targets.
    pub targets: BTreeSet<String>,
}

/// The last words of the names of parameters that say who or what is reached.
const ROLES: [&str; 30] = [
    "account",
    "address",
    "attendee",
    "bcc",
    "bucket",
    "cc",
    "channel",
    "company",
    "domain",
    "email",
    "endpoint",
    "host",
    "hotel",
    "iban",
    "invitee",
    "link",
    "member",
    "participant",
    "password",
    "phone",
    "recipient",
    "repo",
    "repository",
    "restaurant",
    "to",
    "uri",
    "url",
    "user",
    "username",
    "webhook",
];

/// Whether a parameter is named as something that is reached.
pub(crate) fn is_role(parameter: &str) -> bool {
    is_named_as(parameter, &ROLES)
}

/// Whether the last word of a parameter's name is one of these, or its plural.
pub(crate) fn is_named_as(parameter: &str, words: &[&str]) -> bool {
    let last = parameter
        .rsplit(['_', '-', '.'])
        .next()
        .unwrap_or(parameter)
        .to_lowercase();
    let is = |word: &str| words.contains(&word);
    is(&last) || last.strip_suffix('s').is_some_and(is)
}

/// Whether a parameter is a target, by its schema.
pub(super) fn is_target(name: &str, schema: &Value) -> bool {
    const FORMATS: [&str; 8] = [
        "email",
        "idn-email",
        "uri",
        "iri",
        "uri-reference",
        "hostname",
        "ipv4",
        "ipv6",
    ];
    let format = schema["format"]
        .as_str()
        .or(schema["items"]["format"].as_str());
    format.is_some_and(|format| FORMATS.contains(&format)) || is_role(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_told_by_its_name_or_its_format() {
        for name in ["recipients", "user_email", "channel", "webhook_url", "to"] {
            assert!(is_target(name, &Value::Null), "{name}");
        }
        for name in ["body", "title", "start_time", "amount", "total"] {
            assert!(!is_target(name, &Value::Null), "{name}");
        }
        assert!(is_target("x", &serde_json::json!({"format": "email"})));
    }
}
