//! The tools of an MCP server, which are listed page by page.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::outcome::Failure;

/// The most pages of a list.
const MOST_PAGES: usize = 1000;

/// Tools by their names, and whether each says that it only reads.
#[derive(Default)]
pub(super) struct ToolList {
    pub(super) tools: BTreeMap<String, bool>,
    pages: usize,
    next: Option<String>,
}

impl ToolList {
    /// What the next page is asked with; none when there is no other.
    pub(super) fn next_page(&self) -> Result<Option<Value>, Failure> {
        match (&self.next, self.pages) {
            (_, MOST_PAGES) => Err(Failure::new("the list of tools has no end")),
            (Some(cursor), _) => Ok(Some(json!({ "cursor": cursor }))),
            (None, 0) => Ok(Some(json!({}))),
            (None, _) => Ok(None),
        }
    }

    pub(super) fn add(&mut self, page: &Value) {
        for tool in page["tools"].as_array().into_iter().flatten() {
            let name = tool["name"].as_str().unwrap_or_default().to_owned();
            let reads = tool["annotations"]["readOnlyHint"] == json!(true);
            self.tools.insert(name, reads);
        }
        self.pages += 1;
        self.next = page["nextCursor"].as_str().map(str::to_owned);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_asked_for_until_there_is_no_other() {
        let mut list = ToolList::default();
        assert_eq!(list.next_page().unwrap(), Some(json!({})));
        list.add(&json!({ "tools": [{ "name": "a" }], "nextCursor": "2" }));
        assert_eq!(list.next_page().unwrap(), Some(json!({ "cursor": "2" })));
        list.add(&json!({ "tools": [{ "name": "b", "annotations": { "readOnlyHint": true } }] }));
        assert_eq!(list.next_page().unwrap(), None);
        assert_eq!(
            list.tools,
            [("a".to_owned(), false), ("b".to_owned(), true)].into()
        );
    }
}
