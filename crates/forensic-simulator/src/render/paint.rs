use anstyle::{AnsiColor, Style};

use crate::run::report::PredictedOutcome;

/// The styles of a text: those of a terminal, or none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint {
    pub(super) title: Style,
    pub(super) dim: Style,
    good: Style,
    open: Style,
    pub(super) bad: Style,
}

impl Paint {
    pub(super) const PLAIN: Self = Self {
        title: Style::new(),
        dim: Style::new(),
        good: Style::new(),
        open: Style::new(),
        bad: Style::new(),
    };

    pub(super) const TERMINAL: Self = Self {
        title: Style::new().bold(),
        dim: Style::new().dimmed(),
        good: AnsiColor::Green.on_default(),
        open: AnsiColor::Yellow.on_default(),
        bad: AnsiColor::Red.on_default(),
    };

    pub(super) fn outcome(&self, outcome: PredictedOutcome) -> Style {
        match outcome {
            PredictedOutcome::Success => self.good,
            PredictedOutcome::Unknown | PredictedOutcome::Blocked => self.open,
            PredictedOutcome::WouldFail | PredictedOutcome::Unsafe => self.bad,
        }
    }

    /// The style of a line of a diff, by its sign.
    pub(super) fn sign(&self, sign: char) -> Style {
        match sign {
            '+' => self.good,
            '-' => self.bad,
            _ => self.open,
        }
    }
}
