//! When facts hold, and as of when they are asked for.
//!
//! Two times are kept apart: since when and until when a fact is *true* (`valid_from`,
//! `valid_until`), and when the store came to *know* it (`recorded_at`). An update corrects what is
//! known and leaves the version before in the history; a fact that has changed in the world ends,
//! and another one follows it.

use action::Timestamp;
use serde::{Deserialize, Serialize};

/// As of when something is asked for. The store has no clock: without a moment it cannot tell what
/// has expired.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// What is true without an end, which leaves out what was ended or superseded.
    #[default]
    Current,
    /// What was true at that moment as far as is known now, and had not expired.
    AsOf(#[serde(with = "crate::model::millis")] Timestamp),
    /// All that is stored, whenever it was true.
    Ever,
}

impl When {
    /// What one part of a question says, or what the whole says if the part is silent.
    pub(crate) fn or(self, whole: Self) -> Self {
        if self == Self::Current { whole } else { self }
    }

    pub(crate) fn admits(
        self,
        from: Timestamp,
        until: Option<Timestamp>,
        expires: Option<Timestamp>,
    ) -> bool {
        match self {
            Self::Current => until.is_none(),
            Self::AsOf(moment) => {
                from <= moment
                    && until.is_none_or(|until| moment < until)
                    && expires.is_none_or(|expires| moment < expires)
            }
            Self::Ever => true,
        }
    }
}

/// Which of the two times a look back is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    /// What was true at that moment, as far as is known now, and had not expired.
    TrueAt(#[serde(with = "crate::model::millis")] Timestamp),
    /// What was known at that moment, whenever it is true.
    KnownAt(#[serde(with = "crate::model::millis")] Timestamp),
}

/// One version of a memory or an edge, and when another took its place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Version<T> {
    /// What was known.
    pub fact: T,
    /// When the next version was recorded; `None` for what is known now.
    #[serde(default, with = "crate::model::millis::option")]
    pub replaced_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_holds_its_beginning_and_not_its_end() {
        let at = Timestamp::from_millis;
        let found = |when: When| when.admits(at(3), Some(at(5)), Some(at(9)));
        let as_of = |millis| found(When::AsOf(at(millis)));
        assert_eq!(
            [as_of(2), as_of(3), as_of(4), as_of(5)],
            [false, true, true, false]
        );
        assert!(!found(When::Current) && found(When::Ever));
        let expiring = |millis| When::AsOf(at(millis)).admits(at(3), None, Some(at(9)));
        assert!(expiring(8) && !expiring(9));
    }
}
