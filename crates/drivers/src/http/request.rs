//! A request, compiled from the text of an HTTP message.

use std::time::Duration;

use super::header::{Header, header_name};
use super::multipart;
use super::options::{HttpAction, PartSpec};
use super::service::Service;
use super::text::{Line, Message};
use crate::driver::{ActionSpec, Purpose};
use crate::error::SpecError;
use crate::outcome::Failure;
use crate::template::parse::{Piece, Placeholder, What, parse};
use crate::template::{Encoding, Template};
use crate::values::{Scope, Traits, Values};

/// A compiled HTTP request.
#[derive(Debug)]
pub struct HttpRequest {
    pub(super) method: Box<str>,
    pub(super) target: Target,
    pub(super) headers: Box<[Header]>,
    pub(super) body: Option<Template>,
    /// As HTTP/1.1 sends them: the request line and the headers, and the headers alone.
    head: Box<[Segment]>,
    head_without_line: Box<[Segment]>,
    pub(super) is_stream: bool,
    pub(super) timeout: Duration,
    pub(super) traits: Traits,
}

#[derive(Debug)]
pub(super) enum Target {
    /// A path and a query, and a parameter that is left out on the first page.
    Parts {
        path: Template,
        page: Option<Template>,
    },
    /// One value, which may be a URL.
    Whole(Template),
}

/// A part of the head that is there or not.
#[derive(Debug)]
struct Segment {
    template: Template,
    optional: bool,
}

/// Methods that are defined not to change anything (RFC 9110, section 9.2.1).
const SAFE: [&str; 4] = ["GET", "HEAD", "OPTIONS", "TRACE"];

/// Methods whose requests have a body, so that an empty one is told as well.
const WITH_BODY: [&str; 3] = ["POST", "PUT", "PATCH"];

impl HttpRequest {
    pub(super) fn compile(
        service: &Service,
        action: &HttpAction,
        spec: &ActionSpec,
        scope: &mut Scope,
    ) -> Result<Self, SpecError> {
        let message = Message::read(&action.request).map_err(|error| error.under("http"))?;
        let mut request = Self::from_message(service, &message, action, scope)?;
        request.timeout = spec.timeout.unwrap_or(service.timeout);
        if spec.purpose == Purpose::Read && !SAFE.contains(&&*request.method) {
            let told = format!(
                "a `read` must not write, and {} may: GET, HEAD and OPTIONS do not",
                request.method
            );
            return Err(SpecError::new(message.method.at, told).under("http"));
        }
        Ok(request)
    }

    fn from_message(
        service: &Service,
        message: &Message<'_>,
        action: &HttpAction,
        scope: &mut Scope,
    ) -> Result<Self, SpecError> {
        let in_http = |error: SpecError| error.under("http");
        let target = target(service, &message.target, scope).map_err(in_http)?;
        let mut headers = Vec::new();
        for (name, value) in &message.headers {
            headers.push(Header {
                name: header_name(name.text, name.at).map_err(in_http)?,
                value: Template::parsed(value.text, scope, Encoding::Header)
                    .map_err(|error| in_http(error.moved(value.at)))?,
                optional: false,
            });
        }
        let body = body(service, message, action, &mut headers, scope)?;
        add_defaults(service, action, &mut headers);
        let mut traits = service.traits;
        traits |= target.traits();
        traits |= body.as_ref().map(Template::traits).unwrap_or_default();
        for header in &headers {
            traits |= header.value.traits();
        }
        let method: Box<str> = message.method.text.into();
        Ok(Self {
            head: head(Some((&method, &target)), &headers),
            head_without_line: head(None, &headers),
            method,
            target,
            headers: headers.into(),
            body,
            is_stream: action.stream.is_some(),
            timeout: service.timeout,
            traits,
        })
    }

    /// Appends the request line and the headers in HTTP/1.1's form, without `content-length`,
    /// cookies and the empty line.
    pub(super) fn render_head(
        &self,
        line: Option<(&str, &[u8])>,
        values: &Values,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        let segments = match line {
            None => &self.head,
            Some((method, target)) => {
                out.extend_from_slice(method.as_bytes());
                out.push(b' ');
                out.extend_from_slice(target);
                out.extend_from_slice(b" HTTP/1.1\r\n");
                &self.head_without_line
            }
        };
        for segment in segments {
            if !segment.optional || segment.template.is_filled(values) {
                segment.template.render(values, out)?;
            }
        }
        Ok(())
    }

    /// Whether a length has to be told even if there is no body.
    pub(super) fn tells_length(&self) -> bool {
        WITH_BODY.contains(&&*self.method)
    }
}

impl Target {
    fn traits(&self) -> Traits {
        match self {
            Self::Parts { path, page: None } => path.traits(),
            Self::Parts {
                path,
                page: Some(page),
            } => path.traits() | page.traits(),
            Self::Whole(whole) => whole.traits(),
        }
    }

