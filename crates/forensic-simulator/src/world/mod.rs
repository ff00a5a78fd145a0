pub(crate) mod change;
pub(crate) mod fact;
pub(crate) mod overlay;

use std::collections::{BTreeMap, HashMap};

use foldhash::quality::RandomState;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::digest::{Hasher, Version, WorldDigest, update_text};
use crate::error::Error;
use crate::input::json;
use crate::world::change::Change;
use crate::world::fact::{Fact, Key};

/// The state that a plan is simulated against: keys and what is known of each.
///
/// A simulation borrows it and writes to an overlay of its own, so it costs the same in a world of
/// a hundred keys and of a hundred thousand, and any number of them may run at once.
///
/// ```
/// use forensic_simulator::{Fact, World};
/// let mut world: World = serde_json::from_str(
///     r#"{"accounts/a": 100, "db/password": {"$secret": {"label": "database password"}}}"#,
/// )?;
/// world.insert("accounts/b", 20);
/// assert_eq!(world.get("accounts/a"), Some(&Fact::from(100)));
/// assert!(world.get("db/password").unwrap().value().is_none());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct World {
    /// Every step looks keys up, so the hash is a fast one. It is seeded at random in each process, so
    /// that nobody who chooses keys knows which of them collide.
    held: HashMap<Key, Held, RandomState>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Held {
    pub(crate) fact: Fact,
    pub(crate) version: Version, // always `fact.version()`
}

impl World {
    /// A world without keys.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a world from JSON: one object, in which each field is a key.
    ///
    /// # Errors
    ///
    /// [`Error::Import`] with line and column.
    pub fn parse(text: &str) -> Result<Self, Error> {
        const FORMAT: &str = "world";
        let world = serde_json::from_str(text).map_err(|error| Error::json(FORMAT, &error))?;
        json::strict(FORMAT, text)?;
        Ok(world)
    }

    /// What is known of a key, or `None` if it does not exist.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Fact> {
        Some(&self.held.get(key)?.fact)
    }

    /// The version of a key's content, or `None` if it does not exist.
    #[must_use]
    pub fn version(&self, key: &str) -> Option<Version> {
        Some(self.held.get(key)?.version)
    }

    /// Sets a key and returns what was there.
    pub fn insert(&mut self, key: impl Into<Key>, fact: impl Into<Fact>) -> Option<Fact> {
        let fact = fact.into();
        let version = fact.version();
        let before = self.held.insert(key.into(), Held { fact, version })?;
        Some(before.fact)
    }

    /// Removes a key and returns what was there.
    pub fn remove(&mut self, key: &str) -> Option<Fact> {
        Some(self.held.remove(key)?.fact)
    }

    /// Makes the changes of a report true, in their order: what the plan would leave.
    pub fn apply<'a>(&mut self, changes: impl IntoIterator<Item = &'a Change>) {
        for change in changes {
            match &change.after {
                Some(fact) => drop(self.insert(change.key.clone(), fact.clone())),
                None => drop(self.remove(change.key.as_str())),
            }
        }
    }

    /// Lays another world over this one: where both have a key, the other one counts.
    pub fn lay_over(&mut self, other: Self) {
        self.held.extend(other.held);
    }

    /// How many keys exist.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether no key exists.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Every key with what is known of it, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Fact)> {
        self.held.iter().map(|(key, held)| (key, &held.fact))
    }

    /// The digest of the whole world. Visits every key; a report has the digest of only what it
    /// read, which is what it depends on.
    #[must_use]
    pub fn digest(&self) -> WorldDigest {
        let sorted: BTreeMap<_, _> = self.held.iter().collect();
        let versions = sorted
            .iter()
            .map(|(key, held)| (key.as_str(), Some(held.version)));
        digest_versions(versions)
    }

    pub(crate) fn held(&self, key: &str) -> Option<(&Key, &Held)> {
        self.held.get_key_value(key)
    }
}

/// The digest of keys and versions that come sorted by key; `None` is a key that does not exist.
pub(crate) fn digest_versions<'a>(
    versions: impl Iterator<Item = (&'a str, Option<Version>)>,
) -> WorldDigest {
    let mut hasher = Hasher::of(WorldDigest::hasher());
    for (key, version) in versions {
        update_text(&mut hasher, key);
        match version {
            Some(version) => hasher.update(&[1]).update(version.as_bytes()),
            None => hasher.update(&[0]),
        };
    }
    WorldDigest::from_bytes(hasher.finish())
}

impl<K: Into<Key>, F: Into<Fact>> FromIterator<(K, F)> for World {
    fn from_iter<I: IntoIterator<Item = (K, F)>>(entries: I) -> Self {
        let mut world = Self::new();
        for (key, fact) in entries {
            world.insert(key, fact);
        }
        world
    }
}

/// One object, sorted by key, so that a world has one spelling.
impl Serialize for World {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.iter().collect::<BTreeMap<_, _>>().serialize(to)
    }
}

impl<'de> Deserialize<'de> for World {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let facts = BTreeMap::<Key, Fact>::deserialize(from)?;
        Ok(facts.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_depends_on_content_and_not_on_history() {
        let mut one = World::from_iter([("a", 1), ("b", 2)]);
        let other = World::from_iter([("b", 2), ("a", 1)]);
        assert_eq!(one.digest(), other.digest());
        one.insert("a", 3);
        assert_ne!(one.digest(), other.digest());
        one.insert("a", 1);
        one.insert("c", 1);
        one.remove("c");
        assert_eq!(one.digest(), other.digest());
    }

    #[test]
    fn a_world_survives_its_json() {
        let mut world = World::from_iter([("b", 2), ("a", 1)]);
        world.insert("t", Fact::secret("token"));
        let text = serde_json::to_string(&world).unwrap();
        assert_eq!(text, r#"{"a":1,"b":2,"t":{"$secret":{"label":"token"}}}"#);
        assert_eq!(serde_json::from_str::<World>(&text).unwrap(), world);
    }
}
