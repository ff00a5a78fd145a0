//! One request to be exchanged, and where a redirect leads it.

use std::time::Instant;

use super::HttpRequest;
use super::request::Target;
use super::service::Service;
use crate::outcome::{Code, Failure};
use crate::values::Values;

/// One request to be exchanged.
pub(super) struct Call<'c> {
    pub(super) service: &'c Service,
    pub(super) request: &'c HttpRequest,
    pub(super) values: &'c Values,
    pub(super) redirected: Option<Redirected>,
    pub(super) deadline: Instant,
}

/// What replaces a request's own line after a redirect.
pub(super) struct Redirected {
    pub(super) method: Box<str>,
    pub(super) target: Vec<u8>,
    pub(super) keeps_body: bool,
}

pub(super) fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

impl Call<'_> {
    pub(super) fn method(&self) -> &str {
        match &self.redirected {
            Some(redirected) => &redirected.method,
            None => &self.request.method,
        }
    }

    pub(super) fn keeps_body(&self) -> bool {
        self.redirected
            .as_ref()
            .is_none_or(|redirected| redirected.keeps_body)
    }

    /// Appends the request's target, whether its own or a redirect's.
    pub(super) fn render_target(&self, out: &mut Vec<u8>) -> Result<(), Failure> {
        match (&self.redirected, &self.request.target) {
            (Some(redirected), _) => out.extend_from_slice(&redirected.target),
            (None, Target::Whole(_)) => {
                let mut given = Vec::new();
                self.request.target.render(self.values, &mut given)?;
                self.service.resolve(&given, b"/", out)?;
            }
            (None, parts) => parts.render(self.values, out)?,
        }
        Ok(())
    }

    /// Where a redirect leads: RFC 9110, section 15.4, as all clients do it.
    pub(super) fn next(&self, status: u16, location: &[u8]) -> Result<Redirected, Failure> {
        let mut current = Vec::new();
        self.render_target(&mut current)?;
        let mut target = Vec::new();
        let resolved = self.service.resolve(location, &current, &mut target);
        resolved.map_err(|failure| Failure {
            code: Code::Status(status),
            ..failure
        })?;
        let becomes_get = match status {
            303 => self.method() != "HEAD",
            301 | 302 => self.method() == "POST",
            _ => false,
        };
        Ok(Redirected {
            method: if becomes_get { "GET" } else { self.method() }.into(),
            target,
            keeps_body: self.keeps_body() && !becomes_get,
        })
    }
}
