//! A policy as text, and where in it a fault is.

use serde::{Deserialize, de};

use crate::error::Error;
use crate::policy::{Policy, check};

impl Policy {
    /// Reads a policy from TOML and checks it as [`Rulebook::new`](crate::Rulebook::new) does.
    ///
    /// # Errors
    ///
    /// [`Error::PolicyText`] with the line and the column of the first fault.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        let at = |byte: usize, fault: &str| {
            let (line, column) = place(text, byte);
            let fault = fault.to_owned();
            Error::PolicyText {
                line,
                column,
                fault,
            }
        };
        let policy: Self = toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            at(start, error.message().trim())
        })?;
        match check::check(&policy) {
            Ok(()) => Ok(policy),
            Err(fault) => {
                let start = fault.rule.and_then(|index| rule_start(text, index));
                Err(at(start.unwrap_or(0), &fault.to_string()))
            }
        }
    }
}

/// Where a rule begins, in bytes.
fn rule_start(text: &str, index: usize) -> Option<usize> {
    #[derive(Deserialize)]
    struct Rules {
        rules: Vec<toml::Spanned<de::IgnoredAny>>,
    }
    let Rules { rules } = toml::from_str(text).ok()?;
    Some(rules.get(index)?.span().start)
}

/// The line and the column of a byte, both from 1.
fn place(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    (line, before[start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_in_a_text_is_told_with_its_place() {
        let fault = |text: &str| Policy::from_toml(text).unwrap_err().to_string();
        let text = "[[rules]]\npattern = \"a/*\"\nsensitivity = \"hihg\"\n";
        assert_eq!(
            fault(text),
            "policy, line 3, column 15: unknown variant `hihg`, expected one of `none`, `low`, \
             `medium`, `high`, `critical`"
        );
        assert_eq!(
            fault("[[rules]]\npattern = \"ä//b\"\nsensitivity = \"low\""),
            "policy, line 2, column 11: invalid path pattern \"ä//b\": it has an empty segment"
        );
        let twice = "# two\n[[rules]]\npattern = \"a\"\nsensitivity = \"low\"\n\n  [[rules]]\npattern = \"a\"\nsensitivity = \"low\"";
        assert_eq!(
            fault(twice),
            "policy, line 6, column 3: rule 2 (\"a\"): an earlier rule has the same pattern, so this \
             one never decides"
        );
        assert!(
            fault("x = ").starts_with("policy, line 1, column 5"),
            "{}",
            fault("x = ")
        );
        for noise in [
            "\0",
            "[[rules]]",
            "rules = 3",
            "[default]\nsensitivity = \"none\"",
        ] {
            assert!(fault(noise).starts_with("policy, line "), "{noise:?}");
        }
    }
}
