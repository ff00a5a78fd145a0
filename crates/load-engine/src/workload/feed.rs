//! Data that users share out among themselves: each record goes to one of them, once.

use std::io::BufRead;
use std::sync::{Mutex, PoisonError};

use serde::de::DeserializeOwned;

use crate::error::RunError;

/// Bytes that one record may have. A file without line breaks would otherwise be read whole; what is
/// left of a longer record is read as the next one.
const MAX_RECORD_BYTES: usize = 16 << 20;

/// A file of records that is read as they are asked for, so that its size does not matter.
///
/// Share one among all users, in the workload: no record is given out twice, and each comes in the
/// file's order to whoever asks first. Ask outside of a step, since reading is not the target's time.
///
/// ```
/// use load_engine::Feed;
///
/// let feed = Feed::csv("name,city\nAda,London\n\"Curie, Marie\",Paris\n".as_bytes())?;
/// assert_eq!(feed.column("city"), Some(1));
/// assert_eq!(feed.next()?.unwrap(), ["Ada", "London"]);
/// assert_eq!(feed.next()?.unwrap(), ["Curie, Marie", "Paris"]);
/// assert_eq!(feed.next()?, None);
/// # Ok::<(), load_engine::RunError>(())
/// ```
pub struct Feed<R> {
    lines: Mutex<Lines<R>>,
    header: Vec<String>,
}

impl<R: BufRead> Feed<R> {
    /// A feed of comma-separated values as RFC 4180 has them, the first record of which names the
    /// columns.
    ///
    /// # Errors
    ///
    /// When the first record cannot be read.
    pub fn csv(source: R) -> Result<Self, RunError> {
        let mut feed = Self::json_lines(source);
        feed.header = feed.read_record()?.unwrap_or_default();
        Ok(feed)
    }

    /// A feed of one JSON value a line. Empty lines are passed over.
    pub fn json_lines(source: R) -> Self {
        Self {
            lines: Mutex::new(Lines {
                source,
                number: 0,
                buffer: Vec::new(),
            }),
            header: Vec::new(),
        }
    }

    /// The columns' names; none of lines of JSON.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.header
    }

    /// Where the column of this name is in a record.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|column| column == name)
    }

    /// The next record's fields, or none when all are given out.
    ///
    /// # Errors
    ///
    /// When the source cannot be read, a quotation is not closed, or a record has more or fewer fields
    /// than there are columns. The record after it can still be asked for.
    pub fn next(&self) -> Result<Option<Vec<String>>, RunError> {
        self.read_record()
    }

    /// The next line's value, or none when all are given out.
    ///
    /// # Errors
    ///
    /// When the source cannot be read, or a line is no such value. The line after it can still be
    /// asked for.
    pub fn next_json<T: DeserializeOwned>(&self) -> Result<Option<T>, RunError> {
        let (line, number) = {
            let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            lines.buffer.clear();
            loop {
                if !lines.read_line()? {
                    return Ok(None);
                }
                if lines.buffer.trim_ascii().is_empty() {
                    lines.buffer.clear();
                } else {
                    break (lines.buffer.clone(), lines.number);
                }
            }
        };
        // Outside the lock, so that users parse side by side.
        serde_json::from_slice(&line)
            .map(Some)
            .map_err(|error| broken(number, error.to_string()))
    }

    fn read_record(&self) -> Result<Option<Vec<String>>, RunError> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        // Blank lines are no records: most often they are the file's last.
        loop {
            lines.buffer.clear();
            if !lines.read_line()? {
                return Ok(None);
            }
            if !lines.buffer.trim_ascii().is_empty() {
                break;
            }
        }
        let number = lines.number;
        // A line break in quotation marks is part of its field.
        let mut counted = 0;
        let mut open = false;
        loop {
            open ^= is_odd(&lines.buffer[counted..]);
            counted = lines.buffer.len();
            if !open {
                break;
            }
            if !lines.read_line()? {
                return Err(broken(number, "the quotation is not closed".to_owned()));
            }
        }
        let record = lines.buffer.clone();
        drop(lines);
        let text = String::from_utf8(record).map_err(|error| broken(number, error.to_string()))?;
        let fields = split(&text).map_err(|reason| broken(number, reason.to_owned()))?;
        let (found, columns) = (fields.len(), self.header.len());
        if columns != 0 && found != columns {
            let reason = format!("{found} fields, but there are {columns} columns");
            return Err(broken(number, reason));
        }
        Ok(Some(fields))
    }
}

/// What some programs write before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

struct Lines<R> {
    source: R,
    /// The last line that was read, from 1.
    number: u64,
    buffer: Vec<u8>, // at most MAX_RECORD_BYTES + 1
}

impl<R: BufRead> Lines<R> {
    /// Adds the next line to the buffer; says whether there was one.
    fn read_line(&mut self) -> Result<bool, RunError> {
        let room = (MAX_RECORD_BYTES + 1 - self.buffer.len()) as u64;
        let read = std::io::Read::take(&mut self.source, room)
            .read_until(b'\n', &mut self.buffer)
            .map_err(|error| broken(self.number + 1, error.to_string()))?;
        self.number += 1;
        if self.number == 1 && self.buffer.starts_with(BYTE_ORDER_MARK) {
            self.buffer.drain(..BYTE_ORDER_MARK.len());
        }
        if self.buffer.len() > MAX_RECORD_BYTES {
            let reason = format!("the record has more than {MAX_RECORD_BYTES} bytes");
            return Err(broken(self.number, reason));
        }
        Ok(read > 0)
    }
}

