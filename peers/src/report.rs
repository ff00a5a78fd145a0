//! Everything that was measured, as Markdown, JSON and pictures.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::comparison::{Comparison, Role, Setting};
use crate::log;
use crate::plot::{self, Line};
use crate::spread::{Figure, Spread};

/// What was measured in one comparison, in each of its forms.
struct Part {
    name: &'static str,
    markdown: String,
    json: String,
    lines: Vec<Line>,
}

/// The order in which `RESULTS.md` shows what there is.
const ORDER: [&str; 6] = ["policy", "cache", "engine", "similarity", "text", "log"];

const HEAD: &str = "\
# Figures

All sides run in every round, in turns; a ratio is taken within a round, and its median stands before its lowest \
and highest. **Believe the ratios**: the times are those of one machine, on which other work may have been running. \
Each part says by what command it was written.
";

/// Where a run puts its results.
pub(crate) struct Folder {
    path: PathBuf,
    /// What was run, so that it can be run again.
    command: String,
}

impl Folder {
    pub(crate) fn new(path: PathBuf, command: String) -> Self {
        Self { path, command }
    }

    /// Where the figures are from.
    fn origin(&self) -> String {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        format!("By `{}`, on {processors} processors.", self.command)
    }

    /// Writes one comparison.
    pub(crate) fn write(&self, comparison: &Comparison) -> anyhow::Result<()> {
        let mut markdown = String::new();
        push_comparison(&mut markdown, comparison, &self.origin());
        self.write_part(&Part {
            name: comparison.name,
            markdown,
            json: serde_json::to_string_pretty(comparison)?,
            lines: lines(comparison),
        })
    }

    /// Writes the comparison of logs.
    pub(crate) fn write_log(&self, log: &log::report::Report) -> anyhow::Result<()> {
        let head = format!("## log\n\n{}\n\n![log](log.svg)\n\n", self.origin());
        self.write_part(&Part {
            name: "log",
            markdown: head + &log.markdown(),
            json: serde_json::to_string_pretty(log)?,
            lines: log.lines(),
        })
    }

    /// Writes a part's three files and `RESULTS.md`, which has all parts that there are, also those
    /// of earlier runs.
    fn write_part(&self, part: &Part) -> anyhow::Result<()> {
        let results = self.path.join("results");
        std::fs::create_dir_all(&results)
            .with_context(|| format!("create {}", results.display()))?;
        let write = |path: &Path, text: &str| {
            std::fs::write(path, text).with_context(|| format!("write {}", path.display()))
        };
        let name = part.name;
        write(&results.join(format!("{name}.md")), &part.markdown)?;
        write(
            &results.join(format!("{name}.json")),
            &format!("{}\n", part.json),
        )?;
        let svg = plot::svg(&format!("{name}: ours against others"), &part.lines);
        write(&results.join(format!("{name}.svg")), &svg)?;
        let mut all = HEAD.to_owned();
        for name in ORDER {
            let path = results.join(format!("{name}.md"));
            if path.is_file() {
                let part = std::fs::read_to_string(&path);
                let part = part.with_context(|| format!("read {}", path.display()))?;
                // The picture lies beside the part.
                let link = format!("]({name}.svg)");
                let part = part.replace(&link, &format!("](results/{name}.svg)"));
                let _ = write!(all, "\n{part}");
            }
        }
        write(&self.path.join("RESULTS.md"), &all)?;
        println!("{}", part.markdown);
        Ok(())
    }
}

fn lines(comparison: &Comparison) -> Vec<Line> {
    let of_setting = |setting: &Setting| -> Vec<Line> {
        let rows = setting.rows.iter();
        rows.filter_map(|row| {
            Some(Line {
                group: setting.name.clone(),
                label: row.side.clone(),
                ratio: row.ours_is_times?,
            })
        })
        .collect()
    };
    comparison.settings.iter().flat_map(of_setting).collect()
}

fn push_comparison(text: &mut String, comparison: &Comparison, origin: &str) {
    let Comparison { name, about, .. } = comparison;
    let _ = write!(
        text,
        "## {name}\n\n{about}\n\n{origin}\n\n![{name}]({name}.svg)\n"
    );
    for setting in &comparison.settings {
        let quality = comparison.quality.map(|quality| format!(" {quality} |"));
        let rule = comparison.quality.map(|_| " ---: |");
        let _ = write!(
            text,
            "\n### {}\n\n| side | ns an operation | slowest – fastest round |{} of the limit | ours is as fast |\n\
             | --- | ---: | ---: |{} ---: | ---: |\n",
            setting.name,
            quality.unwrap_or_default(),
            rule.unwrap_or_default(),
        );
        for row in &setting.rows {
            let time = row.nanos_each;
            let share = |it: Spread| format!("{} %", Figure(it.median * 100.0));
            let times = match (row.role, row.ours_is_times) {
                (Role::Limit, _) => "the limit".to_owned(),
                (_, times) => times.map_or("–".to_owned(), |times| times.to_string()),
            };
            let quality = match (comparison.quality, row.quality) {
                (None, _) => String::new(),
                (_, None) => " – |".to_owned(),
                (_, Some(it)) => format!(" {:.1} % |", it.median * 100.0),
            };
            let _ = writeln!(
                text,
                "| {} | {} | {} – {} |{quality} {} | {times} |",
                row.side,
                Figure(time.median),
                Figure(time.highest),
                Figure(time.lowest),
                row.of_limit.map_or("–".to_owned(), share),
            );
        }
        for note in &setting.notes {
            let _ = write!(text, "\n{note}\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comparison::{Measured, Side};

    #[test]
    fn a_table_has_the_limit_the_quality_and_the_ratio() {
        let side = |role, name: &str, nanos, quality| {
            Side::new(role, name, move || {
                Ok(Measured {
                    nanos_each: nanos,
                    quality,
                })
            })
        };
        let sides = vec![
            side(Role::Ours, "ours", 20.0, Some(1.0)),
            side(Role::Peer, "theirs", 50.0, Some(0.955)),
            side(Role::Limit, "reading", 5.0, None),
        ];
        let setting = Setting::measure("one thread", 2, sides).unwrap();
        let comparison = Comparison {
            name: "search",
            about: "About it.",
            quality: Some("recall"),
            settings: vec![setting.note("A note.".into())],
        };
        let mut text = String::new();
        push_comparison(&mut text, &comparison, "By a command.");
        let table = "\
| side | ns an operation | slowest – fastest round | recall | of the limit | ours is as fast |
| --- | ---: | ---: | ---: | ---: | ---: |
| ours | 20.0 | 20.0 – 20.0 | 100.0 % | 25.0 % | – |
| theirs | 50.0 | 50.0 – 50.0 | 95.5 % | 10.0 % | 2.50 × (2.50 – 2.50) |
| reading | 5.00 | 5.00 – 5.00 | – | – | the limit |

A note.
";
        assert!(text.ends_with(table), "{text}");
        assert!(
            text.contains("By a command.\n\n![search](search.svg)"),
            "{text}"
        );
        assert_eq!(lines(&comparison).len(), 1);
    }
}
