//! One-time codes (TOTP, RFC 6238): verified here, each step good for one approval only.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::Duration;

use action::Timestamp;
use jsonl_storage::Seq;
use serde::{Deserialize, Deserializer, Serialize};
use totp_rs::{Builder, Secret, Totp};
use unicode_security::confusable_detection::skeleton;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::model::event::{Event, Review, Submission};
use crate::model::input::OneTimeCode;
use crate::model::names::{GroupId, PersonId};
use crate::review::delegation::{Delegation, Delegations};

/// Who may review, and the secrets of their second factors.
///
/// ```
/// # use approval_workflow::Directory;
/// let directory: Directory = toml::from_str(r#"
///     [reviewers.alice]
///     totp_secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
///     [reviewers.bob]
/// "#)?;
/// # Ok::<(), toml::de::Error>(())
/// ```
///
/// It can be read and not written: its secrets are in one place, the file that it was read from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Directory {
    /// The reviewers. No other person's decision counts.
    pub reviewers: BTreeMap<PersonId, Reviewer>,
    /// Who may decide in whose place (default: no one).
    #[serde(default)]
    pub delegations: Vec<Delegation>,
}

/// One reviewer of a [`Directory`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reviewer {
    /// The secret shared with the reviewer's authenticator, in base32 (RFC 4648) without padding, of
    /// at least 128 bits. Codes have 6 digits, steps of 30 s, and HMAC-SHA-1, as every
    /// authenticator app expects.
    #[serde(default)]
    pub totp_secret: Option<TotpSecret>,
    /// The groups that the reviewer belongs to (default: none).
    #[serde(default)]
    pub groups: Vec<GroupId>,
}

/// A secret of one-time codes, in base32. Not shown in debug output, and wiped from memory when it is
/// dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct TotpSecret(Zeroizing<String>);

impl TotpSecret {
    /// Takes a secret in base32 (RFC 4648) without padding; it is checked when a workflow is opened.
    #[must_use]
    pub fn new(base32: impl Into<String>) -> Self {
        Self(Zeroizing::new(base32.into()))
    }
}

impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpSecret(…)")
    }
}

impl<'de> Deserialize<'de> for TotpSecret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(Self::new)
    }
}

/// A directory with its secrets decoded.
pub(crate) struct Verifier {
    people: HashMap<PersonId, Registered>,
    delegations: Delegations,
}

struct Registered {
    totp: Option<Totp>,
    groups: Vec<GroupId>,
}

impl Verifier {
    pub(crate) fn new(directory: &Directory) -> Result<Self, Error> {
        check_look_alikes(directory)?;
        let decode = |(person, reviewer): (&PersonId, &Reviewer)| {
            let totp = match &reviewer.totp_secret {
                None => None,
                Some(secret) => Some(totp(&secret.0).ok_or_else(|| Error::Secret {
                    person: person.clone(),
                })?),
            };
            let groups = reviewer.groups.clone();
            Ok((person.clone(), Registered { totp, groups }))
        };
        let people = directory.reviewers.iter().map(decode);
        Ok(Self {
            people: people.collect::<Result<_, Error>>()?,
            delegations: Delegations::new(&directory.delegations)?,
        })
    }

    /// Whether a person may decide about a request in another person's place at a moment.
    pub(crate) fn stands_in(
        &self,
        person: &PersonId,
        principal: &PersonId,
        asked: &Submission,
        at: Timestamp,
    ) -> bool {
        let path = &asked.action.path;
        self.delegations.stands_in(person, principal, path, at)
    }

    /// The groups that an approval counts for, by the directory of today; none if it does not count.
    pub(crate) fn counts_for(&self, review: &Review, asked: &Submission) -> Option<&[GroupId]> {
        let stands_in = |principal| self.stands_in(&review.reviewer, principal, asked, review.at);
        let own = self.groups(&review.reviewer)?;
        if stands_in(&asked.requester) {
            return None;
        }
        match &review.on_behalf_of {
            None => Some(own),
            Some(principal) if stands_in(principal) => self.groups(principal),
            Some(_) => None,
        }
    }

    /// Whether the directory lists a person.
    pub(crate) fn knows(&self, person: &PersonId) -> bool {
        self.people.contains_key(person)
    }

    /// The groups of a person; none if the directory does not list the person.
    pub(crate) fn groups(&self, person: &PersonId) -> Option<&[GroupId]> {
        self.people
            .get(person)
            .map(|registered| &*registered.groups)
    }

