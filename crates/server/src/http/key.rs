//! The header `Idempotency-Key`, bound to who sent it and where.

use approval_workflow::IdempotencyKey;
use axum::extract::{FromRequestParts, MatchedPath};
use axum::http::request::Parts;

use crate::access::principal::Principal;
use crate::http::problem::{Code, Problem};

/// The key of a request. The gate's keys are one set for all callers, so what it is handed is a digest over
/// the caller, the route and the caller's key: nobody can guess, or take, another's.
pub(crate) struct Key(pub(crate) IdempotencyKey);

const MAX_BYTES: usize = 255;

impl<S: Sync> FromRequestParts<S> for Key {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let value = parts.headers.get("idempotency-key");
        let key = value.and_then(|value| value.to_str().ok());
        let key = key.filter(|key| !key.is_empty() && key.len() <= MAX_BYTES);
        let Some(key) = key.map(str::to_owned) else {
            let detail = "send Idempotency-Key: a text of your own of 1 to 255 characters, the same one when you \
                          repeat the request";
            return Err(Problem::new(Code::IdempotencyKeyMissing, detail));
        };
        let principal = Principal::from_request_parts(parts, state).await?;
        let route = parts.extensions.get::<MatchedPath>();
        let route = route.map_or("", MatchedPath::as_str);
        Ok(Self(bound(&[principal.person.as_str(), route, &key])))
    }
}

/// One key for parts that together name one thing to be done once.
pub(crate) fn bound(parts: &[&str]) -> IdempotencyKey {
    let mut hasher = blake3::Hasher::new_derive_key("proofload 2026-11 server idempotency key v1");
    for part in parts {
        // The length keeps ("ab", "c") and ("a", "bc") apart.
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let text = hasher.finalize().to_hex();
    IdempotencyKey::new(&text).expect("hexadecimal digits are a key")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_two_callers_or_two_routes_are_two_keys() {
        let keys = [
            bound(&["a", "r", "k"]),
            bound(&["b", "r", "k"]),
            bound(&["a", "s", "k"]),
            bound(&["ar", "", "k"]),
        ];
        let different: std::collections::BTreeSet<_> = keys.iter().collect();
        assert_eq!(different.len(), keys.len());
    }
}
