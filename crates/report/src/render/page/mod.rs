//! A run, described once for every renderer that writes pages: what is said, in which order, in which
//! tables. How it looks is the renderers' own.

mod describe;
mod discrepancies;
mod findings;
mod origin;
mod scenario;
mod steps;

pub(super) use self::describe::mark;
use crate::{Conclusion, Grade, PlotKind, Span};

/// The whole report.
pub(super) struct Page {
    /// What ran, and when.
    pub(super) subject: String,
    pub(super) conclusion: Conclusion,
    /// Why, as a sentence.
    pub(super) reason: String,
    /// What a reader looks for first.
    pub(super) figures: Vec<KeyFigure>,
    /// The same in a sentence.
    pub(super) summary: String,
    /// What limits the value of all figures.
    pub(super) notes: Vec<String>,
    /// A row a scenario.
    pub(super) overview: Table,
    pub(super) violations: Vec<String>,
    pub(super) recommendations: Vec<String>,
    pub(super) findings: Vec<FindingNote>,
    pub(super) sections: Vec<Section>,
    pub(super) origin: Origin,
}

/// A figure with its name.
pub(super) struct KeyFigure {
    pub(super) name: &'static str,
    pub(super) value: String,
    pub(super) tone: Tone,
}

/// A finding in words.
pub(super) struct FindingNote {
    /// Its number in the report, from 1.
    pub(super) number: usize,
    pub(super) kind: &'static str,
    /// The scenario, the step, the phase.
    pub(super) place: String,
    pub(super) grade: Grade,
    /// What the grade was chosen by.
    pub(super) strength: String,
    pub(super) evidence: String,
    /// Each figure's name and value.
    pub(super) figures: Vec<(String, String)>,
    pub(super) recommendation: String,
    /// When, in words.
    pub(super) when: Option<String>,
    /// Where it is drawn.
    pub(super) span: Option<Span>,
    pub(super) plot: PlotKind,
    /// The scenario's place among the sections, if it is there.
    pub(super) section: Option<usize>,
}

/// One scenario.
pub(super) struct Section {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) conclusion: Conclusion,
    /// Why it does not pass, if no threshold says so.
    pub(super) reason: Option<String>,
    /// How its figures are to be read.
    pub(super) note: String,
    /// What was acknowledged, and what became of it.
    pub(super) evidence: String,
    /// Response times in an open model, and service times.
    pub(super) steps: Vec<Table>,
    /// Times beside those of the steps.
    pub(super) parts: Option<Table>,
    pub(super) arrivals: Option<String>,
    pub(super) phases: Option<Table>,
    pub(super) failures: Vec<FailureNote>,
    /// Steps that left no effect.
    pub(super) vacuous: Vec<String>,
    pub(super) discrepancies: Option<Discrepancies>,
    /// What it was judged by, besides the effects.
    pub(super) thresholds: Table,
    /// That no effect is wrong.
    pub(super) effects: Table,
}

/// Why attempts failed.
pub(super) struct FailureNote {
    pub(super) step: String,
    /// Nothing, for messages that were not kept.
    pub(super) message: Option<String>,
    pub(super) count: String,
}

/// Where the target and the ledger disagree.
pub(super) struct Discrepancies {
    pub(super) heading: String,
    pub(super) table: Table,
    /// The file beside the report in which all of them stand.
    pub(super) file: Option<String>,
    /// The folder in which the target's data is kept.
    pub(super) data: Option<String>,
}

/// How to repeat it, and where it was made.
pub(super) struct Origin {
    pub(super) command: String,
    pub(super) facts: Vec<(&'static str, String)>,
}

/// Rows under named columns.
pub(super) struct Table {
    pub(super) caption: String,
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<Cell>>,
}

/// What stands in a column.
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: ColumnKind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ColumnKind {
    Text,
    Number,
}

/// What stands in a row under a column.
#[derive(Default)]
pub(super) struct Cell {
    pub(super) text: String,
    /// What it is sorted by, if not by its text.
    pub(super) key: Option<f64>,
    pub(super) tone: Tone,
}

/// How something is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Tone {
    #[default]
    Plain,
    Good,
    Bad,
    /// Neither: it is not known, or not judged.
    Open,
}

impl Table {
    /// The first column is text, the others are numbers.
    fn new(caption: impl Into<String>, names: &[&'static str]) -> Self {
        let column = |(at, &name)| Column {
            name,
            kind: if at == 0 {
                ColumnKind::Text
            } else {
                ColumnKind::Number
            },
        };
        Self {
            caption: caption.into(),
            columns: names.iter().enumerate().map(column).collect(),
            rows: Vec::new(),
        }
    }

    fn with_text(mut self, names: &[&str]) -> Self {
        for column in &mut self.columns {
            if names.contains(&column.name) {
                column.kind = ColumnKind::Text;
            }
        }
        self
    }
}

impl Cell {
    fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    fn number(text: impl Into<String>, key: f64) -> Self {
        Self {
            text: text.into(),
            key: Some(key),
            ..Self::default()
        }
    }

    /// What is not there; it sorts before every number.
    fn missing() -> Self {
        Self::number("–", f64::NEG_INFINITY)
    }

    fn toned(mut self, tone: Tone) -> Self {
        self.tone = tone;
        self
    }
}

impl Tone {
    pub(super) fn of(conclusion: Conclusion) -> Self {
        match conclusion {
            Conclusion::Pass => Self::Good,
            Conclusion::Fail => Self::Bad,
            Conclusion::Inconclusive => Self::Open,
        }
    }

    /// Bad, if there is any.
    fn bad_if(any: bool) -> Self {
        if any { Self::Bad } else { Self::Plain }
    }
}