    /// Everyone who could fill a place of a group, or of none.
    pub(crate) fn members(&self, of: Option<&GroupId>) -> impl Iterator<Item = &PersonId> {
        let fits =
            move |registered: &Registered| of.is_none_or(|group| registered.groups.contains(group));
        self.people
            .iter()
            .filter(move |(_, registered)| fits(registered))
            .map(|(person, _)| person)
    }

    /// The groups of everyone, one entry a person.
    pub(crate) fn everyone(&self) -> Vec<&[GroupId]> {
        self.people
            .values()
            .map(|registered| &*registered.groups)
            .collect()
    }

    /// The time step of a code; none if it is wrong.
    pub(crate) fn step(
        &self,
        person: &PersonId,
        code: &OneTimeCode,
        at: Timestamp,
    ) -> Result<Option<u64>, Error> {
        match self.people.get(person) {
            Some(Registered {
                totp: Some(totp), ..
            }) => {
                let seconds = u64::try_from(at.as_secs()).ok(); // no code is one of before 1970
                Ok(seconds.and_then(|seconds| totp.check(code.as_str(), seconds)))
            }
            _ => Err(Error::SecondFactorUnregistered {
                person: person.clone(),
            }),
        }
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verifier({} reviewers)", self.people.len())
    }
}

/// Refuses two people whose names are easily taken for one another, such as `alice` and `a1ice`: those
/// with the same skeleton (UTS 39, section 4).
fn check_look_alikes(directory: &Directory) -> Result<(), Error> {
    let delegates = directory.delegations.iter();
    let delegates = delegates.flat_map(|delegation| [&delegation.from, &delegation.to]);
    let mut people: HashMap<String, &PersonId> = HashMap::new();
    for person in directory.reviewers.keys().chain(delegates) {
        let shape: String = skeleton(person.as_str()).collect();
        let first = *people.entry(shape).or_insert(person);
        if first != person {
            return Err(Error::LookAlike {
                first: first.clone(),
                other: person.clone(),
            });
        }
    }
    Ok(())
}

/// One step of clock difference either way, as RFC 6238, section 5.2, recommends at most; this and
/// the rest of the parameters are the builder's defaults.
fn totp(secret: &str) -> Option<Totp> {
    let secret = Secret::try_from_base32(secret).ok()?;
    Builder::new().with_secret(secret).build().ok()
}

/// After this many wrong codes in a row, a person's codes are not taken for [`LOCKED_FOR`]. With
/// three codes good at a time, guessing one takes two years on average.
const FAILURES_BEFORE_LOCK: u32 = 5;
const LOCKED_FOR: Duration = Duration::from_secs(15 * 60);

/// Which codes were used, and who guessed how often; folded from the log like everything else.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct FactorBook(HashMap<PersonId, Factor>);

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Factor {
    last_step: Option<u64>,
    failures: u32,
    locked_until: Timestamp,
    changed: Seq,
}

impl FactorBook {
    /// Whether an event may happen, as far as codes are concerned; if not, also which event is the
    /// reason.
    pub(crate) fn check(&self, event: &Event) -> Result<(), (Seq, Error)> {
        let (person, step) = match event {
            Event::Reviewed(review) => (&review.reviewer, review.factor_step),
            Event::BrokeGlass(glass) => (&glass.by, glass.factor_step),
            Event::FactorFailed { reviewer, .. } => (reviewer, None),
            _ => return Ok(()),
        };
        let uses_code = step.is_some() || matches!(event, Event::FactorFailed { .. });
        let Some(factor) = self.0.get(person).filter(|_| uses_code) else {
            return Ok(());
        };
        if let Some(refusal) = self.locked(person, event.at()) {
            return Err(refusal);
        }
        let person = person.clone();
        if step.is_some() && step <= factor.last_step {
            return Err((factor.changed, Error::SecondFactorReplayed { person }));
        }
        Ok(())
    }

    /// Why a person's codes are not taken at a moment, if they are not, and since which event.
    pub(crate) fn locked(&self, person: &PersonId, at: Timestamp) -> Option<(Seq, Error)> {
        let factor = self.0.get(person)?;
        let until = factor.locked_until;
        if at >= until {
            return None;
        }
        let person = person.clone();
        Some((factor.changed, Error::SecondFactorLocked { person, until }))
    }

