use std::fmt;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::model::names::GroupId;

/// Who must approve: so many people, of a group or at large, combined by *all* and *any*.
///
/// One person has one vote: a member of two groups fills one place of them, whichever helps.
///
/// ```
/// # use approval_workflow::Requirement;
/// // Two of finance and one of security: three people.
/// let requirement: Requirement = serde_json::from_str(r#"{"all": [
///     {"at_least": {"people": 2, "of": "finance"}},
///     {"at_least": {"people": 1, "of": "security"}}
/// ]}"#)?;
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Requirement {
    /// So many distinct people.
    AtLeast {
        /// How many.
        people: NonZeroU32,
        /// Of which group; none for anybody.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<GroupId>,
    },
    /// Every part, by different people. There must be a part.
    All(Vec<Requirement>),
    /// One of the parts. There must be a part.
    Any(Vec<Requirement>),
}

/// The places to fill, one person each; none as the group means anybody.
type Places<'a> = Vec<Option<&'a GroupId>>;

impl Requirement {
    /// The most people that one way of meeting a requirement may need, and the most ways.
    const MAX: usize = 64;

    /// Any one person.
    #[must_use]
    pub fn anyone() -> Self {
        let (people, of) = (NonZeroU32::MIN, None);
        Self::AtLeast { people, of }
    }

    /// Whether people of these groups, one entry a person, meet the requirement.
    pub(crate) fn is_met_by_groups(&self, people: &[&[GroupId]]) -> bool {
        if matches!(self, Self::AtLeast { people, of: None } if people.get() == 1) {
            return !people.is_empty();
        }
        self.ways()
            .is_some_and(|ways| ways.iter().any(|way| unfilled(people, way).is_empty()))
    }

    /// The places that are still empty, in the way that leaves the fewest.
    pub(crate) fn missing(&self, people: &[&[GroupId]]) -> Vec<Option<&GroupId>> {
        let ways = self.ways().unwrap_or_default();
        let left = ways.into_iter().map(|way| unfilled(people, &way));
        left.min_by_key(Vec::len).unwrap_or_default()
    }

    /// What makes the requirement senseless, if anything does.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        if self.has_empty_part() {
            return Some("`all` and `any` need at least one part");
        }
        match self.ways() {
            Some(_) => None,
            None => {
                Some("`requires` needs more than 64 people, or can be met in more than 64 ways")
            }
        }
    }

    /// The groups that are named.
    pub(crate) fn groups(&self) -> Vec<&GroupId> {
        match self {
            Self::AtLeast { of, .. } => of.iter().collect(),
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::groups).collect(),
        }
    }

    fn has_empty_part(&self) -> bool {
        match self {
            Self::AtLeast { .. } => false,
            Self::All(parts) | Self::Any(parts) => {
                parts.is_empty() || parts.iter().any(Self::has_empty_part)
            }
        }
    }

    /// The ways of meeting the requirement; none if there are too many.
    fn ways(&self) -> Option<Vec<Places<'_>>> {
        let ways = match self {
            Self::AtLeast { people, of } => {
                let people = people.get() as usize; // u32 fits
                if people > Self::MAX {
                    return None;
                }
                vec![vec![of.as_ref(); people]]
            }
            Self::Any(parts) => {
                let ways: Option<Vec<_>> = parts.iter().map(Self::ways).collect();
                ways?.into_iter().flatten().collect()
            }
            Self::All(parts) => {
                let mut ways: Vec<Places<'_>> = vec![Vec::new()];
                for part in parts {
                    ways = product(&ways, &part.ways()?)?;
                }
                ways
            }
        };
        let fits = ways.len() <= Self::MAX && ways.iter().all(|way| way.len() <= Self::MAX);
        fits.then_some(ways)
    }
}

fn product<'a>(left: &[Places<'a>], right: &[Places<'a>]) -> Option<Vec<Places<'a>>> {
    if left.len() * right.len() > Requirement::MAX {
        return None;
    }
    let pairs = left.iter().flat_map(|a| right.iter().map(move |b| (a, b)));
    Some(
        pairs
            .map(|(a, b)| a.iter().chain(b).copied().collect())
            .collect(),
    )
}

/// The places that are left when as many as possible are given to a person of their own: bipartite
/// matching by augmenting paths (Kuhn's algorithm).
fn unfilled<'a>(people: &[&[GroupId]], places: &[Option<&'a GroupId>]) -> Places<'a> {
    let mut place_of: Vec<Option<usize>> = vec![None; people.len()];
    let mut left = Places::new();
    for place in 0..places.len() {
        let mut tried = vec![false; people.len()];
        if !seat(people, places, place, &mut place_of, &mut tried) {
            left.push(places[place]);
        }
    }
    left
}

fn seat(
    people: &[&[GroupId]],
    places: &[Option<&GroupId>],
    place: usize,
    place_of: &mut [Option<usize>],
    tried: &mut [bool],
) -> bool {
    for (person, groups) in people.iter().enumerate() {
        let eligible = places[place].is_none_or(|group| groups.contains(group));
        if !eligible || std::mem::replace(&mut tried[person], true) {
            continue;
        }
        let is_free = match place_of[person] {
            None => true,
            // Ask who sits there to move.
            Some(other) => seat(people, places, other, place_of, tried),
        };
        if is_free {
            place_of[person] = Some(place);
            return true;
        }
    }
    false
}

