//! In which language texts are.

use serde::{Deserialize, Serialize};

/// In which language the texts of a namespace are: which endings of words are ignored, and which
/// words only hold a sentence together.
///
/// Words with a digit in them, which are identifiers as a rule, are never changed. Chinese,
/// Japanese, Korean, Thai, Lao, Khmer and Burmese are found in every setting, by pairs of letters,
/// as they put no spaces between words or glue particles to them.
#[derive(
    Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Language {
    /// None: every word counts, and only as it is written. For identifiers and codes.
    Exact,
    /// Arabic: endings are ignored.
    Arabic,
    /// Dutch: endings and function words are ignored.
    Dutch,
    /// English: endings and function words are ignored.
    #[default]
    English,
    /// French: endings and function words are ignored.
    French,
    /// German: endings and function words are ignored.
    German,
    /// Greek: endings are ignored.
    Greek,
    /// Italian: endings and function words are ignored.
    Italian,
    /// Portuguese: endings and function words are ignored.
    Portuguese,
    /// Russian: endings are ignored.
    Russian,
    /// Spanish: endings and function words are ignored.
    Spanish,
    /// Swedish: endings are ignored.
    Swedish,
    /// Turkish: endings are ignored.
    Turkish,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 13] = [
        Self::Exact,
        Self::Arabic,
        Self::Dutch,
        Self::English,
        Self::French,
        Self::German,
        Self::Greek,
        Self::Italian,
        Self::Portuguese,
        Self::Russian,
        Self::Spanish,
        Self::Swedish,
        Self::Turkish,
    ];

    /// Its name in a database and in an export.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Arabic => "arabic",
            Self::Dutch => "dutch",
            Self::English => "english",
            Self::French => "french",
            Self::German => "german",
            Self::Greek => "greek",
            Self::Italian => "italian",
            Self::Portuguese => "portuguese",
            Self::Russian => "russian",
            Self::Spanish => "spanish",
            Self::Swedish => "swedish",
            Self::Turkish => "turkish",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|language| language.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_found_by_its_name() {
        for language in Language::ALL {
            assert_eq!(Language::named(language.name()), Some(language));
        }
        assert_eq!(Language::named("klingon"), None);
    }
}
