//! Names of agents and people: one set, in which no two are easily taken for one another.

use approval_workflow::PersonId;
use unicode_security::confusable_detection::skeleton;

use crate::error::Error;

/// Streams and namespaces of this beginning are shared by all agents, so nobody has the name.
pub(crate) const TEAM: &str = "team";

/// The name, if a token may be given to it.
pub(crate) fn check(text: &str) -> Result<PersonId, Error> {
    let fault = |fault: &str| Error::Name {
        name: text.to_owned(),
        fault: fault.to_owned(),
    };
    let person = PersonId::new(text).map_err(|error| fault(&error.to_string()))?;
    let is_plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'@');
    if !text.bytes().all(is_plain) {
        return Err(fault(
            "it has characters beyond a-z, 0-9, '-', '_', '.' and '@'",
        ));
    }
    if text == TEAM {
        return Err(fault("it is what all agents share"));
    }
    Ok(person)
}

/// Whether two names are different and look alike.
pub(crate) fn look_alike(one: &PersonId, other: &PersonId) -> bool {
    let looks = |person: &PersonId| skeleton(person.as_str()).collect::<String>();
    one != other && looks(one) == looks(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_alike_are_told_apart_from_equal_ones() {
        let name = |text| check(text).unwrap();
        assert!(look_alike(&name("build"), &name("bui1d")));
        assert!(look_alike(&name("rn-bot"), &name("m-bot")));
        assert!(!look_alike(&name("alice"), &name("alice")));
        assert!(!look_alike(&name("alice"), &name("bob")));
        for text in ["", "Alice", "a b", "a/b", "аlice", "a\n"] {
            assert!(check(text).is_err(), "{text:?}");
        }
    }
}
