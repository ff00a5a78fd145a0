//! Who may decide in whose place.

use std::collections::{HashMap, HashSet};

use action::{ActionPath, PathPattern, Timestamp};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::model::names::PersonId;

/// One person lets another decide in their place: about some actions, and until some moment.
///
/// Whom this person lets decide in turn, about the same actions, may do so too. A delegation never
/// makes a vote more: it is the vote of the one in whose place it is given. And a delegate of
/// a requester does not decide what that requester asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delegation {
    /// In whose place.
    pub from: PersonId,
    /// Who decides.
    pub to: PersonId,
    /// About which actions.
    pub scope: PathPattern,
    /// From when on no longer.
    pub until: Timestamp,
}

#[derive(Debug, Default)]
pub(crate) struct Delegations(HashMap<PersonId, Vec<Delegation>>); // by `from`; without a cycle

impl Delegations {
    pub(crate) fn new(all: &[Delegation]) -> Result<Self, Error> {
        let mut by_from: HashMap<PersonId, Vec<Delegation>> = HashMap::new();
        for delegation in all {
            let from = by_from.entry(delegation.from.clone()).or_default();
            from.push(delegation.clone());
        }
        let book = Self(by_from);
        let closes = |link: &&Delegation| {
            link.from == link.to || book.reaches(&link.to, &link.from, |_| true)
        };
        match all.iter().find(closes) {
            None => Ok(book),
            Some(link) => Err(Error::DelegationCycle {
                from: link.from.clone(),
                to: link.to.clone(),
            }),
        }
    }

    /// Whether a person may decide about an action in another person's place at a moment.
    pub(crate) fn stands_in(
        &self,
        person: &PersonId,
        principal: &PersonId,
        path: &ActionPath,
        at: Timestamp,
    ) -> bool {
        self.reaches(principal, person, |link| {
            at < link.until && link.scope.matches(path)
        })
    }

    fn reaches(&self, from: &PersonId, to: &PersonId, holds: impl Fn(&Delegation) -> bool) -> bool {
        let mut seen = HashSet::from([from]);
        let mut open = vec![from];
        while let Some(person) = open.pop() {
            let links = self.0.get(person).into_iter().flatten();
            for link in links.filter(|link| holds(link)) {
                if link.to == *to {
                    return true;
                }
                if seen.insert(&link.to) {
                    open.push(&link.to);
                }
            }
        }
        false
    }
}