    /// Appends the target. A whole one is not checked here.
    pub(super) fn render(&self, values: &Values, out: &mut Vec<u8>) -> Result<(), Failure> {
        match self {
            Self::Parts { path, page } => {
                path.render(values, out)?;
                match page {
                    Some(page) if page.is_filled(values) => page.render(values, out),
                    _ => Ok(()),
                }
            }
            Self::Whole(whole) => whole.render(values, out),
        }
    }
}

fn target(service: &Service, line: &Line<'_>, scope: &mut Scope) -> Result<Target, SpecError> {
    let moved = |error: SpecError| error.moved(line.at);
    let pieces = parse(line.text).map_err(moved)?;
    if let [Piece::Placeholder(_)] = &*pieces {
        return Template::of_pieces(line.text, &pieces, scope, |_| Encoding::Target)
            .map(Target::Whole)
            .map_err(moved);
    }
    check_target(line.text, &pieces).map_err(moved)?;
    let (path, page) = split_page(line.text, &pieces);
    let base = Template::literal(service.address.path.trim_end_matches('/').as_bytes());
    let part = |text: &str, scope: &mut Scope| Template::parsed(text, scope, Encoding::UrlPart);
    let path = part(&path, scope).map_err(moved)?;
    let page = page
        .map(|page| part(&page, scope))
        .transpose()
        .map_err(moved)?;
    Ok(Target::Parts {
        path: Template::concat(&[&base, &path]),
        page,
    })
}

fn check_target(text: &str, pieces: &[Piece]) -> Result<(), SpecError> {
    if !text.starts_with('/') {
        let told = "a path begins with `/`: the host stands in the service's `url`";
        return Err(SpecError::new(0, told));
    }
    for piece in pieces {
        let Piece::Literal(range) = piece else {
            continue;
        };
        let wrong = |c: char| c.is_control() || !c.is_ascii() || " \"<>\\^`{|}#".contains(c);
        if let Some(at) = text[range.clone()].find(wrong) {
            let c = text[range.start + at..].chars().next().unwrap_or_default();
            let mut encoded = Vec::new();
            crate::template::encode::url_part(c.encode_utf8(&mut [0; 4]).as_bytes(), &mut encoded);
            let encoded = String::from_utf8_lossy(&encoded).into_owned();
            let told = format!("`{c}` cannot stand in a URL: write {encoded}");
            return Err(SpecError::new(range.start + at, told));
        }
    }
    Ok(())
}

/// The target without the parameter that is just `${cursor}`, and that parameter with its separator.
fn split_page(text: &str, pieces: &[Piece]) -> (String, Option<String>) {
    let cursor = pieces.iter().find_map(|piece| match piece {
        Piece::Placeholder(Placeholder {
            at,
            what: What::Name { name, .. },
        }) if &**name == "cursor" => Some(at.clone()),
        _ => None,
    });
    let whole = (text.to_owned(), None);
    let (Some(at), Some(query)) = (cursor, text.find('?')) else {
        return whole;
    };
    let ends = at.end == text.len() || text[at.end..].starts_with('&');
    let begin = text[..at.start].rfind(['?', '&']);
    let (Some(begin), true, true) = (begin, ends, text[..at.start].ends_with('=')) else {
        return whole;
    };
    if begin < query {
        return whole;
    }
    let parameter = &text[begin + 1..at.end];
    let rest = match (text[begin..].starts_with('?'), at.end == text.len()) {
        (true, true) => text[..begin].to_owned(),
        (true, false) => format!("{}?{}", &text[..begin], &text[at.end + 1..]),
        (false, _) => format!("{}{}", &text[..begin], &text[at.end..]),
    };
    let separator = if rest.contains('?') { '&' } else { '?' };
    (rest, Some(format!("{separator}{parameter}")))
}

fn body(
    service: &Service,
    message: &Message<'_>,
    action: &HttpAction,
    headers: &mut Vec<Header>,
    scope: &mut Scope,
) -> Result<Option<Template>, SpecError> {
    if let Some(parts) = &action.multipart {
        if let Some(body) = &message.body {
            let told = "a multipart request has no other body";
            return Err(SpecError::new(body.at, told).under("http"));
        }
        return multipart_body(service, parts, headers, scope).map(Some);
    }
    let Some(body) = &message.body else {
        return Ok(None);
    };
    let kind = kind_of(service, headers, body.text);
    if kind == BodyKind::JsonUntold {
        headers.push(Header {
            name: "content-type".into(),
            value: Template::literal(b"application/json"),
            optional: false,
        });
    }
    let template = match kind {
        BodyKind::Json | BodyKind::JsonUntold => Template::json(body.text, "the body", scope),
        BodyKind::Form => Template::parsed(body.text, scope, Encoding::FormField),
        BodyKind::Other => Template::parsed(body.text, scope, Encoding::Bytes),
    };
    template
        .map(Some)
        .map_err(|error| error.moved(body.at).under("http"))
}

