//! Where a service is, from its `url`.

use crate::error::SpecError;
use crate::template::encode;
use crate::template::parse::{Piece, Placeholder, What, parse};
use crate::values::{Resolved, Scope};

/// Where a service is, from its `url`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Whether it is spoken to over TLS.
    pub tls: bool,
    /// The host as it was written, a literal IPv6 address in brackets; the path of a Unix socket.
    pub host: Box<str>,
    /// The port. A Unix socket has none.
    pub port: Option<u16>,
    /// The user.
    pub user: Option<Box<str>>,
    /// The password.
    pub password: Option<Box<str>>,
    /// The path, with its first `/`, or nothing.
    pub path: Box<str>,
    /// The query, without its `?`.
    pub query: Box<str>,
}

/// A scheme that the `url` of a kind of service may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scheme {
    pub(crate) name: &'static str,
    pub(crate) port: u16,
    pub(crate) tls: bool,
}

/// The scheme of a Unix socket, `unix:/path`, which any service may have that takes it.
const UNIX: &str = "unix:";

/// Stands for a placeholder while the parts of a URL are looked for. No URL has it.
const HOLE: char = '\u{1}';

impl Address {
    /// Reads the `url` of a service.
    pub(crate) fn parse(
        text: &str,
        kind: &str,
        schemes: &[Scheme],
        scope: &mut Scope,
    ) -> Result<Self, SpecError> {
        let url = fill(text, scope)?;
        if let Some(path) = url.strip_prefix(UNIX) {
            return Ok(Self::unix(path));
        }
        let Some((scheme, rest)) = schemes.iter().find_map(|scheme| {
            let rest = url.strip_prefix(scheme.name)?.strip_prefix("://")?;
            Some((scheme, rest))
        }) else {
            return Err(SpecError::new(0, wrong_scheme(kind, schemes)));
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        let target = target.split('#').next().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (credentials, place) = match authority.rsplit_once('@') {
            Some((credentials, place)) => (Some(credentials), place),
            None => (None, authority),
        };
        let (host, port) = host_and_port(place, scheme.port).map_err(|told| {
            let problem = format!("the URL `{scheme}://{place}` {told}", scheme = scheme.name);
            SpecError::new(0, problem)
        })?;
        let (user, password) =
            match credentials.map(|both| both.split_once(':').unwrap_or((both, ""))) {
                Some((user, password)) => (some(user), some(password)),
                None => (None, None),
            };
        Ok(Self {
            tls: scheme.tls,
            host: host.into(),
            port: Some(port),
            user,
            password,
            path: path.into(),
            query: query.into(),
        })
    }

    fn unix(path: &str) -> Self {
        Self {
            tls: false,
            host: path.trim_start_matches("//").into(),
            port: None,
            user: None,
            password: None,
            path: "".into(),
            query: "".into(),
        }
    }

    /// The keys and values of the query, decoded.
    pub(crate) fn query(&self) -> impl Iterator<Item = (String, String)> {
        let pairs = self.query.split('&').filter(|pair| !pair.is_empty());
        pairs.map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (percent_decoded(key), percent_decoded(value))
        })
    }

    /// Host and port as a `host` header has them: without the port if it is the scheme's.
    pub(crate) fn authority(&self) -> String {
        match (self.port, self.tls) {
            (None, _) => "localhost".into(),
            (Some(80), false) | (Some(443), true) => self.host.to_string(),
            (Some(port), _) => format!("{}:{port}", self.host),
        }
    }
}

fn some(text: &str) -> Option<Box<str>> {
    (!text.is_empty()).then(|| percent_decoded(text).into())
}

fn host_and_port(place: &str, default: u16) -> Result<(&str, u16), &'static str> {
    let (host, port) = match place.rfind(':') {
        Some(colon) if !place[colon..].contains(']') => {
            (&place[..colon], Some(&place[colon + 1..]))
        }
        _ => (place, None),
    };
    if host.is_empty() {
        return Err("has no host");
    }
    match port.map(str::parse) {
        None => Ok((host, default)),
        Some(Ok(port)) if port > 0 => Ok((host, port)),
        Some(_) => Err("has a port that is no number from 1 to 65535"),
    }
}

fn wrong_scheme(kind: &str, schemes: &[Scheme]) -> String {
    let names: Vec<String> = schemes
        .iter()
        .map(|scheme| format!("{}://", scheme.name))
        .collect();
    // As they are spoken: an HTTP, an MCP, a Redis service.
    let article = match kind.starts_with(['a', 'e', 'h', 'm']) {
        true => "an",
        false => "a",
    };
    let names = names.join(" or ");
    format!("`url` of {article} {kind} service begins with {names}")
}

/// The URL with its values. In the user and password they are percent-encoded, so that a password
/// with an `@` does not end them.
fn fill(text: &str, scope: &mut Scope) -> Result<String, SpecError> {
    let pieces = parse(text)?;
    let credentials = credentials(text, &pieces)?;
    let mut url = String::new();
    for piece in &pieces {
        match piece {
            Piece::Literal(range) => url.push_str(&text[range.clone()]),
            Piece::Placeholder(placeholder) => {
                let value = constant(placeholder, scope)?;
                match placeholder.at.start < credentials {
                    true => {
                        let mut encoded = Vec::new();
                        encode::url_part(value.as_bytes(), &mut encoded);
                        url.push_str(&String::from_utf8_lossy(&encoded));
                    }
                    false => url.push_str(&value),
                }
            }
        }
    }
    Ok(url)
}

