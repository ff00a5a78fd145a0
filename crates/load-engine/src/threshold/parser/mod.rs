//! The grammar of thresholds. Every mistake names its column and what would be right.
//!
//! ```text
//! threshold  = figure comparison limit
//! figure     = metric [ "(" [ name | "*" ] [ "@" name ] ")" ]
//! name       = word | '"' any but '"' '"'
//! comparison = "<" | "<=" | ">" | ">=" | "==" | "!="
//! limit      = number [ unit ] | [ number "*" ] figure
//! ```
//!
//! Units are those of [`quantity`](crate::quantity).

use std::str::FromStr;

use crate::error::RunError;
use crate::threshold::metric::{METRICS, Metric, Quantile, Scope};
use crate::threshold::quantity::{self, Dimension};
use crate::threshold::{Against, Comparison, Name, Threshold};

/// The longer spellings come first, since they begin with the shorter ones.
const COMPARISONS: [(&str, Comparison); 6] = [
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("==", Comparison::Equal),
    ("!=", Comparison::Unequal),
    ("<", Comparison::Below),
    (">", Comparison::Above),
];

impl FromStr for Threshold {
    type Err = RunError;

    fn from_str(text: &str) -> Result<Self, RunError> {
        Parser { text, at: 0 }
            .threshold()
            .map_err(|mistake| RunError::Threshold {
                expression: text.to_owned(),
                column: text[..mistake.at].chars().count() + 1,
                problem: mistake.problem,
            })
    }
}

/// Of what a figure is asked.
#[derive(Default)]
struct Asked {
    step: Option<Name>,
    each_step: bool,
    phase: Option<Name>,
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
        let asked = self.scope(metric_name, scope)?;
        self.skip_space();
        let comparison_at = self.at;
        let comparison = self.comparison()?;
        let against = self.against(metric_name, dimension)?;
        let limit = match &against {
            None => self.limit(metric_name, dimension)?,
            Some(_) => 0.0,
        };
        self.skip_space();
        if !self.rest().is_empty() {
            return Err(mistake(
                self.at,
                format!("nothing may follow the limit, not `{}`", self.rest()),
            ));
        }
        let problem = foregone(dimension, comparison, limit).filter(|_| against.is_none());
        if let Some(problem) = problem {
            return Err(mistake(comparison_at, problem.to_owned()));
        }
        let text = self.text.trim().to_owned();
        let Asked {
            step,
            each_step,
            phase,
        } = asked;
        Ok(Threshold {
            text,
            metric,
            dimension,
            step,
            each_step,
            phase,
            comparison,
            limit,
            against,
        })
    }

    /// A limit that is a figure, by a factor if there is one; none if it is a number.
    fn against(
        &mut self,
        metric_name: &str,
        dimension: Dimension,
    ) -> Result<Option<Against>, Mistake> {
        self.skip_space();
        let begins = self.at;
        let number = self.take(|c| c.is_ascii_digit() || matches!(c, '.' | '_'));
        let is_factor = !number.is_empty() && self.eat("*");
        let known_at = self.at;
        let is_figure = number.is_empty() && metric(self.word()).is_some();
        self.at = known_at;
        if !is_factor && !is_figure {
            self.at = begins;
            return Ok(None);
        }
        let factor = match number {
            "" => 1.0,
            number => number
                .replace('_', "")
                .parse::<f64>()
                .ok()
                .filter(|factor| *factor > 0.0)
                .ok_or_else(|| mistake(begins, "a factor is a number above 0".to_owned()))?,
        };
        self.skip_space();
        let figure_at = self.at;
        let name = self.word();
        let (metric, of, scope) =
            metric(name).ok_or_else(|| mistake(figure_at, unknown_metric(name)))?;
        if of != dimension {
            let problem = format!(
                "`{metric_name}` is a {}, and `{name}` a {}: a limit is of the same kind",
                dimension.name(),
                of.name()
            );
            return Err(mistake(figure_at, problem));
        }
        let Asked {
            step,
            each_step,
            phase,
        } = self.scope(name, scope)?;
        if each_step {
            let problem = "a limit is one figure: name a step, or leave the parenthesis out";
            return Err(mistake(figure_at, problem.to_owned()));
        }
        Ok(Some(Against {
            factor,
            metric,
            step,
            phase,
        }))
    }

    /// The parenthesis after a metric.
    fn scope(&mut self, metric: &str, scope: Scope) -> Result<Asked, Mistake> {
        let opened_at = self.at;
        if !self.eat("(") {
            return Ok(Asked::default());
        }
        if scope == Scope::Run {
            let problem =
                format!("`{metric}` is a figure of the whole run: leave the parenthesis out");
            return Err(mistake(opened_at, problem));
        }
        self.skip_space();
        let step_at = self.at;
        let each_step = self.eat("*");
        let step = if each_step || self.rest().trim_start().starts_with(['@', ')']) {
            None
        } else {
            let of = if scope == Scope::Service {
                "service"
            } else {
                "step"
            };
            Some(self.name(of)?)
        };
        let has_names = scope.has_steps() || scope == Scope::Service && !each_step;
        if (each_step || step.is_some()) && !has_names {
            return Err(mistake(
                step_at,
                format!("`{metric}` is no figure of a step"),
            ));
        }
        self.skip_space();
        let phase_at = self.at;
        let phase = if self.eat("@") {
            Some(self.name("phase")?)
        } else {
            None
        };
        if phase.is_some() && !scope.has_phases() {
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
        if step.is_none() && phase.is_none() && !each_step {
            let problem =
                "a step's name is missing, such as `(create)`, or a phase's, such as `(@ peak)`";
            return Err(mistake(opened_at + 1, problem.to_owned()));
        }
        Ok(Asked {
            step,
            each_step,
            phase,
        })
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
        let (limit, rest) =
            quantity::read(self.rest(), dimension).map_err(|wrong| match wrong {
                quantity::Mistake::NoNumber => mistake(
                    begins,
                    format!("a number is missing, such as `{}`", dimension.example()),
                ),
                quantity::Mistake::Unit { at, unit } => {
                    let at = if unit.is_empty() { 0 } else { at };
                    mistake(begins + at, unit_problem(dimension, metric, &unit))
                }
                quantity::Mistake::Share(problem) => mistake(begins, problem),
            })?;
        self.at = self.text.len() - rest.len();
        Ok(limit)
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
    if let Some(quantile) = name.strip_prefix('p').and_then(Quantile::of_percent) {
        return Some((Metric::Quantile(quantile), Dimension::Time, Scope::Phase));
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

/// No figure is below 0, and no share above 1: a comparison with those says nothing.
fn foregone(dimension: Dimension, comparison: Comparison, limit: f64) -> Option<&'static str> {
    let whole = dimension == Dimension::Share && limit == 1.0;
    match comparison {
        Comparison::AtLeast if limit == 0.0 => Some("this always holds: no figure is below 0"),
        Comparison::Below if limit == 0.0 => Some("this never holds: no figure is below 0"),
        Comparison::AtMost if whole => Some("this always holds: no share is above 100 %"),
        Comparison::Above if whole => Some("this never holds: no share is above 100 %"),
        _ => None,
    }
}

fn unit_problem(dimension: Dimension, metric: &str, unit: &str) -> String {
    let (kind, units) = (dimension.name(), dimension.units());
    if unit.is_empty() {
        return format!("`{metric}` is a {kind}, so its limit needs a unit: {units}");
    }
    format!("`{metric}` is a {kind}, whose unit is {units}, not `{unit}`")
}

#[cfg(test)]
mod tests;
