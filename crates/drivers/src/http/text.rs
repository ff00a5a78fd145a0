//! An HTTP message as people write it.

use crate::error::SpecError;

/// A part of a message's text and where it begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Line<'t> {
    pub(super) text: &'t str,
    pub(super) at: usize,
}

/// A request line, headers, and a body. Line ends before and behind the message do not count.
#[derive(Debug, PartialEq)]
pub(super) struct Message<'t> {
    pub(super) method: Line<'t>,
    pub(super) target: Line<'t>,
    pub(super) headers: Vec<(Line<'t>, Line<'t>)>,
    pub(super) body: Option<Line<'t>>,
}

const REQUEST_LINE: &str = "a request begins with a method and a path, such as GET /orders";

impl<'t> Message<'t> {
    pub(super) fn read(text: &'t str) -> Result<Self, SpecError> {
        let mut at = text.len() - text.trim_start_matches(['\r', '\n']).len();
        let end = text.trim_end_matches(['\r', '\n']).len();
        let text = &text[..end.max(at)];
        let (method, target) = request_line(next_line(text, &mut at))?;
        let mut headers = Vec::new();
        let mut body = None;
        while at < text.len() {
            let line = next_line(text, &mut at);
            if line.text.is_empty() {
                body = Some(Line {
                    text: &text[at..],
                    at,
                });
                break;
            }
            headers.push(header(line)?);
        }
        Ok(Self {
            method,
            target,
            headers,
            body: body.filter(|body| !body.text.is_empty()),
        })
    }
}

fn next_line<'t>(text: &'t str, at: &mut usize) -> Line<'t> {
    let begin = *at;
    let rest = &text[begin..];
    let length = rest.find('\n').unwrap_or(rest.len());
    *at = (begin + length + 1).min(text.len());
    Line {
        text: rest[..length].trim_end_matches('\r'),
        at: begin,
    }
}

fn request_line(line: Line<'_>) -> Result<(Line<'_>, Line<'_>), SpecError> {
    let wrong = || SpecError::new(line.at, REQUEST_LINE);
    let (method, rest) = line.text.split_once(' ').ok_or_else(wrong)?;
    if method.is_empty()
        || !method
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte == b'-')
    {
        return Err(wrong());
    }
    let target = rest.trim_start();
    let at = line.at + line.text.len() - target.len();
    let target = target.trim_end();
    // As messages are often copied: the version belongs to the service.
    let target = match target.rsplit_once(' ') {
        Some((target, version)) if version.starts_with("HTTP/") => target.trim_end(),
        _ => target,
    };
    if target.is_empty() {
        return Err(wrong());
    }
    let method = Line {
        text: method,
        at: line.at,
    };
    Ok((method, Line { text: target, at }))
}

fn header(line: Line<'_>) -> Result<(Line<'_>, Line<'_>), SpecError> {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let end = line.text.find(|c| !is_token(c)).unwrap_or(line.text.len());
    if end == 0 || !line.text[end..].starts_with(':') {
        let told = "a header is a name, a colon and a value, such as `accept: application/json`; \
                    an empty line ends the headers";
        return Err(SpecError::new(line.at, told));
    }
    let after = &line.text[end + 1..];
    let value = after.trim_start();
    let at = line.at + line.text.len() - value.len();
    let name = Line {
        text: &line.text[..end],
        at: line.at,
    };
    Ok((
        name,
        Line {
            text: value.trim_end(),
            at,
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_a_line_headers_and_a_body() {
        let text = "\nPOST /a?b=${id} HTTP/1.1\r\nX-A:  1 \nb:\n\n{ \"a\":\n\n1 }\n\n";
        let message = Message::read(text).unwrap();
        assert_eq!((message.method.text, message.method.at), ("POST", 1));
        assert_eq!((message.target.text, message.target.at), ("/a?b=${id}", 6));
        let headers: Vec<_> = message
            .headers
            .iter()
            .map(|(name, value)| {
                (
                    name.text,
                    value.text,
                    &text[value.at..value.at + value.text.len()],
                )
            })
            .collect();
        assert_eq!(headers, [("X-A", "1", "1"), ("b", "", "")]);
        let body = message.body.unwrap();
        assert_eq!(body.text, "{ \"a\":\n\n1 }");
        assert_eq!(&text[body.at..body.at + 1], "{");
        assert_eq!(Message::read("GET /a").unwrap().body, None);
        assert_eq!(Message::read("GET /a\n\n").unwrap().body, None);
    }

    #[test]
    fn a_mistake_is_told_with_its_place() {
        let told = |text| {
            let error = Message::read(text).unwrap_err();
            (error.inside, error.problem)
        };
        for (text, at) in [("", 0), ("\n/orders", 1), ("get /", 0), ("GET ", 0)] {
            assert_eq!(told(text), (at, REQUEST_LINE.to_owned()), "{text:?}");
        }
        let (at, problem) = told("POST /a\n{ \"a\": 1 }");
        assert_eq!(at, 8);
        assert!(
            problem.ends_with("an empty line ends the headers"),
            "{problem}"
        );
    }
}