/// Whether there is an odd number of quotation marks.
fn is_odd(line: &[u8]) -> bool {
    line.iter().filter(|byte| **byte == b'"').count() % 2 == 1
}

/// The fields of one record of RFC 4180.
fn split(record: &str) -> Result<Vec<String>, &'static str> {
    let mut rest = record.strip_suffix('\n').unwrap_or(record);
    rest = rest.strip_suffix('\r').unwrap_or(rest);
    let mut fields = Vec::new();
    loop {
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => quotation(quoted)?,
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                (rest[..end].to_owned(), &rest[end..])
            }
        };
        fields.push(field);
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None if after.is_empty() => return Ok(fields),
            None => return Err("a comma is missing after a closing quotation mark"),
        }
    }
}

/// A field in quotation marks, the first of which is gone, and what comes after it.
fn quotation(mut rest: &str) -> Result<(String, &str), &'static str> {
    let mut field = String::new();
    loop {
        let end = rest.find('"').ok_or("the quotation is not closed")?;
        field.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(after) => {
                field.push('"');
                rest = after;
            }
            None => return Ok((field, rest)),
        }
    }
}

fn broken(line: u64, reason: String) -> RunError {
    RunError::Feed { line, reason }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::thread::scope;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn users_share_out_every_record_once() {
        let text: String = (0..1000).map(|n| format!("{{\"n\":{n}}}\n\n")).collect();
        let feed = Feed::json_lines(text.as_bytes());
        let take = || {
            let mut taken = Vec::new();
            while let Some(value) = feed.next_json::<serde_json::Value>().unwrap() {
                taken.push(value["n"].as_u64().unwrap());
            }
            taken
        };
        let all: Vec<u64> = scope(|threads| {
            let users: Vec<_> = (0..4).map(|_| threads.spawn(take)).collect();
            users
                .into_iter()
                .flat_map(|user| user.join().unwrap())
                .collect()
        });
        assert_eq!(all.len(), 1000);
        assert_eq!(
            all.into_iter().collect::<BTreeSet<_>>(),
            (0..1000).collect()
        );
    }

    #[test]
    fn a_mistake_names_its_line_and_the_next_record_follows() {
        let text = "a,b\r\n1,2\r\n\"x\ny\",4\n5\n\"6\"7,8\n9,\"1\"\"0\"";
        let feed = Feed::csv(text.as_bytes()).unwrap();
        let next = || match feed.next() {
            Ok(Some(fields)) => fields.join("|"),
            Ok(None) => "end".to_owned(),
            Err(error) => error.to_string(),
        };
        let records: Vec<_> = (0..6).map(|_| next()).collect();
        assert_eq!(
            records,
            [
                "1|2",
                "x\ny|4",
                "line 5 of the data feed: 1 fields, but there are 2 columns",
                "line 6 of the data feed: a comma is missing after a closing quotation mark",
                "9|1\"0",
                "end",
            ]
        );
    }

    #[test]
    fn a_line_that_is_no_json_is_an_error() {
        let feed = Feed::json_lines("{}\nnonsense\n7\n".as_bytes());
        assert!(feed.next_json::<serde_json::Value>().is_ok());
        let error = feed.next_json::<serde_json::Value>().unwrap_err();
        assert!(error.to_string().starts_with("line 2 of the data feed: "));
        assert_eq!(feed.next_json::<u8>().unwrap(), Some(7));
    }

    #[test]
    fn a_byte_order_mark_and_blank_lines_are_no_data() {
        let feed = Feed::csv("\u{feff}name,n\r\na,1\r\n\r\nb,2\n \n\n".as_bytes()).unwrap();
        assert_eq!(feed.column("name"), Some(0));
        let names: Vec<_> = std::iter::from_fn(|| feed.next().unwrap()).collect();
        assert_eq!(names, [["a", "1"], ["b", "2"]]);
        let feed = Feed::json_lines("\u{feff}7\n\n8\n".as_bytes());
        assert_eq!(feed.next_json::<u8>().unwrap(), Some(7));
        assert_eq!(feed.next_json::<u8>().unwrap(), Some(8));
    }

    #[test]
    fn a_record_without_an_end_is_refused_and_not_read_whole() {
        let endless = std::io::BufReader::new(std::io::repeat(b'x'));
        assert!(Feed::csv(endless).is_err());
    }

    proptest! {
        #[test]
        fn whatever_is_quoted_is_read_back(
            records in prop::collection::vec(prop::collection::vec("[a\",\r\n ]{0,6}", 3), 0..8)
        ) {
            let quoted = |field: &String| format!("\"{}\"", field.replace('"', "\"\""));
            let line = |record: &Vec<String>| record.iter().map(quoted).collect::<Vec<_>>().join(",");
            let text: String = records.iter().map(|record| line(record) + "\r\n").collect();
            let text = format!("x,y,z\n{text}");
            let feed = Feed::csv(text.as_bytes()).unwrap();
            for record in records {
                prop_assert_eq!(feed.next().unwrap(), Some(record));
            }
            prop_assert_eq!(feed.next().unwrap(), None);
        }
    }
}
