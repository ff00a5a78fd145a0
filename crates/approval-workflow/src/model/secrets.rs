//! Values that must not be written: in a log, in a listing, in a bundle.

use std::collections::BTreeSet;

use action::{Action, ActionDigest};
use serde_json::{Map, Value};
use zeroize::{Zeroize as _, Zeroizing};

use crate::error::Error;
use crate::model::input::{self, NewRequest};

action::digest_type! {
    /// The digest that replaces a secret value: BLAKE3 under a key that is not in the log.
    SecretDigest, 32, "proofload 2026-11 approval secret v1"
}

/// The only field of the object that replaces a secret value.
const MARK: &str = "$secret";
/// Shorter texts are found in others by chance.
const SHORTEST_SOUGHT: usize = 6; // bytes

/// Digests a secret value as a request shows it: salted by the key, the digest of the action, and the
/// name of the field. With the key one can tell whether a value is the one that was hidden; with
/// the log alone, values cannot be tried against this digest.
///
/// The [digest of the action](action::ActionDigest) is of the real one, though, and without a key,
/// so that any executor can compute it. With all the rest of an action, values can be tried
/// against that: hide only values that cannot be guessed.
#[must_use]
pub fn secret_digest(
    key: &[u8; 32],
    action: &ActionDigest,
    name: &str,
    value: &Value,
) -> SecretDigest {
    let mut hasher = SecretDigest::hasher();
    hasher.update(key).update(action.as_bytes());
    crate::model::content::write_json(&mut hasher, &(name, value));
    SecretDigest(hasher.finalize().into())
}

/// Whether a value replaces a secret one.
fn is_mark(value: &Value) -> bool {
    let fields = value.as_object().filter(|fields| fields.len() == 1);
    fields.is_some_and(|fields| fields.contains_key(MARK))
}

/// Whether a value of an action replaces a secret one.
pub(crate) fn hides_something(action: &Action) -> bool {
    fn any(value: &Value) -> bool {
        is_mark(value)
            || match value {
                Value::Array(items) => items.iter().any(any),
                Value::Object(fields) => fields.values().any(any),
                _ => false,
            }
    }
    action.parameters.values().any(any)
}

/// Replaces the values under some names in a request by digests, and refuses it if such a value also
/// occurs in the clear anywhere in the request. Gives the digest of the action as it is then, if
/// anything in it was replaced.
pub(crate) fn hide(
    new: &mut NewRequest,
    policy: &[String],
    key: Option<&[u8; 32]>,
    digest: ActionDigest,
) -> Result<Option<ActionDigest>, Error> {
    let names: BTreeSet<&str> = policy
        .iter()
        .chain(&new.secrets)
        .map(String::as_str)
        .collect();
    if names.is_empty() {
        return Ok(None);
    }
    let mut hider = Hider {
        names: &names,
        key,
        digest,
        sought: Vec::new(),
    };
    let in_action = hider.fields(&mut new.action.parameters)?;
    let in_context = hider.fields(&mut new.context)?;
    if !in_action && !in_context {
        return Ok(None);
    }
    hider.check_texts(new)?;
    input::check_action(&new.action)?;
    input::check_context(&new.context)?;
    Ok(in_action.then(|| new.action.digest()).transpose()?)
}

struct Hider<'a> {
    names: &'a BTreeSet<&'a str>,
    key: Option<&'a [u8; 32]>,
    digest: ActionDigest,
    /// The names and texts of what was hidden, which must not occur elsewhere.
    sought: Vec<(String, Zeroizing<String>)>,
}

impl Hider<'_> {
    /// Hides the fields with a secret name, at any depth; says whether there were any.
    fn fields(&mut self, fields: &mut Map<String, Value>) -> Result<bool, Error> {
        let mut found = false;
        for (name, value) in fields {
            let is_secret = |secret: &&str| secret.eq_ignore_ascii_case(name);
            if self.names.iter().any(is_secret) {
                self.hide(name, value)?;
                found = true;
            } else {
                found |= self.value(value)?;
            }
        }
        Ok(found)
    }

    fn value(&mut self, value: &mut Value) -> Result<bool, Error> {
        match value {
            Value::Object(fields) => self.fields(fields),
            Value::Array(items) => {
                let mut found = false;
                for item in items {
                    found |= self.value(item)?;
                }
                Ok(found)
            }
            _ => Ok(false),
        }
    }

    fn hide(&mut self, name: &str, value: &mut Value) -> Result<(), Error> {
        let key = self.key.ok_or_else(|| Error::SecretKeyMissing {
            name: name.to_owned(),
        })?;
        texts(value, &mut |text| {
            if text.len() >= SHORTEST_SOUGHT {
                let text = Zeroizing::new(text.to_owned());
                self.sought.push((name.to_owned(), text));
            }
        });
        let digest = secret_digest(key, &self.digest, name, value);
        let mark = Map::from_iter([(MARK.to_owned(), Value::String(digest.to_string()))]);
        wipe(value);
        *value = Value::Object(mark);
        Ok(())
    }

    /// Refuses a request that says a secret once more, in the clear.
    fn check_texts(&self, new: &NewRequest) -> Result<(), Error> {
        let mut repeated = None;
        let mut look = |text: &str| {
            let mut sought = self.sought.iter();
            repeated = repeated
                .take()
                .or_else(|| sought.find(|(_, secret)| text.contains(&***secret)));
        };
        let Action {
            path,
            name,
            description,
            parameters,
        } = &new.action;
        for text in [path.as_str(), name, description] {
            look(text);
        }
        for (name, value) in parameters.iter().chain(&new.context) {
            look(name);
            names(value, &mut look);
            texts(value, &mut look);
        }
        for (key, version) in &new.binding.reads {
            look(key);
            look(version);
        }
        new.id.iter().for_each(|id| look(id.as_str()));
        new.key.iter().for_each(|key| look(key.as_str()));
        match repeated {
            None => Ok(()),
            Some((name, _)) => Err(Error::SecretRepeated { name: name.clone() }),
        }
    }
}

/// Overwrites the texts in a value.
fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(fields) => fields.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Every text in a value: strings, and numbers as they are written.
fn texts(value: &Value, take: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => take(text),
        Value::Number(number) => take(&number.to_string()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, take)),
        Value::Object(fields) => fields.values().for_each(|field| texts(field, take)),
        Value::Null | Value::Bool(_) => {}
    }
}

/// Every name of a field in a value.
fn names(value: &Value, take: &mut impl FnMut(&str)) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| names(item, take)),
        Value::Object(fields) => {
            for (name, field) in fields {
                take(name);
                names(field, take);
            }
        }
        _ => {}
    }
}
