//! Moments as they are stored: in whole milliseconds. Databases, digests and exports have had them so
//! from the first version on.

use action::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The moment as it is when it was stored and read again.
pub(crate) const fn floor(moment: Timestamp) -> Timestamp {
    Timestamp::from_millis(moment.as_millis())
}

/// For `#[serde(with = "millis")]`.
pub(crate) fn serialize<S: Serializer>(moment: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    moment.as_millis().serialize(to)
}

/// For `#[serde(with = "millis")]`.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    i64::deserialize(from).map(Timestamp::from_millis)
}

/// For `#[serde(with = "millis::option")]`.
pub(crate) mod option {
    use action::Timestamp;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        moment: &Option<Timestamp>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        moment.map(Timestamp::as_millis).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        let millis = Option::<i64>::deserialize(from)?;
        Ok(millis.map(Timestamp::from_millis))
    }
}
