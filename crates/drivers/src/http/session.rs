//! What one user keeps for an HTTP service: cookies, and what a protocol above it carries.

use std::time::{Duration, Instant};

/// What one user keeps for an HTTP service, over all its connections.
#[derive(Debug, Default)]
pub struct HttpSession {
    pub(super) jar: Jar,
    /// What a protocol above HTTP/1.1 sends besides.
    pub(crate) carried: Carried,
}

/// What a protocol above HTTP/1.1 adds to a request.
#[derive(Debug, Default)]
pub(crate) struct Carried {
    /// Whole lines of the head.
    pub(crate) headers: Vec<u8>,
    /// A body in place of the request's own.
    pub(crate) body: Option<Vec<u8>>,
}

/// The cookies of one user for one host (RFC 6265).
#[derive(Debug, Default)]
pub(super) struct Jar(Vec<Cookie>);

#[derive(Debug)]
struct Cookie {
    name: Vec<u8>,
    value: Vec<u8>,
    path: Vec<u8>,
    secure: bool,
    until: Option<Instant>,
}

/// More than browsers keep for a host: a service that sets one with each answer does not fill memory.
const MOST_COOKIES: usize = 300;

impl Jar {
    /// Takes the value of a `set-cookie` header.
    pub(super) fn take(&mut self, header: &[u8]) {
        let mut parts = header.split(|byte| *byte == b';');
        let pair = parts.next().unwrap_or_default();
        let Some(equals) = memchr::memchr(b'=', pair) else {
            return;
        };
        let mut cookie = Cookie {
            name: pair[..equals].trim_ascii().to_vec(),
            value: pair[equals + 1..].trim_ascii().to_vec(),
            path: b"/".to_vec(),
            secure: false,
            until: None,
        };
        if cookie.name.is_empty() {
            return;
        }
        let mut left = None;
        let mut has_age = false;
        for part in parts {
            let equals = memchr::memchr(b'=', part).unwrap_or(part.len());
            let value = part.get(equals + 1..).unwrap_or_default().trim_ascii();
            match part[..equals].trim_ascii().to_ascii_lowercase().as_slice() {
                b"path" if value.starts_with(b"/") => cookie.path = value.to_vec(),
                b"secure" => cookie.secure = true,
                b"max-age" => {
                    left = seconds(value);
                    has_age = left.is_some();
                }
                // `max-age` wins over `expires`.
                b"expires" if !has_age => left = until_date(value),
                _ => {}
            }
        }
        self.0
            .retain(|known| known.name != cookie.name || known.path != cookie.path);
        if left == Some(Duration::ZERO) {
            return;
        }
        cookie.until = left.and_then(|left| Instant::now().checked_add(left));
        if self.0.len() == MOST_COOKIES {
            self.0.remove(0);
        }
        self.0.push(cookie);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends `a=1; b=2` for a request target. Tells whether there was any.
    pub(super) fn write(&self, target: &[u8], tls: bool, out: &mut Vec<u8>) -> bool {
        let path = target
            .split(|byte| *byte == b'?')
            .next()
            .unwrap_or_default();
        let now = Instant::now();
        let begin = out.len();
        for cookie in &self.0 {
            let is_live = cookie.until.is_none_or(|until| now < until);
            if is_live && (tls || !cookie.secure) && is_within(path, &cookie.path) {
                if out.len() > begin {
                    out.extend_from_slice(b"; ");
                }
                out.extend_from_slice(&cookie.name);
                out.push(b'=');
                out.extend_from_slice(&cookie.value);
            }
        }
        out.len() > begin
    }
}

/// RFC 6265, section 5.1.4.
fn is_within(path: &[u8], of_cookie: &[u8]) -> bool {
    match path.strip_prefix(of_cookie) {
        Some(rest) => rest.is_empty() || of_cookie.ends_with(b"/") || rest.starts_with(b"/"),
        None => false,
    }
}

fn seconds(value: &[u8]) -> Option<Duration> {
    let seconds: i64 = std::str::from_utf8(value).ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds.max(0).unsigned_abs()))
}

/// How long it is until a date, nothing if it has passed.
fn until_date(value: &[u8]) -> Option<Duration> {
    let text = std::str::from_utf8(value).ok()?.replace("GMT", "+0000");
    // The standard's own form has hyphens in its examples, and services copied them.
    let text = text.replace('-', " ");
    let date = jiff::fmt::rfc2822::parse(&text).ok()?.timestamp();
    let left = date.duration_since(jiff::Timestamp::now());
    Some(Duration::try_from(left).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(headers: &[&str], target: &str, tls: bool) -> String {
        let mut jar = Jar::default();
        for header in headers {
            jar.take(header.as_bytes());
        }
        let mut out = Vec::new();
        jar.write(target.as_bytes(), tls, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn cookies_are_sent_back_where_they_belong() {
        let headers = [
            "a=1; Path=/; HttpOnly",
            "b=2; Path=/api",
            "c=\"x=y\"; Secure",
            "a=3",
        ];
        assert_eq!(sent(&headers, "/api/x?y=/", false), "b=2; a=3");
        assert_eq!(sent(&headers, "/apix", true), "c=\"x=y\"; a=3");
        assert_eq!(sent(&["=1", "nothing", " ; x"], "/", false), "");
    }

    #[test]
    fn a_cookie_that_has_expired_is_gone() {
        let gone = [
            "a=1; Max-Age=0",
            "a=1; Max-Age=-5",
            "a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
            "a=1; Expires=Thu, 01-Jan-1970 00:00:00 GMT",
            "a=1; Max-Age=0; Expires=Fri, 01 Jan 2100 00:00:00 GMT",
        ];
        for header in gone {
            assert_eq!(sent(&["a=0", header], "/", false), "", "{header}");
        }
        let kept = [
            "a=1; Expires=Fri, 01 Jan 2100 00:00:00 GMT",
            "a=1; Max-Age=60",
        ];
        for header in kept {
            assert_eq!(sent(&[header], "/", false), "a=1", "{header}");
        }
    }
}
