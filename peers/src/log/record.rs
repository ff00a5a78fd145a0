//! What every peer appends.

use serde::{Deserialize, Serialize};

/// About 300 bytes of JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    id: String,
    thread: usize,
    index: u64,
    text: String,
}

impl Record {
    pub(crate) fn new(thread: usize) -> Self {
        Self {
            id: format!("0198d2a4-7b1c-7000-8000-{thread:012}"),
            thread,
            index: 0,
            text: "the quick brown fox jumps over the lazy dog; ".repeat(5),
        }
    }

    /// Numbers the record, so that no two of a run are the same.
    pub(crate) fn number(&mut self, index: u64) -> &Self {
        self.index = index;
        self
    }

    /// As the peers that store bytes or text keep it.
    pub(crate) fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_about_300_bytes() {
        let bytes = Record::new(7).number(1_000).json().unwrap().len();
        assert!((290..=330).contains(&bytes), "{bytes}");
    }
}
