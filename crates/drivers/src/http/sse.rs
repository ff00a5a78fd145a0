//! Server-sent events, as the HTML standard parses them.

use std::time::Instant;

use super::failure::{Malformed, malformed};
use crate::answer::{Answer, LARGEST_PARSED};
use crate::json;

/// The state between two reads of a stream of events.
#[derive(Debug, Default)]
pub(super) struct Events {
    line: Vec<u8>,
    data: Vec<u8>,
    /// Whether any field of an event came whose end did not.
    is_open: bool,
    /// Whether the last byte was a carriage return, whose line feed is still to come.
    after_return: bool,
    begun: bool,
}

impl Events {
    pub(super) fn begin(&mut self) {
        self.line.clear();
        self.data.clear();
        self.is_open = false;
        self.after_return = false;
        self.begun = false;
    }

    /// Takes bytes that came at one time.
    pub(super) fn take(
        &mut self,
        mut bytes: &[u8],
        now: Instant,
        answer: &mut Answer,
    ) -> Result<(), Malformed> {
        // A read without bytes says nothing about what follows a carriage return.
        let Some(&first) = bytes.first() else {
            return Ok(());
        };
        if self.after_return && first == b'\n' {
            bytes = &bytes[1..];
        }
        self.after_return = false;
        while let Some(end) = memchr::memchr2(b'\n', b'\r', bytes) {
            self.line.extend_from_slice(&bytes[..end]);
            let is_return = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            if is_return {
                match bytes.first() {
                    Some(b'\n') => bytes = &bytes[1..],
                    Some(_) => {}
                    None => self.after_return = true,
                }
            }
            self.line(now, answer);
            self.check_size()?;
        }
        self.line.extend_from_slice(bytes);
        self.check_size()
    }

    /// The stream has ended. An event that was not ended is no event.
    pub(super) fn end(&mut self, answer: &mut Answer) -> Result<(), Malformed> {
        answer.events.end();
        if self.is_open || !self.line.is_empty() {
            return Err(malformed("the stream ended within an event"));
        }
        if answer.events.count == 0 {
            return Err(malformed("the stream ended without an event"));
        }
        Ok(())
    }

    fn check_size(&self) -> Result<(), Malformed> {
        match self.line.len() + self.data.len() > LARGEST_PARSED {
            true => Err(malformed("an event is larger than 1 MiB")),
            false => Ok(()),
        }
    }

    fn line(&mut self, now: Instant, answer: &mut Answer) {
        let mut line = &*self.line;
        if !self.begun {
            self.begun = true;
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        if line.is_empty() {
            self.dispatch(now, answer);
        } else if line[0] != b':' {
            self.is_open = true;
            if let Some(rest) = line.strip_prefix(b"data") {
                let value = match rest {
                    [] => Some(rest),
                    [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
                    _ => None,
                };
                if let Some(value) = value {
                    self.data.extend_from_slice(value);
                    self.data.push(b'\n');
                }
            }
        }
        self.line.clear();
    }

    fn dispatch(&mut self, now: Instant, answer: &mut Answer) {
        self.is_open = false;
        if self.data.pop().is_none() {
            return;
        }
        answer.events.event(now);
        // What a model sends last is often `[DONE]`, which is no JSON and tells nothing.
        if answer.wanted.limit().is_some() && json::is_valid(&self.data) {
            answer.body.clear();
            answer.body.extend_from_slice(&self.data);
        }
        self.data.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::answer::Wanted;

    fn read(parts: &[&[u8]]) -> (u64, String, Result<(), String>) {
        let mut events = Events::default();
        let mut answer = Answer {
            wanted: Wanted::PARSED,
            ..Answer::default()
        };
        events.begin();
        for part in parts {
            events.take(part, Instant::now(), &mut answer).unwrap();
        }
        let end = events
            .end(&mut answer)
            .map_err(|failure| failure.to_string());
        let body = String::from_utf8(answer.body).unwrap();
        (answer.events.count, body, end)
    }

    const STREAM: &[u8] = b"\xef\xbb\xbf: hello\n\ndata: {\"a\":\r\ndata: 1}\r\rid: 7\n\n\
        event: x\ndata:{\"b\":2}\nretry: 5\n\ndata: [DONE]\n\n";

    #[test]
    fn the_last_event_that_is_json_is_kept() {
        assert_eq!(read(&[STREAM]), (3, "{\"b\":2}".into(), Ok(())));
        assert_eq!(
            read(&[b"data: {\"a\":\ndata: 1}\n\n"]),
            (1, "{\"a\":\n1}".into(), Ok(()))
        );
        assert_eq!(read(&[b"data\n\n"]).0, 1);
        assert_eq!(read(&[b"database: 1\n\n"]).0, 0);
    }

    #[test]
    fn a_read_without_bytes_between_the_two_ends_of_a_line_changes_nothing() {
        let whole = read(&[b"data: 1\r\ndata: 2\r\n\r\n"]);
        let cut: [&[u8]; 4] = [b"data: 1\r", b"", b"\ndata: 2\r\n\r", b"\n"];
        assert_eq!(read(&cut), whole);
        assert_eq!(whole.0, 1);
    }

    #[test]
    fn an_end_within_an_event_or_without_any_is_told() {
        let told = |stream: &[u8]| read(&[stream]).2.unwrap_err();
        let within = "malformed answer: the stream ended within an event";
        assert_eq!(told(b"data: 1\n\ndata: 2\n"), within);
        assert_eq!(told(b"data: 1\n\ndat"), within);
        assert_eq!(
            told(b": ping\n\n"),
            "malformed answer: the stream ended without an event"
        );
    }

    proptest! {
        #[test]
        fn it_does_not_matter_where_reads_end(cuts in proptest::collection::vec(0..STREAM.len(), 0..6)) {
            let mut cuts = cuts;
            cuts.extend([0, STREAM.len()]);
            cuts.sort_unstable();
            let parts: Vec<&[u8]> = cuts.windows(2).map(|cut| &STREAM[cut[0]..cut[1]]).collect();
            prop_assert_eq!(read(&parts), read(&[STREAM]));
        }
    }
}
