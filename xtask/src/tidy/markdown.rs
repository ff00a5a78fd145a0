//! As much of Markdown as the check of links needs: link targets, and anchors as GitHub makes them.

use std::collections::{HashMap, HashSet};

/// A link's target as written, with the index of its line.
#[derive(Debug, PartialEq)]
pub(super) struct Link {
    pub(super) index: usize, // of the line, from 0
    pub(super) target: String,
}

/// The targets of the inline links, the images and the reference definitions of a document.
pub(super) fn links(text: &str) -> Vec<Link> {
    let mut links = Vec::new();
    for (index, line) in prose(text) {
        let line = without_code_spans(line);
        let targets = inline_targets(&line).chain(definition_target(&line));
        links.extend(targets.map(|target| Link {
            index,
            target: target.to_owned(),
        }));
    }
    links
}

/// The anchors that GitHub gives a document's headings, and those it sets itself by `id` or `name`.
pub(super) fn anchors(text: &str) -> HashSet<String> {
    let mut anchors = HashSet::new();
    let mut repeated: HashMap<String, usize> = HashMap::new();
    for (_, line) in prose(text) {
        anchors.extend(explicit_anchors(line).map(str::to_owned));
        let Some(heading) = heading(line) else {
            continue;
        };
        let slug = slug(heading);
        let count = repeated.entry(slug.clone()).or_default();
        anchors.insert(if *count == 0 {
            slug
        } else {
            format!("{slug}-{count}")
        });
        *count += 1;
    }
    anchors
}

/// The lines outside of fenced code blocks, with their indices.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut open: Option<&str> = None;
    text.lines().enumerate().filter(move |(_, line)| {
        let (fence, rest) = split_fence(line.trim_start());
        match open {
            // A block closes with at least as many of the same character, and nothing after them.
            Some(start) if fence.starts_with(start) && rest.trim().is_empty() => open = None,
            None if fence.len() >= 3 => open = Some(fence),
            Some(_) => {}
            None => return true,
        }
        false
    })
}

/// The leading run of backticks or tildes, and what follows it.
fn split_fence(line: &str) -> (&str, &str) {
    let mark = line.chars().next().filter(|c| matches!(c, '`' | '~'));
    let end = mark.map_or(0, |mark| line.len() - line.trim_start_matches(mark).len());
    line.split_at(end)
}

/// The line with the contents of its code spans blanked, so that no link is seen in them.
fn without_code_spans(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(start) = rest.find('`') {
        let (run, after) = split_fence(&rest[start..]);
        out.push_str(&rest[..start]);
        match closing(after, run.len()) {
            Some(end) => {
                out.extend(std::iter::repeat_n(' ', end));
                rest = &after[end + run.len()..];
            }
            None => {
                out.push_str(run);
                rest = after;
            }
        }
    }
    out + rest
}

/// Where a run of exactly `length` backticks begins.
fn closing(text: &str, length: usize) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = text[from..].find('`') {
        let start = from + at;
        let (run, _) = split_fence(&text[start..]);
        if run.len() == length {
            return Some(start);
        }
        from = start + run.len();
    }
    None
}

fn inline_targets(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("](")
        .map(|(at, mark)| target(&line[at + mark.len()..]))
}

/// `[label]: target`, but not a footnote, `[^label]: text`.
fn definition_target(line: &str) -> Option<&str> {
    let label = line.trim_start().strip_prefix('[')?;
    let (label, rest) = label.split_once("]:")?;
    let is_definition = !label.starts_with('^') && !label.contains(']');
    is_definition.then(|| target(rest.trim_start()))
}

/// The target at the start of `text`: in angle brackets, or up to a space or the closing bracket.
fn target(text: &str) -> &str {
    if let Some((inside, _)) = text.strip_prefix('<').and_then(|text| text.split_once('>')) {
        return inside;
    }
    let mut depth = 0_usize;
    let end = text.find(|c: char| {
        match c {
            '(' => depth += 1,
            ')' if depth == 0 => return true,
            ')' => depth -= 1,
            _ => {}
        }
        c.is_whitespace()
    });
    &text[..end.unwrap_or(text.len())]
}

/// The text of a heading of the form `## Text`.
fn heading(line: &str) -> Option<&str> {
    let text = line.trim_start_matches('#');
    let level = line.len() - text.len();
    let is_heading = (1..=6).contains(&level) && (text.is_empty() || text.starts_with(' '));
    is_heading.then(|| text.trim().trim_end_matches('#').trim_end())
}

/// Lower case, spaces as hyphens, and of the punctuation only hyphens and underscores.
fn slug(heading: &str) -> String {
    without_link_targets(heading)
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

/// `[text](target)` as `[text]`.
fn without_link_targets(heading: &str) -> String {
    let mut out = String::new();
    let mut rest = heading;
    while let Some((before, after)) = rest.split_once("](") {
        out.push_str(before);
        out.push(']');
        rest = after.split_once(')').map_or("", |(_, rest)| rest);
    }
    out + rest
}

fn explicit_anchors(line: &str) -> impl Iterator<Item = &str> {
    ["id=\"", "name=\""]
        .into_iter()
        .flat_map(|start| line.split(start).skip(1))
        .filter_map(|rest| rest.split('"').next())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(text: &str) -> Vec<String> {
        links(text).into_iter().map(|link| link.target).collect()
    }

    #[test]
    fn every_form_of_link_is_found() {
        assert_eq!(
            targets("See [a](a.md), ![b](b.png \"title\") and [`c`](c_(1).md).\n"),
            ["a.md", "b.png", "c_(1).md"]
        );
        assert_eq!(
            targets("[d](<d e.md>)\n[label]: e.md \"title\"\n[^1]: no link\n"),
            ["d e.md", "e.md"]
        );
    }

    #[test]
    fn a_link_knows_its_line() {
        let link = Link {
            index: 2,
            target: "a.md".to_owned(),
        };
        assert_eq!(links("one\n\n[a\nb](a.md)\n"), [Link { index: 3, ..link }]);
    }

    #[test]
    fn code_holds_no_links() {
        assert_eq!(targets("`[a](b)` and ``x ` [c](d)`` and [e](f)\n"), ["f"]);
        assert_eq!(targets("```md\n[a](b)\n```\n[c](d)\n"), ["d"]);
        assert_eq!(targets("~~~~\n~~~\n```\n[a](b)\n~~~~\n[c](d)\n"), ["d"]);
    }

    #[test]
    fn anchors_are_githubs() {
        let text = "# The way of the data\n## `cargo xtask`: why?\n### A_b – *c* [d](e.md)\n\
                    ```\n# no heading\n```\n#no-heading\n## Again ##\n## Again\n\
                    <a id=\"set\"></a>\n";
        let mut anchors: Vec<_> = anchors(text).into_iter().collect();
        anchors.sort();
        let expected = [
            "a_b--c-d",
            "again",
            "again-1",
            "cargo-xtask-why",
            "set",
            "the-way-of-the-data",
        ];
        assert_eq!(anchors, expected);
    }
}