impl Default for Requirement {
    fn default() -> Self {
        Self::anyone()
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, parts: &[Self], word| {
            for (index, part) in parts.iter().enumerate() {
                if index > 0 {
                    write!(f, " {word} ")?;
                }
                match part {
                    Self::AtLeast { .. } => write!(f, "{part}")?,
                    _ => write!(f, "({part})")?,
                }
            }
            Ok(())
        };
        match self {
            Self::AtLeast { people, of: None } => write!(f, "{people} of anyone"),
            Self::AtLeast {
                people,
                of: Some(group),
            } => write!(f, "{people} of {group}"),
            Self::All(parts) => list(f, parts, "and"),
            Self::Any(parts) => list(f, parts, "or"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn group(name: &str) -> GroupId {
        GroupId::new(name).unwrap()
    }

    fn of(people: u32, name: Option<&str>) -> Requirement {
        Requirement::AtLeast {
            people: NonZeroU32::new(people).unwrap(),
            of: name.map(group),
        }
    }

    fn met(requirement: &Requirement, people: &[&[&str]]) -> bool {
        let people: Vec<Vec<GroupId>> = people
            .iter()
            .map(|groups| groups.iter().map(|name| group(name)).collect())
            .collect();
        let people: Vec<&[GroupId]> = people.iter().map(Vec::as_slice).collect();
        requirement.is_met_by_groups(&people)
    }

    #[test]
    fn one_person_fills_one_place() {
        let both = Requirement::All(vec![of(1, Some("a")), of(1, Some("b"))]);
        assert!(!met(&both, &[&["a", "b"]]));
        assert!(met(&both, &[&["a", "b"], &["a"]]));
        assert!(met(&both, &[&["a"], &["a", "b"]]), "whoever can moves");
        assert!(!met(&both, &[&["a"], &["a"]]));
    }

    #[test]
    fn groups_count_their_own_and_any_needs_one_part() {
        let two = of(2, Some("a"));
        assert!(!met(&two, &[&["a"], &["b"], &[]]));
        assert!(met(&two, &[&["a"], &["b"], &["a"]]));
        let either = Requirement::Any(vec![two, of(1, Some("boss"))]);
        assert!(met(&either, &[&["boss"]]));
        assert_eq!(either.to_string(), "2 of a or 1 of boss");
        assert!(met(&of(2, None), &[&[], &[]]));
        assert!(!met(&Requirement::anyone(), &[]));
    }

    #[test]
    fn what_cannot_be_counted_is_refused() {
        assert!(Requirement::All(vec![]).fault().is_some());
        assert!(
            Requirement::Any(vec![Requirement::All(vec![])])
                .fault()
                .is_some()
        );
        assert!(of(65, None).fault().is_some());
        let either = Requirement::Any(vec![of(1, None), of(2, None)]);
        assert!(Requirement::All(vec![either.clone(); 6]).fault().is_none());
        assert!(Requirement::All(vec![either; 7]).fault().is_some());
    }

    fn formula() -> impl Strategy<Value = Requirement> {
        let leaf = (
            1..3_u32,
            prop::option::of(prop::sample::select(vec!["a", "b"])),
        )
            .prop_map(|(people, group)| of(people, group));
        leaf.prop_recursive(2, 6, 2, |inner| {
            let parts = prop::collection::vec(inner, 1..3);
            prop_oneof![
                parts.clone().prop_map(Requirement::All),
                parts.prop_map(Requirement::Any)
            ]
        })
    }

    /// The definition: some split of the people meets every part.
    fn oracle(requirement: &Requirement, people: &[&[&str]]) -> bool {
        match requirement {
            Requirement::AtLeast { people: most, of } => {
                let fits = |groups: &&&[&str]| {
                    of.as_ref()
                        .is_none_or(|group| groups.contains(&group.as_str()))
                };
                people.iter().filter(fits).count() >= most.get() as usize
            }
            Requirement::Any(parts) => parts.iter().any(|part| oracle(part, people)),
            Requirement::All(parts) => match parts.split_first() {
                None => true,
                Some((first, rest)) => (0..1_u32 << people.len()).any(|chosen| {
                    let side = |wanted: u32| -> Vec<&[&str]> {
                        let at = |index: &usize| chosen >> index & 1 == wanted;
                        (0..people.len())
                            .filter(at)
                            .map(|index| people[index])
                            .collect()
                    };
                    oracle(first, &side(1)) && oracle(&Requirement::All(rest.to_vec()), &side(0))
                }),
            },
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(600))]
        #[test]
        fn matching_agrees_with_its_definition(
            requirement in formula(),
            people in prop::collection::vec(prop::sample::select(vec![
                &[] as &[&str], &["a"], &["b"], &["a", "b"],
            ]), 0..5),
        ) {
            prop_assert_eq!(met(&requirement, &people), oracle(&requirement, &people));
        }
    }
}
