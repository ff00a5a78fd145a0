//! The grammar of thresholds. Every mistake names its column and what would be right.
//!
//! ```text
//! threshold  = figure comparison limit
//! figure     = metric [ "(" [ name ] [ "@" name ] ")" ]
//! name       = word | '"' any but '"' '"'
//! comparison = "<" | "<=" | ">" | ">=" | "==" | "!="
//! limit      = number [ unit ]
//! ```

use crate::error::RunError;
use crate::threshold::metric::{Dimension, METRICS, Metric, Scope};
use crate::threshold::{Comparison, Name, Threshold};

/// The longer spellings come first, since they begin with the shorter ones.
const COMPARISONS: [(&str, Comparison); 6] = [
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("==", Comparison::Equal),
    ("!=", Comparison::Unequal),
    ("<", Comparison::Below),
    (">", Comparison::Above),
];

pub(crate) fn parse(text: &str) -> Result<Threshold, RunError> {
    Parser { text, at: 0 }
        .threshold()
        .map_err(|mistake| RunError::Threshold {
            expression: text.to_owned(),
            column: text[..mistake.at].chars().count() + 1,
            problem: mistake.problem,
        })
}

struct Mistake {
    /// The byte at which it stands.
    at: usize,
    problem: String,
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Parser<'t> {
    fn threshold(mut self) -> Result<Threshold, Mistake> {
        self.skip_space();
        let metric_at = self.at;
        let metric_name = self.word();
        let (metric, dimension, scope) =
            metric(metric_name).ok_or_else(|| mistake(metric_at, unknown_metric(metric_name)))?;
        let (step, phase) = self.scope(metric_name, scope)?;
        let comparison = self.comparison()?;
        let limit = self.limit(metric_name, dimension)?;
        self.skip_space();
        if !self.rest().is_empty() {
            return Err(mistake(
                self.at,
                format!("nothing may follow the limit, not `{}`", self.rest()),
            ));
        }
        let text = self.text.trim().to_owned();
        Ok(Threshold {
            text,
            metric,
            dimension,
            step,
            phase,
            comparison,
            limit,
        })
    }

    /// The parenthesis after a metric.
    fn scope(
        &mut self,
        metric: &str,
        scope: Scope,
    ) -> Result<(Option<Name>, Option<Name>), Mistake> {
        let opened_at = self.at;
        if !self.eat("(") {
            return Ok((None, None));
        }
        if scope == Scope::Run {
            let problem =
                format!("`{metric}` is a figure of the whole run: leave the parenthesis out");
            return Err(mistake(opened_at, problem));
        }
        self.skip_space();
        let step = if self.rest().starts_with(['@', ')']) {
            None
        } else {
            Some(self.name("step")?)
        };
        self.skip_space();
        let phase_at = self.at;
        let phase = if self.eat("@") {
            Some(self.name("phase")?)
        } else {
            None
        };
        if phase.is_some() && scope < Scope::Phase {
            return Err(mistake(
                phase_at,
                format!("`{metric}` is no figure of a phase"),
            ));
        }
        self.skip_space();
        if !self.eat(")") {
            return Err(mistake(
                self.at,
                "the parenthesis is not closed: `)` is missing".to_owned(),
            ));
        }
        if step.is_none() && phase.is_none() {
            let problem =
                "a step's name is missing, such as `(create)`, or a phase's, such as `(@ peak)`";
            return Err(mistake(opened_at + 1, problem.to_owned()));
        }
        Ok((step, phase))
    }

    fn name(&mut self, what: &str) -> Result<Name, Mistake> {
        self.skip_space();
        let begins = self.at;
        let column = self.text[..begins].chars().count() + 1;
        let text = if self.eat("\"") {
            let length = self.rest().find('"').ok_or_else(|| {
                mistake(
                    begins,
                    "the quotation is not closed: `\"` is missing".to_owned(),
                )
            })?;
            let quoted = &self.rest()[..length];
            self.at += length + 1;
            quoted
        } else {
            self.word()
        };
        if text.is_empty() {
            let problem =
                format!("a {what}'s name is missing; one that is no plain word is quoted");
            return Err(mistake(begins, problem));
        }
        Ok(Name {
            text: text.to_owned(),
            column,
        })
    }

