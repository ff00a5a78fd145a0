//! Values that no output may show.

use std::borrow::Cow;
use std::sync::{Arc, Mutex};

use crate::template::encode;

/// The values of the secrets that a file names. Every output of theirs goes through
/// [`redact`](Self::redact).
///
/// ```
/// use drivers::Secrets;
///
/// let secrets = Secrets::default();
/// secrets.add("hunter2");
/// assert_eq!(secrets.redact("password=hunter2"), "password=***");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Secrets(Arc<Mutex<Vec<Box<str>>>>);

/// What is shown in a secret's place.
const SHOWN: &str = "***";

impl Secrets {
    /// Adds a value, in every form in which a request may carry it. An empty one hides nothing.
    pub fn add(&self, secret: &str) {
        if secret.is_empty() {
            return;
        }
        let mut hidden = self.lock();
        for form in forms(secret) {
            if !hidden.contains(&form) {
                hidden.push(form);
            }
        }
        // The longest first: a secret may be part of another one.
        hidden.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    }

    /// The text with `***` in place of every secret.
    #[must_use]
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut shown = Cow::Borrowed(text);
        for secret in self.lock().iter() {
            if shown.contains(&**secret) {
                shown = Cow::Owned(shown.replace(&**secret, SHOWN));
            }
        }
        shown
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Box<str>>> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn forms(secret: &str) -> Vec<Box<str>> {
    let written = |write: fn(&[u8], &mut Vec<u8>)| {
        let mut out = Vec::new();
        write(secret.as_bytes(), &mut out);
        String::from_utf8_lossy(&out).into()
    };
    vec![
        secret.into(),
        written(|text, out| encode::json_text(&String::from_utf8_lossy(text), out)),
        written(encode::url_part),
        written(encode::form_field),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_hidden_in_each_of_its_encodings() {
        let secrets = Secrets::default();
        secrets.add("");
        secrets.add("a \"b\"");
        secrets.add("a \"b\" and more");
        assert_eq!(
            secrets.redact(r#"a "b", a \"b\", a%20%22b%22, a+%22b%22, a "b" and more"#),
            "***, ***, ***, ***, ***"
        );
    }
}
