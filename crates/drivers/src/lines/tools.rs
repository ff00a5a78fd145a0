//! The tools of an MCP server: listed page by page, held against the guard, and chosen for calls.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::names;
use crate::outcome::Failure;

/// The most pages of a list.
const MOST_PAGES: usize = 1000;

/// A tool, as the server describes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tool {
    /// Whether it says that it only reads.
    pub(super) only_reads: bool,
    /// What its arguments have to be.
    pub(super) input: Value,
}

/// Tools by their names.
pub(super) type Tools = BTreeMap<String, Tool>;

/// The tools of a server that the guard has seen, and which of them `"*"` calls in turn.
pub(super) struct Known {
    pub(super) tools: Tools,
    pub(super) each: Vec<String>,
}

/// What a file says about tools.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    /// Tools that it calls by name.
    pub(super) called: Vec<String>,
    /// Whether it calls `"*"`.
    pub(super) calls_each: bool,
}

/// In `allow`, stands for every tool.
const EVERY: &str = "*";

impl Asked {
    /// The guard: tools that may write have to be allowed by name.
    ///
    /// `"*"` calls those that only read, and those that are allowed and that no other step calls: a tool that is
    /// allowed for a step of its own is not called with arguments that nobody chose.
    pub(super) fn check(&self, tools: Tools, allow: &[String]) -> Result<Known, Failure> {
        let named = allow.iter().filter(|name| *name != EVERY);
        let allows_every = allow.iter().any(|name| name == EVERY);
        for name in self.called.iter().chain(named) {
            let Some(tool) = tools.get(name) else {
                let known = tools.keys().map(String::as_str);
                return Err(Failure::new(&names::unknown("tool", name, "", known)));
            };
            if !tool.only_reads && !allows_every && !allow.contains(name) {
                let told = format!("`{name}` may write: add it to `allow`");
                return Err(Failure::new(&told));
            }
        }
        let is_called = |(name, tool): &(&String, &Tool)| {
            let is_allowed = allows_every || allow.contains(name);
            tool.only_reads || is_allowed && !self.called.contains(name)
        };
        let each = tools.iter().filter(is_called);
        let each: Vec<String> = each.map(|(name, _)| name.clone()).collect();
        if self.calls_each && each.is_empty() {
            let told =
                "`call = \"*\"` finds no tool that says that it only reads: name others in `allow`";
            return Err(Failure::new(told));
        }
        Ok(Known { tools, each })
    }
}

/// What was listed of a server's tools so far.
#[derive(Default)]
pub(super) struct ToolList {
    pub(super) tools: Tools,
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
            let tool = Tool {
                only_reads: tool["annotations"]["readOnlyHint"] == json!(true),
                input: tool["inputSchema"].clone(),
            };
            self.tools.insert(name, tool);
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
        let found: Vec<(&str, bool)> = list
            .tools
            .iter()
            .map(|(name, tool)| (name.as_str(), tool.only_reads))
            .collect();
        assert_eq!(found, [("a", false), ("b", true)]);
    }

    #[test]
    fn every_tool_that_reads_is_called_and_one_that_writes_if_it_is_allowed_for_that() {
        let tool = |only_reads| Tool {
            only_reads,
            ..Tool::default()
        };
        let tools = || {
            let named = [("list", true), ("make", false), ("drop", false)];
            named
                .map(|(name, reads)| (name.to_owned(), tool(reads)))
                .into()
        };
        let check = |called: &[&str], allow: &[&str]| {
            let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
            let asked = Asked {
                called: texts(called),
                calls_each: true,
            };
            let allow: Vec<String> = texts(allow);
            let known = asked.check(tools(), &allow);
            known
                .map(|known| known.each.join(" "))
                .map_err(|failure| failure.to_string())
        };
        assert_eq!(check(&[], &[]), Ok("list".to_owned()));
        assert_eq!(check(&[], &["make"]), Ok("list make".to_owned()));
        assert_eq!(check(&["make"], &["make"]), Ok("list".to_owned()));
        assert_eq!(check(&["make"], &["*"]), Ok("drop list".to_owned()));
        let told = "`make` may write: add it to `allow`";
        assert_eq!(check(&["make"], &[]), Err(told.to_owned()));
        assert!(
            check(&[], &["mkae"])
                .unwrap_err()
                .ends_with("did you mean `make`?")
        );
        let none = Asked {
            calls_each: true,
            ..Asked::default()
        };
        let told = none.check(Tools::new(), &[]).err().unwrap().to_string();
        assert!(told.starts_with("`call = \"*\"` finds no tool"), "{told}");
    }
}
