//! Who is signed in: in memory, so a restart signs everybody out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, header};
use dashmap::DashMap;

use crate::access::principal::Principal;
use crate::access::tokens::{Bearer, Tokens, random};
use crate::clock;

const COOKIE: &str = "proofload_session";
const IDLE: Duration = Duration::from_secs(12 * 3600);
const LIFE: Duration = Duration::from_secs(7 * 86_400);
/// More people than this do not review at one server; beyond it everybody signs in again.
const MOST: usize = 10_000;

/// One person in one browser.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) principal: Principal,
    /// What each form has to bring along.
    pub(crate) secret: String,
    token_id: String,
    since: Instant,
}

#[derive(Debug, Default)]
pub(crate) struct Sessions(DashMap<String, (Arc<Session>, Instant)>);

impl Sessions {
    /// Begins a session; what the cookie says.
    pub(crate) fn begin(&self, bearer: Bearer) -> String {
        if self.0.len() >= MOST {
            self.0.clear();
        }
        let now = Instant::now();
        let Bearer {
            token_id,
            person,
            role,
        } = bearer;
        let principal = Principal { person, role };
        let session = Session {
            principal,
            secret: random::<32>(),
            token_id,
            since: now,
        };
        let id = random::<32>();
        self.0.insert(id.clone(), (Arc::new(session), now));
        id
    }

    /// The session of a browser; it ends with its token, and when it was idle for long.
    pub(crate) fn of(&self, tokens: &Tokens, headers: &HeaderMap) -> Option<Arc<Session>> {
        let session = self.look(tokens, headers)?;
        if let Some(mut entry) = self.0.get_mut(cookie(headers)?) {
            entry.1 = Instant::now();
        }
        Some(session)
    }

    /// As [`of`](Self::of), which is no use of it: an open page does not keep a session alive.
    pub(crate) fn look(&self, tokens: &Tokens, headers: &HeaderMap) -> Option<Arc<Session>> {
        let id = cookie(headers)?;
        let (session, seen) = self.0.get(id).map(|entry| entry.value().clone())?;
        let is_over = seen.elapsed() > IDLE || session.since.elapsed() > LIFE;
        if is_over
            || !tokens
                .is_live(&session.token_id, clock::now())
                .unwrap_or(false)
        {
            self.0.remove(id);
            return None;
        }
        Some(session)
    }

    pub(crate) fn end(&self, headers: &HeaderMap) {
        if let Some(id) = cookie(headers) {
            self.0.remove(id);
        }
    }
}

/// What a browser is told to keep.
pub(crate) fn set_cookie(id: &str, is_secure: bool) -> String {
    let secure = if is_secure { "; Secure" } else { "" };
    format!(
        "{COOKIE}={id}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax{secure}",
        LIFE.as_secs()
    )
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|text| text.split(';'));
    pairs.find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}
