//! Whose a stream or a namespace is: its name says so.

use crate::access::name::TEAM;
use crate::access::principal::Principal;
use crate::access::tokens::Role;
use crate::http::problem::{Code, Problem, not_found};

/// What somebody wants to do with a stream or a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    Read,
    Write,
}

/// Checks a name and whether the caller may do so: an agent with what is called as itself, `itself:…` or `team:…`.
/// Reviewers and operators read all and write nothing. Another agent's looks like none.
pub(crate) fn check(who: &Principal, name: &str, want: Want) -> Result<(), Problem> {
    const MAX_BYTES: usize = 100;
    let is_plain = |byte: u8| {
        byte.is_ascii_graphic()
            && !matches!(byte, b'/' | b'%' | b'\\')
            && !byte.is_ascii_uppercase()
    };
    if name.is_empty()
        || name.len() > MAX_BYTES
        || !name.bytes().all(is_plain)
        || name.starts_with('.')
    {
        return Err(not_found());
    }
    let owner = name.split_once(':').map_or(name, |(owner, _)| owner);
    let is_own =
        owner == who.person.as_str() || name.split_once(':').is_some_and(|_| owner == TEAM);
    match (who.role, want) {
        (Role::Agent, _) if is_own => Ok(()),
        (Role::Agent, _) => Err(not_found()),
        (_, Want::Read) => Ok(()),
        (_, Want::Write) => {
            let detail = format!("a token of the role {} writes nothing here", who.role);
            Err(Problem::new(Code::InsufficientScope, detail))
        }
    }
}

#[cfg(test)]
mod tests {
    use approval_workflow::PersonId;

    use super::*;

    #[test]
    fn a_name_says_whose_it_is() {
        let may = |role, name: &str, want| {
            let who = Principal {
                person: PersonId::new("bot").unwrap(),
                role,
            };
            check(&who, name, want).map_err(|problem| problem.code)
        };
        for name in ["bot", "bot:builds", "team:shared", "bot:a:b"] {
            assert_eq!(may(Role::Agent, name, Want::Write), Ok(()), "{name}");
        }
        for name in [
            "bot2", "bo", "team", "other:x", ":x", "", "..", "bot/..", "bot:../x", "Bot",
            "bot:%2f", "bot:\n",
        ] {
            assert_eq!(
                may(Role::Agent, name, Want::Read),
                Err(Code::NotFound),
                "{name:?}"
            );
        }
        assert_eq!(may(Role::Reviewer, "other:x", Want::Read), Ok(()));
        assert_eq!(
            may(Role::Operator, "bot", Want::Write),
            Err(Code::InsufficientScope)
        );
    }
}