fn multipart_body(
    service: &Service,
    parts: &std::collections::BTreeMap<String, PartSpec>,
    headers: &mut Vec<Header>,
    scope: &mut Scope,
) -> Result<Template, SpecError> {
    let boundary = multipart::boundary(scope.constants().run());
    headers.retain(|header| &*header.name != "content-type");
    headers.push(Header {
        name: "content-type".into(),
        value: Template::constant_text(&format!("multipart/form-data; boundary={boundary}")),
        optional: false,
    });
    multipart::body(parts, &boundary, &service.folder, scope)
        .map_err(|error| error.under("multipart"))
}

#[derive(PartialEq)]
enum BodyKind {
    Json,
    /// JSON by its first character: then the content type is told.
    JsonUntold,
    Form,
    Other,
}

fn kind_of(service: &Service, headers: &[Header], body: &str) -> BodyKind {
    let told = headers
        .iter()
        .chain(&service.headers)
        .find(|header| &*header.name == "content-type");
    let Some(told) = told else {
        return match body.starts_with(['{', '[']) {
            true => BodyKind::JsonUntold,
            false => BodyKind::Other,
        };
    };
    let told =
        String::from_utf8_lossy(told.value.as_constant().unwrap_or_default()).to_ascii_lowercase();
    let kind = told.split(';').next().unwrap_or_default().trim();
    match kind {
        "application/x-www-form-urlencoded" => BodyKind::Form,
        _ if kind == "application/json" || kind.ends_with("+json") => BodyKind::Json,
        _ => BodyKind::Other,
    }
}

/// The service's headers that the step does not set itself, and those that every request has.
fn add_defaults(service: &Service, action: &HttpAction, headers: &mut Vec<Header>) {
    let mut add = |name: &str, value: &Template, optional| {
        if !headers.iter().any(|header| &*header.name == name) {
            headers.push(Header {
                name: name.into(),
                value: value.clone(),
                optional,
            });
        }
    };
    for header in &service.headers {
        if !header.value.is_never_filled() {
            add(&header.name, &header.value, true);
        }
    }
    add(
        "host",
        &Template::constant_text(&service.address.authority()),
        false,
    );
    add("user-agent", &Template::constant_text("proofload"), false);
    if action.stream.is_some() {
        add(
            "accept",
            &Template::constant_text("text/event-stream"),
            false,
        );
    }
}

/// The head in HTTP/1.1's form, in as few segments as possible.
fn head(line: Option<(&str, &Target)>, headers: &[Header]) -> Box<[Segment]> {
    let mut segments = Vec::new();
    let mut fixed: Vec<Template> = Vec::new();
    if let Some((method, Target::Parts { path, page })) = line {
        fixed.push(Template::constant_text(&format!("{method} ")));
        fixed.push(path.clone());
        if let Some(page) = page {
            flush(&mut fixed, &mut segments);
            segments.push(Segment {
                template: page.clone(),
                optional: true,
            });
        }
        fixed.push(Template::literal(b" HTTP/1.1\r\n"));
    }
    for header in headers {
        let written = [
            &Template::constant_text(&format!("{}: ", header.name)),
            &header.value,
            &Template::literal(b"\r\n"),
        ];
        let template = Template::concat(&written);
        match header.optional && template.as_constant().is_none() {
            true => {
                flush(&mut fixed, &mut segments);
                segments.push(Segment {
                    template,
                    optional: true,
                });
            }
            false => fixed.push(template),
        }
    }
    flush(&mut fixed, &mut segments);
    segments.into()
}

fn flush(fixed: &mut Vec<Template>, segments: &mut Vec<Segment>) {
    if !fixed.is_empty() {
        let parts: Vec<&Template> = fixed.iter().collect();
        segments.push(Segment {
            template: Template::concat(&parts),
            optional: false,
        });
        fixed.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameter_of_a_page_is_found_wherever_it_stands() {
        let split = |text: &str| {
            let (rest, page) = split_page(text, &parse(text).unwrap());
            format!("{rest} {}", page.unwrap_or_default())
        };
        assert_eq!(split("/a?x=1&c=${cursor}"), "/a?x=1 &c=${cursor}");
        assert_eq!(split("/a?c=${cursor}&x=1"), "/a?x=1 &c=${cursor}");
        assert_eq!(split("/a?c=${cursor}"), "/a ?c=${cursor}");
        assert_eq!(split("/a?x=1&c=${cursor}&y=2"), "/a?x=1&y=2 &c=${cursor}");
        assert_eq!(split("/a/${cursor}"), "/a/${cursor} ");
        assert_eq!(split("/a?c=p${cursor}"), "/a?c=p${cursor} ");
        assert_eq!(split("/a?x=${key}"), "/a?x=${key} ");
    }
}
