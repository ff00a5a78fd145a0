use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::canonical;
use crate::digest::ActionDigest;
use crate::error::Error;
use crate::path::ActionPath;
use crate::unique::unique_names;

/// One thing that an agent wants to do to a real system.
///
/// A plain record: whoever builds it owns its fields. What decides identity is the canonical form
/// of all four fields, so a changed description is another action too: a person approved the words
/// they read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// Where it acts, such as `payments/refund`.
    pub path: ActionPath,
    /// A short title for people.
    pub name: String,
    /// What it does, for the person who decides. May be empty.
    #[serde(default)]
    pub description: String,
    /// The arguments that decide what happens. Read from JSON, no object in them may have a name twice.
    #[serde(default, deserialize_with = "unique_names")]
    pub parameters: Map<String, Value>,
}

impl Action {
    /// Makes an action without a description or parameters.
    pub fn new(path: ActionPath, name: impl Into<String>) -> Self {
        Self {
            path,
            name: name.into(),
            description: String::new(),
            parameters: Map::new(),
        }
    }

    /// Sets the description.
    #[must_use]
    pub fn with_description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Sets one parameter, replacing an earlier value under the same name.
    #[must_use]
    pub fn with_parameter(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.parameters.insert(name.into(), value.into());
        self
    }

    /// Returns the canonical form: RFC 8785 (JSON Canonicalization Scheme) over all four fields.
    ///
    /// # Errors
    ///
    /// [`Error::InexactNumber`] for an integer that a double cannot hold, since RFC 8785 writes
    /// numbers as doubles and two different actions would get the same bytes;
    /// [`Error::TooDeep`] for parameters nested beyond [`Action::MAX_DEPTH`] levels.
    pub fn canonical(&self) -> Result<Vec<u8>, Error> {
        canonical::check(&self.parameters)?;
        if canonical::is_plain(&self.parameters) {
            let plain = Plain::of(self);
            // Most actions fit, and none has to be moved while it grows.
            let mut bytes = Vec::with_capacity(512);
            serde_json::to_writer(&mut bytes, &plain).map_err(Error::Canonical)?;
            return Ok(bytes);
        }
        serde_json_canonicalizer::to_vec(self).map_err(Error::Canonical)
    }

    /// Returns the digest of the [canonical form](Self::canonical).
    ///
    /// # Errors
    ///
    /// As [`Action::canonical`].
    pub fn digest(&self) -> Result<ActionDigest, Error> {
        Ok(ActionDigest::of(&self.canonical()?))
    }

    /// The deepest nesting of parameters that has a canonical form, in levels. The same limit as
    /// `serde_json`'s parser, so what can be hashed can also be read back.
    pub const MAX_DEPTH: usize = canonical::MAX_DEPTH;
}

/// An action with its fields in canonical order.
#[derive(Serialize)]
struct Plain<'a> {
    description: &'a str,
    name: &'a str,
    parameters: &'a Map<String, Value>,
    path: &'a ActionPath,
}

impl<'a> Plain<'a> {
    fn of(action: &'a Action) -> Self {
        Self {
            description: &action.description,
            name: &action.name,
            parameters: &action.parameters,
            path: &action.path,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refund() -> Action {
        Action::new(ActionPath::new("payments/refund").unwrap(), "Refund")
            .with_description("pay back")
            .with_parameter("order", "A-17")
            .with_parameter("amount", 12.5)
    }

    /// The last of two values counted, so that two different calls had one digest.
    #[test]
    fn parameters_with_a_name_twice_are_refused() {
        let twice = r#"{"path":"kv/delete","name":"x","parameters":{"key":"prod","key":"tmp"}}"#;
        let error = serde_json::from_str::<Action>(twice)
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("the name \"key\" is there twice"),
            "{error}"
        );
        let deep = "{\"a\":".repeat(200) + "1" + &"}".repeat(200);
        let deep = format!(r#"{{"path":"kv/delete","name":"x","parameters":{deep}}}"#);
        assert!(
            serde_json::from_str::<Action>(&deep).is_err(),
            "nesting has its limit"
        );
    }

    #[test]
    fn the_canonical_form_sorts_keys_and_has_no_white_space() {
        let text = String::from_utf8(refund().canonical().unwrap()).unwrap();
        assert_eq!(
            text,
            r#"{"description":"pay back","name":"Refund","parameters":{"amount":12.5,"order":"A-17"},"path":"payments/refund"}"#
        );
    }

    #[test]
    fn every_field_decides_the_digest() {
        let base = refund().digest().unwrap();
        let mut path = refund();
        path.path = ActionPath::new("payments/refunds").unwrap();
        let mut name = refund();
        name.name.push('!');
        let description = refund().with_description("");
        let parameter = refund().with_parameter("order", "A-18");
        for changed in [path, name, description, parameter] {
            assert_ne!(changed.digest().unwrap(), base, "{changed:?}");
        }
    }

    #[test]
    fn the_digest_is_stable_over_releases() {
        // A pinned value: stored approvals carry digests, so a change here would orphan them all.
        assert_eq!(refund().digest().unwrap().to_string(), PINNED);
    }

    const PINNED: &str = "b5a2806ab1d3a25959480dc4e4d588fc751a61ea68a3e28cc94d3c40475d6a49";

    #[test]
    fn integers_beyond_the_exact_range_of_doubles_are_refused() {
        for value in [
            json!(9_007_199_254_740_993_u64),
            json!(-9_007_199_254_740_993_i64),
        ] {
            let action = refund().with_parameter("list", json!([{ "n": value }]));
            let error = action.digest().unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("number {value} at /list/0/n has no exact canonical form")
            );
        }
        assert!(
            refund()
                .with_parameter("n", 9_007_199_254_740_992_u64)
                .digest()
                .is_ok()
        );
    }

    #[test]
    fn parameters_nested_too_deep_are_refused() {
        let nest = |levels| (0..levels).fold(json!(1), |inner, _| json!([inner]));
        let deep = refund().with_parameter("d", nest(Action::MAX_DEPTH));
        assert!(
            matches!(deep.digest(), Err(Error::TooDeep { .. })),
            "{:?}",
            deep.digest()
        );
        assert!(
            refund()
                .with_parameter("d", nest(Action::MAX_DEPTH - 1))
                .digest()
                .is_ok()
        );
    }

    #[test]
    fn an_action_read_back_from_json_has_the_same_digest() {
        let text = serde_json::to_string(&refund()).unwrap();
        let back: Action = serde_json::from_str(&text).unwrap();
        assert_eq!(back.digest().unwrap(), refund().digest().unwrap());
    }

    #[test]
    fn unknown_fields_are_refused_because_they_would_not_be_part_of_the_digest() {
        let text = r#"{"path":"a/b","name":"n","target":"prod"}"#;
        assert!(serde_json::from_str::<Action>(text).is_err());
    }
}
