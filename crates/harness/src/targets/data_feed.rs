//! Records of a file that users share out among themselves.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use load_engine::{Failure, Feed};
use serde_json::{Map, Value};

/// A CSV or JSONL file, each record of which is given out once, as the text of a JSON value.
pub struct DataFeed {
    feed: Feed<BufReader<File>>,
    path: PathBuf,
}

impl DataFeed {
    /// Opens a file by the end of its name.
    ///
    /// # Errors
    ///
    /// What is wrong with the file.
    pub fn open(path: &Path) -> Result<Self, String> {
        let told = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let is_csv = match path.extension().and_then(|end| end.to_str()) {
            Some("csv") => true,
            Some("jsonl") => false,
            _ => return Err(told(&"a data file ends in .csv or .jsonl")),
        };
        let file = File::open(path).map_err(|error| told(&error))?;
        let reader = BufReader::new(file);
        let feed = if is_csv {
            let feed = Feed::csv(reader).map_err(|error| told(&error))?;
            if feed.columns().is_empty() {
                return Err(told(&"the line of names is missing"));
            }
            feed
        } else {
            Feed::json_lines(reader)
        };
        Ok(Self {
            feed,
            path: path.to_owned(),
        })
    }

    /// The names of its fields: the columns, or those of the first record.
    ///
    /// # Errors
    ///
    /// What is wrong with the file.
    pub(crate) fn fields(path: &Path) -> Result<Vec<String>, String> {
        let feed = Self::open(path)?;
        if !feed.feed.columns().is_empty() {
            return Ok(feed.feed.columns().to_vec());
        }
        let first = feed
            .next()
            .map_err(|failure| failure.message().to_owned())?;
        let first: Option<Map<String, Value>> =
            first.and_then(|record| serde_json::from_str(&record).ok());
        let named = first.map(|record| record.into_iter().map(|(name, _)| name).collect());
        named.ok_or_else(|| format!("{}: its first record is no object", path.display()))
    }

    /// The next record, or none when all are given out.
    ///
    /// # Errors
    ///
    /// When a record is damaged. The next one can still be asked for.
    pub fn next(&self) -> Result<Option<String>, Failure> {
        let damaged = |reason: String| Failure::new(format!("{}: {reason}", self.path.display()));
        let columns = self.feed.columns();
        if columns.is_empty() {
            let value: Option<Value> = self
                .feed
                .next_json()
                .map_err(|error| damaged(error.to_string()))?;
            return Ok(value.map(|value| value.to_string()));
        }
        let fields = self
            .feed
            .next()
            .map_err(|error| damaged(error.to_string()))?;
        let Some(fields) = fields else {
            return Ok(None);
        };
        let pairs = columns
            .iter()
            .cloned()
            .zip(fields.into_iter().map(Value::String));
        Ok(Some(Value::Object(Map::from_iter(pairs)).to_string()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn opened(name: &str, content: &str) -> Result<DataFeed, String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(name);
        fs::write(&file, content).unwrap();
        let place = format!("{}/", dir.path().display());
        DataFeed::open(&file).map_err(|error| error.replace(&place, ""))
    }

    #[test]
    fn both_formats_give_json_and_end() {
        let csv = opened("a.csv", "name,city\nAda,London\n\"x,y\",z\n").unwrap();
        assert_eq!(
            csv.next().unwrap().unwrap(),
            r#"{"city":"London","name":"Ada"}"#
        );
        assert_eq!(csv.next().unwrap().unwrap(), r#"{"city":"z","name":"x,y"}"#);
        assert_eq!(csv.next().unwrap(), None);
        let lines = opened("a.jsonl", "{\"a\": 1}\n\n2\n").unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), r#"{"a":1}"#);
        assert_eq!(lines.next().unwrap().unwrap(), "2");
        assert_eq!(lines.next().unwrap(), None);
    }

    #[test]
    fn a_damaged_record_is_named_and_the_next_one_follows() {
        let csv = opened("a.csv", "a,b\n1\n2,3\n").unwrap();
        let message = csv.next().unwrap_err().message().to_owned();
        assert!(
            message.ends_with("a.csv: line 2 of the data feed: 1 fields, but there are 2 columns"),
            "{message}"
        );
        assert!(csv.next().unwrap().is_some());
    }

    #[test]
    fn a_file_that_is_none_says_so() {
        let mistake = |name: &str, content: &str| opened(name, content).err().unwrap();
        assert_eq!(
            mistake("a.txt", ""),
            "a.txt: a data file ends in .csv or .jsonl"
        );
        assert_eq!(mistake("a.csv", ""), "a.csv: the line of names is missing");
        assert!(DataFeed::open(Path::new("no/such.csv")).is_err());
    }
}