    pub(crate) fn apply(&mut self, seq: Seq, event: &Event) {
        let used = match event {
            Event::Reviewed(review) => Some((&review.reviewer, review.factor_step)),
            Event::BrokeGlass(glass) => Some((&glass.by, glass.factor_step)),
            _ => None,
        };
        if let Some((person, Some(step))) = used {
            let factor = self.0.entry(person.clone()).or_default();
            factor.last_step = Some(step);
            factor.failures = 0;
            factor.changed = seq;
        }
        if let Event::FactorFailed { at, reviewer, .. } = event {
            let factor = self.0.entry(reviewer.clone()).or_default();
            factor.failures += 1;
            factor.changed = seq;
            if factor.failures >= FAILURES_BEFORE_LOCK {
                factor.failures = 0;
                factor.locked_until = at.after(LOCKED_FOR);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The secret of RFC 6238, appendix B: "12345678901234567890".
    const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    fn verifier(secret: &str) -> Result<Verifier, Error> {
        let text = format!("[reviewers.alice]\ntotp_secret = \"{secret}\"\n[reviewers.bob]");
        Verifier::new(&toml::from_str(&text).unwrap())
    }

    fn step(code: &str, second: i64) -> Option<u64> {
        let alice = PersonId::new("alice").unwrap();
        let at = Timestamp::from_micros(second * 1_000_000);
        let code = OneTimeCode::new(code);
        verifier(SECRET).unwrap().step(&alice, &code, at).unwrap()
    }

    #[test]
    fn the_codes_of_rfc_6238_are_taken() {
        // Appendix B, SHA-1; the last six of its eight digits.
        for (second, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            let wanted = Some(i64::unsigned_abs(second) / 30);
            assert_eq!(step(code, second), wanted, "{second}");
        }
    }

    #[test]
    fn no_code_is_good_before_1970() {
        assert_eq!(step("005924", -1), None);
        assert_eq!(step("005924", i64::MIN / 1_000_000), None);
    }

    #[test]
    fn a_code_is_good_for_one_step_before_and_after_its_own() {
        let second: i64 = 1_234_567_890;
        for (offset, taken) in [(-60, false), (-30, true), (30, true), (60, false)] {
            let now = second + offset;
            assert_eq!(step("005924", now).is_some(), taken, "{offset}");
        }
    }

    #[test]
    fn people_with_names_that_look_alike_are_not_enrolled_together() {
        let enrol = |text: &str| Verifier::new(&toml::from_str(text).unwrap()).map(drop);
        for (one, other) in [("alice", "a1ice"), ("a|ice", "alice"), ("rnary", "mary")] {
            let text = format!("[reviewers.\"{one}\"]\n[reviewers.\"{other}\"]");
            let error = enrol(&text).unwrap_err().to_string();
            assert!(error.contains(one) && error.contains(other), "{error}");
            let delegation = format!(
                "reviewers.\"{one}\" = {{}}\n\
                 delegations = [{{ from = \"{one}\", to = \"{other}\", scope = \"**\", until = 1 }}]"
            );
            assert!(matches!(enrol(&delegation), Err(Error::LookAlike { .. })));
        }
        assert!(enrol("[reviewers.alice]\n[reviewers.bob]\n[reviewers.alicia]").is_ok());
    }

    #[test]
    fn what_is_no_code_is_wrong_and_never_a_panic() {
        for code in [
            "",
            "0",
            "00592",
            "0059240",
            "abcdef",
            "００５９２４",
            "\0\0\0\0\0\0",
        ] {
            assert_eq!(step(code, 1_234_567_890), None, "{code:?}");
        }
    }

    #[test]
    fn secrets_that_are_short_or_not_base32_are_refused_and_none_is_shown() {
        for secret in [
            "",
            "GEZDGNBV",
            "not base32!",
            "11111111111111111111111111111111",
        ] {
            let error = verifier(secret).unwrap_err().to_string();
            assert!(error.starts_with("second factor of alice"), "{error}");
        }
        let directory: Directory =
            toml::from_str(&format!("[reviewers.a]\ntotp_secret = \"{SECRET}\"")).unwrap();
        let shown = format!("{directory:?} {:?}", OneTimeCode::new("123456"));
        assert!(!shown.contains("GEZ") && !shown.contains("123"), "{shown}");
    }
}
