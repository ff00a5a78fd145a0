//! The links of a Markdown document, and its anchors as GitHub makes them.

use std::collections::{HashMap, HashSet};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// A link's target as written, with the index of its line.
#[derive(Debug, PartialEq)]
pub(super) struct Link {
    pub(super) index: usize, // of the line, from 0
    pub(super) target: String,
}

const OPTIONS: Options = Options::ENABLE_TABLES.union(Options::ENABLE_FOOTNOTES);

/// The targets of the links and images of a document.
pub(super) fn links(text: &str) -> Vec<Link> {
    let events = Parser::new_ext(text, OPTIONS).into_offset_iter();
    let targets = events.filter_map(|(event, place)| match event {
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => Some(Link {
            index: text[..place.start].matches('\n').count(),
            target: dest_url.into_string(),
        }),
        _ => None,
    });
    targets.collect()
}

/// The anchors that GitHub gives a document's headings, and those it sets itself by `id` or `name`.
pub(super) fn anchors(text: &str) -> HashSet<String> {
    let mut anchors = HashSet::new();
    let mut repeated: HashMap<String, usize> = HashMap::new();
    let mut heading: Option<String> = None;
    for event in Parser::new_ext(text, OPTIONS) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => {
                let slug = slug(&heading.take().unwrap_or_default());
                let count = repeated.entry(slug.clone()).or_default();
                anchors.insert(if *count == 0 {
                    slug
                } else {
                    format!("{slug}-{count}")
                });
                *count += 1;
            }
            Event::Text(part) | Event::Code(part) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&part);
                }
            }
            Event::Html(html) | Event::InlineHtml(html) => {
                anchors.extend(explicit_anchors(&html).map(str::to_owned));
            }
            _ => {}
        }
    }
    anchors
}

/// Lower case, spaces as hyphens, and of the punctuation only hyphens and underscores.
fn slug(heading: &str) -> String {
    heading
        .trim()
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

fn explicit_anchors(html: &str) -> impl Iterator<Item = &str> {
    ["id=\"", "name=\""]
        .into_iter()
        .flat_map(|start| html.split(start).skip(1))
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
            targets("[d](<d e.md>) [label]\n\n[label]: e.md \"title\"\n"),
            ["d e.md", "e.md"]
        );
    }

    #[test]
    fn a_link_knows_its_line() {
        assert_eq!(
            links("one\n\n[a](a.md)\n"),
            [Link {
                index: 2,
                target: "a.md".to_owned()
            }]
        );
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
                    ```\n# no heading\n```\n#no-heading\n## Again ##\n## Again\n\n\
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
