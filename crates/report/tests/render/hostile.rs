//! Names that would be code if anybody let them are shown as text.

use report::render;

use crate::stored::load;

/// What ends up in markup if a name is not escaped.
const CODE: [&str; 4] = [
    "<script>alert",
    "<img",
    "onerror=alert(2)>",
    "</script></svg>",
];

/// Markdown without what stands in code, which is text as it is: the command, and a folder's name.
fn without_code(markdown: &str) -> String {
    let outside = markdown.split("\n```\n").step_by(2).collect::<String>();
    let lines = outside.lines();
    lines
        .filter(|line| !line.starts_with("What the target wrote"))
        .map(|line| format!("{line}\n"))
        .collect()
}

#[test]
fn in_markup_no_name_is_an_element_or_ends_an_attribute() {
    let report = load("hostile_names");
    for (renderer, text) in [
        ("html", render::html(&report)),
        ("junit", render::junit(&report)),
        ("markdown", without_code(&render::markdown(&report))),
    ] {
        for code in CODE {
            assert!(!text.contains(code), "{renderer} has {code}");
        }
        assert!(
            text.contains("&lt;script&gt;alert(1)&lt;/script&gt;"),
            "{renderer}"
        );
        assert!(text.contains("🦀"), "{renderer}");
        assert!(text.contains(&"long ".repeat(99)), "{renderer} cuts a name");
    }
}

#[test]
fn no_name_reaches_a_reader_as_a_control_character_or_turns_the_text_around() {
    let report = load("hostile_names");
    let plain = anstream::adapter::strip_str(&render::terminal_in(&report, 200)).to_string();
    for text in [
        plain,
        render::markdown(&report),
        render::html(&report),
        render::junit(&report),
    ] {
        let unseen =
            |c: &char| (c.is_control() && *c != '\n') || ('\u{202a}'..='\u{202e}').contains(c);
        let page = text
            .split_once("<body>")
            .map_or(text.as_str(), |(_, body)| body);
        assert_eq!(page.chars().find(unseen), None);
        // In Markdown a backslash is written as two.
        let text = text.replace("\\\\", "\\");
        assert!(text.contains("שלום \\u{202e}gnp.exe\\u{2066}"));
    }
}

#[test]
fn a_name_stays_in_its_cell_its_field_and_its_line() {
    let report = load("hostile_names");
    let markdown = render::markdown(&report);
    let table = markdown
        .lines()
        .skip_while(|line| !line.starts_with("| step"));
    for row in table.take_while(|line| line.starts_with('|')) {
        let bars = row.replace("\\|", "").matches('|').count();
        assert_eq!(bars, 13, "{row}");
    }
    for table in render::csv(&report) {
        assert!(
            !table
                .content
                .lines()
                .any(|line| line.starts_with(['=', '@']))
        );
        assert!(!table.content.contains(",=") && !table.content.contains(",\"="));
    }
    for line in render::prometheus(&report)
        .lines()
        .filter(|line| !line.starts_with('#'))
    {
        let (_, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
}

/// A tag's name is a label in Prometheus's text, where no name can be escaped.
#[test]
fn a_report_whose_tag_could_not_be_a_label_is_refused_when_it_is_loaded() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("report.json");
    let mut report = load("hostile_names");
    for (name, is_right) in [
        ("team", true),
        ("team\"} 1\nproofload_pass 1 #", false),
        ("scenario", false),
        ("9", false),
        ("", false),
    ] {
        report.scenarios[0].tags = [(name.to_owned(), "x".to_owned())].into();
        std::fs::write(&file, serde_json::to_string(&report).unwrap()).unwrap();
        let loaded = report::load(&file);
        assert_eq!(loaded.is_ok(), is_right, "{name:?}");
        if let Err(error) = loaded {
            assert!(error.to_string().contains("is no name of a tag"), "{error}");
        }
    }
}