    fn comparison(&mut self) -> Result<Comparison, Mistake> {
        self.skip_space();
        for (spelling, comparison) in COMPARISONS {
            if self.eat(spelling) {
                return Ok(comparison);
            }
        }
        Err(mistake(
            self.at,
            "a comparison is missing: <, <=, >, >=, == or !=".to_owned(),
        ))
    }

    fn limit(&mut self, metric: &str, dimension: Dimension) -> Result<f64, Mistake> {
        self.skip_space();
        let begins = self.at;
        let digits = self.take(|c| c.is_ascii_digit() || c == '.' || c == '_');
        let number: f64 = digits.replace('_', "").parse().map_err(|_| {
            mistake(
                begins,
                format!("a number is missing, such as `{}`", dimension.example()),
            )
        })?;
        self.skip_space();
        let unit_at = self.at;
        let unit = self.take(|c| c.is_alphabetic() || c == '%' || c == '/');
        let factor = dimension.factor(unit).ok_or_else(|| {
            let at = if unit.is_empty() { begins } else { unit_at };
            mistake(at, dimension.unit_problem(metric, unit))
        })?;
        Ok(number * factor)
    }

    fn word(&mut self) -> &'t str {
        self.take(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
    }

    fn take(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let length = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn eat(&mut self, token: &str) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn skip_space(&mut self) {
        self.take(char::is_whitespace);
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }
}

fn mistake(at: usize, problem: String) -> Mistake {
    Mistake { at, problem }
}

fn metric(name: &str) -> Option<(Metric, Dimension, Scope)> {
    if let Some(percent) = name
        .strip_prefix('p')
        .and_then(|digits| digits.parse::<f64>().ok())
    {
        let metric = Metric::Quantile(percent / 100.0);
        return (0.001..=100.0).contains(&percent).then_some((
            metric,
            Dimension::Time,
            Scope::Phase,
        ));
    }
    METRICS
        .iter()
        .find(|(known, ..)| *known == name)
        .map(|&(_, metric, dimension, scope)| (metric, dimension, scope))
}

fn unknown_metric(name: &str) -> String {
    let known: Vec<&str> = METRICS.iter().map(|(name, ..)| *name).collect();
    let known = known.join(", ");
    if name.is_empty() {
        return format!("a figure is missing: a percentile such as p99, or {known}");
    }
    format!("`{name}` is no figure; there are percentiles such as p99, and {known}")
}

impl Dimension {
    /// How many base units a unit is.
    fn factor(self, unit: &str) -> Option<f64> {
        Some(match (self, unit) {
            (Self::Time, "ns") => 1.0,
            (Self::Time, "us" | "µs") => 1e3,
            (Self::Time, "ms") => 1e6,
            (Self::Time, "s") => 1e9,
            (Self::Time, "min") => 60e9,
            (Self::Time, "h") => 3600e9,
            (Self::Share, "%") => 0.01,
            (Self::Share | Self::Count | Self::Cores, "") => 1.0,
            (Self::Rate, "/s") => 1.0,
            (Self::Rate, "/min") => 1.0 / 60.0,
            (Self::Rate, "/h") => 1.0 / 3600.0,
            (Self::Bytes, "B") => 1.0,
            (Self::Bytes, "kB") => 1e3,
            (Self::Bytes, "MB") => 1e6,
            (Self::Bytes, "GB") => 1e9,
            (Self::Bytes, "KiB") => 1024.0,
            (Self::Bytes, "MiB") => 1_048_576.0,
            (Self::Bytes, "GiB") => 1_073_741_824.0,
            _ => return None,
        })
    }

    fn example(self) -> &'static str {
        match self {
            Self::Time => "200ms",
            Self::Share => "1%",
            Self::Count => "0",
            Self::Rate => "1000/s",
            Self::Bytes => "500MB",
            Self::Cores => "1.5",
        }
    }

    fn unit_problem(self, metric: &str, unit: &str) -> String {
        let (kind, units) = match self {
            Self::Time => ("time", "ns, us, ms, s, min or h"),
            Self::Share => ("share", "% or none"),
            Self::Count => ("count", "none"),
            Self::Rate => ("rate", "/s, /min or /h"),
            Self::Bytes => ("size", "B, kB, MB, GB, KiB, MiB or GiB"),
            Self::Cores => ("number of processors", "none"),
        };
        if unit.is_empty() {
            return format!("`{metric}` is a {kind}, so its limit needs a unit: {units}");
        }
        format!("`{metric}` is a {kind}, whose unit is {units}, not `{unit}`")
    }
}

#[cfg(test)]
mod tests;