fn constant(placeholder: &Placeholder, scope: &mut Scope) -> Result<String, SpecError> {
    match scope.resolve(placeholder)?.value {
        Resolved::Constant(value) => Ok(value),
        Resolved::Slot(_) => {
            let told = "a URL is needed before the run begins: only `env.`, `secret.` and `run` \
                        are known then";
            Err(SpecError::new(placeholder.at.start, told))
        }
    }
}

/// Where user and password end in the text, or 0. A password that is written there is refused.
fn credentials(text: &str, pieces: &[Piece]) -> Result<usize, SpecError> {
    let mut shown = text.to_owned();
    for piece in pieces.iter().rev() {
        if let Piece::Placeholder(Placeholder { at, what }) = piece {
            let is_secret = matches!(what, What::Name { name, .. } if name.starts_with("secret."));
            let mut hole = String::from(HOLE);
            // The text keeps its length, so that places stay what they are.
            let filler = if is_secret { HOLE } else { 'x' };
            hole.extend(std::iter::repeat_n(filler, at.len() - 1));
            shown.replace_range(at.clone(), &hole);
        }
    }
    let Some(begin) = shown.find("://").map(|at| at + 3) else {
        return Ok(0);
    };
    let end = shown[begin..]
        .find(['/', '?', '#'])
        .map_or(shown.len(), |end| begin + end);
    let Some(at) = shown[begin..end].rfind('@').map(|at| begin + at) else {
        return Ok(0);
    };
    if let Some(colon) = shown[begin..at].find(':') {
        let password = begin + colon + 1;
        if !shown[password..at].chars().all(|c| c == HOLE) {
            let told = "a password stands in the file: write ${secret.NAME} in its place";
            return Err(SpecError::new(password, told));
        }
    }
    Ok(at)
}

fn percent_decoded(text: &str) -> String {
    let mut decoded = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
        match (first, tail) {
            (b'%', [high, low, after @ ..]) if hex(*high).is_some() && hex(*low).is_some() => {
                let byte = hex(*high).unwrap_or_default() << 4 | hex(*low).unwrap_or_default();
                decoded.push(byte);
                rest = after;
            }
            _ => {
                decoded.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::Constants;

    const REDIS: [Scheme; 2] = [
        Scheme {
            name: "redis",
            port: 6379,
            tls: false,
        },
        Scheme {
            name: "rediss",
            port: 6380,
            tls: true,
        },
    ];

    fn parsed(text: &str) -> Result<Address, SpecError> {
        let constants = Constants::new("k3v9q2xz").with_environment(|name| match name {
            "PASSWORD" => Some("p@ss/w:rd%41".into()),
            "URL" => Some("redis://h:7/1".into()),
            _ => None,
        });
        Address::parse(text, "redis", &REDIS, &mut Scope::new(constants))
    }

    fn told(text: &str) -> String {
        let error = parsed(text).unwrap_err();
        format!("{}: {}", error.inside, error.problem)
    }

    #[test]
    fn a_url_has_parts() {
        let url = "rediss://${env.U:-default}:${secret.PASSWORD}@[::1]:7000/9?x=1#y";
        let address = parsed(url).unwrap();
        assert_eq!(address.user.as_deref(), Some("default"));
        assert_eq!(address.password.as_deref(), Some("p@ss/w:rd%41"));
        assert_eq!((&*address.host, address.port), ("[::1]", Some(7000)));
        assert_eq!((&*address.path, &*address.query), ("/9", "x=1"));
        assert!(address.tls);
        assert_eq!(address.authority(), "[::1]:7000");

        let plain = parsed("redis://h").unwrap();
        assert_eq!((plain.port, plain.user), (Some(6379), None));
        assert_eq!(parsed("${env.URL}").unwrap().port, Some(7));
        assert_eq!(parsed("redis://u:${secret.P:-}@h").unwrap().password, None);
        assert_eq!(&*parsed("unix:/run/x.sock").unwrap().host, "/run/x.sock");
    }

    #[test]
    fn a_mistake_is_told_with_its_place() {
        assert_eq!(
            told("http://h"),
            "0: `url` of a redis service begins with redis:// or rediss://"
        );
        let password = "a password stands in the file: write ${secret.NAME} in its place";
        assert_eq!(told("redis://u:hunter2@h"), format!("10: {password}"));
        assert_eq!(
            told("redis://u:${env.PASSWORD}@h"),
            format!("10: {password}")
        );
        assert_eq!(told("redis://:7"), "0: the URL `redis://:7` has no host");
        assert_eq!(
            told("redis://h:99999"),
            "0: the URL `redis://h:99999` has a port that is no number from 1 to 65535"
        );
        assert_eq!(
            told("redis://h${user}"),
            "9: a URL is needed before the run begins: only `env.`, `secret.` and `run` are known then"
        );
    }
}
